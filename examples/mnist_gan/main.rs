//! A GAN that draws digits: a DCGAN (Radford et al., 2016, <https://arxiv.org/abs/1511.06434>) in small, trained on
//! MNIST with labels or without.
//!
//! `cargo run --release --features image --example mnist_gan -- --conditional`; `-- --help` tells what else it can do.
//! After each epoch it writes a sheet of samples, all of the same latent vectors, with labels one column for each
//! digit. At the end it measures itself with a classifier.

#[path = "../arguments/mod.rs"]
#[expect(dead_code, reason = "the other examples train one classifier")]
mod arguments;
mod measure;
mod networks;

use arguments::{Origin, Result, interrupt_on_ctrl_c};
use clap::{Parser, ValueEnum};
use inkstone::data::pictures::write_contact_sheet;
use inkstone::ndarray::{Array2, Ix4};
use inkstone::prelude::*;
use inkstone::{Error, Gan, GanConfig, GanLoss};
use networks::Plan;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Trains two networks against each other on MNIST, until one draws digits.
#[derive(Parser)]
struct Arguments {
    /// Draws digits of a given label
    #[arg(long)]
    conditional: bool,
    /// Epochs of training
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// The learning rate of the first step
    #[arg(long, default_value_t = 0.0005)]
    learning_rate: f32,
    /// What the networks are trained for
    #[arg(long, value_enum, default_value_t = Objective::NonSaturating)]
    loss: Objective,
    /// Where sheets, models and the checkpoint go
    #[arg(long, value_name = "FOLDER", default_value = "mnist_gan")]
    folder: PathBuf,
    /// Goes on from the folder's checkpoint, if there is one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    origin: Origin,
}

#[derive(Clone, Copy, ValueEnum)]
enum Objective {
    NonSaturating,
    LeastSquares,
    Hinge,
}

/// Rows and columns of a sheet.
const SIDE: usize = 10;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { conditional, epochs, batch_size, learning_rate, ref folder, .. } = arguments;
    let data = arguments.origin.start()?;
    let steps = (epochs * data.train.len().div_ceil(batch_size.max(1))) as u64;
    let plan = Plan {
        conditional,
        learning_rate,
        steps,
        seed: arguments.origin.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
    };
    fs::create_dir_all(folder)?;
    let checkpoint = folder.join("checkpoint.safetensors");
    let mut gan = if arguments.resume && checkpoint.exists() {
        let gan = Gan::resume(&checkpoint)?;
        if conditional != (gan.generator().input_shapes().len() > 1) {
            return Err(
                "the checkpoint is of a training the other kind: give or leave out --conditional as when it was begun"
                    .into(),
            );
        }
        println!("Going on behind epoch {}", gan.epochs());
        gan
    } else {
        let loss = match arguments.loss {
            Objective::NonSaturating => GanLoss::NonSaturating,
            Objective::LeastSquares => GanLoss::LeastSquares,
            Objective::Hinge => GanLoss::Hinge,
        };
        Gan::new(plan.generator()?, plan.discriminator()?, loss)?.seed(plan.seed)
    };
    println!("{}\n{}", gan.generator().summary(), gan.discriminator().summary());

    let latent = gan.latent_vectors(SIDE * SIDE, 0);
    let interrupt = interrupt_on_ctrl_c()?;
    let config = GanConfig::new().epochs(epochs).batch_size(batch_size).checkpoint(&checkpoint).interrupt(&interrupt);
    let history = gan.fit(
        &data.train,
        config.on_epoch_end(|epoch, gan| {
            write_sheet(gan, &latent, conditional, &folder.join(format!("epoch-{:02}.png", epoch.epoch + 1)))?;
            Ok(ControlFlow::Continue(()))
        }),
    )?;
    if !history.epochs.is_empty() {
        fs::write(folder.join("history.csv"), history.to_csv())?;
    }
    if gan.epochs() < epochs {
        println!("`--resume` goes on from here");
        return Ok(());
    }
    // The weights are the generator's moving average now.
    write_sheet(&gan, &latent, conditional, &folder.join("samples.png"))?;
    gan.generator().save(folder.join("generator.safetensors"))?;
    gan.discriminator().save(folder.join("discriminator.safetensors"))?;
    println!("Wrote sheets and models to {}", folder.display());
    measure::measure(&gan, &mut plan.classifier()?, &data, conditional)?;
    Ok(())
}

/// Writes what the generator makes of these vectors as a picture.
fn write_sheet(gan: &Gan, latent: &Array2<f32>, conditional: bool, path: &Path) -> inkstone::Result<()> {
    let count = latent.nrows();
    let labels: Vec<usize> = if conditional { (0..count).map(|n| n % SIDE).collect() } else { Vec::new() };
    let images = gan.generate(latent, &labels)?;
    let images = images.into_dimensionality::<Ix4>().map_err(|error| Error::Data(error.to_string()))?;
    write_contact_sheet(path, &Dataset::from_floats(images, vec![0; count])?, SIDE)
}
