//! Data sets of every kind come back from encrypted files as they were.

use inkstone::Dataset;
use inkstone::data::{Normalization, synthetic};
use inkstone::ndarray::{Array2, Array3, Array4};
use inkstone::protect::{Identities, PseudonymKey};

fn again(dataset: &Dataset) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("data.age"), Identities::generate());
    dataset.save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    Dataset::load_encrypted(&path, &secret).unwrap()
}

fn assert_same(dataset: &Dataset) {
    let other = again(dataset);
    assert_eq!((dataset.shape(), dataset.images(), dataset.labels()), (other.shape(), other.images(), other.labels()));
    assert_eq!(dataset.values(), other.values());
    let targets = |dataset: &Dataset| dataset.target_images().map(|targets| (targets.shape(), targets.images()));
    assert_eq!(targets(dataset), targets(&other));
    assert_eq!(dataset.ids().collect::<Vec<_>>(), other.ids().collect::<Vec<_>>());
}

#[test]
fn every_kind_of_data_set_comes_back() {
    let digits = synthetic::digits(150, 1).unwrap();
    assert_same(&digits);
    let parts = digits.shuffle(3).skip(20).unwrap().take(100).unwrap();
    assert_same(&parts);
    assert_same(&Normalization::adapt(&digits).apply(&parts).unwrap());
    assert_same(&parts.with_values(&digits.take(100).unwrap()).unwrap());
    assert_same(&parts.with_ids((0..100).map(|n| format!("Blatt {n} ä"))).unwrap().select(&[5, 5, 99]).unwrap());
    let values = Array2::from_shape_fn((3, 2), |(n, output)| n as f32 - output as f32);
    let table = Array2::from_shape_fn((3, 5), |(n, feature)| 0.5 * (n * feature) as f32);
    assert_same(&Dataset::from_table_and_values(table.clone(), values).unwrap());
    assert_same(&Dataset::from_table(table, vec![0, 7, 1 << 27]).unwrap());
    let sequences = Array3::from_shape_fn((3, 4, 2), |(n, step, feature)| (n + step * feature) as f32);
    assert_same(&Dataset::from_sequences(sequences.clone(), vec![0, 1, 0]).unwrap());
    assert_same(&Dataset::from_sequences_and_values(sequences.clone(), sequences).unwrap());
    let colour = Array4::from_shape_fn((2, 3, 4, 3), |(n, y, x, channel)| (n + y + x + channel) as u8);
    assert_same(&Dataset::from_bytes_and_values(colour.clone(), colour.mapv(f32::from)).unwrap());
}

#[test]
fn names_travel_with_their_examples() {
    let digits = synthetic::digits(50, 1).unwrap();
    let named = digits.with_ids((0..50).map(|n| n.to_string())).unwrap();
    let (_, half) = named.split(0.5, 7).unwrap();
    let floats = named.skip(5).unwrap().map(|image| image.to_owned()).unwrap();
    for part in [named.shuffle(1), named.skip(10).unwrap(), half, floats] {
        for example in &part {
            let original = named.get(example.id().unwrap().parse().unwrap()).unwrap();
            assert_eq!((original.label(), original.image()), (example.label(), example.image()));
        }
    }
    let twice = named.take(2).unwrap().concatenate(&named.skip(48).unwrap()).unwrap();
    assert_eq!(twice.ids().collect::<Vec<_>>(), ["0", "1", "48", "49"]);
    assert_eq!(named.concatenate(&digits).unwrap().ids().len(), 0);
    assert_eq!(
        digits.with_ids(["one"]).unwrap_err().to_string(),
        "there must be one id for each image, got 50 images and 1 ids"
    );
}

#[test]
fn pseudonyms_stand_for_names_under_one_key() {
    let key = PseudonymKey::generate().unwrap();
    let digits = synthetic::digits(3, 1).unwrap();
    let first = digits.with_ids(["Ada", "Bob", "Ada"]).unwrap().pseudonymise(&key).unwrap();
    let ids: Vec<&str> = first.ids().collect();
    assert!(ids[0] == ids[2] && ids[0] != ids[1]);
    // Another table of the same people, and the key as it was kept.
    let kept = PseudonymKey::from_bytes(key.bytes()).unwrap();
    let second = digits.take(1).unwrap().with_ids(["Bob"]).unwrap().pseudonymise(&kept).unwrap();
    assert_eq!(second.ids().next(), Some(ids[1]));
    assert!(!format!("{first:?}").contains("Ada"));
    assert_eq!(
        digits.pseudonymise(&key).unwrap_err().to_string(),
        "the examples have no names that pseudonyms could stand for: set `with_ids` first"
    );
}
