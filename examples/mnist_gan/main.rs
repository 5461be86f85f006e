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
    #[arg(long, default_value_t = 12)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// The generator's learning rate in the first step
    #[arg(long, default_value_t = 0.0005)]
    learning_rate: f32,
    /// What the networks are trained for
    #[arg(long, value_enum, default_value_t = Objective::Hinge)]
    loss: Objective,
    /// Where sheets, models and the checkpoint go
    #[arg(long, value_name = "FOLDER", default_value = "mnist_gan")]
    folder: PathBuf,
    /// Goes on from the folder's checkpoint, if there is one
    #[arg(long)]
    resume: bool,
    /// Writes a page with samples of each epoch; needs `--features plot` before the `--` of cargo run
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
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
    if arguments.report.is_some() && cfg!(not(feature = "plot")) {
        return Err("--report needs the feature plot: cargo run --release --features image,plot --example ...".into());
    }
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
    let mut film = Vec::new();
    let history = gan.fit(
        &data.train,
        config.on_epoch_end(|epoch, gan| {
            let number = epoch.epoch + 1;
            let samples = samples(gan, &latent)?;
            write_contact_sheet(folder.join(format!("epoch-{number:02}.png")), &samples, SIDE)?;
            film.push((format!("epoch {number}"), samples.take(SIDE)?));
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
    let samples = samples(&gan, &latent)?;
    write_contact_sheet(folder.join("samples.png"), &samples, SIDE)?;
    film.push(("at the end, with averaged weights".into(), samples.take(SIDE)?));
    gan.generator().save(folder.join("generator.safetensors"))?;
    gan.discriminator().save(folder.join("discriminator.safetensors"))?;
    println!("Wrote sheets and models to {}", folder.display());
    if let Some(path) = &arguments.report {
        write_report(path, gan.generator(), film)?;
    }
    measure::measure(&gan, &mut plan.classifier()?, &data, conditional)?;
    Ok(())
}

/// What the generator makes of these vectors; of the digits 0 to 9 in turn, if it takes labels.
fn samples(gan: &Gan, latent: &Array2<f32>) -> inkstone::Result<Dataset> {
    let count = latent.nrows();
    let takes_labels = gan.generator().input_shapes().len() > 1;
    let labels: Vec<usize> = if takes_labels { (0..count).map(|n| n % SIDE).collect() } else { Vec::new() };
    let images = gan.generate(latent, &labels)?;
    let images = images.into_dimensionality::<Ix4>().map_err(|error| Error::Data(error.to_string()))?;
    Dataset::from_floats(images, vec![0; count])
}

/// Writes a page with a row of samples for each epoch.
#[cfg(feature = "plot")]
fn write_report(path: &Path, generator: &Model, film: Vec<(String, Dataset)>) -> Result<()> {
    let report = inkstone::report::Report::new(generator).title("A GAN that draws digits");
    report.film("Samples of the same latent vectors", film).write(path)?;
    println!("Wrote the report to {}", path.display());
    Ok(())
}

#[cfg(not(feature = "plot"))]
fn write_report(_path: &Path, _generator: &Model, _film: Vec<(String, Dataset)>) -> Result<()> {
    Ok(())
}
