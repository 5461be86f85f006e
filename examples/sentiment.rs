//! The mood of a review, from -4 to 4, by an embedding and a recurrent layer; and what dropout does for it, plain or as
//! Gal and Ghahramani ask for ("A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016).
//!
//! `cargo run --release --example sentiment` writes its reviews itself, by a rule, and says so.
//! `-- --csv reviews.csv` takes a file with the columns `text` and `rating`.
//!
//! On 10,605 snippets of film reviews (those that came with VADER; Hutto and Gilbert, 2014), over five seeds, root mean
//! squared errors of the test part behind the last epoch: none 1.66, naive 1.52, variational 1.57. Variational dropout
//! overfits least, but that it comes before naive dropout, as in the paper, isn't so here: the paper's
//! models drop whole words too, decay weights, and train for longer.

use clap::{Parser, ValueEnum};
use inkstone::Dataset;
use inkstone::data::TextVectorization;
use inkstone::layers::Layer;
use inkstone::ndarray::Array2;
use inkstone::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::error::Error;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Learns how reviews are rated.
#[derive(Parser)]
struct Arguments {
    /// A file with the columns `text` and `rating` [default: reviews that are made up by a rule]
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The recurrent layer
    #[arg(long, value_enum, default_value_t = Cell::Lstm)]
    cell: Cell,
    /// Units of the recurrent layer
    #[arg(long, default_value_t = 64)]
    units: usize,
    /// Values of a word's vector
    #[arg(long, default_value_t = 64)]
    embedding: usize,
    /// The part that is dropped
    #[arg(long, default_value_t = 0.5)]
    rate: f32,
    /// The most words that have a vector of their own
    #[arg(long, default_value_t = 5000)]
    words: usize,
    /// The most words of a review
    #[arg(long, default_value_t = 40)]
    length: usize,
    /// Epochs of training
    #[arg(long, default_value_t = 15)]
    epochs: usize,
    /// How often each kind of dropout is trained, with seeds from 1 on
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cell {
    Lstm,
    Gru,
}

/// Where values are dropped.
#[derive(Clone, Copy, Debug)]
enum Dropped {
    Nothing,
    /// Other values of a word's vector in each step, and values of the last state: dropout as it is elsewhere.
    Naive,
    /// The same values in all steps, of words' vectors and of the state.
    Variational,
}

/// Texts with their ratings, from -4 to 4.
struct Reviews {
    texts: Vec<String>,
    ratings: Vec<f32>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut reviews = match &arguments.csv {
        Some(path) => read(path)?,
        None => {
            println!("These reviews are NOT real: without --csv the program writes them by a rule.\n");
            made_up(3000)
        }
    };
    reviews.shuffle();
    let parts = reviews.texts.len() / 5;
    let (tests, trains) = (0..parts, parts..reviews.texts.len());
    let mut vectorization =
        TextVectorization::new().max_tokens(arguments.words).output_sequence_length(arguments.length);
    vectorization.adapt(&reviews.texts[trains.clone()])?;
    let part = |range: std::ops::Range<usize>| -> Result<Dataset> {
        let ratings: Vec<f32> = reviews.ratings[range.clone()].iter().map(|rating| rating / 4.0).collect();
        let tokens: Array2<u32> = vectorization.tokens(&reviews.texts[range])?;
        Ok(Dataset::from_tokens_and_values(tokens, ratings)?)
    };
    let (train, test) = (part(trains)?, part(tests)?);
    println!(
        "{} reviews to learn from, {} to test on, {} words\n",
        train.len(),
        test.len(),
        vectorization.vocabulary_size()
    );

    println!("{:<12} {:>10} {:>10} {:>10}", "dropout", "training", "test", "best test");
    for dropped in [Dropped::Nothing, Dropped::Naive, Dropped::Variational] {
        let mut sums = [0.0; 3];
        for seed in 1..=arguments.seeds {
            let mut model = model(&arguments, vectorization.vocabulary_size(), dropped, seed)?;
            model.set_text_vectorization(vectorization.clone());
            let config = FitConfig::new().epochs(arguments.epochs).batch_size(64).validation_data(&test).verbose(0);
            let history = model.fit(&train, config)?;
            let tests = history.get("val_loss")?;
            let best = tests.iter().copied().fold(f64::INFINITY, f64::min);
            let last = tests.last().copied().unwrap_or(f64::NAN);
            let scores = [model.evaluate(&train)?.loss, last, best];
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        }
        // Ratings were divided by 4: errors in their own unit.
        let [train, test, best] = sums.map(|sum| 4.0 * (sum / arguments.seeds as f64).sqrt());
        println!("{:<12} {train:>10.4} {test:>10.4} {best:>10.4}", format!("{dropped:?}").to_lowercase());
    }
    println!("\nroot mean squared errors of ratings from -4 to 4, over {} seeds", arguments.seeds);
    Ok(())
}

/// A word's vector for each word, one state for the review, one number.
fn model(arguments: &Arguments, words: usize, dropped: Dropped, seed: u64) -> Result<Model> {
    let Arguments { cell, units, embedding, rate, length, .. } = *arguments;
    let (naive, variational) = match dropped {
        Dropped::Nothing => (0.0, 0.0),
        Dropped::Naive => (rate, 0.0),
        Dropped::Variational => (0.0, rate),
    };
    let recurrent: Layer = match cell {
        Cell::Lstm => LSTM::new(units).dropout(variational).recurrent_dropout(variational).into(),
        Cell::Gru => GRU::new(units).dropout(variational).recurrent_dropout(variational).into(),
    };
    let model = Sequential::new([length])
        .add(Embedding::new(words, embedding).mask_zero(true))
        .add(Dropout::new(naive))
        .add(recurrent)
        .add(Dropout::new(naive.max(variational)))
        .add(Dense::new(1).activation(Tanh))
        .seed(seed);
    Ok(model.compile(Adam::default(), MeanSquaredError, [])?)
}

/// Reads the columns `text` and `rating`.
fn read(path: &Path) -> Result<Reviews> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header.eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("{} has no column {name:?}, it has {headers:?}", path.display()))
    };
    let (text, rating) = (column("text")?, column("rating")?);
    let mut reviews = Reviews { texts: Vec::new(), ratings: Vec::new() };
    for record in reader.records() {
        let record = record?;
        reviews.texts.push(record[text].to_owned());
        reviews.ratings.push(record[rating].parse()?);
    }
    Ok(reviews)
}

/// Reviews of clauses such as "the plot was not very good": an adjective has a mood, `very` doubles it, `not` turns it
/// round, and what comes behind a `but` counts twice.
fn made_up(count: usize) -> Reviews {
    const THINGS: [&str; 8] = ["plot", "acting", "music", "ending", "script", "cast", "film", "pace"];
    const MOODS: [(&str, f32); 12] = [
        ("great", 1.0),
        ("good", 0.7),
        ("fine", 0.4),
        ("charming", 0.8),
        ("clever", 0.9),
        ("moving", 0.8),
        ("bad", -0.7),
        ("dull", -0.8),
        ("awful", -1.0),
        ("weak", -0.5),
        ("clumsy", -0.6),
        ("boring", -0.9),
    ];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut reviews = Reviews { texts: Vec::new(), ratings: Vec::new() };
    for _ in 0..count {
        let (mut words, mut rating, mut weights) = (Vec::new(), 0.0, 0.0);
        for clause in 0..random.random_range(1..=4) {
            let mut weight = 1.0;
            if clause > 0 {
                let turns = random.random_bool(0.4);
                words.push(if turns { "but" } else { "and" });
                weight = if turns { 2.0 } else { 1.0 };
            }
            words.extend(["the", THINGS.choose(&mut random).expect("some"), "was"]);
            let (adjective, mut mood) = *MOODS.choose(&mut random).expect("some");
            if random.random_bool(0.3) {
                words.push("not");
                mood = -mood;
            }
            if random.random_bool(0.3) {
                words.push("very");
                mood *= 2.0;
            }
            words.push(adjective);
            rating += weight * mood * 2.0;
            weights += weight;
        }
        reviews.texts.push(words.join(" "));
        // People disagree.
        reviews.ratings.push((rating / weights + random.random_range(-0.5..0.5)).clamp(-4.0, 4.0));
    }
    reviews
}

impl Reviews {
    /// The same order every time.
    fn shuffle(&mut self) {
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(7));
        self.texts = order.iter().map(|place| self.texts[*place].clone()).collect();
        self.ratings = order.iter().map(|place| self.ratings[*place]).collect();
    }
}
