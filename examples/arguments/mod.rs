//! What the examples that train on MNIST have in common: arguments, the data, a clean stop on Ctrl-C, and what is
//! written at the end.

use clap::Args;
use inkstone::data::synthetic;
use inkstone::prelude::*;
use inkstone::{Error, History, Interrupt};
use std::path::PathBuf;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What every example starts from.
#[derive(Args)]
pub(crate) struct Origin {
    /// Folder of the MNIST files [default: the environment variable INKSTONE_DATA, or a cache folder, which is
    /// downloaded to]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Threads to work on; the result is the same on any number [default: all cores]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Repeats a run to the bit [default: another one for each run]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// Arguments of the examples that train one classifier.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// Saves the trained model to this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Writes a page with curves, mistakes and filters; needs `--features plot` before the `--` of cargo run
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// The two parts of the data.
pub(crate) struct Data {
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
    /// What is to be said behind scores, if it is not MNIST.
    pub(crate) remark: &'static str,
}

impl Origin {
    /// Starts the threads, and loads MNIST; where there is none, draws digits and says so.
    pub(crate) fn start(&self) -> Result<Data> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        let loaded = match &self.data {
            Some(folder) => mnist::load_from(folder),
            None => mnist::load_data(),
        };
        let ((train, test), remark) = match loaded {
            Err(error @ (Error::MissingData { .. } | Error::Download { .. })) if self.data.is_none() => {
                println!("{error}\n\nThis is NOT MNIST: the program goes on with digits that it draws itself.\n");
                (synthetic::load_data(0)?, " on drawn digits, NOT on MNIST")
            }
            loaded => (loaded?, ""),
        };
        Ok(Data { train, test, remark })
    }
}

impl Common {
    /// Starts the threads, and loads the data.
    pub(crate) fn start(&self) -> Result<Data> {
        if self.report.is_some() && cfg!(not(feature = "plot")) {
            return Err("--report needs the feature plot: cargo run --release --features plot --example ...".into());
        }
        self.origin.start()
    }

    /// The model with the seed that was asked for.
    pub(crate) fn seeded(&self, model: Sequential) -> Sequential {
        match self.origin.seed {
            Some(seed) => model.seed(seed),
            None => model,
        }
    }

    /// Prints the score on the test images, and writes what was asked for.
    pub(crate) fn finish(&self, model: &mut Model, history: &History, data: &Data) -> Result<()> {
        println!("Test accuracy: {:.4}{}", model.evaluate(&data.test)?.accuracy()?, data.remark);
        if let Some(path) = &self.save {
            model.save(path)?;
            println!("Saved the model to {}", path.display());
        }
        self.write_report(model, history, data)
    }

    #[cfg(feature = "plot")]
    fn write_report(&self, model: &mut Model, history: &History, data: &Data) -> Result<()> {
        if let Some(path) = &self.report {
            inkstone::report::write(path, model, history, &data.test)?;
            println!("Wrote the report to {}", path.display());
        }
        Ok(())
    }

    #[cfg(not(feature = "plot"))]
    fn write_report(&self, _model: &mut Model, _history: &History, _data: &Data) -> Result<()> {
        Ok(())
    }
}

/// Ends training after the step that runs when Ctrl-C is pressed; what comes after it, the score and the files, is
/// still done. Pressed again, it ends the program.
pub(crate) fn interrupt_on_ctrl_c() -> Result<Interrupt> {
    let interrupt = Interrupt::new();
    let pressed = interrupt.clone();
    ctrlc::set_handler(move || {
        if pressed.is_interrupted() {
            std::process::exit(130);
        }
        println!("\nStopping. Ctrl-C once more ends the program at once.");
        pressed.interrupt();
    })?;
    Ok(interrupt)
}
