//! The variational autoencoder, as an ordinary loop: two models, whose gradients are chained by hand.
//!
//! The encoder gives the mean and variance of a normal distribution for each image, a latent vector is drawn from it, and
//! the decoder makes an image of that. The loss of an image, in nats, is the cross-entropy of its pixels, and how far the
//! distribution is from the one of mean 0 and variance 1 (the Kullback-Leibler divergence): so latent vectors drawn from
//! *that* are images, too.

use crate::arguments::{Data, Result};
use crate::{Arguments, images, networks, normal, sheet, write_sheet};
use inkstone::ndarray::{Array2, ArrayD};
use inkstone::prelude::*;
use inkstone::{Interrupt, Mode};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use std::time::Instant;

/// Latent numbers: two, so that there is a map.
const LATENT: usize = 2;
/// Pixels of an image.
const PIXELS: f64 = 28.0 * 28.0;
/// Digits on a side of the map.
const SIDE: usize = 20;
/// The map goes from this far below 0 to this far above, in deviations.
const REACH: f32 = 2.0;

struct Variational {
    encoder: Model,
    decoder: Model,
    random: Xoshiro256PlusPlus,
}

/// What images cost, in nats an image.
#[derive(Clone, Copy, Default)]
struct Losses {
    reconstruction: f64,
    divergence: f64,
}

pub(crate) fn run(arguments: &Arguments, seed: u64, data: &Data, interrupt: &Interrupt) -> Result<()> {
    let epochs = arguments.epochs.unwrap_or(20);
    let mut both = Variational {
        encoder: networks::encoder(LATENT, seed, Adam::default())?,
        decoder: networks::decoder(LATENT, seed.wrapping_add(1), Adam::default())?,
        random: Xoshiro256PlusPlus::seed_from_u64(seed),
    };
    println!("{}\n{}", both.encoder.summary(), both.decoder.summary());
    for epoch in 1..=epochs {
        let (start, mut sum) = (Instant::now(), Losses::default());
        let shuffled = data.train.shuffle(seed.wrapping_add(epoch as u64));
        for batch in shuffled.batch(arguments.batch_size)?.take_while(|_| !interrupt.is_interrupted()) {
            sum.add(both.step(&batch)?, batch.len());
        }
        if interrupt.is_interrupted() {
            break;
        }
        println!("Epoch {epoch}/{epochs}: {} - {:.1} s", sum.over(shuffled.len()), start.elapsed().as_secs_f32());
    }

    let mut sum = Losses::default();
    for batch in data.test.batch(500)? {
        sum.add(both.losses(&batch)?, batch.len());
    }
    println!("Test images, nats an image: {}{}", sum.over(data.test.len()), data.remark);
    let [means, _] = both.encoded(&data.test)?;
    let scores = both.decoder.evaluate((&means, data.test.as_targets()))?;
    println!("Test images from the means, a pixel: {:.5}{}", scores.loss, data.remark);

    let shown = data.test.take(crate::COLUMNS * crate::ROWS)?;
    let [means, _] = both.encoded(&shown)?;
    sheet(&arguments.file("variational.png"), &[shown.images(), images(both.decoder.predict(&means)?)?])?;
    write_sheet(&arguments.file("plane.png"), images(both.decoder.predict(&plane())?)?, SIDE)?;
    both.encoder.save(arguments.file("encoder.safetensors"))?;
    both.decoder.save(arguments.file("decoder.safetensors"))?;
    println!("Saved both models to {}", arguments.folder.display());
    Ok(())
}

impl Variational {
    /// One step of both models.
    ///
    /// The losses are divided by the number of pixels, so that the decoder's is the mean that `compute_loss` gives.
    fn step(&mut self, batch: &Dataset) -> Result<Losses> {
        let encoding = self.encoder.forward(batch, Mode::Training)?;
        let [mean, log_variance] = [&encoding.outputs()[0], &encoding.outputs()[1]];

        // Drawn this way, z has derivatives with respect to both: 1, and noise * deviation / 2.
        let noise = ArrayD::from_shape_simple_fn(mean.shape(), || normal(&mut self.random));
        let deviation = log_variance.mapv(|value| (0.5 * value).exp());
        let z = mean + &noise * &deviation;

        let decoding = self.decoder.forward(&z, Mode::Training)?;
        let (scores, d_images) = self.decoder.compute_loss(&decoding, batch.as_targets())?;
        let mut of_decoder = self.decoder.backward(decoding, d_images)?;
        let d_z = of_decoder.inputs.swap_remove(0);

        // The divergence is (mean^2 + variance - log_variance - 1) / 2, summed over the latent numbers.
        let share = 1.0 / (PIXELS as f32 * batch.len() as f32);
        let losses = Losses { reconstruction: PIXELS * scores.loss, divergence: divergence(mean, log_variance) };
        let d_mean = &d_z + mean * share;
        let d_log_variance = 0.5 * (&d_z * &noise * &deviation + (log_variance.mapv(f32::exp) - 1.0) * share);

        let of_encoder = self.encoder.backward(encoding, vec![d_mean, d_log_variance])?;
        self.encoder.apply_gradients(&of_encoder.weights)?;
        self.decoder.apply_gradients(&of_decoder.weights)?;
        Ok(losses)
    }

    /// What some images cost; nothing is learned.
    fn losses(&mut self, batch: &Dataset) -> Result<Losses> {
        let [mean, log_variance] = self.encoded(batch)?;
        let z = log_variance.mapv(|value| (0.5 * value).exp() * normal(&mut self.random)) + &mean;
        let reconstruction = PIXELS * self.decoder.evaluate((&z, batch.as_targets()))?.loss;
        Ok(Losses { reconstruction, divergence: divergence(&mean, &log_variance) })
    }

    /// Mean and logarithm of the variance of each latent number: (N, LATENT).
    fn encoded(&self, images: &Dataset) -> Result<[ArrayD<f32>; 2]> {
        let outputs = self.encoder.predict_all(images)?;
        Ok(outputs.try_into().expect("the encoder has two outputs"))
    }
}

/// How far from mean 0 and variance 1, the mean over the images.
fn divergence(mean: &ArrayD<f32>, log_variance: &ArrayD<f32>) -> f64 {
    let of_one = |(mean, log): (&f32, &f32)| 0.5 * f64::from(mean * mean + log.exp() - log - 1.0);
    mean.iter().zip(log_variance).map(of_one).sum::<f64>() / mean.shape()[0] as f64
}

impl Losses {
    /// Takes up those of so many images more.
    fn add(&mut self, other: Self, count: usize) {
        self.reconstruction += other.reconstruction * count as f64;
        self.divergence += other.divergence * count as f64;
    }

    fn over(self, count: usize) -> String {
        let [reconstruction, divergence] = [self.reconstruction, self.divergence].map(|sum| sum / count as f64);
        format!("reconstruction {reconstruction:.2} + divergence {divergence:.2} = {:.2}", reconstruction + divergence)
    }
}

/// The latent vectors of the map, row by row, from the top.
fn plane() -> Array2<f32> {
    let at = |index: usize| REACH * (2.0 * index as f32 / (SIDE - 1) as f32 - 1.0);
    Array2::from_shape_fn((SIDE * SIDE, LATENT), |(point, axis)| match axis {
        0 => at(point % SIDE),
        _ => -at(point / SIDE),
    })
}
