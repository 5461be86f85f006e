//! The real files, if `INKSTONE_DATA` has them.

use super::*;

/// The folder with the real files. Without it tests say that they are skipped, or fail where it must be there.
fn real_files() -> Option<OsString> {
    let folder = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        assert!(
            std::env::var_os("INKSTONE_REQUIRE_MNIST").is_none(),
            "INKSTONE_REQUIRE_MNIST is set, so INKSTONE_DATA must be the MNIST folder"
        );
        println!("skipped: set INKSTONE_DATA to the MNIST folder");
    }
    folder
}

#[test]
fn the_real_files_have_60000_and_10000_images_of_28_rows_and_columns() {
    let Some(folder) = real_files() else { return };
    let (train, test) = mnist::load_from(folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!((train.shape(), test.shape()), ([28, 28, 1].into(), [28, 28, 1].into()));
}

#[test]
fn the_real_labels_are_those_that_are_known() {
    let Some(folder) = real_files() else { return };
    let (train, test) = mnist::load_from(folder).unwrap();
    assert_eq!((&train.labels()[..5], &test.labels()[..5]), (&[5, 0, 4, 1, 9][..], &[7, 2, 1, 0, 4][..]));
    let count = |class| train.labels().iter().filter(|label| **label == class).count();
    let counts: Vec<usize> = (0..10).map(count).collect();
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
}

#[test]
fn the_real_pixels_have_the_known_mean() {
    let Some(folder) = real_files() else { return };
    let images = mnist::load_from(folder).unwrap().0.images();
    let mean = images.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / images.len() as f64;
    assert!((mean - 0.1307).abs() < 1e-4, "mean pixel {mean}");
}

#[test]
fn tests_without_the_real_files_are_skipped_or_fail_as_the_environment_says() {
    let run = |required: bool| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "mnist::real::the_real_labels_are_those_that_are_known", "--nocapture"]);
        command.env_remove("INKSTONE_DATA").env_remove("INKSTONE_REQUIRE_MNIST");
        if required {
            command.env("INKSTONE_REQUIRE_MNIST", "1");
        }
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (passed, said) = run(false);
    assert!(passed && said.contains("skipped: set INKSTONE_DATA to the MNIST folder"), "{said}");
    assert!(!run(true).0);
}
