//! The parts of a step one by one: forward, loss, backward, apply.

use inkstone::ndarray::{Array2, Array4, ArrayD};
use inkstone::prelude::*;
use inkstone::{Mode, OutputGradients, Weight};

fn data(count: usize) -> (Array4<f32>, Vec<usize>) {
    let pixel = |(n, y, x, c): (usize, usize, usize, usize)| ((n * 31 + y * 7 + x * x * 3 + c) % 19) as f32 / 19.0;
    (Array4::from_shape_fn((count, 9, 8, 2), pixel), (0..count).map(|n| n % 4).collect())
}

/// A model with dropout, with normalization over the batch, and with a dense layer whose gradients are found over the
/// whole batch.
fn model() -> Model {
    Sequential::new([9, 8, 2])
        .add(Conv2D::new(6, (3, 3)).activation(Relu))
        .add(BatchNormalization::new().momentum(0.8))
        .add(Dropout::new(0.3))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(130).activation(Tanh))
        .add(Dense::new(4).activation(Softmax))
        .seed(11)
        .compile(AdamW::default().global_clipnorm(0.5), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn bits(weights: &[Weight]) -> Vec<u32> {
    weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect()
}

/// Batches of 16, and a smaller last one.
fn by_hand(threads: usize, epochs: usize) -> (Vec<u32>, Vec<u64>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let ((images, labels), mut model) = (data(40), model());
    let mut losses = Vec::new();
    for _ in 0..epochs {
        for start in (0..40).step_by(16) {
            let end = (start + 16).min(40);
            let batch = images.slice_axis(ndarray::Axis(0), ndarray::Slice::from(start..end));
            pool.install(|| {
                let pass = model.forward(batch, Mode::Training).unwrap();
                let (scores, gradients) = model.compute_loss(&pass, &labels[start..end]).unwrap();
                let gradients = model.backward(pass, gradients).unwrap();
                model.apply_gradients(&gradients.weights).unwrap();
                losses.push(scores.loss.to_bits());
            });
        }
    }
    (bits(&model.get_weights()), losses)
}

#[test]
fn a_loop_by_hand_gives_the_bits_of_fit_on_any_number_of_threads() {
    let ((images, labels), mut fitted) = (data(40), model());
    fitted.fit((&images, &labels), FitConfig::new().epochs(3).batch_size(16).shuffle(false).verbose(0)).unwrap();
    let expected = by_hand(1, 3);
    assert_eq!(expected.0, bits(&fitted.get_weights()));
    for threads in [2, 5] {
        assert!(by_hand(threads, 3) == expected, "{threads} threads");
    }
}

#[test]
fn weight_gradients_are_those_of_gradients() {
    let ((images, labels), mut model) = (data(23), model());
    let pass = model.forward(&images, Mode::Training).unwrap();
    let (scores, d_outputs) = model.compute_loss(&pass, &labels).unwrap();
    let found = model.backward(pass, d_outputs).unwrap();
    let (expected_scores, expected) = model.gradients(&images, &labels).unwrap();
    assert_eq!(scores, expected_scores);
    assert_eq!(found.weights, expected);
    assert_eq!(found.inputs[0].shape(), images.shape());
}

/// A network without kinks, of two inputs and two outputs.
fn smooth() -> Model {
    let (image, row) = (Input::new([5, 4, 2]), Input::new([3]));
    let x = image.apply(Conv2D::new(3, (2, 2)).activation(Tanh)).apply(Flatten::new());
    let x = Concatenate::of([&x, &row]).apply(Dense::new(6).activation(Sigmoid));
    let outputs = [x.apply(Dense::new(3).activation(Softmax)), x.apply(Dense::new(2).activation(Sigmoid))];
    Functional::new([&image, &row], &outputs).seed(2).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

/// The gradients of a weighted sum of the outputs, softmax and sigmoid included, against central differences.
#[test]
fn gradients_of_outputs_reach_inputs_and_weights() {
    let mut model = smooth();
    let mut images =
        Array4::from_shape_fn((9, 5, 4, 2), |(n, y, x, c)| ((n * 7 + y * 5 + x * 3 + c) % 13) as f32 / 13.0);
    let mut rows = Array2::from_shape_fn((9, 3), |(n, f)| ((n * 5 + f) % 7) as f32 / 7.0);
    let wanted =
        [3, 2].map(|len| ArrayD::from_shape_fn(vec![9, len], |at| ((at[0] * 3 + at[1] * 5) % 11) as f32 / 11.0 - 0.4));
    let sum = |model: &Model, images: &Array4<f32>, rows: &Array2<f32>| -> f64 {
        let outputs = model.predict_all((images, rows)).unwrap();
        outputs.iter().zip(&wanted).flat_map(|(y, w)| y.iter().zip(w)).map(|(y, w)| f64::from(*y) * f64::from(*w)).sum()
    };
    let pass = model.forward((&images, &rows), Mode::Training).unwrap();
    let found = model.backward(pass, OutputGradients::from(wanted.to_vec())).unwrap();
    let step = 1e-2_f32;
    let close = |what: &str, found: f32, plus: f64, minus: f64| {
        let expected = ((plus - minus) / f64::from(2.0 * step)) as f32;
        assert!((found - expected).abs() < 2e-3, "{what}: {found}, differences {expected}");
    };
    for place in [[0, 0, 0, 0], [3, 4, 3, 1], [8, 2, 1, 0]] {
        let value = images[place];
        let [plus, minus] = [step, -step].map(|offset| {
            images[place] = value + offset;
            sum(&model, &images, &rows)
        });
        images[place] = value;
        close("image", found.inputs[0][place], plus, minus);
    }
    for place in [[0, 0], [8, 2]] {
        let value = rows[place];
        let [plus, minus] = [step, -step].map(|offset| {
            rows[place] = value + offset;
            sum(&model, &images, &rows)
        });
        rows[place] = value;
        close("row", found.inputs[1][place], plus, minus);
    }
    let weights = model.get_weights();
    for (index, weight) in weights.iter().enumerate() {
        let place: Vec<usize> = weight.values.shape().iter().map(|axis| axis / 2).collect();
        let [plus, minus] = [step, -step].map(|offset| {
            let mut changed = weights.clone();
            changed[index].values[&place[..]] += offset;
            model.set_weights(&changed).unwrap();
            sum(&model, &images, &rows)
        });
        close(&weight.name, found.weights[index].values[&place[..]], plus, minus);
    }
}

#[test]
fn a_pass_keeps_the_weights_of_its_moment() {
    let ((images, labels), mut model) = (data(8), model());
    let pass = || model.forward(&images, Mode::Training).unwrap();
    let (first, second) = (pass(), pass());
    let (_, d_outputs) = model.compute_loss(&first, &labels).unwrap();
    let expected = model.backward(first, d_outputs.clone()).unwrap();
    model.apply_gradients(&expected.weights).unwrap();
    assert_eq!(model.steps(), 1);
    assert_eq!(model.backward(second, d_outputs.clone()).unwrap(), expected);
    let third = model.forward(&images, Mode::Training).unwrap();
    assert_ne!(model.backward(third, d_outputs).unwrap(), expected);
}

#[test]
fn inference_predicts_and_has_no_backward_pass() {
    let ((images, _), model) = (data(11), model());
    let pass = model.forward(&images, Mode::Inference).unwrap();
    assert_eq!(*pass.output(), model.predict(&images).unwrap());
    let ones = ArrayD::from_elem(vec![11, 4], 1.0);
    assert_eq!(
        model.backward(pass, ones).unwrap_err().to_string(),
        "the pass was one for inference: call `forward` with `Mode::Training`"
    );
}

/// With a normalization over the batch a pass for inference has a plan of its own, without it that of training.
#[test]
fn a_pass_for_inference_is_scored_whatever_has_become_of_the_model() {
    let (images, labels) = data(8);
    let plain = Sequential::new([9, 8, 2]).add(Flatten::new()).add(Dense::new(4).activation(Softmax)).seed(3);
    let plain = plain.compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), []).unwrap();
    for mut model in [plain, model()] {
        let pass = model.forward(&images, Mode::Inference).unwrap();
        let (before, _) = model.compute_loss(&pass, &labels).unwrap();
        model.train_on_batch(&images, &labels).unwrap();
        let (after, _) = model.compute_loss(&pass, &labels).unwrap();
        assert_eq!(before, after);
    }
}

#[test]
fn what_does_not_fit_a_pass_is_told() {
    let ((images, labels), mut model) = (data(6), model());
    let pass = || model.forward(&images, Mode::Training).unwrap();
    let error = |result: inkstone::Result<inkstone::Gradients>| result.unwrap_err().to_string();
    assert_eq!(
        model.compute_loss(&pass(), &labels[..5]).unwrap_err().to_string(),
        "the pass has 6 examples, got targets for 5"
    );
    assert_eq!(
        error(model.backward(pass(), ArrayD::zeros(vec![6, 3]))),
        "a gradient must have its output's shape, [6, 4], got [6, 3]"
    );
    assert_eq!(
        error(model.backward(pass(), ArrayD::from_elem(vec![6, 4], f32::NAN))),
        "gradients must be finite, got NaN at [0, 0]"
    );
    assert_eq!(error(model.backward(pass(), vec![])), "the pass has 1 outputs, got the gradients of 0");
    let (_, d_outputs) = model.compute_loss(&pass(), &labels).unwrap();
    let mut weights = model.backward(pass(), d_outputs).unwrap().weights;
    let before = bits(&model.get_weights());
    let refused = |model: &mut Model, weights: &[Weight]| model.apply_gradients(weights).unwrap_err().to_string();
    assert_eq!(refused(&mut model, &weights[1..]), "the model trains 8 weights, got 7 gradients");
    weights.swap(0, 1);
    assert_eq!(
        refused(&mut model, &weights),
        "expected the gradient of conv2d/kernel of shape [3, 3, 2, 6], got that of conv2d/bias of shape [6]"
    );
    weights.swap(0, 1);
    weights[1].values[[2]] = f32::INFINITY;
    assert_eq!(refused(&mut model, &weights), "gradients must be finite, got inf in that of conv2d/bias");
    assert_eq!((bits(&model.get_weights()), model.steps()), (before, 0));
}

#[test]
fn a_pass_of_another_model_or_of_no_examples_is_refused() {
    let one = Sequential::new([2]).add(Dense::new(3)).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let other = Sequential::new([2]).add(Dense::new(5)).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let refusal = "the pass was made by another model: give it to the model whose `forward` returned it";
    for stranger in [other, one.clone()] {
        let pass = one.forward(&[[0.0, 1.0]], Mode::Training).unwrap();
        assert_eq!(stranger.compute_loss(&pass, &[[0.0; 5]]).unwrap_err().to_string(), refusal);
        let gradients = ArrayD::zeros(vec![1, 3]);
        assert_eq!(stranger.backward(pass, gradients).unwrap_err().to_string(), refusal);
    }
    let none = one.forward(&Array2::<f32>::zeros((0, 2)), Mode::Training).unwrap();
    let error = one.compute_loss(&none, &Array2::zeros((0, 3))).unwrap_err().to_string();
    assert_eq!(error, "the pass has no examples, expected at least one for a mean loss");
    assert!(one.backward(none, ArrayD::zeros(vec![0, 3])).unwrap().weights[0].values.iter().all(|value| *value == 0.0));
}
