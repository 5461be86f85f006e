//! The arrays of an `.npz` archive, of which there may be many: what they have in all is limited.

use super::array::{self, NpyArray};
use super::opened;
use crate::data::idx::MAX_ELEMENTS;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// The most arrays of an archive.
const MOST_ARRAYS: usize = 1 << 16;

/// Reads all arrays of an archive, as `numpy.savez` and `savez_compressed` write it, by their names, of which the first 200
/// characters count.
///
/// # Errors
/// As [`read_npy`](super::read_npy), and [`Error::Data`] if it is no archive, has something else in it, has two arrays of one
/// name, or has more than 2^31 numbers in all.
///
/// ```
/// use inkstone::data::numpy;
/// use inkstone::ndarray::array;
/// use std::io::Write;
/// let folder = tempfile::tempdir().unwrap().keep();
/// // As `numpy.savez("arrays.npz", x=[0.25, 0.75])` does.
/// numpy::write_npy(folder.join("x.npy"), array![0.25, 0.75].view().into_dyn())?;
/// let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.join("arrays.npz")).unwrap());
/// archive.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
/// archive.write_all(&std::fs::read(folder.join("x.npy")).unwrap()).unwrap();
/// archive.finish().unwrap();
///
/// let mut arrays = numpy::read_npz(folder.join("arrays.npz"))?;
/// assert_eq!(arrays.remove("x").unwrap().into_f32(), array![0.25, 0.75].into_dyn());
/// assert!(arrays.is_empty());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read_npz(path: impl AsRef<Path>) -> Result<BTreeMap<String, NpyArray>> {
    read(path.as_ref(), MAX_ELEMENTS)
}

/// As [`read_npz`], from a reader, such as a [`Cursor`](io::Cursor) over bytes in memory.
///
/// Memory grows with the arrays that are there, which are packed by a factor of a thousand at most.
///
/// # Errors
/// As [`read_npz`].
///
/// ```
/// use inkstone::data::numpy;
/// use std::io::Cursor;
/// // An archive without a file in it.
/// let empty = [&b"PK\x05\x06"[..], &[0; 18]].concat();
/// assert!(numpy::read_npz_from(Cursor::new(&empty))?.is_empty());
/// let error = numpy::read_npz_from(Cursor::new(b"no archive")).unwrap_err().to_string();
/// assert!(error.starts_with("the NumPy archive: expected an archive of NumPy arrays, found something else"), "{error}");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read_npz_from(reader: impl Read + Seek) -> Result<BTreeMap<String, NpyArray>> {
    read_arrays(reader, "the NumPy archive", MAX_ELEMENTS)
}

fn read(path: &Path, most: usize) -> Result<BTreeMap<String, NpyArray>> {
    read_arrays(BufReader::new(opened(path)?), &path.display().to_string(), most)
}

/// - place: what errors call the archive; most: how many numbers all arrays may have together
fn read_arrays(reader: impl Read + Seek, place: &str, most: usize) -> Result<BTreeMap<String, NpyArray>> {
    let other = |error: ZipError| match error {
        ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Error::Io { place: place.to_owned(), source }
        }
        other => Error::Data(format!("{place}: expected an archive of NumPy arrays, found something else ({other})")),
    };
    let mut archive = ZipArchive::new(reader).map_err(other)?;
    if archive.len() > MOST_ARRAYS {
        return Err(Error::Data(format!("{place}: expected at most {MOST_ARRAYS} arrays, found {}", archive.len())));
    }
    let (mut arrays, mut left) = (BTreeMap::new(), most);
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(other)?;
        let name: String = file.name().map_err(other)?.chars().take(200).collect();
        let of_file = format!("{place}, `{name}`");
        let key = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        if arrays.contains_key(&key) {
            return Err(Error::Data(format!(
                "{of_file}: expected each array to have a name of its own, found two `{key}`"
            )));
        }
        let array = array::read(BufReader::new(file), &of_file, left)?;
        left -= array.shape().iter().product::<usize>();
        arrays.insert(key, array);
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// An archive of arrays of two numbers, under these names.
    fn archive(folder: &Path, names: &[&str]) -> std::path::PathBuf {
        let (one, path) = (folder.join("one.npy"), folder.join("all.npz"));
        super::super::write_npy(&one, ndarray::array![1.0, 2.0].view().into_dyn()).unwrap();
        let mut archive = ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(&std::fs::read(&one).unwrap()).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    #[test]
    fn archives_have_so_many_numbers_in_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), &["a.npy", "b.npy", "c.npy"]);
        assert_eq!(read(&path, 6).unwrap().len(), 3);
        let error = read(&path, 5).unwrap_err().to_string();
        assert!(error.contains("all.npz, `c.npy`: ") && error.contains("expected at most 1 numbers"), "{error}");
    }

    #[test]
    fn arrays_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let long = "n".repeat(200);
        for names in [["x", "x.npy"], [&format!("{long}1"), &format!("{long}2")]] {
            let error = read_npz(archive(folder.path(), &names)).unwrap_err().to_string();
            assert!(error.contains("expected each array to have a name of its own, found two `"), "{error}");
        }
    }
}
