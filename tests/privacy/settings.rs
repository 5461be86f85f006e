//! What private training refuses, and with which words.

use inkstone::data::synthetic;
use inkstone::prelude::*;
use inkstone::privacy::DpSgd;
use inkstone::{Dataset, Error, Model};

fn digits() -> Dataset {
    synthetic::digits(100, 1).unwrap()
}

fn model(described: Sequential) -> Model {
    let described = described.add(Flatten::new()).add(Dense::new(10).activation(Softmax));
    described.seed(1).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap()
}

fn error(model: &mut Model, private: DpSgd, batch_size: usize) -> String {
    let config = FitConfig::new().batch_size(batch_size).differential_privacy(private).verbose(0);
    let before = model.get_weights();
    let error: Error = model.fit(&digits(), config).unwrap_err();
    assert_eq!(model.get_weights(), before);
    assert_eq!(model.privacy().steps(), 0, "nothing was told");
    error.to_string()
}

#[test]
fn numbers_out_of_range() {
    let mut model = model(Sequential::new([28, 28, 1]));
    let mut of = |private: DpSgd| error(&mut model, private.delta(1e-3), 10);
    assert_eq!(of(DpSgd::new(1.0, 0.0)), "l2_norm_clip must be finite and at least 1e-12, got 0");
    assert_eq!(of(DpSgd::new(1.0, f32::NAN)), "l2_norm_clip must be finite and at least 1e-12, got NaN");
    assert_eq!(of(DpSgd::new(-1.0, 1.0)), "noise_multiplier must be finite and at least 0, got -1");
    assert_eq!(of(DpSgd::new(f64::INFINITY, 1.0)), "noise_multiplier must be finite and at least 0, got inf");
    assert!(of(DpSgd::for_epsilon(-1.0, 1.0)).contains("epsilon must be"));
    let mut of = |delta: f64, batch_size: usize| error(&mut model, DpSgd::new(1.0, 1.0).delta(delta), batch_size);
    assert_eq!(
        of(0.01, 10),
        "delta must be less than one part of the examples: with more, one of them might be published as it is, got 0.01 with \
         100 examples"
    );
    assert_eq!(of(0.0, 10), "delta must be greater than 0 and less than 1, got 0");
    assert_eq!(
        of(1e-3, 101),
        "batch_size must be at most the number of examples, as each step takes each of them by chance, got 101"
    );
}

#[test]
fn models_whose_examples_see_each_other() {
    let normalized = Sequential::new([28, 28, 1]).add(Conv2D::new(2, (3, 3))).add(BatchNormalization::new());
    assert_eq!(
        error(&mut model(normalized), DpSgd::new(1.0, 1.0).delta(1e-3), 10),
        "the model normalizes over the batch, so that each example changes the gradients of the others, and none has a \
         gradient of its own: use `GroupNormalization` or `LayerNormalization`"
    );
    let stateful = Sequential::new([28, 28, 1]).add(Reshape::new([28, 28])).add(LSTM::new(4).stateful(true));
    let mut stateful = model(stateful);
    let config = FitConfig::new().batch_size(10).shuffle(false).verbose(0);
    let found = stateful.fit(&digits(), config.differential_privacy(DpSgd::new(1.0, 1.0).delta(1e-3))).unwrap_err();
    assert!(found.to_string().contains("has stateful layers"), "{found}");
}

#[test]
fn what_a_model_has_told_counts_toward_its_next_epsilon() {
    let mut model = model(Sequential::new([28, 28, 1]));
    let config =
        |private: DpSgd| FitConfig::new().batch_size(10).epochs(2).differential_privacy(private.delta(1e-3)).verbose(0);
    model.fit(&digits(), config(DpSgd::for_epsilon(2.0, 1.0))).unwrap();
    let told = model.privacy().epsilon(1e-3).unwrap();
    assert!(told <= 2.0 && told > 1.95, "{told}");
    let found = model.fit(&digits(), config(DpSgd::for_epsilon(1.9, 1.0))).unwrap_err().to_string();
    assert!(
        found.starts_with("target_epsilon must be more than what the model's trainings have told before"),
        "{found}"
    );
    assert_eq!(model.privacy().steps(), 20);
    // A larger one has room for another training, with more noise than it alone would need.
    model.fit(&digits(), config(DpSgd::for_epsilon(3.0, 1.0))).unwrap();
    let told = model.privacy().epsilon(1e-3).unwrap();
    assert!(told <= 3.0 && told > 2.9, "{told}");
}
