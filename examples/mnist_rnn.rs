//! Handwritten digits read row by row: a recurrent network sees 28 steps of 28 pixels, as in Keras' guide to RNNs.
//!
//! `cargo run --release --example mnist_rnn` trains an LSTM of 128 units; `-- --cell gru` and `-- --cell simple` the
//! other two. `-- --pixels` takes the digits pixel by pixel: 784 steps of one. That needs patience: after two epochs, of 80 s
//! each on two cores of a Zen 5, an LSTM still guesses (Keras' old example trained a simple cell for 900).

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::{Parser, ValueEnum};
use inkstone::layers::Layer;
use inkstone::prelude::*;

/// Trains a recurrent network on MNIST.
#[derive(Parser)]
struct Arguments {
    /// Which cell
    #[arg(long, value_enum, default_value_t = Cell::Lstm)]
    cell: Cell,
    /// Its units
    #[arg(long, default_value_t = 128)]
    units: usize,
    /// One pixel a step instead of one row
    #[arg(long)]
    pixels: bool,
    /// Epochs of training
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Images in a step of the optimizer
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// The highest learning rate, to which it rises and from which it falls [default: 0.01, of a simple cell 0.001]
    #[arg(long)]
    learning_rate: Option<f32>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cell {
    /// tanh(W x + U h + b)
    Simple,
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
}

fn main() -> Result<()> {
    let Arguments { cell, units, pixels, epochs, batch_size, learning_rate, common } = Arguments::parse();
    let data = common.start()?;
    let sequence = if pixels { [784, 1] } else { [28, 28] };
    let recurrent: Layer = match cell {
        Cell::Simple => SimpleRNN::new(units).into(),
        Cell::Lstm => LSTM::new(units).into(),
        Cell::Gru => GRU::new(units).into(),
    };
    let model =
        Sequential::new([28, 28, 1]).add(Reshape::new(sequence)).add(recurrent).add(Dense::new(10).activation(Softmax));
    let model = common.seeded(model);
    // Gates bear large steps; a simple cell forgets all it knows in one.
    let highest = learning_rate.unwrap_or(match cell {
        Cell::Simple => 0.001,
        Cell::Lstm | Cell::Gru => 0.01,
    });
    let steps = epochs * data.train.len().div_ceil(batch_size.max(1));
    let optimizer = Adam::new(OneCycle::new(highest, steps as u64));
    let mut model = model.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])?;

    println!("{}", model.summary());
    let config = FitConfig::new().epochs(epochs).batch_size(batch_size).validation_data(&data.test);
    let history = model.fit(&data.train, config.interrupt(&interrupt_on_ctrl_c()?))?;
    println!("{cell:?} of {units} units, {} steps of {}", sequence[0], sequence[1]);
    common.finish(&mut model, &history, &data)
}
