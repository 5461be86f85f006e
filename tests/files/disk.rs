//! Disks that are full, folders and files that may not be written to: the old model stays, and what is said. Links,
//! pipes and devices: they stay what they are. The portable variant of a write that fails half way is a unit test of
//! `whole_file`.
#![cfg(unix)]

use inkstone::prelude::*;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

fn model(units: usize) -> Model {
    Sequential::new([100])
        .add(Dense::new(units).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap()
}

/// A file system of 256 KiB in memory, for as long as it lives; `None` where that takes rights that the test does not
/// have.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder.path().to_str().unwrap()]);
        mounted.then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &[self.path().to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn only_the_old_model_is_there(folder: &Path, old: &Model) {
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["model"]);
    assert_eq!(Model::load(folder.join("model")).unwrap().get_weights(), old.get_weights());
}

#[test]
fn a_full_disk_and_one_mounted_for_reading_leave_the_old_model() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("NOT RUN: a small disk cannot be mounted here; run the tests as root to have this checked");
        return;
    };
    let (path, old) = (disk.path().join("model"), model(10));
    old.save(&path).unwrap();
    let at = disk.path().display();
    // 400 KiB.
    let error = model(1000).save(&path).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{} was not written: the disk of {at} is full: free some space, or write \
             elsewhere. The file that was there before is unchanged",
            path.display()
        )
    );
    only_the_old_model_is_there(disk.path(), &old);
    // There is room again at once: nothing was left behind.
    model(300).save(&path).unwrap();
    old.save(&path).unwrap();

    assert!(run("mount", &["-o", "remount,ro", disk.path().to_str().unwrap()]));
    let error = model(5).save(&path).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{} was not written: the disk of {at} is mounted for reading only: write elsewhere. The file that was there before is unchanged",
            path.display()
        )
    );
    only_the_old_model_is_there(disk.path(), &old);
}

#[test]
fn a_folder_that_may_not_be_written_to_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("model"), model(10));
    old.save(&path).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let saved = model(5).save(&path);
    let allowed = fs::write(folder.path().join("probe"), "").is_ok();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if allowed {
        eprintln!("NOT RUN: this user may write everywhere");
        return saved.unwrap();
    }
    let at = folder.path().display();
    assert_eq!(
        saved.unwrap_err().to_string(),
        format!(
            "{} was not written: the folder {at} may not be written to: change its \
             permissions, or write elsewhere. The file that was there before is unchanged",
            path.display()
        )
    );
    only_the_old_model_is_there(folder.path(), &old);
}

#[test]
fn a_file_that_may_not_be_written_to_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("model"), model(10));
    old.save(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let saved = model(5).save(&path);
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        saved.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o444);
        return eprintln!("NOT RUN: this user may write to every file");
    }
    assert_eq!(
        saved.unwrap_err().to_string(),
        format!(
            "{} was not written: the file may not be written to: change its permissions, or write elsewhere",
            path.display()
        )
    );
    only_the_old_model_is_there(folder.path(), &old);
}

#[test]
fn a_replaced_file_keeps_its_owner_its_group_and_its_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    fs::write(&path, "old").unwrap();
    if std::os::unix::fs::chown(&path, Some(12345), Some(54321)).is_err() {
        return eprintln!("NOT RUN: this user may not give files away; run the tests as root to have this checked");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    model(5).save(&path).unwrap();
    let new = fs::metadata(&path).unwrap();
    assert_eq!((new.uid(), new.gid(), new.mode() & 0o7777), (12345, 54321, 0o640));
    assert!(Model::load(&path).is_ok());
}

#[test]
fn links_are_followed_to_files_that_are_there_and_to_files_that_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (links, runs) = (folder.path().join("links"), folder.path().join("runs"));
    fs::create_dir(&links).unwrap();
    fs::create_dir(&runs).unwrap();
    symlink("second", links.join("first")).unwrap();
    symlink("../runs/model", links.join("second")).unwrap();
    for units in [5, 10] {
        model(units).save(links.join("first")).unwrap();
        assert_eq!(Model::load(runs.join("model")).unwrap().get_weights(), model(units).get_weights());
    }
    for link in ["first", "second"] {
        assert!(links.join(link).symlink_metadata().unwrap().is_symlink(), "{link}");
    }
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!((names(&links), names(&runs)), (2, 1), "no part is left");

    symlink("../nowhere/model", links.join("lost")).unwrap();
    let error = model(5).save(links.join("lost")).unwrap_err().to_string();
    assert!(error.contains("/nowhere does not exist: create it first"), "{error}");
    symlink("round", links.join("round")).unwrap();
    let error = model(5).save(links.join("round")).unwrap_err().to_string();
    assert!(error.contains("symbolic links"), "{error}");
}

#[test]
fn a_named_pipe_gets_the_bytes_and_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(run("mkfifo", &[pipe.to_str().unwrap()]));
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    model(5).save(&pipe).unwrap();
    assert_eq!(reader.join().unwrap(), model(5).to_bytes().unwrap());
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
}

#[test]
fn a_device_stays_one_and_a_socket_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // A copy of `/dev/null`: if this test fails, the real one stays.
    let (device, socket) = (folder.path().join("null"), folder.path().join("socket"));
    if run("mknod", &[device.to_str().unwrap(), "c", "1", "3"]) {
        if fs::write(&device, "a").is_ok() {
            model(5).save(&device).unwrap();
        }
        assert!(fs::metadata(&device).unwrap().file_type().is_char_device());
    } else {
        eprintln!("NOT RUN: this user may not make devices; run the tests as root to have this checked");
    }
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = model(5).save(&socket).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{} was not written: it is a socket or a disk, not a file: give the path of a file", socket.display())
    );
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
}

/// Makes this program a child that saves a model to its standard output.
const TO_STDOUT: &str = "INKSTONE_TEST_TO_STDOUT";

/// The child process. Without the variable it is no child, and does nothing.
#[test]
fn child_that_saves_to_its_standard_output() {
    let Some(path) = std::env::var_os(TO_STDOUT) else { return };
    println!("<");
    model(5).save(path).unwrap();
    std::process::exit(0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_standard_output_gets_the_bytes_after_what_it_has() {
    let expected = [b"<\n", &model(5).to_bytes().unwrap()[..]].concat();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    // A link of our own, as a faulty `save` replaces `/dev/stdout` where root runs the tests.
    let link = folder.path().join("link");
    symlink("/proc/self/fd/1", &link).unwrap();
    let child = |output: Stdio| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "disk::child_that_saves_to_its_standard_output", "--nocapture"])
            .env(TO_STDOUT, &link)
            .stdout(output)
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap()
    };
    let piped = child(Stdio::piped());
    assert!(piped.status.success() && piped.stdout.ends_with(&expected), "a pipe");
    assert!(child(fs::File::create(&file).unwrap().into()).status.success());
    assert!(fs::read(&file).unwrap().ends_with(&expected), "a file");
    assert!(link.symlink_metadata().unwrap().is_symlink());
}
