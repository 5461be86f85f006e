//! A variational autoencoder by hand: the gradient of the decoder's input, chained to the encoder, is that of the whole
//! loss; and any number of threads gives the same bits.

use inkstone::prelude::*;
use inkstone::{Gradients, Mode};
use ndarray::{Array4, ArrayD};

const COUNT: usize = 19;
const PIXELS: usize = 6 * 5;
const LATENT: usize = 3;

fn images() -> Array4<f32> {
    Array4::from_shape_fn((COUNT, 6, 5, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * n * 3) % 13) as f32 / 13.0)
}

fn noise() -> ArrayD<f32> {
    ArrayD::from_shape_fn(vec![COUNT, LATENT], |at| ((at[0] * 5 + at[1] * 3) % 9) as f32 / 3.0 - 1.4)
}

fn models() -> (Model, Model) {
    let image = Input::new([6, 5, 1]);
    let features = image.apply(Conv2D::new(4, (3, 3)).activation(Tanh)).apply(Flatten::new());
    let outputs = ["mean", "log_variance"].map(|name| features.apply(Dense::new(LATENT).name(name)));
    let encoder = Functional::new([&image], &outputs).seed(1).compile(Adam::new(0.02), MeanSquaredError, []).unwrap();
    let decoder = Sequential::new([LATENT])
        .add(Dense::new(3 * 5 * 2).activation(Tanh))
        .add(Reshape::new([3, 5, 2]))
        .add(Conv2DTranspose::new(1, (3, 3)).strides((2, 1)).padding(Same).activation(Sigmoid))
        .seed(2)
        .compile(Adam::new(0.02), BinaryCrossentropy::default(), [])
        .unwrap();
    (encoder, decoder)
}

/// Cross-entropy and divergence, a pixel.
fn loss(encoder: &Model, decoder: &Model) -> f64 {
    let outputs = encoder.predict_all(&images()).unwrap();
    let z = &outputs[0] + noise() * outputs[1].mapv(|value| (0.5 * value).exp());
    let of_one = |(mean, log): (&f32, &f32)| 0.5 * f64::from(mean * mean + log.exp() - log - 1.0);
    let divergence: f64 = outputs[0].iter().zip(&outputs[1]).map(of_one).sum();
    decoder.evaluate((&z, &images())).unwrap().loss + divergence / (PIXELS * COUNT) as f64
}

/// The gradients of [`loss`].
fn chained(encoder: &Model, decoder: &Model) -> (Gradients, Gradients) {
    let (images, noise) = (images(), noise());
    let encoding = encoder.forward(&images, Mode::Training).unwrap();
    let [mean, log_variance] = [&encoding.outputs()[0], &encoding.outputs()[1]];
    let deviation = log_variance.mapv(|value| (0.5 * value).exp());
    let decoding = decoder.forward(&(mean + &noise * &deviation), Mode::Training).unwrap();
    let (_, d_images) = decoder.compute_loss(&decoding, &images).unwrap();
    let of_decoder = decoder.backward(decoding, d_images).unwrap();
    let d_z = &of_decoder.inputs[0];
    let share = 1.0 / (PIXELS * COUNT) as f32;
    let d_mean = d_z + mean * share;
    let d_log_variance = 0.5 * (d_z * &noise * &deviation + (log_variance.mapv(f32::exp) - 1.0) * share);
    let of_encoder = encoder.backward(encoding, vec![d_mean, d_log_variance]).unwrap();
    (of_encoder, of_decoder)
}

#[test]
fn chained_gradients_are_those_of_the_whole_loss() {
    let (mut encoder, mut decoder) = models();
    let (of_encoder, of_decoder) = chained(&encoder, &decoder);
    let step = 1e-2_f32;
    let close = |name: &str, found: f32, [plus, minus]: [f64; 2]| {
        let expected = ((plus - minus) / f64::from(2.0 * step)) as f32;
        assert!((found - expected).abs() < 1e-4 + 1e-2 * expected.abs(), "{name}: {found}, differences {expected}");
    };
    let weights = encoder.get_weights();
    for (index, weight) in weights.iter().enumerate() {
        let place: Vec<usize> = weight.values.shape().iter().map(|axis| axis / 2).collect();
        let ends = [step, -step].map(|offset| {
            let mut changed = weights.clone();
            changed[index].values[&place[..]] += offset;
            encoder.set_weights(&changed).unwrap();
            loss(&encoder, &decoder)
        });
        close(&weight.name, of_encoder.weights[index].values[&place[..]], ends);
    }
    encoder.set_weights(&weights).unwrap();
    let weights = decoder.get_weights();
    for (index, weight) in weights.iter().enumerate() {
        let place: Vec<usize> = weight.values.shape().iter().map(|axis| axis / 2).collect();
        let ends = [step, -step].map(|offset| {
            let mut changed = weights.clone();
            changed[index].values[&place[..]] += offset;
            decoder.set_weights(&changed).unwrap();
            loss(&encoder, &decoder)
        });
        close(&weight.name, of_decoder.weights[index].values[&place[..]], ends);
    }
}

#[test]
fn a_loop_of_two_models_gives_the_same_bits_on_any_number_of_threads() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut encoder, mut decoder) = models();
        pool.install(|| {
            for _ in 0..30 {
                let (of_encoder, of_decoder) = chained(&encoder, &decoder);
                encoder.apply_gradients(&of_encoder.weights).unwrap();
                decoder.apply_gradients(&of_decoder.weights).unwrap();
            }
            (encoder.get_weights(), decoder.get_weights(), loss(&encoder, &decoder))
        })
    };
    let (untrained_encoder, untrained_decoder) = models();
    let expected = on(1);
    assert!(expected.2 < 0.95 * loss(&untrained_encoder, &untrained_decoder), "it learns: {}", expected.2);
    for threads in [2, 5] {
        assert!(on(threads) == expected, "{threads} threads");
    }
}
