//! What cannot be seen from outside: that every kernel gives the same on every instruction set, and that state can be
//! kept.

use super::*;
use crate::kernels::clip::sum_of_squares;
use crate::simd::{Level, all_levels, dispatch};
use std::ops::Range;
use std::sync::Mutex;

fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0).collect()
}

/// The state for one variable.
fn fresh(optimizer: &Optimizer, len: usize) -> OptimizerState {
    OptimizerState::new(optimizer, len, std::iter::once(0..len))
}

/// Every kernel: with one of each algorithm and variant, and of each option.
fn optimizers() -> Vec<Optimizer> {
    let rms_prop = RmsProp::default;
    vec![
        Adam::default().into(),
        Adam::default().amsgrad(true).into(),
        Sgd::default().into(),
        Sgd::default().momentum(0.9).into(),
        Sgd::default().momentum(0.9).nesterov(true).into(),
        rms_prop().into(),
        rms_prop().momentum(0.9).into(),
        rms_prop().centered(true).epsilon(1e-3).into(),
        rms_prop().centered(true).momentum(0.9).epsilon(1e-3).into(),
        Adagrad::default().into(),
        Nadam::default().into(),
        Lion::default().into(),
        Lion::default().clipvalue(0.5).weight_decay(0.1).use_ema(true).ema_overwrite_frequency(2),
    ]
}

/// Weights after three steps.
fn train(level: Level, optimizer: &Optimizer, len: usize) -> Vec<u32> {
    let mut state = fresh(optimizer, len);
    let mut parameters = numbers(len, 0);
    for step in 1..=3 {
        take_step(level, optimizer, &mut state, &Whole(&numbers(len, step)), &mut parameters);
    }
    parameters.iter().map(|parameter| parameter.to_bits()).collect()
}

/// No kernel adds across elements, so there is nothing to round differently.
#[test]
fn every_instruction_set_gives_the_same_bits_at_every_length() {
    for optimizer in optimizers() {
        for len in (0..=40).chain([1023, 1024, 1025, 8191, 8193, 20_011]) {
            let expected = train(Level::fallback(), &optimizer, len);
            for level in all_levels() {
                assert_eq!(train(level, &optimizer, len), expected, "{level:?}, {len}, {optimizer:?}");
            }
        }
    }
}

#[test]
fn sums_of_squares_are_right_at_every_length_and_on_every_instruction_set() {
    for len in (0..=130).chain([8192]) {
        let values = numbers(len, 1);
        let expected: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        for level in all_levels() {
            let actual = dispatch!(level, simd => sum_of_squares(simd, &values));
            // Each of at least 16 sums rounds once an element.
            let tolerance = (len as f64 / 16.0 + 1.0) * f64::from(f32::EPSILON) * expected;
            assert!((actual - expected).abs() <= tolerance, "{level:?}, {len}: {actual}, expected {expected}");
        }
    }
}

/// Two parts to be added up, which are cut into rows of 100 where that leaves more than a piece.
struct Parts<'a>(&'a [f32], &'a [f32]);

impl GradientSource for Parts<'_> {
    fn cut(&self, range: &std::ops::Range<usize>) -> Option<usize> {
        (range.start == 0 && range.end > 11_000).then_some(11_000)
    }

    fn rows(&self, range: &std::ops::Range<usize>) -> usize {
        if range.start == 0 { 110 } else { 1 }
    }

    fn write(&self, _level: Level, block: Block, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(block.len).enumerate() {
            let start = block.start + row * block.stride;
            let parts = self.0[start..].iter().zip(&self.1[start..]);
            to.iter_mut().zip(parts).for_each(|(to, (a, b))| *to = a + b);
        }
    }
}

/// Read from a source block by block or there already, gradients make the same step.
#[test]
fn gradients_are_read_where_they_are_needed() {
    let len = 17_011;
    let (first, second) = (numbers(len, 1), numbers(len, 2));
    let whole: Vec<f32> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    for optimizer in [Adam::default().into(), Adam::default().clipnorm(1.0), Adam::default().global_clipnorm(1.0)] {
        let step = |gradients: &dyn GradientSource| {
            let mut state = OptimizerState::new(&optimizer, len, [0..7, 16..9000, 9008..len]);
            let mut parameters = numbers(len, 0);
            take_step(Level::new(), &optimizer, &mut state, gradients, &mut parameters);
            parameters
        };
        assert_eq!(step(&Parts(&first, &second)), step(&Whole(&whole)), "{optimizer:?}");
    }
    let mut sum = vec![f32::NAN; len];
    collect(Level::new(), &Parts(&first, &second), &mut sum);
    assert_eq!(sum, whole);
}

/// A state that is built anew from what a checkpoint keeps goes on with the same bits.
#[test]
fn the_named_buffers_step_and_product_are_the_whole_state() {
    for optimizer in optimizers().into_iter().map(|optimizer| optimizer.use_ema(true).ema_overwrite_frequency(3)) {
        let len = 100;
        let steps = |state: &mut OptimizerState, parameters: &mut [f32], steps: std::ops::Range<usize>| {
            for step in steps {
                take_step(Level::new(), &optimizer, state, &Whole(&numbers(len, step)), parameters);
            }
        };
        let mut state = fresh(&optimizer, len);
        let mut parameters = numbers(len, 0);
        steps(&mut state, &mut parameters, 1..5);
        let mut resumed = fresh(&optimizer, len);
        (resumed.step, resumed.momentum_product) = (state.step, state.momentum_product);
        for ((name, from), (other, to)) in state.named().zip(resumed.named_mut()) {
            assert_eq!(name, other);
            to.copy_from_slice(from);
        }
        let mut resumed_parameters = parameters.clone();
        steps(&mut state, &mut parameters, 5..9);
        steps(&mut resumed, &mut resumed_parameters, 5..9);
        assert_eq!(parameters, resumed_parameters, "{optimizer:?}");
    }
}

#[test]
fn buffers_have_keras_names() {
    let names = |optimizer: Optimizer| {
        let state = fresh(&optimizer, 3);
        state.named().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Adam::default().amsgrad(true).use_ema(true)), ["momentum", "velocity", "velocity_hat", "average"]);
    assert_eq!(names(Sgd::default().into()), [""; 0]);
    assert_eq!(names(RmsProp::default().centered(true).into()), ["velocity", "average_gradient"]);
    assert_eq!(names(Adagrad::default().into()), ["accumulator"]);
}

/// Gradients of which all but a few are known to be zero.
struct Few<'a> {
    all: &'a [f32],
    known: &'a [Range<usize>],
    visited: Mutex<Vec<Range<usize>>>,
}

impl GradientSource for Few<'_> {
    fn first_with_gradient(&self, range: Range<usize>) -> Option<Range<usize>> {
        let inside = |known: &Range<usize>| known.start.max(range.start)..known.end.min(range.end);
        self.known.iter().map(inside).find(|inside| !inside.is_empty())
    }

    fn write(&self, _level: Level, Block { start, len, .. }: Block, to: &mut [f32]) {
        to.copy_from_slice(&self.all[start..start + len]);
        self.visited.lock().unwrap().push(start..start + len);
    }
}

/// Rows of a table that do not occur take no time where the algorithm would leave them as they are; the bits are those
/// of a pass over all.
#[test]
fn what_has_no_gradient_is_left_out_where_the_algorithm_keeps_it() {
    let (len, known) = (10_000, [3..7, 4000..4128, 9990..10_000]);
    let mut all = vec![0.0; len];
    known.iter().for_each(|range| all[range.clone()].copy_from_slice(&numbers(range.len(), 1)));
    let kept = [Sgd::default().into(), Adagrad::default().into(), Adagrad::default().clipvalue(0.5)];
    for (optimizer, is_kept) in
        kept.map(|kept| (kept, true)).into_iter().chain(optimizers().into_iter().map(|optimizer| {
            let is_kept = [Sgd::default().into(), Adagrad::default().into()].contains(&optimizer);
            (optimizer, is_kept)
        }))
    {
        let trained = |source: &dyn GradientSource| {
            let (mut state, mut parameters) = (fresh(&optimizer, len), numbers(len, 0));
            (0..2).for_each(|_| take_step(Level::new(), &optimizer, &mut state, source, &mut parameters));
            parameters
        };
        let few = Few { all: &all, known: &known, visited: Mutex::default() };
        assert!(trained(&few) == trained(&Whole(&all)), "{optimizer:?}");
        let visited: usize = few.visited.into_inner().unwrap().iter().map(ExactSizeIterator::len).sum();
        assert_eq!(visited, if is_kept { 2 * 142 } else { 2 * len }, "{optimizer:?}");
    }
}

/// Arithmetic on subnormal numbers takes 10 to 20 times as long, and a weight that gets no gradient any more shrinks
/// its moments until they are.
#[test]
fn what_an_optimizer_keeps_never_becomes_subnormal() {
    let len = 40;
    for optimizer in optimizers() {
        let mut state = fresh(&optimizer, len);
        let mut parameters = numbers(len, 0);
        let last = [&numbers(len, 1)[..], &vec![0.0; len], &vec![1e-21; len]];
        for step in 0..120_000 {
            let gradients = if step == 0 { last[0] } else { last[1 + usize::from(step > 110_000)] };
            take_step(Level::new(), &optimizer, &mut state, &Whole(gradients), &mut parameters);
            for (name, buffer) in state.named() {
                let subnormal = buffer.iter().find(|value| value.is_subnormal());
                assert_eq!(subnormal, None, "{name} in step {step} of {optimizer:?}");
            }
        }
    }
}
