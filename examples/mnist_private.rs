//! Private training: a network that reads digits as well, and of which one can prove that it tells little of any single
//! picture it was trained on.
//!
//! `cargo run --release --features privacy --example mnist_private`; `-- --help` tells what else it can do. It prints
//! accuracy beside epsilon: the accuracy that goes with an epsilon is the whole result, neither says anything alone.
//!
//! The network, the clip and the rate are those of Tramèr and Boneh, 2021, <https://arxiv.org/abs/2011.11660>: small,
//! with `tanh`, whose gradients are bounded. They were chosen by others on MNIST, and the epsilon that is printed is that
//! of one training alone, which is not the whole truth: each training on the same data costs its own epsilon. An honest
//! count of `n` equal trainings is that of one of `n` times the steps; the best of a random number of them costs about two
//! to three times the epsilon of one, if nothing else is published (Papernot and Steinke, 2021,
//! <https://arxiv.org/abs/2110.03620>). The chapter `private_training` has more on it; the example
//! `membership_inference` attacks such a training.

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::prelude::*;
use inkstone::privacy::DpSgd;

/// Trains a network on MNIST with differential privacy.
#[derive(Parser)]
struct Arguments {
    /// What the training may tell of one picture, at most
    #[arg(long, default_value_t = 3.0)]
    epsilon: f64,
    /// The probability of telling more: less than one part of the pictures
    #[arg(long, default_value_t = 1e-5)]
    delta: f64,
    /// How long the gradient of one picture may be
    #[arg(long, default_value_t = 0.1)]
    clip: f32,
    /// Epochs of training: more need more noise in each
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// Pictures in a step, on average
    #[arg(long, default_value_t = 512)]
    batch_size: usize,
    #[arg(long, default_value_t = 0.5)]
    learning_rate: f32,
    /// Trains without privacy, to compare
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let Arguments { epsilon, delta, clip, epochs, batch_size, learning_rate, plain, common } = Arguments::parse();
    let data = common.start()?;
    let network = Sequential::new([28, 28, 1])
        .add(Conv2D::new(16, (8, 8)).strides((2, 2)).padding(Same).activation(Tanh))
        .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
        .add(Conv2D::new(32, (4, 4)).strides((2, 2)).activation(Tanh))
        .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
        .add(Flatten::new())
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(10).activation(Softmax));
    let mut model = common.seeded(network).compile(
        Sgd::new(learning_rate).momentum(0.9),
        SparseCategoricalCrossentropy::default(),
        [Accuracy],
    )?;
    println!("{}", model.summary());
    let interrupt = interrupt_on_ctrl_c()?;
    let mut config = FitConfig::new().epochs(epochs).batch_size(batch_size).interrupt(&interrupt).verbose(2);
    if !plain {
        config = config.differential_privacy(DpSgd::for_epsilon(epsilon, clip).delta(delta));
    }
    let history = model.fit(&data.train, config)?;
    if !plain {
        println!("Epsilon {:.3} at delta {delta:e}", model.privacy().epsilon(delta)?);
    }
    common.finish(&mut model, &history, &data)
}
