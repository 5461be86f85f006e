//! Without noise a private step is the plain one on gradients that are clipped example by example.

use inkstone::ndarray::{Array2, ArrayD, ArrayView, Axis, IxDyn};
use inkstone::prelude::*;
use inkstone::privacy::DpSgd;
use inkstone::{Model, Weight};

/// The gradients of each example alone: of each trained weight, in order.
fn one_by_one(model: &mut Model, inputs: &ArrayD<f32>, labels: &[usize]) -> Vec<Vec<Weight>> {
    let of = |(input, label): (ArrayView<'_, f32, IxDyn>, &usize)| {
        let input = input.insert_axis(Axis(0)).to_owned();
        model.gradients(&input, &[*label]).unwrap().1
    };
    inputs.outer_iter().zip(labels).map(of).collect()
}

fn norm(gradients: &[Weight]) -> f64 {
    let values = gradients.iter().flat_map(|weight| &weight.values);
    values.map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// One private step without noise on all examples, by stochastic gradient descent with the rate 1, against the plain
/// way. Half of the gradients are longer than the clip.
fn check(described: Sequential, inputs: &ArrayD<f32>) {
    let examples = inputs.len_of(Axis(0));
    let labels: Vec<usize> = (0..examples).map(|n| n % 3).collect();
    let model = described.add(Dense::new(3).activation(Softmax)).seed(5);
    let mut model = model.compile(Sgd::new(1.0), SparseCategoricalCrossentropy::default(), []).unwrap();
    let gradients = one_by_one(&mut model, inputs, &labels);
    let mut norms: Vec<f64> = gradients.iter().map(|gradients| norm(gradients)).collect();
    norms.sort_by(f64::total_cmp);
    let clip = norms[examples / 2] as f32;
    assert!(norms[0] < 0.99 * f64::from(clip) && norms[examples - 1] > 1.01 * f64::from(clip), "{norms:?}");

    let before: Vec<Weight> = gradients[0].iter().map(|weight| model.get_weight(&weight.name).unwrap()).collect();
    let private = DpSgd::new(0.0, clip).delta(1e-3).test_seed(1);
    let config = FitConfig::new().batch_size(examples).differential_privacy(private).verbose(0);
    model.fit((inputs, &labels), config).unwrap();
    for (place, before) in before.iter().enumerate() {
        let mut expected = ArrayD::<f64>::zeros(before.values.shape());
        for gradients in &gradients {
            let factor = (f64::from(clip) / norm(gradients)).min(1.0) / examples as f64;
            expected.zip_mut_with(&gradients[place].values, |sum, value| *sum += factor * f64::from(*value));
        }
        let step = &before.values - model.get_weight(&before.name).unwrap().values;
        for (step, expected) in step.iter().zip(&expected) {
            let distance = (f64::from(*step) - expected).abs();
            assert!(distance < 3e-5 * f64::from(clip).max(0.1), "{}: {step}, expected {expected}", before.name);
        }
    }
}

/// Numbers that don't repeat soon, of very different sizes from example to example.
fn numbers(shape: &[usize]) -> ArrayD<f32> {
    let len: usize = shape[1..].iter().product();
    let value = |place: usize| (place as f32 * 0.618).fract() * 2.0 - 1.0;
    let values = (0..shape[0] * len).map(|place| value(place) * 3.0 * ((place / len) as f32 / shape[0] as f32).powi(3));
    ArrayD::from_shape_vec(shape, values.collect()).unwrap()
}

#[test]
fn dense_layers_with_gradients_over_the_batch_and_without() {
    // 70 x 80 weights are summed over the batch at once, 80 x 3 are not.
    check(Sequential::new([70]).add(Dense::new(80).activation(Tanh)), &numbers(&[30, 70]));
    check(Sequential::new([70]).add(Dense::new(80).use_bias(false).activation(Relu)), &numbers(&[9, 70]));
    check(Sequential::new([6]).add(Dense::new(5).activation(Relu)), &numbers(&[30, 6]));
}

#[test]
fn convolutions_of_every_algorithm() {
    let described = Sequential::new([12, 12, 2])
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(32, (3, 3)).activation(Tanh))
        .add(DepthwiseConv2D::new((2, 2)))
        .add(Flatten::new());
    check(described, &numbers(&[13, 12, 12, 2]));
    let transposed = Sequential::new([4, 4, 3])
        .add(Conv2DTranspose::new(4, (4, 4)).strides((2, 2)).padding(Same).activation(Tanh))
        .add(Flatten::new());
    check(transposed, &numbers(&[7, 4, 4, 3]));
}

#[test]
fn normalizations_of_each_example_and_slopes() {
    let described = Sequential::new([6, 6, 4])
        .add(Conv2D::new(8, (3, 3)))
        .add(GroupNormalization::new().groups(2))
        .add(PReLU::new())
        .add(Flatten::new())
        .add(LayerNormalization::new());
    check(described, &numbers(&[11, 6, 6, 4]));
}

#[test]
fn recurrent_layers_and_tables_of_words() {
    check(Sequential::new([5, 4]).add(LSTM::new(6)), &numbers(&[12, 5, 4]));
    check(Sequential::new([5, 4]).add(GRU::new(6).return_sequences(true)).add(Flatten::new()), &numbers(&[12, 5, 4]));
    // Words that occur several times in an example, and one that pads.
    let tokens = Array2::from_shape_fn((12, 6), |(n, t)| ((n * t) % 4) as f32).into_dyn();
    let described = Sequential::new([6]).add(Embedding::new(4, 3).mask_zero(true)).add(LSTM::new(5));
    check(described, &tokens);
    check(Sequential::new([6]).add(Embedding::new(4, 70)).add(Flatten::new()), &tokens);
}

#[test]
fn a_gradient_that_is_no_number_counts_as_zero() {
    let mut x = numbers(&[6, 70]);
    // The loss is finite, but the square of the gradient is larger than any number.
    x[[2, 3]] = 1e30;
    let described = Sequential::new([70]).add(Dense::new(80)).add(Dense::new(2).activation(Softmax));
    let mut model = described.seed(1).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
    let before = model.get_weights();
    let private = DpSgd::new(0.0, 1.0).delta(1e-3).test_seed(1);
    let config = FitConfig::new().batch_size(6).differential_privacy(private).verbose(0);
    model.fit((&x, &[0, 1, 0, 1, 0, 1]), config).unwrap();
    let steps = model.get_weights().into_iter().zip(before).map(|(after, before)| after.values - before.values);
    let square: f32 = steps.flat_map(|step| step.mapv(|value| value * value)).sum();
    assert!(square.sqrt() <= 0.1 && square > 0.0, "{square}");
}
