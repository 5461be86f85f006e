//! The engine against the readable reference in `ops`: whole models, forward and backward, on every SIMD level of this
//! machine. `random` draws them.

mod over_batch;
mod random;

use super::{Engine, Examples, Scoring, initial_weights};
use crate::data::{LabelledInputs, OneOrMore, OrderedExamples, OrderedImages};
use crate::exec::tests::oracle::{Mode, Oracle, batch_axes};
use crate::kernels::output::OutputFunction;
use crate::layers::{Activation, ActivationFunction, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Network};
use crate::loss::SparseCategoricalCrossentropy;
use crate::objective::Objective;
use crate::ops;
use crate::plan::{Plan, Step, Wanted};
use crate::program::Plain;
use crate::random::{Stream, stream};
use crate::shape::{Padding, Shape};
use crate::simd::all_levels;
use ndarray::{Array2, Array4, ArrayD, Ix2};
use rand::RngExt;

/// A model's outputs and the gradients of its mean loss, by the reference.
struct Reference {
    /// Outside training.
    predicted: Array2<f32>,
    loss: f64,
    /// Of each parameter, laid out as the engine lays it out.
    gradients: Vec<Vec<f32>>,
}

fn reference(layers: &[Layer], plan: &Plan, flat: &[f32], x: &Array4<f32>, labels: &[usize]) -> Reference {
    let mut layers = layers.to_vec();
    // The last layer's softmax belongs to the loss.
    if let Some(Layer::Dense(last)) = layers.last_mut() {
        last.activation = ActivationFunction::Linear;
    }
    let network = Network::chain(plan.input(), layers);
    let oracle = Oracle { network: &network, plan, flat, mode: Mode::Training };
    let inputs = [x.clone().into_shape_with_order(batch_axes(labels.len(), plan.input())).unwrap()];
    let values = oracle.values(&inputs);
    let last = |values: &[ArrayD<f32>]| values.last().unwrap().clone().into_dimensionality::<Ix2>().unwrap();
    let logits = last(&values);
    let predicted = last(&Oracle { mode: Mode::Inference, ..oracle }.values(&inputs));
    let (loss, dlogits) = ops::sparse_categorical_crossentropy(logits.view(), labels).unwrap();
    let gradients = oracle.gradients(&inputs, &values, &[dlogits.into_dyn()]).parameters;
    Reference { predicted, loss: f64::from(loss), gradients }
}

/// Fails unless `|a - b| <= 2e-4 * (the largest |b|) + 1e-4 * |b|`: both sides sum in f32, in another order. Where all
/// terms cancel each other, the largest is taken as 1e-4: what is left are roundings.
fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(1e-4_f32, |largest, value| largest.max(value.abs()));
    for (index, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 2e-4 * largest + 1e-4 * b.abs(), "{what}[{index}]: {a}, expected {b}");
    }
}

/// The plan of a chain.
fn planned(input: Shape, layers: &[Layer]) -> crate::error::Result<Plan> {
    Plan::new(&Network::chain(input, layers.to_vec()), Wanted::OfParameters)
}

/// An engine for cross-entropy.
fn engine(plan: &Plan, layers: &[Layer], seed: u64, level: crate::simd::Level) -> Engine {
    let scoring = Scoring::new(plan, &[Objective::new(SparseCategoricalCrossentropy::default())]);
    let inference = plan.for_inference(&Network::chain(plan.input(), layers.to_vec())).unwrap();
    Engine::new(plan.clone(), inference, scoring, initial_weights(plan, seed), level)
}

fn checked<'a>(images: &'a Array4<f32>, labels: &'a [usize]) -> OrderedExamples<'a> {
    LabelledInputs::from((images, labels)).checked().unwrap()
}

/// Runs a model on random examples at every level and compares predictions, loss and all gradients.
fn check_model(input: Shape, layers: &[Layer], count: usize, seed: u64) {
    let plan = planned(input, layers).unwrap();
    let mut random = stream(seed, Stream::Shuffle { epoch: 0 });
    let (height, width, channels) = input.as_image();
    let x = Array4::from_shape_fn((count, height, width, channels), |_| random.random::<f32>() * 2.0 - 1.0);
    let labels: Vec<usize> = (0..count).map(|_| random.random_range(0..plan.output_len(0))).collect();
    // Biases start at zero; other values show more.
    let mut weights = engine(&plan, layers, seed, crate::simd::Level::new()).weights.flat;
    for parameter in &plan.parameters.all {
        weights[parameter.range.clone()].iter_mut().for_each(|w| *w += (random.random::<f32>() - 0.5) * 0.2);
    }
    let expected = reference(layers, &plan, &weights, &x, &labels);
    let predictions = match plan.head().function {
        OutputFunction::Linear => expected.predicted.clone().into_dyn(),
        OutputFunction::Softmax => ops::softmax(expected.predicted.view().into_dyn()),
        OutputFunction::Sigmoid => ops::sigmoid(expected.predicted.view().into_dyn()),
    };
    let examples = checked(&x, &labels);
    let batch = Examples::of(&examples);
    for level in all_levels() {
        let mut engine = engine(&plan, layers, seed, level);
        engine.weights.flat.copy_from_slice(&weights);
        engine.pack();
        engine.run_batch(&batch, seed, 0).unwrap();
        let loss = engine.tally().mean_loss() as f32;
        engine.sum_gradients();
        let what = format!("{level:?} {layers:?} on {input}");
        let mut outputs = vec![0.0; count * plan.output_len(0)];
        engine.predict(&batch, &mut outputs);
        assert_close(&format!("{what}: predictions"), &outputs, predictions.as_slice().unwrap());
        assert_close(&format!("{what}: loss"), &[loss], &[expected.loss as f32]);
        let trained =
            plan.parameters.all.iter().zip(&expected.gradients).filter(|(parameter, _)| parameter.is_trained());
        for (parameter, expected) in trained {
            let what = format!("{what}: gradient of {}", parameter.name);
            assert_close(&what, &engine.gradients()[parameter.range.clone()], expected);
        }
    }
}

/// Where two values of a pooling window are equal within rounding, another order of additions picks another winner, and
/// a gradient takes another way. It happens in about one of thirty draws of a model of this size, not in this one.
#[test]
fn the_keras_example_agrees_with_the_reference() {
    use ActivationFunction::{Relu, Softmax};
    let layers: [Layer; 8] = [
        Conv2D::new(32, (3, 3)).activation(Relu).into(),
        MaxPooling2D::new((2, 2)).into(),
        Conv2D::new(64, (3, 3)).activation(Relu).into(),
        MaxPooling2D::new((2, 2)).into(),
        Conv2D::new(64, (3, 3)).activation(Relu).into(),
        Flatten::new().into(),
        Dense::new(64).activation(Relu).into(),
        Dense::new(10).activation(Softmax).into(),
    ];
    check_model(Shape::from([28, 28, 1]), &layers, 5, 0);
}

/// What cannot be seen from outside: that the fast path is taken at all.
#[test]
fn pooling_and_activation_are_fused_where_the_rules_allow() {
    use ActivationFunction::{Relu, Softmax};
    let input = Shape::from([12, 12, 2]);
    let steps = |middle: &[Layer]| {
        let end: [Layer; 2] = [Flatten::new().into(), Dense::new(3).activation(Softmax).into()];
        let layers: Vec<Layer> = middle.iter().chain(&end).cloned().collect();
        planned(input, &layers).unwrap().steps
    };
    let conv = || Layer::from(Conv2D::new(4, (3, 3)));
    let relu = || Layer::from(Activation::new(Relu));
    let pool = || Layer::from(MaxPooling2D::new((2, 2)));
    for fused in [vec![conv(), relu(), pool()], vec![conv(), pool(), relu()], vec![conv(), pool()]] {
        let steps = steps(&fused);
        assert_eq!(steps.len(), 2, "{fused:?}");
        assert_eq!(steps[0].step.conv().unwrap().layout.pool, 4, "{fused:?}");
        assert_eq!(steps[0].step.conv().unwrap().layout.windows.len(), 100, "{fused:?}: 10 x 10 windows, all pooled");
    }
    let overlapping = MaxPooling2D::new((3, 3)).strides((2, 2)).into();
    assert!(matches!(steps(&[conv(), overlapping])[1].step, Step::Plain(Plain::MaxPool(_))));
}

#[test]
fn dropout_scales_what_it_keeps_and_repeats_by_seed_and_step() {
    let layers: [Layer; 2] =
        [Dropout::new(0.25).into(), Dense::new(1).activation(ActivationFunction::Softmax).use_bias(false).into()];
    let plan = planned(Shape::from([1000]), &layers).unwrap();
    let ones = Array4::<f32>::ones((3, 1, 1, 1000));
    let examples = checked(&ones, &[0, 0, 0]);
    let batch = Examples::of(&examples);
    let masks = |step| {
        let mut engine = engine(&plan, &layers, 7, crate::simd::Level::new());
        engine.run_batch(&batch, 7, step).unwrap();
        engine.workspaces.get_mut()[0].value(plan.steps[0].writes)[..1000].to_vec()
    };
    let first = masks(0);
    let kept = first.iter().filter(|value| **value != 0.0).count();
    assert!((700..800).contains(&kept), "about 750 of 1000 are kept, got {kept}");
    assert!(first.iter().all(|value| *value == 0.0 || (value - 1.0 / 0.75).abs() < 1e-6));
    assert_eq!(first, masks(0));
    assert_ne!(first, masks(1));
}

/// As in PyTorch: a NaN is larger than any number, wherever in the window it is.
#[test]
fn a_nan_wins_its_pooling_window_wherever_it_is() {
    let input = Shape::from([4, 4, 16]);
    let pool = || Layer::from(MaxPooling2D::new((2, 2)));
    let one = |filters| Layer::from(Conv2D::new(filters, (1, 1)));
    let models = [
        vec![pool()],
        vec![one(16), pool()],
        vec![one(5), pool()],
        vec![Conv2D::new(16, (3, 3)).padding(Padding::Same).into(), pool()],
    ];
    for mut layers in models {
        layers.push(Flatten::new().into());
        let plan = planned(input, &layers).unwrap();
        for place in 0..4 {
            let mut x = Array4::<f32>::ones((1, 4, 4, 16));
            x[[0, place / 2, place % 2, 3]] = f32::NAN;
            let scoring = Scoring::new(&plan, &[Objective::new(crate::loss::MeanSquaredError)]);
            for level in all_levels() {
                let engine = Engine::new(plan.clone(), None, scoring.clone(), initial_weights(&plan, 1), level);
                // `checked` would refuse it.
                let values = x.as_slice().unwrap().into();
                let examples = OneOrMore::One(OrderedImages::Floats { values, count: 1 });
                let mut outputs = vec![0.0; plan.output_len(0)];
                engine.predict(&Examples::of_images(&examples), &mut outputs);
                assert!(outputs.iter().any(|value| value.is_nan()), "{level:?}, place {place}, {layers:?}");
                let pooled = ops::max_pool2d(x.view(), (2, 2), (2, 2), Padding::Valid).unwrap();
                assert!(pooled[[0, 0, 0, 3]].is_nan() && pooled.iter().filter(|value| value.is_nan()).count() == 1);
            }
        }
    }
}
