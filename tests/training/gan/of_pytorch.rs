//! Steps with each loss against PyTorch's, weight by weight; `tests/fixtures/make_gan.py` made the numbers.

use crate::common::{assert_close, large_fixture};
use crate::tensor::Tensor;
use inkstone::ndarray::{Array2, ArrayD};
use inkstone::prelude::*;
use inkstone::{Gan, GanLoss, Weight};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    loss: String,
    conditional: bool,
    label_smoothing: f32,
    clip: Option<f32>,
    /// Of generator and discriminator, by name.
    before: [BTreeMap<String, Tensor>; 2],
    steps: Vec<Step>,
    after: [BTreeMap<String, Tensor>; 2],
}

#[derive(Deserialize)]
struct Step {
    real: Vec<f32>,
    latent: Vec<f32>,
    labels: Vec<usize>,
    /// Of generator and discriminator.
    losses: [f64; 2],
}

const EXAMPLES: usize = 6;

fn build(case: &Case) -> Gan {
    let (latent, label, image) = (Input::new([4]), Input::new([3]), Input::new([6, 6, 1]));
    let start = if case.conditional { Concatenate::of([&latent, &label]) } else { latent.clone() };
    let x = start.apply(Dense::new(36).use_bias(false)).apply(BatchNormalization::new());
    let x = x.apply(Activation::new(Tanh)).apply(Reshape::new([3, 3, 4]));
    let made = x.apply(Conv2DTranspose::new(1, (4, 4)).strides((2, 2)).padding(Same).activation(Sigmoid));
    let down = Conv2D::new(3, (4, 4)).strides((2, 2)).padding(Same).activation(LeakyRelu);
    let x = image.apply(down).apply(Flatten::new());
    let (generator, discriminator) = if case.conditional {
        let features = Multiply::of([&x, &label.apply(Dense::new(27).use_bias(false))]);
        let score = features.apply(Dense::new(1));
        (Functional::new([&latent, &label], [&made]), Functional::new([&image, &label], [&score]))
    } else {
        (Functional::new([&latent], [&made]), Functional::new([&image], [&x.apply(Dense::new(1))]))
    };
    let compile = |network: Functional, weights: &BTreeMap<String, Tensor>| {
        let mut model = network.compile(Sgd::new(0.05).momentum(0.9), MeanSquaredError, []).unwrap();
        let weight = |(name, values): (&String, &Tensor)| Weight { name: name.clone(), values: values.array() };
        let weights: Vec<Weight> = weights.iter().map(weight).collect();
        assert_eq!(weights.len(), model.get_weights().len());
        model.set_weights_by_name(&weights).unwrap();
        model
    };
    let loss = match (case.loss.as_str(), case.clip) {
        ("NonSaturating", None) => GanLoss::NonSaturating,
        ("LeastSquares", None) => GanLoss::LeastSquares,
        ("Hinge", None) => GanLoss::Hinge,
        ("Wasserstein", Some(clip)) => GanLoss::Wasserstein { clip },
        (other, clip) => panic!("{other} with {clip:?}"),
    };
    let [generator, discriminator] = [compile(generator, &case.before[0]), compile(discriminator, &case.before[1])];
    Gan::new(generator, discriminator, loss).unwrap().label_smoothing(case.label_smoothing)
}

#[test]
fn two_steps_of_both_models_with_each_loss_are_pytorch_s() {
    let bytes = large_fixture("gan.json");
    let Fixture { cases } = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let (mut gan, what) = (build(case), format!("{}, conditional: {}", case.loss, case.conditional));
        for (number, step) in case.steps.iter().enumerate() {
            let images = ArrayD::from_shape_vec(vec![EXAMPLES, 6, 6, 1], step.real.clone()).unwrap();
            let latent = Array2::from_shape_vec((EXAMPLES, 4), step.latent.clone()).unwrap();
            let scores = gan.train_on_batch(&images, &step.labels, &latent).unwrap();
            let losses = [scores.generator_loss.unwrap(), scores.discriminator_loss];
            for (found, expected) in losses.iter().zip(step.losses) {
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{what}, step {number}: {losses:?}, expected {:?}",
                    step.losses
                );
            }
        }
        for (model, expected) in [gan.generator(), gan.discriminator()].into_iter().zip(&case.after) {
            for weight in model.get_weights() {
                let what = format!("{what}, {}", weight.name);
                assert_close(&what, &weight.values, &expected[&weight.name].values, 1e-5, 2e-6);
            }
        }
    }
}
