//! Layers of users' own types in a model: the numbers of the crate's layers, weights, and what happens when they fail.

use crate::common::assert_close;
use crate::common_custom_layers::Scale;
use crate::small::{dataset, quiet};
use inkstone::custom::{CustomLayer, LayerBackward, LayerForward, LayerWeight};
use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Shape, Weight, testing};
use ndarray::Array4;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `Dense` does, on vectors.
#[derive(Debug, Serialize, Deserialize)]
struct OwnDense {
    units: usize,
}

impl CustomLayer for OwnDense {
    const NAME: &'static str = "OwnDense";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input.as_image() {
            (1, 1, _) => Ok(Shape::from([self.units])),
            _ => Err(format!("expects a vector, got {input}: add `Flatten` before it")),
        }
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        let (_, _, features) = input.as_image();
        vec![LayerWeight::glorot_uniform("kernel", [features, self.units]), LayerWeight::zeros("bias", [self.units])]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        let (kernel, bias) = (&pass.weights[0], &pass.weights[1]);
        let features = pass.input.len() / pass.examples;
        for (x, y) in pass.input.chunks_exact(features).zip(pass.output.chunks_exact_mut(self.units)) {
            y.copy_from_slice(bias);
            for (x, row) in x.iter().zip(kernel.chunks_exact(self.units)) {
                y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
            }
        }
    }

    fn backward(&self, mut pass: LayerBackward<'_>) {
        let kernel = &pass.weights[0];
        let features = pass.input.len() / pass.examples;
        for (example, dy) in pass.d_output.chunks_exact(self.units).enumerate() {
            let x = &pass.input[example * features..][..features];
            for (x, row) in x.iter().zip(pass.d_weights[0].chunks_exact_mut(self.units)) {
                row.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += x * dy);
            }
            pass.d_weights[1].iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
            if let Some(d_input) = &mut pass.d_input {
                let d_input = &mut d_input[example * features..][..features];
                for (dx, row) in d_input.iter_mut().zip(kernel.chunks_exact(self.units)) {
                    *dx = row.iter().zip(dy).map(|(w, dy)| w * dy).sum();
                }
            }
        }
    }
}

/// What `Relu` does.
#[derive(Debug, Serialize, Deserialize)]
struct OwnRelu;

impl CustomLayer for OwnRelu {
    const NAME: &'static str = "OwnRelu";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, pass: LayerForward<'_>) {
        pass.output.iter_mut().zip(pass.input).for_each(|(y, x)| *y = x.max(0.0));
    }

    fn backward(&self, pass: LayerBackward<'_>) {
        let Some(d_input) = pass.d_input else { return };
        for ((dx, y), dy) in d_input.iter_mut().zip(pass.output).zip(pass.d_output) {
            *dx = if *y > 0.0 { *dy } else { 0.0 };
        }
    }
}

/// Images of 4 x 4 through a convolution, these layers, and a softmax.
fn model(layers: impl IntoIterator<Item = Layer>) -> Model {
    let start = Sequential::new([4, 4, 1]).add(Conv2D::new(3, (3, 3)));
    let all = layers.into_iter().fold(start, |model, layer| model.add(layer));
    all.add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(4)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

#[test]
fn copies_of_the_crate_s_layers_give_their_numbers() {
    let own = model([OwnRelu.into(), Flatten::new().into(), OwnDense { units: 6 }.into(), OwnRelu.into()]);
    let relu = || Layer::from(Activation::new(Relu));
    let built_in = model([relu(), Flatten::new().into(), Dense::new(6).into(), relu()]);
    let (mut own, mut built_in) = (own, built_in);
    // A kernel of a dense layer is drawn in another order: the values are copied.
    let renamed = |(own, built_in): (Weight, Weight)| Weight { name: own.name, ..built_in };
    let weights: Vec<_> = own.get_weights().into_iter().zip(built_in.get_weights()).map(renamed).collect();
    own.set_weights(&weights).unwrap();
    let images =
        Array4::from_shape_fn((21, 4, 4, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * 3) % 11) as f32 / 11.0 - 0.4);
    let classes: Vec<usize> = (0..21).map(|n| n % 3).collect();
    assert_close("outputs", &own.predict_rows(&images).unwrap(), &built_in.predict_rows(&images).unwrap(), 1e-6, 1e-6);
    let (own_scores, own_gradients) = own.gradients(&images, &classes).unwrap();
    let (scores, gradients) = built_in.gradients(&images, &classes).unwrap();
    assert!((own_scores.loss - scores.loss).abs() < 1e-6);
    for (own, built_in) in own_gradients.iter().zip(&gradients) {
        assert_close(&own.name, &own.values, &built_in.values, 1e-5, 1e-7);
    }
    assert_eq!(own_gradients[2].name, "own_dense/kernel");
    let predictor = own.clone().into_predictor();
    assert_eq!(predictor.predict_rows(&images).unwrap(), own.predict_rows(&images).unwrap());
}

#[test]
fn their_gradients_are_differences() {
    testing::check_gradients(OwnDense { units: 3 }, [5]).unwrap();
    testing::check_gradients(OwnRelu, [3, 4, 2]).unwrap();
    testing::check_gradients(Scale { initial: 1.0 }, [3, 4, 2]).unwrap();
    let images = Array4::from_shape_fn((5, 4, 4, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * 3) % 11) as f32 / 11.0 - 0.4);
    let model = model([Scale { initial: 0.5 }.into(), OwnRelu.into()]);
    testing::check_model_gradients(&model, (&images, &[0, 1, 2, 0, 1])).unwrap();
}

#[test]
fn a_first_layer_is_trained_without_input_gradients() {
    let train = |layer: Layer| {
        let mut model = Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(layer)
            .add(Dense::new(3).activation(Softmax))
            .seed(3)
            .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])
            .unwrap();
        let history = model.fit(&dataset(24), quiet().epochs(5)).unwrap();
        (history, model)
    };
    let (history, model) = train(Scale { initial: 1.0 }.into());
    assert!(history.epochs[4].training.loss < history.epochs[0].training.loss);
    assert!(model.get_weight("scale/factors").unwrap().values.iter().any(|factor| *factor != 1.0));
}

#[test]
fn training_gives_the_same_bits_on_any_number_of_threads() {
    let trained = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = model([Scale { initial: 0.7 }.into(), OwnRelu.into()]);
            model.fit(&dataset(43), quiet().epochs(2).batch_size(16)).unwrap();
            (model.get_weights(), model.predict_rows(&dataset(9).images()).unwrap())
        })
    };
    let one = trained(1);
    assert_eq!(trained(2), one);
    assert_eq!(trained(4), one);
}

/// Has a weight that stays as it is, and writes nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Silent;

impl CustomLayer for Silent {
    const NAME: &'static str = "Silent";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn weights(&self, _: Shape) -> Vec<LayerWeight> {
        let drawn = LayerWeight::uniform("drawn", [2, 3], 0.5);
        vec![LayerWeight::constant("kept", [4], 2.5).frozen(), drawn]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        assert_eq!((&pass.weights[0], pass.weights[1].len()), (&[2.5; 4][..], 6));
        assert!(pass.output.iter().all(|y| *y == 0.0));
    }

    fn backward(&self, mut pass: LayerBackward<'_>) {
        assert_eq!((pass.d_weights[0].len(), pass.d_weights[1].len()), (0, 6));
        pass.d_weights[1].fill(1.0);
        assert!(pass.d_input.unwrap().iter().all(|dx| *dx == 0.0));
    }
}

#[test]
fn what_a_layer_leaves_out_is_zero_and_frozen_weights_stay() {
    let mut model = model([Silent.into(), Silent.into()]);
    let summary = model.summary().to_string();
    assert!(summary.contains("silent (Silent)") && summary.contains("silent_1 (Silent)"), "{summary}");
    assert!(summary.contains("Non-trainable params: 8 "), "{summary}");
    let before = model.get_weights();
    assert!(before[3].values.iter().all(|value| value.abs() <= 0.5));
    assert_ne!(before[3].values, before[5].values, "each weight is drawn by itself");
    model.fit(&dataset(43), quiet()).unwrap();
    let (kept, drawn) = (model.get_weight("silent/kept").unwrap(), model.get_weight("silent/drawn").unwrap());
    assert_eq!((&kept, before[2].name.as_str()), (&before[2], "silent/kept"));
    assert_ne!(drawn, before[3]);
    let outputs = model.predict_rows(&dataset(3).images()).unwrap();
    assert_eq!(outputs.row(0), outputs.row(1), "the layer tells nothing of its input");
}

/// Declares whatever it is told to.
#[derive(Debug, Serialize, Deserialize)]
struct Declares {
    output: [usize; 3],
    weights: Vec<Vec<usize>>,
}

impl CustomLayer for Declares {
    const NAME: &'static str = "Declares";

    fn output_shape(&self, _: Shape) -> Result<Shape, String> {
        Ok(Shape::from(self.output))
    }

    fn weights(&self, _: Shape) -> Vec<LayerWeight> {
        self.weights.iter().map(|shape| LayerWeight::zeros("weight", shape.clone())).collect()
    }

    fn forward(&self, _: LayerForward<'_>) {}

    fn backward(&self, _: LayerBackward<'_>) {}
}

/// Has a name that checkpoints use.
#[derive(Debug, Serialize, Deserialize)]
struct Named;

impl CustomLayer for Named {
    const NAME: &'static str = "Optimizer";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, _: LayerForward<'_>) {}

    fn backward(&self, _: LayerBackward<'_>) {}
}

#[test]
fn declarations_that_cannot_be_are_errors_that_name_the_layer() {
    let refused = |layer: Layer| {
        let model = Sequential::new([4, 4, 1]).add(layer).add(Flatten::new()).add(Dense::new(3));
        model.compile(Sgd::default(), MeanSquaredError, []).unwrap_err().to_string()
    };
    let declares = |output, weights: &[&[usize]]| {
        refused(Declares { output, weights: weights.iter().map(|shape| shape.to_vec()).collect() }.into())
    };
    assert_eq!(
        declares([0, 1, 1], &[]),
        "layer 0 (Declares) has an output of (0, 1, 1): each tensor must have between 1 and 268435456 values"
    );
    assert_eq!(
        declares([1, 1, 1], &[&[2], &[3]]),
        "layer 0 (Declares) has a weight named \"weight\": each needs a name of its own, without `/`"
    );
    assert_eq!(
        declares([1, 1, 1], &[&[2, 0]]),
        "layer 0 (Declares) has a weight weight of [2, 0]: every axis must be at least 1"
    );
    let error = declares([1, 1, 1], &[&[usize::MAX, 2]]);
    assert_eq!(error, "layer 0 (Declares) brings the model to more than 268435456 parameters");
    let error = refused(OwnDense { units: 2 }.into());
    assert_eq!(error, "layer 0 (OwnDense) expects a vector, got (4, 4, 1): add `Flatten` before it");
    let error = refused(Named.into());
    assert!(error.starts_with("layer 0 (Optimizer) has the name \"Optimizer\": use letters, digits"), "{error}");
}

/// How many calls of `Panics` have yet to come before one panics: of the forward pass, of the backward pass.
static LEFT: [AtomicUsize; 2] = [AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX)];

#[derive(Debug, Serialize, Deserialize)]
struct Panics;

impl CustomLayer for Panics {
    const NAME: &'static str = "Panics";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, pass: LayerForward<'_>) {
        assert_ne!(LEFT[0].fetch_sub(1, Ordering::Relaxed), 0, "the forward pass panics");
        OwnRelu.forward(pass);
    }

    fn backward(&self, pass: LayerBackward<'_>) {
        assert_ne!(LEFT[1].fetch_sub(1, Ordering::Relaxed), 0, "the backward pass panics");
        OwnRelu.backward(pass);
    }
}

#[test]
fn after_its_panic_the_model_is_that_of_the_last_step_and_can_be_trained() {
    let train = dataset(16);
    let mut whole = model([OwnRelu.into()]);
    whole.fit(&train, quiet().epochs(1)).unwrap();
    for pass in &LEFT {
        let mut model = model([Panics.into()]);
        // A batch of four is one chunk: the second epoch begins with the fifth.
        pass.store(4, Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| model.fit(&train, quiet().epochs(3))));
        assert!(outcome.is_err());
        LEFT.iter().for_each(|left| left.store(usize::MAX, Ordering::Relaxed));
        assert_eq!(model.get_weights(), whole.get_weights());
        let (mut trained, mut other) = (model.clone(), model);
        let resumed = Model::from_bytes(&whole.to_bytes().unwrap());
        assert!(resumed.is_err(), "the type of the layer is not named");
        // The one that has seen the panic, and a copy of it that has memory of its own.
        let histories = [&mut trained, &mut other].map(|model| model.fit(&train, quiet().epochs(2)).unwrap());
        assert_eq!(histories[0].epochs.len(), 2);
        assert_eq!(trained.get_weights(), other.get_weights());
        // Predictions go on, too.
        LEFT[0].store(0, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| other.predict_rows(&train.images()))).is_err());
        LEFT[0].store(usize::MAX, Ordering::Relaxed);
        assert_eq!(other.predict_rows(&train.images()).unwrap(), trained.predict_rows(&train.images()).unwrap());
    }
}
