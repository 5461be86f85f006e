//! Measures on one core what the work of a step is made of, and reckons from it how long a step takes on more cores:
//! each part of the work goes to the core that is free first. It leaves out what threads wait for each other's memory,
//! and what waking them takes.
//!
//! `cargo test --release --lib steps_on_more_cores -- --ignored --nocapture` prints the table of `benches/README.md`.

use super::counts::Scale;
use super::models::{keras_cnn, mlp, vgg};
use super::packing::pack_steps;
use super::pool::make_workspaces;
use super::shard::{Part, run_shard};
use super::shards::shard_places;
use super::{Engine, Examples, LastBatch, Scoring, chunk_len, initial_weights};
use crate::data::LabelledInputs;
use crate::exec::pack_filters;
use crate::loss::SparseCategoricalCrossentropy;
use crate::objective::Objective;
use crate::optimizer::{Adam, Block, GradientSource, Optimizer, OptimizerState, take_step};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use ndarray::Array4;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Instant;

const CORES: [usize; 5] = [2, 4, 8, 16, 32];

/// The seconds that each part of a step takes.
struct Work {
    shards: Vec<f64>,
    /// Of the optimizer's pass.
    pieces: Vec<f64>,
    packing: Vec<f64>,
    /// What no other thread can help with.
    rest: f64,
}

impl Work {
    /// The seconds of a step on so many cores.
    fn on(&self, cores: usize) -> f64 {
        let phases = [&self.shards, &self.pieces, &self.packing];
        phases.iter().map(|tasks| longest(tasks, cores)).sum::<f64>() + self.rest
    }
}

/// When the last of some tasks is done, of which each goes to the core that is free first.
fn longest(tasks: &[f64], cores: usize) -> f64 {
    let mut busy = vec![0.0_f64; cores];
    for task in tasks {
        *busy.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap() += task;
    }
    busy.into_iter().fold(0.0, f64::max)
}

/// A source that notes when each of its pieces is begun.
struct Timed<'a, G> {
    source: G,
    begun: &'a Mutex<Vec<Instant>>,
}

impl<G: GradientSource> GradientSource for Timed<'_, G> {
    fn cut(&self, range: &Range<usize>) -> Option<usize> {
        self.source.cut(range)
    }

    fn rows(&self, range: &Range<usize>) -> usize {
        self.begun.lock().unwrap().push(Instant::now());
        self.source.rows(range)
    }

    fn write(&self, level: Level, block: Block, to: &mut [f32]) {
        self.source.write(level, block, to);
    }
}

fn seconds_between(marks: &[Instant]) -> Vec<f64> {
    marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect()
}

/// The medians of what rounds of measuring found, part by part.
fn medians(rounds: &[Vec<f64>]) -> Vec<f64> {
    let median = |part: usize| {
        let mut seconds: Vec<f64> = rounds.iter().map(|round| round[part]).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    (0..rounds[0].len()).map(median).collect()
}

/// The parts of a step of Adam on random images, on one thread.
fn measure(plan: &Plan, examples: usize, rounds: usize) -> Work {
    let (height, width, channels) = plan.input().as_image();
    let pixel = |(n, y, x, c)| ((n * 3072 + y * 96 + x * 3 + c + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    let images = Array4::from_shape_fn((examples, height, width, channels), |at| pixel(at) as f32 / 255.0);
    let labels: Vec<usize> = (0..examples).map(|n| n % 10).collect();
    let checked = LabelledInputs::from((&images, &labels)).checked().unwrap();
    let batch = Examples::of(&checked);
    let optimizer = Optimizer::from(Adam::default());
    let variables = plan.parameters.trained().map(|parameter| parameter.range.clone());
    let mut state = OptimizerState::new(&optimizer, plan.parameters.trained_len, variables);
    let scoring = Scoring::new(plan, &[Objective::new(SparseCategoricalCrossentropy::default())]);
    let mut engine = Engine::new(plan.clone(), None, scoring, initial_weights(plan, 1), Level::new());
    let (mut whole, mut shards, mut pieces, mut packing) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds {
        let start = Instant::now();
        engine.run_batch(&batch, 1, 2 * round as u64).unwrap();
        engine.update(&optimizer, &mut state);
        whole.push(vec![start.elapsed().as_secs_f64()]);
        shards.push(time_shards(&mut engine, &batch, 2 * round as u64 + 1));
        pieces.push(time_pieces(&mut engine, &optimizer, &mut state));
        packing.push(time_packing(&mut engine));
    }
    let (shards, pieces, packing) = (medians(&shards), medians(&pieces), medians(&packing));
    let parts: f64 = [&shards, &pieces, &packing].into_iter().flatten().sum();
    Work { rest: (medians(&whole)[0] - parts).max(0.0), shards, pieces, packing }
}

fn time_shards(engine: &mut Engine, batch: &Examples<'_>, step: u64) -> Vec<f64> {
    let Engine { plan, weights, scoring, level, workspaces, shards, last, .. } = engine;
    let LastBatch::InShards { used, examples } = *last else { panic!("a batch of one round") };
    let workspaces = workspaces.get_mut();
    make_workspaces(plan, workspaces, 1, chunk_len(plan).min(examples.div_ceil(used)));
    let mut marks = vec![Instant::now()];
    for (index, shard) in shards[..used].iter_mut().enumerate() {
        let scale = Scale { examples: 1.0 / examples as f32, steps: &[] };
        let part = Part { batch, places: shard_places(examples, used, index), seed: 1, step, scale };
        dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, &mut workspaces[0]));
        marks.push(Instant::now());
    }
    seconds_between(&marks)
}

fn time_pieces(engine: &mut Engine, optimizer: &Optimizer, state: &mut OptimizerState) -> Vec<f64> {
    let Engine { plan, weights, shards, last, level, .. } = engine;
    let begun = Mutex::new(Vec::new());
    let source = Timed { source: last.gradients(plan, shards, None), begun: &begun };
    take_step(*level, optimizer, state, &source, weights.trained_mut(plan));
    let mut marks = begun.into_inner().unwrap();
    marks.push(Instant::now());
    seconds_between(&marks)
}

fn time_packing(engine: &mut Engine) -> Vec<f64> {
    let Engine { plan, weights, level, .. } = engine;
    let marks = Mutex::new(vec![Instant::now()]);
    pack_steps(&plan.steps, &mut weights.packed, &|conv, filters, packed| {
        dispatch!(*level, simd => pack_filters(simd, conv, filters, &weights.flat, packed));
        marks.lock().unwrap().push(Instant::now());
    });
    seconds_between(&marks.into_inner().unwrap())
}

#[test]
#[ignore = "measures for a minute, and means something in a release build alone"]
fn steps_on_more_cores() {
    let cores = CORES.map(|cores| format!(" {cores} cores |")).concat();
    println!("| | batch | shards | pieces | one core |{cores}");
    println!("| --- | --- | --- | --- | --- |{}", " --- |".repeat(CORES.len()));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let models = [("Keras CNN", keras_cnn(), 21), ("MLP 784-512-512-10", mlp(), 21), ("VGG-like", vgg(), 7)];
    for (name, plan, rounds) in models {
        for examples in [32, 128, 512] {
            let work = pool.install(|| measure(&plan, examples, rounds));
            let (shards, pieces, one) = (work.shards.len(), work.pieces.len(), work.on(1));
            print!("| {name} | {examples} | {shards} | {pieces} | {:.2} ms |", one * 1e3);
            println!("{}", CORES.map(|cores| format!(" {:.1} |", one / work.on(cores))).concat());
        }
    }
}

#[test]
fn tasks_go_to_the_core_that_is_free_first() {
    let tasks = [3.0, 3.0, 2.0, 2.0];
    assert_eq!([1, 2, 3, 4, 5].map(|cores| longest(&tasks, cores)), [10.0, 5.0, 4.0, 3.0, 3.0]);
    let work = Work { shards: tasks.to_vec(), pieces: vec![1.0; 4], packing: vec![1.0], rest: 0.5 };
    assert_eq!([1, 2, 8].map(|cores| work.on(cores)), [15.5, 8.5, 5.5]);
}

/// So that the measuring keeps up with what it measures.
#[test]
fn every_part_of_a_step_is_measured() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let work = pool.install(|| measure(&mlp(), 32, 1));
    assert_eq!(work.shards.len(), 4);
    assert!(work.pieces.len() > 64 && !work.packing.is_empty(), "{} {}", work.pieces.len(), work.packing.len());
}
