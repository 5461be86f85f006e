//! Damaged and hostile model files: an error each time, never a panic, and never more memory than the file accounts for.

use inkstone::prelude::*;
use inkstone::{Error, ModelFault};
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::LazyLock;

/// Two convolutions, so that Winograd's way and a plain one are in the plan.
fn model() -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(2, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(5)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| model().to_bytes().unwrap());

/// Loads bytes: a model file's error, or a model; anything else fails the test.
#[track_caller]
fn load(bytes: &[u8]) -> Option<Model> {
    match Model::from_bytes(bytes) {
        Ok(model) => Some(model),
        Err(error) => {
            assert!(matches!(error, Error::ModelFile { .. }), "{error}");
            assert!(error.to_string().starts_with("the bytes: expected "), "{error}");
            None
        }
    }
}

fn is_the_model(loaded: &Model) -> bool {
    let model = model();
    let same = loaded.get_weights() == model.get_weights() && format!("{loaded:?}") == format!("{model:?}");
    same && loaded.summary().to_string() == model.summary().to_string()
}

fn fault(bytes: &[u8]) -> ModelFault {
    match Model::from_bytes(bytes) {
        Err(Error::ModelFile { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cut_off_at_any_byte_it_is_refused() {
    for len in 0..FILE.len() {
        assert!(load(&FILE[..len]).is_none(), "{len} of {} bytes", FILE.len());
    }
    assert_eq!(
        Model::from_bytes(&FILE[..FILE.len() - 1]).unwrap_err().to_string(),
        format!(
            "the bytes: expected a file of {} bytes, as its header says, found {}: it was cut off or damaged",
            FILE.len(),
            FILE.len() - 1
        )
    );
    assert_eq!(
        Model::from_bytes(&[0; 7]).unwrap_err().to_string(),
        "the bytes: expected a safetensors file, which starts with 8 bytes for the length of its header, the file ends after 7"
    );
    let longer = [&FILE[..], &[0]].concat();
    assert!(matches!(fault(&longer), ModelFault::Length { .. }));
}

/// Where the weights start.
fn data_start() -> usize {
    8 + u64::from_le_bytes(FILE[..8].try_into().unwrap()) as usize
}

#[test]
fn every_flipped_bit_is_found_or_changes_nothing() {
    let (mut found, mut harmless) = (0, 0);
    for place in 0..FILE.len() {
        for bit in 0..8 {
            let mut bytes = FILE.clone();
            bytes[place] ^= 1 << bit;
            match load(&bytes) {
                None => found += 1,
                Some(loaded) => {
                    assert!(place < data_start(), "bit {bit} of byte {place}, among the weights, is flipped");
                    assert!(is_the_model(&loaded), "bit {bit} of byte {place} is flipped");
                    harmless += 1;
                }
            }
        }
    }
    eprintln!("of {} flipped bits {found} are found, {harmless} change nothing", FILE.len() * 8);
}

#[test]
fn damage_among_the_weights_is_told_as_such() {
    let mut bytes = FILE.clone();
    bytes[data_start() + 5] ^= 0x10;
    let error = Model::from_bytes(&bytes).unwrap_err().to_string();
    let ModelFault::Checksum { expected, found } = fault(&bytes) else { panic!("{error}") };
    assert_eq!(
        error,
        format!(
            "the bytes: expected content of checksum {expected}, found {found}: the file is damaged, use a copy of it"
        )
    );
}

#[test]
fn what_is_no_safetensors_file_is_told() {
    let mut promises = FILE.clone();
    promises[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert_eq!(
        Model::from_bytes(&promises).unwrap_err().to_string(),
        "the bytes: expected a header of at most 1048576 bytes, the file promises 1152921504606846976: it is damaged, or no \
         safetensors file"
    );
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    for (text, reason) in [
        ("", "EOF while parsing a value"),
        ("[]", "invalid type: sequence, expected tensors by their names"),
        (r#"{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}"#, "header"),
        (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}"#, "overflow"),
        (r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}"#, "invalid offset"),
        (r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":1}}"#, "unknown field `more`"),
        (r#"{"a":{"dtype":"F99","shape":[0],"data_offsets":[0,0]}}"#, "unknown variant `F99`"),
        (
            r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
            "`a` comes twice",
        ),
        (r#"{"__metadata__":{"inkstone":"1","inkstone":"2"}}"#, "`inkstone` comes twice"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#, "`__metadata__` comes twice"),
        (r#"{"__metadata__":{"inkstone":"nonsense"}}"#, "expected metadata of a model, found something else"),
        (r#"{"__metadata__":{"inkstone":"{\"format_version\":1}"}}"#, "missing field `library`"),
        (&"[".repeat(100_000), "invalid type: sequence"),
        (&format!(r#"{{"a":{}"#, "[".repeat(100_000)), "expected value at line 1 column 7"),
        (&format!(r#"{{"__metadata__":{{"inkstone":"{}"}}}}"#, "[".repeat(100_000)), "expected metadata of a model"),
    ] {
        let error = Model::from_bytes(&header(text)).unwrap_err().to_string();
        assert!(error.starts_with("the bytes: expected ") && error.contains(reason), "{error}, of {text:.200}");
    }
}

/// A change of a file, as damage or malice might make it.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Copy(usize, usize, usize),
    Number(usize, u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), 1..40_usize).prop_map(|(at, len)| Change::Remove(at, len)),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<usize>(), any::<usize>(), 1..40_usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
        (any::<usize>(), prop_oneof![any::<u64>(), 0..300_u64, Just(1 << 40)])
            .prop_map(|(at, n)| Change::Number(at, n)),
    ]
}

/// The file changed, with its header's length made right again, so that the change goes deeper.
fn apply_to_header(changes: &[Change]) -> Vec<u8> {
    let text = apply(FILE[8..data_start()].to_vec(), changes);
    [&(text.len() as u64).to_le_bytes()[..], &text, &FILE[data_start()..]].concat()
}

fn apply(mut text: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let len = text.len();
        match change {
            Change::Set(at, byte) => text[at % len] = *byte,
            Change::Remove(at, count) => drop(text.drain(at % len..(at % len + count).min(len - 1))),
            Change::Insert(at, bytes) => drop(text.splice(at % len..at % len, bytes.iter().copied())),
            Change::Copy(from, to, count) => {
                let from = from % len;
                let copied = text[from..(from + count).min(len)].to_vec();
                text.splice(to % len..to % len, copied);
            }
            // Another number in the place of one that is there.
            Change::Number(at, number) => {
                let Some(start) = (0..len).map(|n| (at % len + n) % len).find(|at| text[*at].is_ascii_digit()) else {
                    continue;
                };
                let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                text.splice(start..start + digits, number.to_string().bytes());
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(load(&bytes).is_none());
    }

    #[test]
    fn changed_headers_are_refused_or_give_the_same_model(changes in prop::collection::vec(change(), 1..6)) {
        if let Some(loaded) = load(&apply_to_header(&changes)) {
            prop_assert!(is_the_model(&loaded));
        }
    }

    #[test]
    fn changed_descriptions_are_refused_or_give_a_model_that_comes_back(changes in prop::collection::vec(change(), 1..4)) {
        if let Some(loaded) = apply_to_description(&changes).as_deref().and_then(load) {
            prop_assert!(comes_back(&loaded));
        }
    }

    #[test]
    fn changed_weights_are_refused(places in prop::collection::vec((any::<usize>(), 1..=255_u8), 1..6)) {
        let mut bytes = FILE.clone();
        let data = &mut bytes[data_start()..];
        let len = data.len();
        places.iter().for_each(|(at, change)| data[at % len] ^= change);
        prop_assume!(bytes != *FILE);
        prop_assert!(load(&bytes).is_none());
    }
}

/// The file with its description changed, and a checksum that is right again.
fn apply_to_description(changes: &[Change]) -> Option<Vec<u8>> {
    let file = safetensors::SafeTensors::deserialize(&FILE).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&FILE).unwrap();
    let entry = &metadata.metadata().as_ref().unwrap()["inkstone"];
    let start = entry.find(r#""model":"#).unwrap() + 8;
    let description = apply(entry.as_bytes()[start..entry.len() - 1].to_vec(), changes);
    let description = String::from_utf8(description).ok()?;
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sum = crc32fast::Hasher::new();
    sum.update(description.as_bytes());
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    let sum = sum.finalize();
    let entry = format!(r#"{{"format_version":1,"library":"0.1.0","crc32":"{sum:08x}","model":{description}}}"#);
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    Some(safetensors::serialize(tensors, Some(metadata)).unwrap())
}

/// Whether a model is saved as it was loaded.
fn comes_back(loaded: &Model) -> bool {
    let saved = loaded.to_bytes().unwrap();
    let again = Model::from_bytes(&saved).unwrap();
    again.to_bytes().unwrap() == saved && format!("{again:?}") == format!("{loaded:?}")
}

/// Half a million mutated files; slow, so only on request:
/// `cargo test --test damage -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn half_a_million_mutated_files() {
    let config = ProptestConfig { cases: 250_000, failure_persistence: None, ..ProptestConfig::default() };
    let run = |name: &str, load_changed: &dyn Fn(&[Change]) -> Option<Model>, sound: &dyn Fn(&Model) -> bool| {
        let (refused, loaded) = (Cell::new(0), Cell::new(0));
        proptest::test_runner::TestRunner::new(config.clone())
            .run(&prop::collection::vec(change(), 1..4), |changes| {
                match load_changed(&changes) {
                    None => refused.set(refused.get() + 1),
                    Some(model) => {
                        prop_assert!(sound(&model));
                        loaded.set(loaded.get() + 1);
                    }
                }
                Ok(())
            })
            .unwrap();
        eprintln!("{name}: {} mutated files were refused, {} were sound", refused.get(), loaded.get());
    };
    run("headers", &|changes| load(&apply_to_header(changes)), &is_the_model);
    run("descriptions", &|changes| apply_to_description(changes).as_deref().and_then(load), &comes_back);
}
