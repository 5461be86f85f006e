//! Where `load_data` looks, in a process with other variables and folders.

use super::*;

#[test]
#[ignore = "no test of its own: `Search::run` runs it in a process with other variables"]
fn child_that_loads_data() {
    match mnist::load_data() {
        Ok((train, test)) => println!("<<<loaded {} and {}>>>", train.len(), test.len()),
        Err(error) => println!("<<<{error}>>>"),
    }
}

/// Folders for a process that searches for MNIST.
struct Search {
    root: tempfile::TempDir,
    chosen: Option<OsString>,
}

impl Search {
    fn new() -> Self {
        let search = Self { root: tempfile::tempdir().unwrap(), chosen: None };
        search.folder("home");
        search.folder("work");
        search
    }

    /// A folder of its own, made if need be.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Writes the files, with this many images to train on.
    fn fill(&self, name: &str, count: u8) {
        let folder = self.folder(name);
        write_all(&folder);
        fs::write(folder.join(TRAIN_IMAGES), images(count)).unwrap();
        fs::write(folder.join(TRAIN_LABELS), labels(&vec![0; usize::from(count)])).unwrap();
    }

    /// What [`child_that_loads_data`] says in the folder `work`.
    fn run(&self) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "mnist::search::child_that_loads_data", "--ignored", "--nocapture"])
            .current_dir(self.root.path().join("work"))
            .env("INKSTONE_OFFLINE", "1")
            .env("HOME", self.root.path().join("home"))
            .env("XDG_CACHE_HOME", self.root.path().join("cache"));
        match &self.chosen {
            Some(folder) => command.env("INKSTONE_DATA", folder),
            None => command.env_remove("INKSTONE_DATA"),
        };
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let said = output.split_once("<<<").and_then(|(_, rest)| rest.split_once(">>>"));
        said.unwrap_or_else(|| panic!("the child said {output}")).0.to_owned()
    }

    /// The folders of a failed search, in order.
    fn searched(&self) -> Vec<String> {
        let text = self.run();
        let list = text.strip_prefix("MNIST was not found. Searched:\n").and_then(|text| text.split_once("\nWanted"));
        let list = list.unwrap_or_else(|| panic!("expected a failed search, got {text}")).0;
        list.lines().map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect()
    }
}

#[test]
fn load_data_tells_the_three_folders_it_searched_in_order() {
    let mut search = Search::new();
    let chosen = search.folder("chosen");
    search.chosen = Some(chosen.clone().into());
    let [first, second, third] = &search.searched()[..] else { panic!("{:?}", search.searched()) };
    assert_eq!((first, &second[..]), (&chosen.display().to_string(), "data"));
    let own = Path::new("inkstone").join("mnist");
    assert!(Path::new(third).is_absolute() && Path::new(third).ends_with(own), "{third}");
    // Only there a variable moves the cache.
    if cfg!(target_os = "linux") {
        assert_eq!(*third, search.root.path().join("cache/inkstone/mnist").display().to_string());
    }
}

#[test]
fn load_data_without_the_variable_searches_two_folders() {
    let searched = Search::new().searched();
    assert_eq!((searched.len(), &searched[0][..]), (2, "data"));
}

#[test]
fn load_data_takes_an_empty_variable_for_none() {
    let mut search = Search::new();
    search.fill("work", 7);
    search.chosen = Some(OsString::new());
    let searched = search.searched();
    assert_eq!((searched.len(), &searched[0][..]), (2, "data"));
}

#[test]
fn load_data_prefers_the_variable_s_folder_to_data_and_data_to_the_cache() {
    let mut search = Search::new();
    // Only there a variable moves the cache.
    if cfg!(target_os = "linux") {
        search.fill("cache/inkstone/mnist", 3);
        assert_eq!(search.run(), "loaded 3 and 2");
    }
    search.fill("work/data", 4);
    assert_eq!(search.run(), "loaded 4 and 2");
    search.fill("chosen", 5);
    assert_eq!(search.run(), "loaded 4 and 2");
    search.chosen = Some(search.folder("chosen").into());
    assert_eq!(search.run(), "loaded 5 and 2");
}

#[test]
fn load_data_takes_a_relative_folder_from_the_variable() {
    let mut search = Search::new();
    search.fill("elsewhere", 6);
    search.chosen = Some(Path::new("..").join("elsewhere").into());
    assert_eq!(search.run(), "loaded 6 and 2");
}

#[test]
fn load_data_passes_over_a_folder_that_lacks_a_file() {
    let mut search = Search::new();
    search.fill("work/data", 4);
    search.fill("chosen", 5);
    let chosen = search.folder("chosen");
    fs::remove_file(chosen.join(TEST_IMAGES)).unwrap();
    search.chosen = Some(chosen.into());
    assert_eq!(search.run(), "loaded 4 and 2");
}

#[test]
fn load_data_does_not_pass_over_a_damaged_file() {
    let mut search = Search::new();
    search.fill("work/data", 4);
    search.fill("chosen", 5);
    let chosen = search.folder("chosen");
    fs::write(chosen.join(TEST_LABELS), labels(&[0, 10])).unwrap();
    search.chosen = Some(chosen.clone().into());
    let expected = format!("{}: expected labels from 0 to 9, found 10 at index 1", chosen.join(TEST_LABELS).display());
    assert_eq!(search.run(), expected);
}
