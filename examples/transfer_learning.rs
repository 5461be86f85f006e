//! Transfer learning: a network learns the digits 0 to 4 from all of MNIST's examples; what it has learned to see helps
//! it to learn 5 to 9 from 50 examples of each. A network that starts from nothing is trained on the same 250.
//!
//! With the seeds 1 to 3 (2026-11-26): from scratch 91.2, 90.8 and 91.1 % of the test images; new dense layers on
//! frozen convolutions 96.4, 95.6 and 95.7 %; all layers trained after that 96.8, 96.0 and 96.0 %.
//!
//! `cargo run --release --example transfer_learning`; `-- --help` tells what else it can do.

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::prelude::*;

/// Learns new digits from few examples, with and without what other digits have taught.
#[derive(Parser)]
struct Arguments {
    /// Examples of each of the new digits
    #[arg(long, default_value_t = 50)]
    examples: usize,
    /// Epochs on the digits 0 to 4
    #[arg(long, default_value_t = 3)]
    epochs: usize,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let Arguments { examples, epochs, common } = Arguments::parse();
    let data = common.start()?;
    let low = data.train.filter(|digit| digit.label() < Some(5))?;
    let few = few_of_each(&high(&data.train)?, examples)?;
    let test = high(&data.test)?;

    println!("Digits 0 to 4, {} examples:", low.len());
    let mut model = compiled(common.seeded(network()), 1e-3)?;
    model.fit(&low, FitConfig::new().epochs(epochs).interrupt(&interrupt_on_ctrl_c()?))?;

    println!("Digits 5 to 9, {} examples:", few.len());
    let scratch = {
        let mut model = compiled(common.seeded(network()), 1e-3)?;
        model.fit(&few, few_epochs(60))?;
        model.evaluate(&test)?.accuracy()?
    };
    println!("from scratch:            {:.2} %{}", 100.0 * scratch, data.remark);

    // New dense layers on what the convolutions see: their weights alone are trained.
    let head = model.layers_up_to("flatten")?.freeze();
    let head = head.add(Dense::new(64).activation(Relu)).add(Dense::new(5).activation(Softmax));
    let mut model = head.compile(Adam::new(1e-3), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    model.fit(&few, few_epochs(30))?;
    println!("a new head:              {:.2} %{}", 100.0 * model.evaluate(&test)?.accuracy()?, data.remark);

    // Then all of it, at a lower rate, so that the new head's first guesses do not spoil what is there.
    let all = model.pretrained().unfreeze();
    let mut model = all.compile(Adam::new(3e-4), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    let history = model.fit(&few, few_epochs(30))?;
    println!("and all layers after it: {:.2} %{}", 100.0 * model.evaluate(&test)?.accuracy()?, data.remark);
    common.finish(&mut model, &history, &arguments::Data { train: few, test, remark: data.remark })
}

/// The Keras MNIST example's network with five classes.
fn network() -> Sequential {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(5).activation(Softmax))
}

fn compiled(network: Sequential, rate: f32) -> inkstone::Result<Model> {
    network.compile(Adam::new(rate), SparseCategoricalCrossentropy::default(), [Accuracy])
}

fn few_epochs<'a>(epochs: usize) -> FitConfig<'a> {
    FitConfig::new().epochs(epochs).batch_size(25).verbose(0)
}

/// The digits 5 to 9 as classes 0 to 4.
fn high(digits: &Dataset) -> inkstone::Result<Dataset> {
    let high = digits.filter(|digit| digit.label() >= Some(5))?;
    Dataset::from_floats(high.images(), high.labels().iter().map(|label| label - 5).collect())
}

/// The first examples of each class, this many.
fn few_of_each(digits: &Dataset, count: usize) -> inkstone::Result<Dataset> {
    let mut seen = [0; 5];
    digits.filter(|digit| {
        let seen = &mut seen[digit.label().unwrap_or_default()];
        *seen += 1;
        *seen <= count
    })
}
