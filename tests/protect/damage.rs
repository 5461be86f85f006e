//! Encrypted files that were changed, cut off, or are others.

use inkstone::Dataset;
use inkstone::data::synthetic;
use inkstone::protect::{Identities, read_encrypted, write_encrypted};
use std::fs;
use std::io::Read;
use std::path::PathBuf;

/// A data set of more than two pieces of 64 KiB, and its key.
fn written(folder: &tempfile::TempDir) -> (PathBuf, Identities) {
    let (path, secret) = (folder.path().join("digits.age"), Identities::generate());
    synthetic::digits(200, 1).unwrap().save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    (path, secret)
}

#[test]
fn no_change_of_a_byte_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = written(&folder);
    let bytes = fs::read(&path).unwrap();
    let header = bytes.windows(3).position(|bytes| bytes == b"---").unwrap() + 48;
    let places = (0..header + 40).chain([70_000, 100_000, bytes.len() - 20, bytes.len() - 1]);
    for place in places {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = Dataset::load_encrypted(&path, &secret).expect_err(&format!("byte {place}")).to_string();
        assert!(error.starts_with(&format!("{}: ", path.display())), "byte {place}: {error}");
        let expected = if place >= header { "was changed or cut off after it was written" } else { "" };
        assert!(error.contains(expected), "byte {place}: {error}");
    }
}

#[test]
fn no_file_that_was_cut_off_or_goes_on_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = written(&folder);
    let bytes = fs::read(&path).unwrap();
    let lengths = (0..400).chain([65_000, 65_536 + 216, 131_300, bytes.len() - 17, bytes.len() - 16, bytes.len() - 1]);
    for len in lengths {
        fs::write(&path, &bytes[..len]).unwrap();
        let error = Dataset::load_encrypted(&path, &secret).expect_err(&format!("{len} bytes")).to_string();
        let expected = ["cut off", "expected", "changed"];
        assert!(expected.iter().any(|expected| error.contains(expected)), "{len} bytes: {error}");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(Dataset::load_encrypted(&path, &secret).is_err());
    // Pieces in another order.
    let (start, piece) = (bytes.windows(3).position(|bytes| bytes == b"---").unwrap() + 48 + 16, (1 << 16) + 16);
    let swapped = [
        &bytes[..start],
        &bytes[start + piece..start + 2 * piece],
        &bytes[start..start + piece],
        &bytes[start + 2 * piece..],
    ];
    fs::write(&path, swapped.concat()).unwrap();
    assert!(Dataset::load_encrypted(&path, &secret).unwrap_err().to_string().contains("was changed"));
}

#[test]
fn other_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("file"), Identities::generate());
    let said = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let error = read_encrypted(&path, &secret).expect_err("no error").to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    let other = "expected an encrypted file, which starts with `age-encryption.org/v1`, found another one";
    assert_eq!((said(b""), said(b"PK\x03\x04")), (other.to_owned(), other.to_owned()));
    assert!(said(b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl").contains("encrypt it without `--armor`"));
    let damaged = "expected the header of an encrypted file, found a damaged one: fetch the file again";
    assert_eq!(said(b"age-encryption.org/v9\n--- \n0000000000000000"), damaged);
    // A header without an end, and one of very many keys.
    assert_eq!(said(&[&b"age-encryption.org/v1\n"[..], &[b'a'; 1 << 20]].concat()), damaged);
    let mut keys = b"age-encryption.org/v1\n".to_vec();
    for _ in 0..100_000 {
        keys.extend(b"-> X25519 a\n");
    }
    assert_eq!(said(&keys), damaged);
    let error = read_encrypted(folder.path(), &secret).unwrap_err().to_string();
    assert!(error.ends_with("expected an encrypted file, found a folder, a device or a pipe"), "{error}");
}

#[test]
fn content_that_is_no_data_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("file"), Identities::generate());
    let said = |content: &[u8]| {
        write_encrypted(&path, &secret.recipients().unwrap(), |file| file.write_all(content)).unwrap();
        let error = Dataset::load_encrypted(&path, &secret).expect_err("no error").to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    let file = |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
    let ours =
        |tensors: &str, data: &[u8]| file(&format!(r#"{{"__metadata__":{{"inkstone_dataset":"1"}},{tensors}}}"#), data);
    assert_eq!(said(b"short"), "expected a safetensors file, found less than its first 8 bytes");
    assert!(
        said(&[255; 64])
            .starts_with("expected a safetensors file with a short header, found one of 18446744073709551615")
    );
    assert!(said(&file("[1]", b"")).starts_with("expected the header of a safetensors file, found something else"));
    assert_eq!(said(&file("{}", b"")), "expected a data set that Inkstone saved, found another safetensors file");
    let newer = r#"{"__metadata__":{"inkstone_dataset":"2"}}"#;
    assert_eq!(said(&file(newer, b"")), "expected version 1 of a data set, found version 2, of a newer Inkstone");
    let inputs = r#""inputs":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}"#;
    assert!(said(&ours(inputs, &[0; 7])).contains("bytes, as its header says, found"));
    // More than there is, which would take all memory.
    let huge = r#""inputs":{"dtype":"U8","shape":[1,1048576,1048576,1],"data_offsets":[0,1099511627776]}"#;
    assert!(said(&ours(huge, &[0; 8])).contains("bytes, as its header says, found"));
    assert!(said(&ours(inputs, &f32::NAN.to_le_bytes().repeat(2))).contains("the table's values must be finite"));
    let labels = r#""labels":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}"#;
    assert_eq!(said(&ours(labels, &1_i64.to_le_bytes())), "expected `inputs`, found none");
    assert_eq!(said(&ours(labels, &(-1_i64).to_le_bytes())), "expected labels from 0, found a negative one");
    let both = r#""labels":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"inputs":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}"#;
    assert!(said(&ours(both, &[0; 24])).contains("label"));
    let strange = r#""pixels":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}"#;
    assert_eq!(
        said(&ours(strange, &[0; 4])),
        "expected the tensors of a data set, found `pixels` of U8 and the shape [4]"
    );
    let ids = r#""id_lengths":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"inputs":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},"ids":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}"#;
    let data = |len: i64| [&len.to_le_bytes()[..], &[0; 4], b"Ada"].concat();
    assert_eq!(said(&ours(ids, &data(4))), "expected names as long as `id_lengths` says, found others");
    let mut bytes = Vec::new();
    write_encrypted(&path, &secret.recipients().unwrap(), |file| file.write_all(&ours(ids, &data(3)))).unwrap();
    read_encrypted(&path, &secret).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(Dataset::load_encrypted(&path, &secret).unwrap().ids().next(), Some("Ada"));
}
