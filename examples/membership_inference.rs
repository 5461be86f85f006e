//! Attacks on models that read digits: who was among the pictures that one was trained on, with privacy and without it.
//!
//! `cargo run --release --features privacy --example membership_inference`; `-- --help` tells what else it can do. It
//! prints a table: what each training claims, what attacks find, and what an audit by canaries proves.
//!
//! MNIST is so easy that a model hardly needs to remember a picture; those that are odd are in danger. So a part of the
//! labels, of members and others alike, is wrong by default: what a model can only have by heart. `--noise 0` attacks MNIST
//! as it is.

#[expect(dead_code, reason = "the other examples train one model, and save it")]
mod arguments;

use arguments::{Origin, Result};
use clap::Parser;
use inkstone::prelude::*;
use inkstone::privacy::{Canaries, DpSgd, MembershipInference, likelihood_ratio, membership_inference};
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// Attacks a plain and a private training on MNIST.
#[derive(Parser)]
struct Arguments {
    /// Pictures, of which one half are members and the others are not
    #[arg(long, default_value_t = 10_000)]
    images: usize,
    /// The part of the pictures with a wrong label
    #[arg(long, default_value_t = 0.1)]
    noise: f64,
    /// Models that the likelihood-ratio attack trains for comparison, an even number
    #[arg(long, default_value_t = 16)]
    shadow_models: usize,
    /// Epochs of each training
    #[arg(long, default_value_t = 20)]
    epochs: usize,
    /// What the private training may tell of one picture, at most
    #[arg(long, default_value_t = 3.0)]
    epsilon: f64,
    /// The probability of telling more: less than one part of the pictures
    #[arg(long, default_value_t = 1e-5)]
    delta: f64,
    /// Pictures under wrong labels for the audit, of which half are put among the others
    #[arg(long, default_value_t = 1000)]
    canaries: usize,
    /// How often each of them is put there
    #[arg(long, default_value_t = 1)]
    copies: usize,
    #[command(flatten)]
    origin: Origin,
}

/// How a model is trained.
#[derive(Clone, Copy)]
enum Training {
    Plain,
    Private,
}

impl Arguments {
    /// The network of Tramèr and Boneh, 2021, <https://arxiv.org/abs/2011.11660>, as in `mnist_private`.
    fn train(&self, training: Training, data: &Dataset, seed: u64) -> inkstone::Result<Model> {
        let network = Sequential::new([28, 28, 1])
            .add(Conv2D::new(16, (8, 8)).strides((2, 2)).padding(Same).activation(Tanh))
            .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
            .add(Conv2D::new(32, (4, 4)).strides((2, 2)).activation(Tanh))
            .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
            .add(Flatten::new())
            .add(Dense::new(32).activation(Tanh))
            .add(Dense::new(10).activation(Softmax))
            .seed(seed);
        let config = FitConfig::new().epochs(self.epochs).verbose(0);
        let (learning_rate, config) = match training {
            Training::Plain => (0.05, config.batch_size(64)),
            Training::Private => {
                let private = DpSgd::for_epsilon(self.epsilon, 0.1).delta(self.delta);
                (0.5, config.batch_size(256).differential_privacy(private))
            }
        };
        let optimizer = Sgd::new(learning_rate).momentum(0.9);
        let mut model = network.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])?;
        model.fit(data, config)?;
        Ok(model)
    }
}

/// The data set with each picture of which `is_wrong` says so under a wrong label.
fn mislabelled(data: &Dataset, is_wrong: impl Fn(usize) -> bool) -> inkstone::Result<Dataset> {
    let label = |(place, label): (usize, &usize)| {
        if is_wrong(place) { (label + 1 + place % 9) % 10 } else { *label }
    };
    Dataset::from_floats(data.images(), data.labels().iter().enumerate().map(label).collect())
}

fn rates(attack: &MembershipInference) -> String {
    let found = attack.true_positive_rate(0.001);
    let found = found.map_or("too few pictures".into(), |rate| format!("{:.2} %", 100.0 * rate));
    format!("{:.3} | {found}", attack.auc())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { images, noise, shadow_models, epochs, epsilon, delta, canaries, copies, ref origin } = arguments;
    let data = origin.start()?;
    let seed = origin.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let shuffled = data.train.shuffle(seed);
    // Places have been drawn: evenly spread ones are as good as any.
    let is_wrong = |place: usize| (place as f64 * noise).fract() < noise - 1e-9;
    let all = mislabelled(&shuffled.take(images)?, is_wrong)?;
    let (members, others) = (all.take(images / 2)?, all.skip(images / 2)?);
    let strange = mislabelled(&shuffled.skip(images)?.take(canaries)?, |_| true)?;
    println!(
        "{} members and {} others, {:.0} % under wrong labels; {epochs} epochs; {shadow_models} shadow models; {canaries} \
         canaries{}\n",
        members.len(),
        others.len(),
        100.0 * noise,
        data.remark
    );
    println!(
        "| training | test accuracy | epsilon claimed | AUC, loss | found at 0.1 % | AUC, ratio | found at 0.1 % | epsilon proved |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let start = Instant::now();
    for training in [Training::Plain, Training::Private] {
        let model = arguments.train(training, &members, seed)?;
        let by_loss = membership_inference(&model, &members, &others)?;
        let shadow =
            |data: &Dataset, number: usize| arguments.train(training, data, seed.wrapping_add(1 + number as u64));
        let by_ratio = likelihood_ratio(&model, &members, &others, shadow_models, seed, shadow)?;

        // The training must not know this seed: another one than its own.
        let canaries = Canaries::new(&strange, copies, !seed)?;
        let audited = arguments.train(training, &canaries.insert(&members)?, seed)?;
        let audit = canaries.audit(&audited, delta, 0.95)?;
        let (name, claimed) = match training {
            Training::Plain => ("plain", "none".into()),
            Training::Private => ("private", format!("{:.2}", audited.privacy().epsilon(delta)?)),
        };
        println!(
            "| {name} | {:.2} % | {claimed} | {} | {} | {:.2} |",
            100.0 * model.evaluate(&data.test)?.accuracy()?,
            rates(&by_loss),
            rates(&by_ratio),
            audit.epsilon
        );
        if matches!(training, Training::Private) && audit.epsilon > epsilon {
            return Err(format!("the private training does not keep its promise: {audit}").into());
        }
    }
    println!(
        "\n{:.0} s. Epsilon proved: with 95 % confidence, at delta {delta:e}, by canaries of {copies} copies.",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
