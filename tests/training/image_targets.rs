//! Targets that are images: wherever they come from they are the same targets, and losses are means over all pixels.

use inkstone::data::Normalization;
use inkstone::layers::ActivationFunction;
use inkstone::prelude::*;
use inkstone::{LabelledInputs, Loss, Mode, Weight};
use ndarray::{Array3, Array4, ArrayD};
use serde_json::Value;

const COUNT: usize = 45;

fn bytes() -> Array4<u8> {
    Array4::from_shape_fn((COUNT, 6, 4, 1), |(n, y, x, _)| (n * 37 + y * (n % 5) * 11 + x * 29 + n * x * y) as u8)
}

fn floats() -> Array4<f32> {
    bytes().mapv(|byte| f32::from(byte) / 255.0)
}

fn autoencoder() -> Model {
    Sequential::new([6, 4, 1])
        .add(Conv2D::new(4, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2DTranspose::new(4, (3, 3)).strides((2, 2)).padding(Same).activation(Relu))
        .add(Conv2D::new(1, (3, 3)).padding(Same).activation(Sigmoid))
        .seed(3)
        .compile(Adam::new(0.01), BinaryCrossentropy::default(), [inkstone::Metric::MeanSquaredError])
        .unwrap()
}

fn bits(weights: &[Weight]) -> Vec<u32> {
    weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect()
}

/// The bits of the weights after two epochs, and of the loss after them.
fn trained<'a>(data: impl Into<LabelledInputs<'a>>) -> (Vec<u32>, u64) {
    let (mut model, data) = (autoencoder(), data.into());
    model.fit(data.clone(), FitConfig::new().epochs(2).batch_size(8).verbose(0)).unwrap();
    let loss = model.evaluate(data).unwrap().loss;
    (bits(&model.get_weights()), loss.to_bits())
}

#[test]
fn images_of_any_kind_are_the_same_targets() {
    let (bytes, floats) = (bytes(), floats());
    let expected = trained((&floats, &floats));
    assert!(trained((&bytes, &bytes)) == expected, "bytes");
    assert!(trained((&bytes, bytes.view())) == expected, "a view");
    let dataset = Dataset::from_bytes(bytes.clone(), vec![7; COUNT]).unwrap();
    assert!(trained((&floats, dataset.as_targets())) == expected, "a data set beside an array");
    assert!(trained(&dataset.with_values(&dataset).unwrap()) == expected, "a data set of its own images");
    assert!(trained(&dataset.with_values(bytes.clone()).unwrap()) == expected, "with bytes");
    assert!(trained(&dataset.with_values(floats.clone()).unwrap()) == expected, "with floats");
    assert!(trained(&Dataset::from_floats_and_values(floats.clone(), bytes).unwrap()) == expected, "made with bytes");
    let other = trained((&floats, &floats.mapv(|value| 1.0 - value)));
    assert_ne!(other, expected, "targets matter");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dataset = Dataset::from_bytes(bytes(), vec![0; COUNT]).unwrap();
    let dataset = dataset.with_values(&dataset).unwrap().shuffle(1);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| trained(&dataset))
    };
    let expected = on(1);
    for threads in [2, 3, 8] {
        assert!(on(threads) == expected, "{threads} threads");
    }
}

#[test]
fn targets_go_with_their_examples_into_parts_and_orders() {
    let floats = floats();
    let targets = floats.mapv(|value| 1.0 - value);
    let dataset = Dataset::from_bytes_and_values(bytes(), targets).unwrap();
    let model = autoencoder();
    let parts = [
        dataset.skip(5).unwrap().take(30).unwrap(),
        dataset.shuffle(4),
        dataset.select(&[40, 3, 3, 17]).unwrap().shuffle(2),
        dataset.skip(30).unwrap().filter(|example| example.index() % 2 == 0).unwrap(),
        dataset.split(0.4, 9).unwrap().1,
    ];
    for part in parts {
        let images = part.images();
        let wanted = part.target_images().unwrap().images();
        assert_eq!(wanted, images.mapv(|value| 1.0 - value));
        assert_eq!(model.evaluate(&part).unwrap(), model.evaluate((&images, &wanted)).unwrap());
    }
}

#[test]
fn scaled_images_are_scaled_targets() {
    let dataset = Dataset::from_bytes(bytes(), vec![0; COUNT]).unwrap();
    let scaled = Normalization::adapt(&dataset).apply(&dataset).unwrap();
    let described = Sequential::new([6, 4, 1]).add(Conv2D::new(1, (3, 3)).padding(Same)).seed(1);
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let expected = model.evaluate((&dataset, &scaled.images())).unwrap();
    assert_eq!(model.evaluate((&dataset, scaled.as_targets())).unwrap(), expected);
    assert_eq!(model.evaluate(&dataset.with_values(&scaled).unwrap()).unwrap(), expected);
    // Scaling moves the inputs of a data set, and leaves its targets alone.
    let both = Normalization::adapt(&dataset).apply(&dataset.with_values(&dataset).unwrap()).unwrap();
    assert_eq!(model.evaluate(&both).unwrap(), model.evaluate((&scaled, &dataset.images())).unwrap());
}

#[test]
fn passes_by_hand_take_images() {
    let (mut model, floats) = (autoencoder(), floats());
    let dataset = Dataset::from_bytes(bytes(), vec![0; COUNT]).unwrap();
    let pass = model.forward(&floats, Mode::Training).unwrap();
    let (scores, d_outputs) = model.compute_loss(&pass, dataset.as_targets()).unwrap();
    let found = model.backward(pass, d_outputs).unwrap();
    assert_eq!((scores, found.weights), model.gradients(&floats, &floats).unwrap());
}

#[test]
fn steps_of_a_masked_sequence_count_in_targets_of_a_data_set() {
    let x = Array3::from_shape_fn((9, 4, 1), |(n, t, _)| if t > n % 4 { 0.0 } else { (n + t + 1) as f32 / 12.0 });
    let y = x.mapv(|value| value * 0.5 + 0.1);
    let described = Sequential::new([4, 1]).add(Masking::new()).add(Dense::new(1)).seed(1);
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let dataset = Dataset::from_sequences_and_values(x.clone(), y.clone()).unwrap();
    assert_eq!(model.evaluate(&dataset).unwrap(), model.evaluate((&x, &y)).unwrap());
}

#[test]
fn targets_of_another_shape_are_told_with_both() {
    let (mut model, floats) = (autoencoder(), floats());
    let fault = |result: inkstone::Result<inkstone::Scores>| result.unwrap_err().to_string();
    let wider = Array4::<f32>::zeros((COUNT, 6, 5, 1));
    let expected = "targets must have the output's shape, (6, 4, 1), got (6, 5, 1)";
    assert_eq!(fault(model.evaluate((&floats, &wider))), expected);
    let wider = Dataset::from_floats(wider, vec![0; COUNT]).unwrap();
    assert_eq!(fault(model.evaluate((&floats, wider.as_targets()))), expected);
    assert_eq!(fault(model.train_on_batch(&floats, wider.as_targets())), expected);
    assert_eq!(fault(model.evaluate(&wider.with_values(&wider).unwrap())), {
        "the model expects images of (6, 4, 1), got (6, 5, 1)"
    });
    let labelled = Dataset::from_floats(floats.clone(), vec![3; COUNT]).unwrap();
    assert_eq!(
        fault(model.evaluate(&labelled)),
        "targets must have the output's shape, (6, 4, 1), got labels: give arrays of that shape, or a data set with such \
         values; of an autoencoder they are its inputs, `dataset.with_values(&dataset)`"
    );
    assert_eq!(
        fault(model.evaluate((&floats, labelled.take(5).unwrap().as_targets()))),
        "there must be at least one image and one target image for each, got 45 images and 5 target images"
    );
    let bright = labelled.map(|image| image.mapv(|value| value * 2.0)).unwrap();
    let text = fault(model.evaluate((&floats, bright.as_targets())));
    assert!(text.starts_with("BinaryCrossentropy expects targets from 0 to 1, got 1."), "{text}");
}

fn numbers(value: &Value) -> Vec<f32> {
    value["values"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn tensor(value: &Value) -> ArrayD<f32> {
    let shape: Vec<usize> =
        value["shape"].as_array().unwrap().iter().map(|axis| axis.as_u64().unwrap() as usize).collect();
    ArrayD::from_shape_vec(shape, numbers(value)).unwrap()
}

#[track_caller]
fn assert_close(what: &str, found: &ArrayD<f32>, expected: &ArrayD<f32>) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for ((place, found), expected) in found.indexed_iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-6 + 1e-5 * expected.abs(), "{what}{place:?}: {found}, Keras {expected}");
    }
}

/// `tests/fixtures/make_image_targets.py` has written down what Keras computes.
#[test]
fn a_step_of_an_autoencoder_is_that_of_keras() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/image_targets.json")).unwrap();
    let (x, y) = (tensor(&fixture["x"]), tensor(&fixture["y"]));
    let weights = fixture["weights"].as_array().unwrap().iter();
    let weights: Vec<Weight> = weights
        .map(|weight| Weight { name: weight["name"].as_str().unwrap().into(), values: tensor(weight) })
        .collect();
    let images = y.clone().into_dimensionality().unwrap();
    let y_dataset = Dataset::from_floats(images, vec![0; 5]).unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let loss: Loss = match case["loss"].as_str().unwrap() {
            "MeanSquaredError" => MeanSquaredError.into(),
            "MeanAbsoluteError" => MeanAbsoluteError.into(),
            "BinaryCrossentropy" => BinaryCrossentropy::default().into(),
            other => panic!("{other} has no counterpart here"),
        };
        let activation: ActivationFunction = serde_json::from_value(case["activation"].clone()).unwrap();
        let described = Sequential::new([6, 4, 2])
            .add(Conv2D::new(3, (3, 3)).padding(Same).activation(Tanh))
            .add(AveragePooling2D::new((2, 2)))
            .add(Conv2D::new(4, (3, 3)).padding(Same).activation(Tanh))
            .add(Conv2DTranspose::new(3, (3, 3)).strides((2, 2)).padding(Same).activation(Tanh))
            .add(Conv2D::new(2, (3, 3)).padding(Same).activation(activation));
        let mut model = described.compile(Sgd::new(1.0), loss, []).unwrap();
        model.set_weights(&weights).unwrap();
        assert_close("output", &model.predict(&x).unwrap(), &tensor(&case["outputs"]));
        let (scores, gradients) = model.gradients(&x, y_dataset.as_targets()).unwrap();
        let value = case["value"].as_f64().unwrap();
        assert!((scores.loss - value).abs() < 1e-5 * value, "{}: {}, Keras {value}", case["loss"], scores.loss);
        assert_eq!(gradients.len(), weights.len());
        for (gradient, expected) in gradients.iter().zip(case["gradients"].as_array().unwrap()) {
            assert_close(&gradient.name, &gradient.values, &tensor(expected));
        }
    }
}
