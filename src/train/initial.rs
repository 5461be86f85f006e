//! Draws the weights that training starts from.

use crate::exec::Weights;
use crate::plan::{Parameter, Plan};
use crate::program::{InitialValues, StoredOrder};
use crate::random::{Stream, normal, stream};
use rand::{Rng, RngExt};

/// The weights that training starts from. Each weight has a stream of random numbers of its own.
pub(crate) fn initial_weights(plan: &Plan, seed: u64) -> Weights {
    initial_weights_of(plan, seed, |_| true)
}

/// The same of some layers, by their indices; the weights of all others are zeros.
pub(crate) fn initial_weights_of(plan: &Plan, seed: u64, is_drawn: impl Fn(usize) -> bool) -> Weights {
    let mut weights = Weights::zeroed(plan);
    for parameter in plan.parameters.all.iter().filter(|parameter| is_drawn(parameter.layer)) {
        let random = stream(seed, Stream::Weights { layer: parameter.layer, place: parameter.place });
        let values = &mut weights.flat[parameter.range.clone()];
        draw(parameter, random, values);
        values[parameter.ones.clone()].fill(1.0);
    }
    weights
}

fn draw(parameter: &Parameter, mut random: impl Rng, values: &mut [f32]) {
    match parameter.initial {
        InitialValues::Zeros => {}
        InitialValues::Constant(value) => values.fill(value),
        InitialValues::Uniform { limit } => {
            values.iter_mut().for_each(|value| *value = (random.random::<f32>() * 2.0 - 1.0) * limit);
        }
        InitialValues::Between { min, max } => {
            values.iter_mut().for_each(|value| *value = (min + random.random::<f32>() * (max - min)).min(max));
        }
        InitialValues::Normal { mean, stddev } => {
            values.iter_mut().for_each(|value| *value = mean + stddev * normal(&mut random));
        }
        InitialValues::TruncatedNormal { mean, stddev } => {
            values.iter_mut().for_each(|value| *value = mean + stddev * truncated_normal(&mut random));
        }
        InitialValues::Identity { gain } => {
            // A diagonal is the same in either order of the axes.
            if let [_, row_len] = parameter.stored_shape()[..] {
                values.iter_mut().step_by(row_len + 1).take(row_len).for_each(|value| *value = gain);
            }
        }
        InitialValues::Orthogonal { gain } => orthogonal(parameter, gain, &mut random, values),
    }
}

/// A number of the normal distribution that is cut off at -2 and 2.
fn truncated_normal(random: &mut impl Rng) -> f32 {
    loop {
        let number = normal(random);
        if number.abs() <= 2.0 {
            return number;
        }
    }
}

/// Vectors of length `gain` at right angles to each other, drawn evenly from all such: those of the Q of a random
/// matrix, whose R has a positive diagonal.
fn orthogonal(parameter: &Parameter, gain: f32, random: &mut impl Rng, values: &mut [f32]) {
    let outputs = parameter.shape.last().copied().unwrap_or(1);
    let inputs = values.len() / outputs;
    let (count, len) = (inputs.min(outputs), inputs.max(outputs));
    let mut vectors = vec![0.0; count * len];
    for index in 0..count {
        let (before, vector) = vectors.split_at_mut(index * len);
        draw_orthogonal(before, random, &mut vector[..len]);
    }
    for (place, value) in values.iter_mut().enumerate() {
        let (input, output) = match parameter.stored {
            StoredOrder::AsShaped => (place / outputs, place % outputs),
            StoredOrder::LastAxisFirst => (place % inputs, place / inputs),
        };
        let place = if outputs <= inputs { output * len + input } else { input * len + output };
        *value = gain * vectors[place] as f32;
    }
}

/// A vector of length 1 at right angles to all before it, by Gram and Schmidt's method; what the first pass leaves of
/// the others by rounding, the second takes.
fn draw_orthogonal(before: &[f64], random: &mut impl Rng, vector: &mut [f64]) {
    loop {
        vector.iter_mut().for_each(|value| *value = f64::from(normal(random)));
        let drawn = dot(vector, vector).sqrt();
        for _pass in 0..2 {
            for other in before.chunks_exact(vector.len()) {
                let part = dot(other, vector);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= part * other);
            }
        }
        let length = dot(vector, vector).sqrt();
        // So little is left of a vector that depends on the others that rounding decides its direction.
        if length > 1e-9 * drawn {
            return vector.iter_mut().for_each(|value| *value /= length);
        }
    }
}

/// A sum of products, in several running sums that fit a vector register.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const SUMS: usize = 8;
    let (a, b) = (a.chunks_exact(SUMS), b.chunks_exact(SUMS));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; SUMS];
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}
