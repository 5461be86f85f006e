//! MNIST: where it is looked for, what is wrong with a folder, and the real files if `INKSTONE_DATA` has them.

use inkstone::data::mnist;
use std::fs;
use std::path::Path;
use std::process::Command;

const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn images(count: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend((0..count).flat_map(|n| [n; 6]));
    bytes
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, labels.len() as u8];
    bytes.extend(labels);
    bytes
}

/// Four sound files: three images to train on, labelled 0 to 2, and two to test with.
fn write_all(folder: &Path) {
    let contents = [images(3), labels(&[0, 1, 2]), images(2), labels(&[9, 8])];
    FILES.iter().zip(contents).for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
}

fn error(folder: &Path) -> String {
    mnist::load_from(folder).unwrap_err().to_string()
}

#[test]
fn four_files_make_a_training_and_a_test_set() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let (train, test) = mnist::load_from(folder.path()).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[0, 1, 2][..], &[9, 8][..]));
    assert_eq!(train.shape().to_string(), "(2, 3, 1)");
    assert_eq!(train.images()[[2, 0, 0, 0]], 2.0 / 255.0);
}

#[test]
fn plain_and_compressed_files_mix() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    for name in &FILES[1..3] {
        let plain = folder.path().join(name);
        let compressed = fs::File::create(folder.path().join(format!("{name}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(compressed, flate2::Compression::fast());
        encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(plain).unwrap();
    }
    assert_eq!(mnist::load_from(folder.path()).unwrap().0.len(), 3);
}

#[test]
fn an_empty_folder_says_what_is_wanted_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let expected = format!(
        "MNIST was not found. Searched:\n  {}\nWanted, in one of these folders, plain or with .gz added:\n  {}\n\
         Put the four files there, or set INKSTONE_DATA to the folder that holds them; data/README.md says where they \
         come from.",
        folder.path().display(),
        FILES.join("\n  ")
    );
    assert_eq!(error(folder.path()), expected);
    write_all(folder.path());
    fs::remove_file(folder.path().join(FILES[3])).unwrap();
    assert_eq!(error(folder.path()), expected, "one file is missing");
}

#[test]
fn files_that_do_not_fit_each_other_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |index: usize| folder.path().join(FILES[index]);
    write_all(folder.path());
    fs::write(path(1), labels(&[0, 1])).unwrap();
    assert_eq!(
        error(folder.path()),
        format!(
            "{}: expected 3 labels (1 dimension), one for each image of {}, found 2",
            path(1).display(),
            path(0).display()
        )
    );
    fs::write(path(1), labels(&[0, 10, 2])).unwrap();
    assert_eq!(
        error(folder.path()),
        format!("{}: expected labels from 0 to 9, found 10 at index 1", path(1).display())
    );
    fs::write(path(0), labels(&[0, 1, 2])).unwrap();
    assert_eq!(
        error(folder.path()),
        format!("{}: expected images (3 dimensions: number, rows, columns), found 3", path(0).display())
    );
    write_all(folder.path());
    fs::write(path(2), &images(2)[..20]).unwrap();
    assert_eq!(
        error(folder.path()),
        format!("{}: expected 12 bytes of data for 2 x 2 x 3, the file ends after 4", path(2).display())
    );
}

/// Not a test of its own: `load_data_searches_three_folders_in_order` runs it in a process with other variables.
#[test]
fn child_that_loads_data() {
    if std::env::var_os("INKSTONE_TEST_CHILD").is_some() {
        match mnist::load_data() {
            Ok((train, _)) => println!("loaded {}", train.len()),
            Err(error) => println!("{error}"),
        }
    }
}

#[test]
fn load_data_searches_three_folders_in_order() {
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    };
    let (chosen, work, cache) = (folder("chosen"), folder("work"), folder("cache"));
    let run = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_loads_data", "--nocapture"])
            .current_dir(&work)
            .env("INKSTONE_TEST_CHILD", "1")
            .env("INKSTONE_DATA", &chosen)
            .env("HOME", home.path())
            .env("XDG_CACHE_HOME", &cache)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let searched = run();
    let place = |text: &str| searched.find(text).unwrap_or_else(|| panic!("{text} is not in {searched}"));
    let own_cache = Path::new("inkstone").join("mnist");
    assert!(place(&chosen.display().to_string()) < place("\n  data\n"), "{searched}");
    assert!(place("\n  data\n") < place(&own_cache.display().to_string()), "{searched}");

    // Each folder that is filled is found before those that were filled earlier. Only Linux lets a variable move the
    // cache.
    if cfg!(target_os = "linux") {
        let in_cache = cache.join(own_cache);
        fs::create_dir_all(&in_cache).unwrap();
        write_all(&in_cache);
        assert!(run().contains("loaded 3"));
    }
    let set = |folder: &Path, count: u8| {
        fs::create_dir_all(folder).unwrap();
        write_all(folder);
        fs::write(folder.join(FILES[0]), images(count)).unwrap();
        fs::write(folder.join(FILES[1]), labels(&vec![0; usize::from(count)])).unwrap();
    };
    set(&work.join("data"), 4);
    assert!(run().contains("loaded 4"));
    set(&chosen, 5);
    assert!(run().contains("loaded 5"));
}

#[test]
fn the_real_files_are_what_they_should_be() {
    let Some(folder) = std::env::var_os("INKSTONE_DATA") else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_MNIST").is_none(), "INKSTONE_DATA must be set here");
        println!("skipped: set INKSTONE_DATA to the folder with the MNIST files");
        return;
    };
    let (train, test) = mnist::load_from(folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!((train.shape(), test.shape()), ([28, 28, 1].into(), [28, 28, 1].into()));
    assert_eq!((&train.labels()[..5], &test.labels()[..5]), (&[5, 0, 4, 1, 9][..], &[7, 2, 1, 0, 4][..]));
    let count = |class| train.labels().iter().filter(|label| **label == class).count();
    let counts: Vec<usize> = (0..10).map(count).collect();
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let images = train.images();
    let mean = images.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / images.len() as f64;
    assert!((mean - 0.1307).abs() < 1e-4, "mean pixel {mean}");
}
