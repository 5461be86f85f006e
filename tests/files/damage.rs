//! Damaged and hostile model files: an error each time, never a panic, and never more memory than the file accounts
//! for.

use inkstone::callbacks::SaveFreq;
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

/// A checkpoint from the middle of an epoch, with what two callbacks remember, one of them weights.
static CHECKPOINT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(1)).keep(9);
    let images = ndarray::Array4::from_shape_fn((5, 6, 6, 1), |(n, y, x, _)| ((n * 5 + y * 3 + x) % 7) as f32 / 7.0);
    let config = FitConfig::new().epochs(2).batch_size(2).verbose(0).callback(ReduceLROnPlateau::new("loss"));
    let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    model().fit((&images, &[0, 1, 2, 0, 1]), config.callback(stopping).backup(backup)).unwrap();
    std::fs::read(folder.path().join("step-000000000005.safetensors")).unwrap()
});

/// A file in all of its parts.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Model,
    Checkpoint,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Model, Self::Checkpoint];

    fn file(self) -> &'static [u8] {
        match self {
            Self::Model => &FILE,
            Self::Checkpoint => &CHECKPOINT,
        }
    }

    /// Where the weights start.
    fn data_start(self) -> usize {
        8 + u64::from_le_bytes(self.file()[..8].try_into().unwrap()) as usize
    }

    /// Loads bytes: a model file's error, or a model; anything else fails the test.
    #[track_caller]
    fn load(self, bytes: &[u8]) -> Option<Model> {
        match self {
            Self::Model => load(bytes),
            Self::Checkpoint => {
                let resumed = checked(Model::resume_from_bytes(bytes));
                assert_eq!(resumed.is_some(), load(bytes).is_some(), "loading checks all of it");
                resumed
            }
        }
    }

    /// Whether it is what was saved.
    fn is_the_same(self, loaded: &Model) -> bool {
        match self {
            Self::Model => is_the_model(loaded),
            Self::Checkpoint => loaded.checkpoint_to_bytes().unwrap() == *CHECKPOINT,
        }
    }

    fn saved(self, loaded: &Model) -> Vec<u8> {
        match self {
            Self::Model => loaded.to_bytes().unwrap(),
            Self::Checkpoint => loaded.checkpoint_to_bytes().unwrap(),
        }
    }
}

#[track_caller]
fn load(bytes: &[u8]) -> Option<Model> {
    checked(Model::from_bytes(bytes))
}

#[track_caller]
fn checked(loaded: inkstone::Result<Model>) -> Option<Model> {
    match loaded {
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
    for kind in Kind::ALL {
        let file = kind.file();
        for len in 0..file.len() {
            assert!(kind.load(&file[..len]).is_none(), "{kind:?}: {len} of {} bytes", file.len());
        }
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

#[test]
fn every_flipped_bit_is_found_or_changes_nothing() {
    for kind in Kind::ALL {
        let (mut found, mut harmless) = (0, 0);
        for place in 0..kind.file().len() {
            for bit in 0..8 {
                let mut bytes = kind.file().to_vec();
                bytes[place] ^= 1 << bit;
                match kind.load(&bytes) {
                    None => found += 1,
                    Some(loaded) => {
                        assert!(place < kind.data_start(), "bit {bit} of byte {place}, among the weights, is flipped");
                        assert!(kind.is_the_same(&loaded), "bit {bit} of byte {place} is flipped");
                        harmless += 1;
                    }
                }
            }
        }
        eprintln!("{kind:?}: of {} flipped bits {found} are found, {harmless} change nothing", found + harmless);
    }
}

#[test]
fn damage_among_the_weights_is_told_as_such() {
    let mut bytes = FILE.clone();
    bytes[Kind::Model.data_start() + 5] ^= 0x10;
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
fn apply_to_header(kind: Kind, changes: &[Change]) -> Vec<u8> {
    let (header, data) = kind.file().split_at(kind.data_start());
    let text = apply(header[8..].to_vec(), changes);
    [&(text.len() as u64).to_le_bytes()[..], &text, data].concat()
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
        prop_assert!(Kind::ALL.iter().all(|kind| kind.load(&bytes).is_none()));
    }

    #[test]
    fn changed_headers_are_refused_or_give_the_same_model(changes in prop::collection::vec(change(), 1..6)) {
        for kind in Kind::ALL {
            if let Some(loaded) = kind.load(&apply_to_header(kind, &changes)) {
                prop_assert!(kind.is_the_same(&loaded));
            }
        }
    }

    #[test]
    fn changed_descriptions_are_refused_or_give_a_model_that_comes_back(changes in prop::collection::vec(change(), 1..4)) {
        for kind in Kind::ALL {
            if let Some(loaded) = apply_to_description(kind, &changes).and_then(|bytes| kind.load(&bytes)) {
                prop_assert!(comes_back(kind, &loaded));
            }
        }
    }

    #[test]
    fn changed_weights_are_refused(places in prop::collection::vec((any::<usize>(), 1..=255_u8), 1..6)) {
        for kind in Kind::ALL {
            let mut bytes = kind.file().to_vec();
            let data = &mut bytes[kind.data_start()..];
            let len = data.len();
            places.iter().for_each(|(at, change)| data[at % len] ^= change);
            prop_assume!(bytes != kind.file());
            prop_assert!(kind.load(&bytes).is_none());
        }
    }
}

/// The file with its description changed, or that of its training if it has one, and a checksum that is right again.
fn apply_to_description(kind: Kind, changes: &[Change]) -> Option<Vec<u8>> {
    let file = safetensors::SafeTensors::deserialize(kind.file()).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(kind.file()).unwrap();
    let entry = &metadata.metadata().as_ref().unwrap()["inkstone"];
    let start = entry.find(r#""model":"#).unwrap() + 8;
    let (before, version, name) = match entry[start..].find(r#","training":"#) {
        None => (String::new(), 3, "model"),
        Some(end) => (entry[start..start + end].to_owned(), 3, "training"),
    };
    let changed_from = if before.is_empty() { start } else { start + before.len() + r#","training":"#.len() };
    let description = apply(entry.as_bytes()[changed_from..entry.len() - 1].to_vec(), changes);
    let description = String::from_utf8(description).ok()?;
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sum = crc32fast::Hasher::new();
    sum.update(before.as_bytes());
    sum.update(description.as_bytes());
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    let sum = sum.finalize();
    let model = if before.is_empty() { before } else { format!(r#""model":{before},"#) };
    let entry = format!(
        r#"{{"format_version":{version},"library":"0.1.0","crc32":"{sum:08x}",{model}"{name}":{description}}}"#
    );
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    Some(safetensors::serialize(tensors, Some(metadata)).unwrap())
}

/// Whether a model is saved as it was loaded.
fn comes_back(kind: Kind, loaded: &Model) -> bool {
    let saved = kind.saved(loaded);
    let again = kind.load(&saved).unwrap();
    kind.saved(&again) == saved && format!("{again:?}") == format!("{loaded:?}")
}

/// A million mutated files; slow, so only on request:
/// `cargo test --test damage -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn a_million_mutated_files() {
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
    for kind in Kind::ALL {
        run(&format!("{kind:?}, headers"), &|changes| kind.load(&apply_to_header(kind, changes)), &|model| {
            kind.is_the_same(model)
        });
        run(
            &format!("{kind:?}, descriptions"),
            &|changes| apply_to_description(kind, changes).and_then(|bytes| kind.load(&bytes)),
            &|model| comes_back(kind, model),
        );
    }
}
