//! Pictures of one folder whose names and classes are in a table: what a list may name, and what is said of those that are not
//! there.

use super::directory::{Broken, Listed, PictureFolder, PictureOptions, is_picture, read_all};
use crate::data::csv::{CsvOptions, List};
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// How many missing files are named.
const NAMED: usize = 5;

/// Reads the pictures of a folder that a CSV file lists, with their classes, as [`read_folder`](super::read_folder) does. It is
/// the form of many competitions: `image,label`, and all pictures in one folder, or in folders of it.
///
/// The names are in the column [`id`](CsvOptions::id) of the list, by default its first, relative to the folder; the classes in
/// the column [`target`](CsvOptions::target), by default the second: whole numbers from 0, or texts, which are numbered in the
/// order of the alphabet. Other columns may have anything in them. A first row with a name of a picture in it is no header.
///
/// With the features `image` and `csv`.
///
/// # Errors
/// As [`read_folder`](super::read_folder) and [`csv::read`](crate::data::csv::read); [`Error::Data`] with the line of the list if
/// a file is missing, unless [`Broken::LeaveOut`] is set, or a name leaves the folder: one with `..` in it, or that begins at the
/// root. Links in the folder are followed.
///
/// ```
/// use inkstone::data::csv::CsvOptions;
/// use inkstone::data::pictures::{self, Order, PictureOptions};
/// let folder = tempfile::tempdir().unwrap();
/// for name in ["1.png", "2.png"] {
///     pictures::write_png(folder.path().join(name), &inkstone::ndarray::Array2::from_elem((40, 60), 128))?;
/// }
/// let list = folder.path().join("train.csv");
/// std::fs::write(&list, "image,weight,animal\n1.png,4.5,cat\n2.png,31,dog\n").unwrap();
/// let columns = CsvOptions::new().id("image").target("animal");
/// let options = PictureOptions::new((32, 32)).order(Order::ByName);
/// let read = pictures::read_listed(folder.path(), &list, columns, options)?;
/// assert_eq!((read.dataset.labels(), &read.classes[..]), (&[0, 1][..], &["cat".to_owned(), "dog".to_owned()][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[doc(alias = "flow_from_dataframe")]
pub fn read_listed(
    folder: impl AsRef<Path>,
    list: impl AsRef<Path>,
    columns: CsvOptions,
    options: PictureOptions,
) -> Result<PictureFolder> {
    let (folder, list) = (folder.as_ref(), list.as_ref());
    let place = list.display();
    let List { names, labels, classes } = List::of_file(list, columns, |text| is_picture(Path::new(text)))?;
    let (mut files, mut missing) = (Vec::with_capacity(names.len()), Vec::new());
    for ((line, name), label) in names.into_iter().zip(labels) {
        let shown = || name.chars().take(100).collect::<String>();
        if !stays(&name) {
            return Err(Error::Data(format!(
                "{place}: line {line}: expected the name of a picture in the folder, found `{}`, which leaves it or is none",
                shown()
            )));
        }
        let path = folder.join(&name);
        if is_missing(&path)? {
            missing.push((line, shown(), path));
        } else {
            files.push(Listed { path, id: name, label });
        }
    }
    let told = |(line, name): (u64, &str)| format!("line {line}, `{name}`");
    let nothing_left = files.is_empty();
    if !missing.is_empty() && (options.broken == Broken::Refuse || nothing_left) {
        let (count, is) = (missing.len(), if missing.len() == 1 { "picture is" } else { "pictures are" });
        let named: Vec<String> = missing.iter().take(NAMED).map(|(line, name, _)| told((*line, name))).collect();
        let more = if count > NAMED { "; and others" } else { "" };
        return Err(Error::Data(format!(
            "{place}: {count} {is} missing in {}: {}{more}",
            folder.display(),
            named.join("; ")
        )));
    }
    let (dataset, broken) = read_all(&files, &options)?;
    let missing = missing.into_iter().map(|(line, name, path)| {
        let problem = format!("expected the picture that the list names, found none: {place}, {}", told((line, &name)));
        let error = super::fault(&path, problem);
        (path, error)
    });
    let left_out: Vec<(PathBuf, Error)> = missing.chain(broken).collect();
    Ok(PictureFolder { dataset, classes, left_out })
}

/// Whether a name is one of something in the folder that it is looked up in.
fn stays(name: &str) -> bool {
    let mut parts = Path::new(name).components().filter(|part| *part != Component::CurDir).peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// # Errors
/// The system's, if it cannot say.
fn is_missing(path: &Path) -> Result<bool> {
    match path.metadata() {
        Ok(_) => Ok(false),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(true),
        Err(source) => Err(Error::Io { place: path.display().to_string(), source }),
    }
}
