//! How near an optimizer's step comes to what memory gives. `cargo bench --bench optimizers` runs it in about two
//! minutes.
//!
//! A byte is one that must be read or written: gradients once, parameters and each buffer twice. Beside each optimizer
//! stands a plain loop over as many buffers, `buffer += a * gradient` for each of them, cut up for the threads in the
//! same way.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use fearless_simd::{Level, Simd, dispatch};
use inkstone::prelude::*;
use inkstone::{BuiltOptimizer, Optimizer};
use std::fmt;
use std::time::Instant;

/// Parameters: more than a cache of today holds with all buffers of Adam, and as many as a second-level cache holds.
const LENGTHS: [usize; 2] = [1 << 24, 100_000];
/// Parameters that a thread works on at a time, as in the crate.
const PIECE: usize = 8192;

fn main() {
    divan::main();
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        print_table();
    }
}

/// An optimizer with a name, and how many buffers its step reads and writes, the parameters among them.
#[derive(Clone)]
struct Case {
    name: &'static str,
    optimizer: Optimizer,
    buffers: usize,
    /// How often gradients are read.
    reads: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    fn bytes(&self, len: usize) -> usize {
        4 * len * (self.reads + 2 * self.buffers)
    }
}

fn cases() -> Vec<Case> {
    let case = |name, optimizer: Optimizer, buffers| Case { name, optimizer, buffers, reads: 1 };
    let twice = |case: Case| Case { reads: 2, ..case };
    vec![
        case("Sgd", Sgd::default().into(), 1),
        case("Sgd, momentum", Sgd::default().momentum(0.9).into(), 2),
        case("Sgd, momentum, nesterov", Sgd::default().momentum(0.9).nesterov(true).into(), 2),
        case("RmsProp", RmsProp::default().into(), 2),
        case("RmsProp, centered, momentum", RmsProp::default().centered(true).momentum(0.9).into(), 4),
        case("Adagrad", Adagrad::default().into(), 2),
        case("Lion", Lion::default().into(), 2),
        case("Adam", Adam::default().into(), 3),
        case("Adam, amsgrad", Adam::default().amsgrad(true).into(), 4),
        case("AdamW", AdamW::default().into(), 3),
        case("Nadam", Nadam::default().into(), 3),
        case("Adam, clipvalue", Adam::default().clipvalue(1e-3), 3),
        twice(case("Adam, clipnorm", Adam::default().clipnorm(1e-3), 3)),
        twice(case("Adam, global_clipnorm", Adam::default().global_clipnorm(1e-3), 3)),
        case("Adam, use_ema", Adam::default().use_ema(true), 4),
    ]
}

/// What a step works on.
struct Work {
    built: BuiltOptimizer,
    gradients: Vec<f32>,
    parameters: Vec<f32>,
}

impl Work {
    fn new(case: &Case, len: usize) -> Self {
        let gradients = (0..len).map(|i| (i % 101) as f32 * 1e-3 - 0.05).collect();
        Self {
            built: case.optimizer.clone().build([len]).expect("the case is sound"),
            gradients,
            parameters: vec![1.0; len],
        }
    }

    fn step(&mut self) {
        self.built.apply(black_box(&self.gradients), &mut self.parameters).expect("the lengths fit");
        assert!(self.parameters[self.parameters.len() / 2].is_finite());
    }
}

/// The plain loop.
struct Baseline {
    level: Level,
    gradients: Vec<f32>,
    buffers: Vec<Vec<f32>>,
}

impl Baseline {
    fn new(case: &Case, len: usize) -> Self {
        Self { level: Level::new(), gradients: vec![1e-3; len], buffers: vec![vec![1.0; len]; case.buffers] }
    }

    fn step(&mut self) {
        let buffers: Vec<&mut [f32]> = self.buffers.iter_mut().map(|buffer| &mut buffer[..]).collect();
        match <[_; 1]>::try_from(buffers) {
            Ok(buffers) => stream(self.level, black_box(&self.gradients), buffers),
            Err(buffers) => match <[_; 2]>::try_from(buffers) {
                Ok(buffers) => stream(self.level, black_box(&self.gradients), buffers),
                Err(buffers) => match <[_; 3]>::try_from(buffers) {
                    Ok(buffers) => stream(self.level, black_box(&self.gradients), buffers),
                    Err(buffers) => {
                        let buffers = <[_; 4]>::try_from(buffers).expect("no case has more than four buffers");
                        stream(self.level, black_box(&self.gradients), buffers);
                    }
                },
            },
        }
        assert!(self.buffers.iter().all(|buffer| buffer[buffer.len() / 2].is_finite()));
    }
}

/// Cuts the buffers in two until they are small, and works on all pieces in parallel.
fn stream<const N: usize>(level: Level, gradients: &[f32], buffers: [&mut [f32]; N]) {
    if gradients.len() <= PIECE {
        return dispatch!(level, simd => add(simd, gradients, buffers));
    }
    let middle = (gradients.len() / 2).next_multiple_of(16);
    let (left, right) = gradients.split_at(middle);
    let mut rights: [&mut [f32]; N] = std::array::from_fn(|_| &mut [][..]);
    let mut index = 0;
    let lefts = buffers.map(|buffer| {
        let (left, right) = buffer.split_at_mut(middle);
        rights[index] = right;
        index += 1;
        left
    });
    rayon::join(|| stream(level, left, lefts), || stream(level, right, rights));
}

#[inline(always)]
fn add<S: Simd, const N: usize>(simd: S, gradients: &[f32], mut buffers: [&mut [f32]; N]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for buffer in &mut buffers {
                assert_eq!(buffer.len(), gradients.len());
            }
            for (index, gradient) in gradients.iter().enumerate() {
                for buffer in &mut buffers {
                    buffer[index] += 1e-3 * gradient;
                }
            }
        },
    );
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

#[divan::bench(args = cases(), consts = LENGTHS, sample_count = 20)]
fn step_on_one_thread<const LEN: usize>(bencher: Bencher<'_, '_>, case: &Case) {
    let mut work = Work::new(case, LEN);
    let pool = pool(1);
    bencher.counter(BytesCount::new(case.bytes(LEN))).bench_local(|| pool.install(|| work.step()));
}

/// The closing table: the median of a few turns, in which the optimizer and the plain loop take turns.
fn print_table() {
    println!("\n| GB/s, and part of the plain loop's | 16 M, 1 thread | 16 M, 2 threads | 100,000, 1 thread |");
    println!("| --- | --- | --- | --- |");
    let pools = [pool(1), pool(2)];
    for case in cases() {
        print!("| {case} |");
        for (len, pool, turns, steps) in
            [(LENGTHS[0], &pools[0], 7, 1), (LENGTHS[0], &pools[1], 7, 1), (LENGTHS[1], &pools[0], 15, 50)]
        {
            let (mut work, mut baseline) = (Work::new(&case, len), Baseline::new(&case, len));
            let time = |step: &mut (dyn FnMut() + Send)| {
                pool.install(|| {
                    let start = Instant::now();
                    (0..steps).for_each(|_| step());
                    start.elapsed().as_secs_f64() / steps as f64
                })
            };
            let (mut ours, mut plain) = (Vec::new(), Vec::new());
            for _ in 0..turns {
                ours.push(time(&mut || work.step()));
                plain.push(time(&mut || baseline.step()));
            }
            let median = |seconds: &mut Vec<f64>| {
                seconds.sort_by(f64::total_cmp);
                seconds[seconds.len() / 2]
            };
            let rate = case.bytes(len) as f64 / median(&mut ours) / 1e9;
            let plain_rate = (case.bytes(len) - 4 * len * (case.reads - 1)) as f64 / median(&mut plain) / 1e9;
            print!(" {rate:.1} ({:.0} %) |", 100.0 * rate / plain_rate);
        }
        println!();
    }
}
