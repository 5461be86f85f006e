//! Models in encrypted files.

use inkstone::prelude::*;
use inkstone::protect::{Access, Identities, read_encrypted};
use inkstone::{LoadLimits, Model, Predictor};
use std::fs;
use std::io::Read;

/// A model of more than two pieces of 64 KiB.
fn model() -> Model {
    let described = Sequential::new([28, 28, 1])
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax));
    described.seed(1).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

#[test]
fn a_model_comes_back_from_an_encrypted_file_and_its_content_is_that_of_save() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret, model) = (folder.path().join("model.age"), Identities::generate(), model());
    model.save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    let loaded = Model::load_encrypted(&path, &secret).unwrap();
    assert_eq!(loaded.get_weights(), model.get_weights());
    let image = inkstone::ndarray::Array4::<f32>::ones((1, 28, 28, 1));
    let predictor = Predictor::load_encrypted(&path, &secret).unwrap();
    assert_eq!(predictor.predict(&image).unwrap(), model.predict(&image).unwrap());
    let mut content = Vec::new();
    read_encrypted(&path, &secret).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, model.to_bytes().unwrap());
    // Nothing else was left in the folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // What is encrypted does not say what it is.
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|bytes| bytes == b"inkstone"));
    assert!(Model::load(&path).unwrap_err().to_string().contains("expected a header of at most"));
}

#[test]
fn each_fault_of_an_encrypted_model_has_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("model.age"), Identities::generate());
    model().save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let said = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        // Both ways to load it say the same.
        let error = Model::load_encrypted(&path, &secret).expect_err("no error").to_string();
        let access = Access::new().identities(secret.clone());
        let other = Model::load_protected(&path, &access, LoadLimits::new()).expect_err("no error").to_string();
        (error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned(), other)
    };
    let at = |place: usize| {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        changed
    };
    // In the first piece, which the description is in, in the second, and in the last.
    // The header is of no fixed length: the format puts random lines into it.
    let header = bytes.windows(3).position(|bytes| bytes == b"---").unwrap() + 48 + 16;
    for place in [header + 20, 70_000, bytes.len() - 1] {
        let (error, other) = said(&at(place));
        assert!(error.starts_with("the content of the encrypted file was changed or cut off"), "{place}: {error}");
        assert!(other.ends_with(&error), "{place}: {other}");
    }
    let (error, _) = said(&bytes[..100_000]);
    assert!(error.contains("cut off"), "{error}");
    // At the end of a piece, where each piece is whole.
    let (error, other) = said(&bytes[..header + (1 << 16) + 16]);
    assert!(error.contains("it was cut off or damaged"), "{error}");
    assert!(other.contains("cut off"), "{other}");
    fs::write(&path, &bytes).unwrap();
    let error = Model::load_encrypted(&path, &Identities::generate()).unwrap_err().to_string();
    assert!(error.ends_with("no key that was given opens the file, of 1 tried: it is encrypted for others"), "{error}");
    let error = Access::new().read(&path).unwrap_err().to_string();
    assert!(error.ends_with("the file is encrypted, and there is no key to open it with"), "{error}");
}

#[test]
fn a_save_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("model.age"), Identities::generate());
    model().save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    let before = fs::read(&path).unwrap();
    let error = inkstone::protect::write_encrypted(&path, &secret.recipients().unwrap(), |file| {
        file.write_all(&[7; 200_000])?;
        Err(std::io::ErrorKind::TimedOut.into())
    });
    assert!(error.unwrap_err().to_string().contains("The file that was there before is unchanged"));
    assert_eq!((fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()), (before, 1));
}
