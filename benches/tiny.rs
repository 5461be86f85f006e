//! What a call costs beside its arithmetic: a network of 2, 16 and 1 neurons, against the plain loops that one would
//! write for it by hand. `cargo bench --bench tiny` runs it in about half a minute.
//!
//! The closing table takes turns between both, a thousand calls at a time, and has the fastest turn of each: what else
//! the machine does interrupts some turns, but not all.

use divan::{Bencher, black_box};
use inkstone::ndarray::{Array2, Axis};
use inkstone::prelude::*;
use inkstone::{Model, Optimizer, Predictor};
use std::fmt;
use std::time::{Duration, Instant};

const INPUTS: usize = 2;
const HIDDEN: usize = 16;
const RATE: f32 = 0.01;

fn main() {
    for case in cases() {
        check(case);
    }
    divan::main();
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        print_ratios();
    }
}

/// The function of the hidden layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hidden {
    Tanh,
    Relu,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Sgd,
    Adam,
}

#[derive(Clone, Copy)]
struct Case {
    hidden: Hidden,
    rule: Rule,
    batch: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}, batch {}", self.hidden, self.rule, self.batch)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let rules = |hidden| [Rule::Sgd, Rule::Adam].map(|rule| (hidden, rule));
    let pairs = [Hidden::Tanh, Hidden::Relu].into_iter().flat_map(rules);
    pairs.flat_map(|(hidden, rule)| [1, 32].map(|batch| Case { hidden, rule, batch }))
}

/// The cases that predict, where no optimizer counts.
fn predicting() -> impl Iterator<Item = Case> {
    cases().filter(|case| case.rule == Rule::Sgd)
}

impl Case {
    fn model(self) -> Model {
        let dense = Dense::new(HIDDEN);
        let hidden = match self.hidden {
            Hidden::Tanh => dense.activation(Tanh),
            Hidden::Relu => dense.activation(Relu),
        };
        let optimizer: Optimizer = match self.rule {
            Rule::Sgd => Sgd::new(RATE).into(),
            Rule::Adam => Adam::new(RATE).into(),
        };
        Sequential::new([INPUTS])
            .add(hidden)
            .add(Dense::new(1))
            .seed(1)
            .compile(optimizer, MeanSquaredError, [])
            .expect("two dense layers compile")
    }

    fn predictor(self) -> Predictor {
        self.model().into_predictor()
    }

    /// Points, and a number for each.
    fn data(self) -> (Array2<f32>, Array2<f32>) {
        let x = Array2::from_shape_fn((self.batch, INPUTS), |(n, f)| ((n * 7 + f * 3 + 1) % 11) as f32 / 11.0 - 0.4);
        let y = x.map_axis(Axis(1), |point| point[0] * point[1]).insert_axis(Axis(1));
        (x, y)
    }
}

/// The same network by hand: weights, gradients, moments, and the values of a batch in vectors.
struct Plain {
    hidden: Hidden,
    rule: Rule,
    /// (HIDDEN, INPUTS), then the biases, the second layer's weights, and its bias.
    weights: Vec<f32>,
    gradients: Vec<f32>,
    means: Vec<f32>,
    variances: Vec<f32>,
    step: i32,
    /// (N, HIDDEN): the hidden layer's outputs.
    activations: Vec<f32>,
    /// (N).
    outputs: Vec<f32>,
}

impl Plain {
    /// With the weights of the model.
    fn new(case: Case) -> Self {
        let mut weights = Vec::new();
        for weight in case.model().get_weights() {
            // (inputs, outputs) becomes (outputs, inputs).
            weights.extend(weight.values.t().iter());
        }
        let zeros = vec![0.0; weights.len()];
        Self {
            hidden: case.hidden,
            rule: case.rule,
            gradients: zeros.clone(),
            means: zeros.clone(),
            variances: zeros,
            weights,
            step: 0,
            activations: vec![0.0; case.batch * HIDDEN],
            outputs: vec![0.0; case.batch],
        }
    }

    /// - x: (N, INPUTS)
    fn predict(&mut self, x: &[f32]) -> &[f32] {
        let (kernel, rest) = self.weights.split_at(HIDDEN * INPUTS);
        let (biases, rest) = rest.split_at(HIDDEN);
        let (second, bias) = rest.split_at(HIDDEN);
        let rows = x.chunks_exact(INPUTS).zip(self.activations.chunks_exact_mut(HIDDEN));
        for ((x, activations), output) in rows.zip(&mut self.outputs) {
            *output = bias[0];
            for (unit, activation) in activations.iter_mut().enumerate() {
                let mut sum = biases[unit];
                for (x, weight) in x.iter().zip(&kernel[unit * INPUTS..]) {
                    sum += x * weight;
                }
                *activation = match self.hidden {
                    Hidden::Tanh => sum.tanh(),
                    Hidden::Relu => sum.max(0.0),
                };
                *output += *activation * second[unit];
            }
        }
        &self.outputs
    }

    /// One step; returns the mean squared error before it.
    ///
    /// - x: (N, INPUTS); y: (N)
    fn train(&mut self, x: &[f32], y: &[f32]) -> f32 {
        self.predict(x);
        self.gradients.fill(0.0);
        let second = &self.weights[HIDDEN * (INPUTS + 1)..];
        let (dkernel, rest) = self.gradients.split_at_mut(HIDDEN * INPUTS);
        let (dbiases, rest) = rest.split_at_mut(HIDDEN);
        let (dsecond, dbias) = rest.split_at_mut(HIDDEN);
        let mut loss = 0.0;
        let rows = x.chunks_exact(INPUTS).zip(self.activations.chunks_exact(HIDDEN));
        for ((x, activations), (output, y)) in rows.zip(self.outputs.iter().zip(y)) {
            let error = output - y;
            loss += error * error;
            let doutput = 2.0 * error / self.outputs.len() as f32;
            dbias[0] += doutput;
            for (unit, activation) in activations.iter().enumerate() {
                dsecond[unit] += doutput * activation;
                let slope = match self.hidden {
                    Hidden::Tanh => 1.0 - activation * activation,
                    Hidden::Relu if *activation > 0.0 => 1.0,
                    Hidden::Relu => 0.0,
                };
                let dsum = doutput * second[unit] * slope;
                dbiases[unit] += dsum;
                for (dweight, x) in dkernel[unit * INPUTS..].iter_mut().zip(x) {
                    *dweight += dsum * x;
                }
            }
        }
        self.update();
        loss / self.outputs.len() as f32
    }

    fn update(&mut self) {
        self.step += 1;
        match self.rule {
            Rule::Sgd => {
                for (weight, gradient) in self.weights.iter_mut().zip(&self.gradients) {
                    *weight -= RATE * gradient;
                }
            }
            Rule::Adam => {
                let rate = RATE * (1.0 - 0.999_f32.powi(self.step)).sqrt() / (1.0 - 0.9_f32.powi(self.step));
                let moments = self.means.iter_mut().zip(&mut self.variances);
                for ((weight, gradient), (mean, variance)) in self.weights.iter_mut().zip(&self.gradients).zip(moments)
                {
                    *mean += 0.1 * (gradient - *mean);
                    *variance += 0.001 * (gradient * gradient - *variance);
                    *weight -= rate * *mean / (variance.sqrt() + 1e-7);
                }
            }
        }
    }
}

/// Whether both do the same arithmetic: losses of some steps, and what is predicted after them.
fn check(case: Case) {
    let (mut model, mut plain, (x, y)) = (case.model(), Plain::new(case), case.data());
    let near = |ours: f32, theirs: f32| assert!((ours - theirs).abs() <= 1e-5, "{case}: {ours} and {theirs}");
    for _ in 0..20 {
        let ours = model.train_on_batch(&x, &y).expect("the loss stays finite").loss;
        near(ours as f32, plain.train(slice(&x), slice(&y)));
    }
    let ours = model.predict(&x).expect("the points fit the model");
    ours.iter().zip(plain.predict(slice(&x))).for_each(|(ours, theirs)| near(*ours, *theirs));
}

fn slice(array: &Array2<f32>) -> &[f32] {
    array.as_slice().expect("a new array is in memory order")
}

#[divan::bench(args = cases())]
fn a_train_on_batch(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut model, (x, y)) = (case.model(), case.data());
    bencher.bench_local(|| model.train_on_batch(black_box(&x), &y).expect("the loss stays finite").loss);
}

#[divan::bench(args = cases())]
fn a_train_on_batch_by_hand(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut plain, (x, y)) = (Plain::new(*case), case.data());
    bencher.bench_local(|| plain.train(black_box(slice(&x)), slice(&y)));
}

#[divan::bench(args = predicting())]
fn b_predict(bencher: Bencher<'_, '_>, case: &Case) {
    let (model, (x, _)) = (case.model(), case.data());
    bencher.bench_local(|| model.predict(black_box(&x)).expect("the points fit the model"));
}

#[divan::bench(args = predicting())]
fn b_predict_into_with_a_predictor(bencher: Bencher<'_, '_>, case: &Case) {
    let (predictor, (x, _), mut out) = (case.predictor(), case.data(), vec![0.0; case.batch]);
    let mut scratch = predictor.scratch();
    bencher.bench_local(|| {
        predictor.predict_into(black_box(&x), &mut scratch, &mut out).expect("the points fit the model");
        black_box(&out)[0]
    });
}

#[divan::bench(args = predicting())]
fn b_predict_by_hand(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut plain, (x, _)) = (Plain::new(*case), case.data());
    bencher.bench_local(|| black_box(plain.predict(black_box(slice(&x))))[0]);
}

/// The closing table: the crate's calls against the loops.
fn print_ratios() {
    println!("\n| call | ours | by hand | ratio |\n| --- | --- | --- | --- |");
    for case in cases() {
        let (mut model, mut plain, (x, y)) = (case.model(), Plain::new(case), case.data());
        print_ratio(
            &format!("train_on_batch, {case}"),
            || model.train_on_batch(black_box(&x), &y).expect("the loss stays finite").loss as f32,
            || plain.train(black_box(slice(&x)), slice(&y)),
        );
    }
    for case in predicting() {
        let name = |call| format!("{call}, {:?}, batch {}", case.hidden, case.batch);
        let (model, predictor, mut plain, (x, _)) = (case.model(), case.predictor(), Plain::new(case), case.data());
        let mut by_hand = || black_box(plain.predict(black_box(slice(&x))))[0];
        let predict = || model.predict(black_box(&x)).expect("the points fit the model")[[0, 0]];
        print_ratio(&name("Model::predict"), predict, &mut by_hand);
        let predict = || predictor.predict(black_box(&x)).expect("the points fit the model")[[0, 0]];
        print_ratio(&name("Predictor::predict"), predict, &mut by_hand);
        let (mut scratch, mut out) = (predictor.scratch(), vec![0.0; case.batch]);
        let predict = || {
            predictor.predict_into(black_box(&x), &mut scratch, &mut out).expect("the points fit the model");
            black_box(&out)[0]
        };
        print_ratio(&name("Predictor::predict_into"), predict, &mut by_hand);
    }
}

fn print_ratio(name: &str, mut ours: impl FnMut() -> f32, mut by_hand: impl FnMut() -> f32) {
    let (mut fastest, mut fastest_by_hand) = (Duration::MAX, Duration::MAX);
    for _ in 0..200 {
        fastest = fastest.min(turn(&mut ours));
        fastest_by_hand = fastest_by_hand.min(turn(&mut by_hand));
    }
    let [ours, by_hand] = [fastest, fastest_by_hand].map(|time| time.as_secs_f64() * 1e9 / CALLS as f64);
    println!("| {name} | {ours:.0} ns | {by_hand:.0} ns | {:.2} |", ours / by_hand);
}

/// The calls of a turn.
const CALLS: usize = 1000;

fn turn(call: &mut impl FnMut() -> f32) -> Duration {
    let start = Instant::now();
    let sum: f32 = (0..CALLS).map(|_| call()).sum();
    assert!(black_box(sum).is_finite());
    start.elapsed()
}
