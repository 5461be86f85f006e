//! Autoencoders: networks that give back the digits that they get, through a bottleneck.
//!
//! `cargo run --release --features image --example mnist_autoencoder` squeezes a digit into 32 numbers and back;
//! `-- --denoise` gives back what was below noise; `-- --variational` makes a plane of digits, each point of which is one
//! (<https://arxiv.org/abs/1312.6114>). Each writes a sheet of test images, the inputs above what was made of them, the
//! last the plane as well. `-- --help` tells what else it can do.

#[path = "../arguments/mod.rs"]
#[expect(dead_code, reason = "the other examples train one classifier")]
mod arguments;
mod networks;
mod variational;

use arguments::{Data, Origin, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::Metric;
use inkstone::data::pictures::write_contact_sheet;
use inkstone::ndarray::{Array4, ArrayD, Axis, Ix4, concatenate};
use inkstone::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

/// Trains an autoencoder on MNIST.
#[derive(Parser)]
struct Arguments {
    /// Removes noise from digits
    #[arg(long, conflicts_with = "variational")]
    denoise: bool,
    /// Makes a plane of digits
    #[arg(long)]
    variational: bool,
    /// Epochs of training [default: 10, with --denoise 5, with --variational 20]
    #[arg(long)]
    epochs: Option<usize>,
    /// Images in a step of the optimizer
    #[arg(long, default_value_t = 128)]
    batch_size: usize,
    /// The bottleneck of the plain one
    #[arg(long, default_value_t = 32)]
    latent: usize,
    /// The deviation of the noise of --denoise; black is 0 and white is 1
    #[arg(long, default_value_t = 0.5)]
    noise: f32,
    /// Where pictures and models go
    #[arg(long, default_value = "mnist_autoencoder")]
    folder: PathBuf,
    #[command(flatten)]
    origin: Origin,
}

/// Digits in a row of a sheet.
const COLUMNS: usize = 16;
/// Rows of a sheet of inputs.
const ROWS: usize = 4;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let data = arguments.origin.start()?;
    fs::create_dir_all(&arguments.folder)?;
    let seed = arguments.origin.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let interrupt = interrupt_on_ctrl_c()?;
    if arguments.variational {
        return variational::run(&arguments, seed, &data, &interrupt);
    }
    let (network, epochs, train, test) = if arguments.denoise {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut noisy = |clean: &Dataset| with_noise(clean, arguments.noise, &mut random);
        (networks::denoising(), 5, noisy(&data.train)?, noisy(&data.test)?)
    } else {
        (
            networks::plain(arguments.latent),
            10,
            data.train.with_values(&data.train)?,
            data.test.with_values(&data.test)?,
        )
    };
    let mut model =
        network.seed(seed).compile(Adam::default(), BinaryCrossentropy::default(), [Metric::MeanSquaredError])?;
    println!("{}", model.summary());
    let config = FitConfig::new().epochs(arguments.epochs.unwrap_or(epochs)).batch_size(arguments.batch_size);
    model.fit(&train, config.validation_data(&test).interrupt(&interrupt))?;

    let scores = model.evaluate(&test)?;
    for (name, score) in scores.named() {
        println!("Test images, {name}: {score:.5}{}", data.remark);
    }
    println!("The mean image in place of the output, mean_squared_error: {:.5}", of_mean_image(&data));
    let (clean, shown) = (data.test.take(COLUMNS * ROWS)?, test.take(COLUMNS * ROWS)?);
    let outputs = images(model.predict(&shown)?)?;
    let name = if arguments.denoise { "denoised" } else { "plain" };
    let kinds =
        if arguments.denoise { vec![shown.images(), outputs, clean.images()] } else { vec![clean.images(), outputs] };
    sheet(&arguments.file(name).with_extension("png"), &kinds)?;
    let path = arguments.file(name).with_extension("safetensors");
    model.save(&path)?;
    println!("Saved the model to {}", path.display());
    Ok(())
}

/// The images with noise, which are to come out as they were before.
fn with_noise(clean: &Dataset, deviation: f32, random: &mut Xoshiro256PlusPlus) -> Result<Dataset> {
    let mut noisy = Vec::with_capacity(clean.len() * 28 * 28);
    for example in clean {
        let pixels = example.image().into_iter().map(|pixel| pixel + deviation * normal(random));
        noisy.extend(pixels.map(|pixel| (255.0 * pixel.clamp(0.0, 1.0)).round() as u8));
    }
    Ok(Dataset::from_bytes_and_values(Array4::from_shape_vec((clean.len(), 28, 28, 1), noisy)?, clean)?)
}

/// A number of the normal distribution, by Box and Muller's method.
fn normal(random: &mut Xoshiro256PlusPlus) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

/// What the same image for every input would score: an autoencoder that is no better has learned nothing of its input.
fn of_mean_image(data: &Data) -> f64 {
    let mean = data.train.images().mean_axis(Axis(0)).expect("a data set is never empty");
    let differences = data.test.images() - &mean;
    let squares = differences.iter().map(|difference| f64::from(difference * difference));
    squares.sum::<f64>() / differences.len() as f64
}

/// What a model made, as images.
fn images(outputs: ArrayD<f32>) -> Result<Array4<f32>> {
    Ok(outputs.into_dimensionality::<Ix4>()?)
}

/// Writes some images of each kind, a row of each in turn.
fn sheet(path: &Path, kinds: &[Array4<f32>]) -> Result<()> {
    let rows = (0..ROWS).flat_map(|row| {
        let of_row = row * COLUMNS..(row + 1) * COLUMNS;
        kinds.iter().map(move |images| images.slice_axis(Axis(0), of_row.clone().into()))
    });
    let rows: Vec<_> = rows.collect();
    write_sheet(path, concatenate(Axis(0), &rows)?, COLUMNS)
}

fn write_sheet(path: &Path, images: Array4<f32>, columns: usize) -> Result<()> {
    let labels = vec![0; images.len_of(Axis(0))];
    write_contact_sheet(path, &Dataset::from_floats(images, labels)?, columns)?;
    println!("Wrote {}", path.display());
    Ok(())
}

impl Arguments {
    /// Where a file of this name goes.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
