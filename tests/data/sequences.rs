//! Texts, sequences of different lengths, and windows of a series.

use inkstone::Dataset;
use inkstone::data::{End, PadSequences, TextVectorization, Timeseries, timeseries_dataset};
use inkstone::ndarray::{Array2, Array3, array};
use inkstone::prelude::*;
use serde::Deserialize;

/// `tests/fixtures/make_text.py` made the numbers.
#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
    unseen: Vec<String>,
    cases: Vec<TextCase>,
}

#[derive(Deserialize)]
struct TextCase {
    max_tokens: Option<usize>,
    output_sequence_length: Option<usize>,
    vocabulary: Vec<String>,
    texts: Vec<Vec<u32>>,
    unseen: Vec<Vec<u32>>,
}

fn rows(rows: &[Vec<u32>]) -> Array2<u32> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
}

#[test]
fn texts_become_the_tokens_that_keras_makes_of_them() {
    let Texts { texts, unseen, cases } = serde_json::from_str(include_str!("../fixtures/text.json")).unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let mut words =
            TextVectorization::new().max_tokens(case.max_tokens).output_sequence_length(case.output_sequence_length);
        words.adapt(&texts).unwrap();
        assert_eq!(words.vocabulary(), case.vocabulary);
        assert_eq!(words.vocabulary_size(), case.vocabulary.len());
        if words.vocabulary_size() > 2 {
            assert_eq!(words.tokens(&texts).unwrap(), rows(&case.texts));
            assert_eq!(words.tokens(&unseen).unwrap(), rows(&case.unseen));
        }
        let json = serde_json::to_string(&words).unwrap();
        assert_eq!(serde_json::from_str::<TextVectorization>(&json).unwrap(), words);
    }
}

#[test]
fn what_a_vectorization_refuses() {
    let mut words = TextVectorization::new();
    let error = words.tokens(["a"]).unwrap_err().to_string();
    assert_eq!(error, "the vectorization knows no words: `adapt` it to texts first");
    words.adapt(["a b"]).unwrap();
    let error = words.tokens(["", "!"]).unwrap_err().to_string();
    assert_eq!(error, "padded sequences must have at least one step, got 2 sequences of at most 0: set `maxlen`");
    assert_eq!(words.output_sequence_length(2).tokens(["", "b"]).unwrap(), array![[0, 0], [2, 0]]);
    let error = TextVectorization::new().max_tokens(2).adapt(["a"]).unwrap_err().to_string();
    assert_eq!(error, "max_tokens must be at least 3, as token 0 is padding and 1 an unknown word, got 2");
    let twice = r#"{"max_tokens":null,"output_sequence_length":null,"words":["a","b","a"]}"#;
    let error = serde_json::from_str::<TextVectorization>(twice).unwrap_err().to_string();
    assert!(error.contains(r#"got "a" at index 2"#), "{error}");
}

#[derive(Deserialize)]
struct Padded {
    sequences: Vec<Vec<u32>>,
    padded: Vec<PaddedCase>,
}

#[derive(Deserialize)]
struct PaddedCase {
    padding: String,
    truncating: String,
    maxlen: Option<usize>,
    value: f32,
    rows: Vec<Vec<u32>>,
}

#[test]
fn sequences_are_padded_as_keras_pads_them() {
    let Padded { sequences, padded } = serde_json::from_str(include_str!("../fixtures/masks.json")).unwrap();
    assert_eq!(padded.len(), 12);
    let end = |name: &str| if name == "pre" { End::Pre } else { End::Post };
    for case in padded {
        let pad = PadSequences::new().padding(end(&case.padding)).truncating(end(&case.truncating));
        assert_eq!(pad.maxlen(case.maxlen).value(case.value).rows(&sequences).unwrap(), rows(&case.rows));
    }
    let none: [Vec<u32>; 0] = [];
    assert!(PadSequences::new().maxlen(3).rows(&none).is_err());
    assert!(PadSequences::new().maxlen(0).rows(&sequences).is_err());
    let (short, long) = (array![[1.0, 2.0]], array![[1.0], [2.0]]);
    let error = PadSequences::new().features(&[short.view(), long.view()]).unwrap_err().to_string();
    assert_eq!(error, "sequences must have the same number of features, got 2 of sequence 0 and 1 of sequence 1");
}

fn series() -> Array2<f32> {
    Array2::from_shape_fn((20, 2), |(step, feature)| (step + 100 * feature) as f32)
}

#[test]
fn windows_have_the_steps_behind_them_as_targets() {
    let data = Timeseries::new(3, 2).sequence_stride(4).sampling_rate(2).dataset(series().view()).unwrap();
    // Steps 0, 2, 4 with targets 6 and 8; then from step 4 on, and from 8.
    assert_eq!((data.len(), data.shape().to_string()), (3, "(3, 2)".into()));
    assert_eq!(data.table().row(1), array![4.0, 104.0, 6.0, 106.0, 8.0, 108.0]);
    assert_eq!(data.values().unwrap().row(1), array![10.0, 110.0, 12.0, 112.0]);
    let one = Timeseries::new(3, 2).target(1).dataset(series().view()).unwrap();
    assert_eq!((one.len(), one.values().unwrap().row(15)), (16, array![118.0, 119.0].view()));
    // The last window ends with the series.
    assert_eq!(timeseries_dataset(series().view(), 18, 2).unwrap().len(), 1);
}

#[test]
fn a_window_that_a_series_has_not_is_an_error() {
    let error = |windows: Timeseries| windows.dataset(series().view()).unwrap_err().to_string();
    assert_eq!(
        error(Timeseries::new(19, 2)),
        "a window of 19 steps and a horizon of 2 take 21 steps of the series, which has 20: use shorter ones"
    );
    assert_eq!(
        error(Timeseries::new(5, 2).sampling_rate(4)),
        "a window of 5 steps and a horizon of 2 take 25 steps of the series, which has 20: use shorter ones"
    );
    assert!(error(Timeseries::new(usize::MAX, 2)).starts_with("a window of"));
    for (windows, name) in [
        (Timeseries::new(0, 1), "window"),
        (Timeseries::new(1, 0), "horizon"),
        (Timeseries::new(1, 1).sequence_stride(0), "sequence_stride"),
        (Timeseries::new(1, 1).sampling_rate(0), "sampling_rate"),
    ] {
        assert_eq!(error(windows), format!("{name} must be at least 1, got 0"));
    }
    assert_eq!(error(Timeseries::new(1, 1).target(2)), "target must be a feature of the series, got 2 of 2 features");
}

#[test]
fn a_data_set_of_sequences_keeps_its_shape() {
    let sequences = Array3::from_shape_fn((6, 4, 2), |(n, t, f)| (n * 8 + t * 2 + f) as f32);
    let data = Dataset::from_sequences(sequences.clone(), vec![0, 1, 0, 1, 0, 1]).unwrap();
    let parts = [data.shuffle(1), data.take(2).unwrap(), data.split(0.5, 1).unwrap().0];
    parts.iter().for_each(|part| assert_eq!(part.shape(), data.shape()));
    let mut model = Sequential::new([4, 2])
        .add(Conv1D::new(3, 2))
        .add(GlobalMaxPooling1D::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    assert_eq!(model.predict(&data).unwrap(), model.predict(&sequences).unwrap());
    model.fit(&data, FitConfig::new().verbose(0)).unwrap();
    let nan = sequences.mapv(|value| if value == 13.0 { f32::NAN } else { value });
    let error = Dataset::from_sequences(nan, vec![0; 6]).unwrap_err().to_string();
    assert_eq!(error, "sequences must be finite, got NaN at (1, 2, 1) (N, T, F)");
    let error = Dataset::from_sequences(Array3::zeros((2, 0, 3)), vec![0; 2]).unwrap_err().to_string();
    assert_eq!(error, "sequences must have at least one value on every axis, got 2 sequences of (0, 3)");
}

#[test]
fn rows_that_no_memory_holds_and_padding_that_is_no_token_are_errors() {
    let error = PadSequences::new().maxlen(usize::MAX).rows(&[[1_u32], [2]]).unwrap_err().to_string();
    assert!(error.contains("have more than 268435456 values: set a smaller `maxlen`"), "{error}");
    let view = Array2::<f32>::zeros((1, 2));
    assert!(PadSequences::new().maxlen(1 << 28).features(&[view.view()]).is_err());
    for value in [-1.0, 2.5, f32::NAN, 16_777_216.0] {
        let error = PadSequences::new().value(value).rows(&[[1_u32]]).unwrap_err().to_string();
        assert!(error.contains("a whole number from 0 to 16777215"), "{error}");
    }
}
