//! Disks that are full and folders that may not be written to: the old model stays, and what is said. The portable variant of a
//! write that fails half way is a unit test of `whole_file`.
#![cfg(unix)]

use inkstone::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn model(units: usize) -> Model {
    Sequential::new([100])
        .add(Dense::new(units).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap()
}

/// A file system of 256 KiB in memory, for as long as it lives; `None` where that takes rights that the test does not have.
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
