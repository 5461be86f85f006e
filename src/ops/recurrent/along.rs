//! The loop over examples and steps, which all cells share.

use super::super::require;
use super::linear::{Example, State, Step, StepGradients, Weights};
use super::{RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights};
use crate::error::Result;
use ndarray::{Array2, Array3, ArrayView2};

/// Whether a cell has a carry state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carry {
    Nothing,
    Kept,
}

/// What one step does to the states of one example.
pub(super) trait Cell {
    /// The operation's name, for errors.
    const NAME: &'static str;
    /// How many times the units a row of the kernel has.
    const GATES: usize;
    const CARRY: Carry;

    /// The states behind a step.
    fn forward(&self, weights: &Weights, step: &Step<'_>) -> State;

    /// The gradients of what a step reads, of those of the states behind it. Adds the weights' gradients to `sums`.
    fn backward(&self, weights: &Weights, step: &Step<'_>, behind: &State, sums: &mut Weights) -> StepGradients;
}

/// How many of each there are.
struct Sizes {
    count: usize,
    steps: usize,
    units: usize,
}

/// The output of a layer.
pub(super) fn forward<C: Cell>(
    cell: &C,
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
) -> Result<RecurrentOutput> {
    let Sizes { count, steps, units } = checked::<C>(input, weights)?;
    let weights = Weights::new(weights);
    let (mut y, mut h) = (Array3::zeros((count, steps, units)), Array2::zeros((count, units)));
    let mut c = Array2::zeros((count, units));
    for place in 0..count {
        let example = Example { input, place };
        let states = states(cell, &weights, example, units);
        for unit in 0..units {
            for step in 0..steps {
                y[[place, step, unit]] = states[step + 1].h[unit] as f32;
            }
            h[[place, unit]] = states[steps].h[unit] as f32;
            if C::CARRY == Carry::Kept {
                c[[place, unit]] = states[steps].c[unit] as f32;
            }
        }
    }
    Ok(RecurrentOutput { y, h, c: of_carry::<C>(c) })
}

/// The gradients of a layer.
pub(super) fn backward<C: Cell>(
    cell: &C,
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    dy: &RecurrentOutput,
) -> Result<RecurrentGradients> {
    let Sizes { count, steps, units } = checked::<C>(input, weights)?;
    check_gradients::<C>(dy, count, steps, units)?;
    let weights = Weights::new(weights);
    let mut sums = weights.zeros_like();
    let mut dx = Array3::zeros(input.x.dim());
    let (mut d_initial_h, mut d_initial_c) = (Array2::zeros((count, units)), Array2::zeros((count, units)));
    for place in 0..count {
        let example = Example { input, place };
        let states = states(cell, &weights, example, units);
        let row = |of: &Array2<f32>| of.row(place).iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        let mut behind = State { h: row(&dy.h), c: dy.c.as_ref().map_or_else(Vec::new, row) };
        for step in (0..steps).rev() {
            behind.h.iter_mut().enumerate().for_each(|(unit, dh)| *dh += f64::from(dy.y[[place, step, unit]]));
            if !example.counts(step) {
                continue;
            }
            let back = cell.backward(&weights, &example.step(step, &states[step]), &behind, &mut sums);
            for (feature, value) in back.dx.iter().enumerate() {
                dx[[place, step, feature]] = (value * example.input_factor(feature)) as f32;
            }
            behind = back.before;
            for (unit, d_read) in back.d_read.iter().enumerate() {
                behind.h[unit] += d_read * example.state_factor(unit);
            }
        }
        for unit in 0..units {
            d_initial_h[[place, unit]] = behind.h[unit] as f32;
            if C::CARRY == Carry::Kept {
                d_initial_c[[place, unit]] = behind.c[unit] as f32;
            }
        }
    }
    Ok(RecurrentGradients {
        dx,
        d_initial_h,
        d_initial_c: of_carry::<C>(d_initial_c),
        d_kernel: sums.inputs.kernel.mapv(|value| value as f32),
        d_recurrent_kernel: sums.states.kernel.mapv(|value| value as f32),
        d_bias: sums.inputs.bias.mapv(|value| value as f32),
        d_recurrent_bias: sums.states.bias.mapv(|value| value as f32),
    })
}

/// The states before the first step and behind each.
fn states<C: Cell>(cell: &C, weights: &Weights, example: Example<'_, '_>, units: usize) -> Vec<State> {
    let row = |states: Option<ArrayView2<'_, f32>>| -> Vec<f64> {
        let state = |unit| states.map_or(0.0, |states| f64::from(states[[example.place, unit]]));
        (0..units).map(state).collect()
    };
    let c = match C::CARRY {
        Carry::Nothing => Vec::new(),
        Carry::Kept => row(example.input.initial_c),
    };
    let mut states = vec![State { h: row(example.input.initial_h), c }];
    for step in 0..example.input.x.dim().1 {
        let before = &states[step];
        let behind =
            if example.counts(step) { cell.forward(weights, &example.step(step, before)) } else { before.clone() };
        states.push(behind);
    }
    states
}

fn of_carry<C: Cell>(c: Array2<f32>) -> Option<Array2<f32>> {
    match C::CARRY {
        Carry::Nothing => None,
        Carry::Kept => Some(c),
    }
}

/// # Errors
/// [`Error::Data`](crate::Error::Data) unless all shapes fit each other.
fn checked<C: Cell>(input: &RecurrentInput<'_>, weights: &RecurrentWeights<'_>) -> Result<Sizes> {
    let (count, steps, features) = input.x.dim();
    let (units, width) = weights.recurrent_kernel.dim();
    let name = C::NAME;
    require(units > 0 && width == C::GATES * units, || {
        format!("{name}: expected a recurrent kernel of (units, {} * units), got ({units}, {width})", C::GATES)
    })?;
    check(name, "a kernel", weights.kernel.dim(), (features, width))?;
    for (what, bias) in [("bias", weights.bias), ("recurrent bias", weights.recurrent_bias)] {
        let len = bias.map_or(width, |bias| bias.len());
        require(len == width, || format!("{name}: expected a {what} of {width} values, got {len}"))?;
    }
    let of = |array: Option<ArrayView2<'_, f32>>, expected| array.map_or(expected, |array| array.dim());
    let of_units = (count, units);
    check(name, "a mask", input.mask.map_or((count, steps), |mask| mask.dim()), (count, steps))?;
    check(name, "initial states", of(input.initial_h, of_units), of_units)?;
    check(name, "state factors", of(input.state_factors, of_units), of_units)?;
    check(name, "input factors", of(input.input_factors, (count, features)), (count, features))?;
    match C::CARRY {
        Carry::Nothing => require(input.initial_c.is_none(), || {
            format!("{name}: expected no initial carry states, which an LSTM alone has: leave `initial_c` out")
        })?,
        Carry::Kept => check(name, "initial carry states", of(input.initial_c, of_units), of_units)?,
    }
    Ok(Sizes { count, steps, units })
}

fn check_gradients<C: Cell>(dy: &RecurrentOutput, count: usize, steps: usize, units: usize) -> Result<()> {
    let (name, of_units) = (C::NAME, (count, units));
    require(dy.y.dim() == (count, steps, units), || {
        format!("{name}_backward: expected dy.y of {:?}, got {:?}", (count, steps, units), dy.y.dim())
    })?;
    check(name, "dy.h", dy.h.dim(), of_units)?;
    match (C::CARRY, &dy.c) {
        (Carry::Nothing, None) => Ok(()),
        (Carry::Kept, Some(c)) => check(name, "dy.c", c.dim(), of_units),
        (Carry::Nothing, Some(_)) => {
            require(false, || format!("{name}_backward: expected no dy.c: it has no carry states"))
        }
        (Carry::Kept, None) => require(false, || format!("{name}_backward: expected dy.c of {of_units:?}, got none")),
    }
}

fn check(name: &str, what: &str, found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    require(found == expected, || format!("{name}: expected {what} of {expected:?}, got {found:?}"))
}
