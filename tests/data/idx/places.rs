//! Paths that are no files, and the memory that a file takes.

use super::*;

/// The most bytes on the heap while `work` runs, with the little that other tests allocate at the same time.
fn peak(work: impl FnOnce()) -> usize {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    work();
    dhat::HeapStats::get().max_bytes
}

#[test]
fn a_missing_file_is_an_error_that_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    let error = read_file(&path).unwrap_err();
    assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert_eq!(error.to_string(), format!("{}: {}", path.display(), std::fs::read(&path).unwrap_err()));
}

#[test]
fn a_path_that_is_a_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().into();
    let error = read_file(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert_eq!(error.to_string(), format!("{}: {}", path.display(), std::fs::read(&path).unwrap_err()));
}

#[cfg(unix)]
#[test]
fn a_pipe_and_a_device_are_refused_instead_of_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, what) in [(pipe, "a pipe"), ("/dev/zero".into(), "a device")] {
        let error = read_file(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        let expected = format!("{}: expected a file, found {what}: copy its content into a file first", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_header_that_promises_two_gibibytes_does_not_make_the_reader_allocate_them() {
    for shape in [&[1 << 31][..], &[1 << 16, 1 << 15], &[1 << 11, 1 << 10, 1 << 10], &[1 << 10, 1 << 10, 1 << 10, 2]] {
        let plain = file(shape, &[0; 10]);
        for bytes in [plain.clone(), gzip(&plain)] {
            let mut text = String::new();
            let peak = peak(|| text = error(&bytes));
            assert!(text.ends_with(", the file ends after 10"), "{text}");
            assert!(peak < 1 << 20, "{peak} bytes for {shape:?}");
        }
    }
}

#[test]
fn memory_grows_with_the_data_to_at_most_twice_their_size() {
    const DATA: usize = 12 << 20;
    let plain = file(&[1 << 31], &vec![7; DATA]);
    for bytes in [plain.clone(), gzip(&plain)] {
        let mut text = String::new();
        let peak = peak(|| text = error(&bytes));
        assert_eq!(
            text,
            format!("some file: expected 2147483648 bytes of data for 2147483648, the file ends after {DATA}")
        );
        assert!(peak >= DATA, "counting works: {peak} bytes");
        assert!(peak < 2 * DATA + (1 << 20), "{peak} bytes");
    }
}

#[test]
fn a_reader_without_end_is_read_no_further_than_its_header_says() {
    let mut zeros = io::repeat(0).take(1 << 30);
    let error = read((&file(&[1000], &[])[..]).chain(&mut zeros), "f").unwrap_err().to_string();
    let taken = (1 << 30) - zeros.limit();
    assert_eq!(error, "f: expected 1000 bytes of data for 1000, the file goes on after them");
    assert!(taken < 100_000, "{taken} bytes were read");
}
