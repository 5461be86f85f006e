//! The forward pass of a dense layer of many weights, which reads its kernel as it is stored.
//!
//! The simple version, which `ops::dense` is: for each example and filter, sum input times weight. The changes made
//! here:
//!
//! 1. Inputs lie in the lanes, so a filter's weights are read in the order in which they are stored: nothing is packed
//!    after a step of the optimizer, which for small batches takes as long as the pass itself.
//! 2. A tile of some filters x some examples stays in registers while the inputs stream by, so that each vector of
//!    weights serves all examples of the tile.
//! 3. The lanes of as many sums as a vector has are added up together, by halves.
//! 4. A few filters' weights stay in the first-level cache while all examples go by.
//!
//! Each output is a sum in an order that depends on the number of inputs and lanes alone.

use super::activation::{Elementwise, activate};
use crate::simd::{Select, Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// The most inputs of a layer that goes this way: a lane adds up no more terms than a running sum may, on any
/// instruction set.
pub(crate) const MOST_INPUTS: usize = 4 * super::sum::SHORT;

/// The fewest inputs of a layer that goes this way: enough that adding up lanes takes little of its time, and no fewer
/// than a vector has lanes.
pub(crate) const LEAST_INPUTS: usize = 64;

/// Sums of a tile, and the most lanes of a vector.
const MOST: usize = 16;

/// What a dense layer reads.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'a> {
    /// (examples, inputs).
    pub(crate) x: &'a [f32],
    /// (filters, inputs).
    pub(crate) weights: &'a [f32],
    /// (filters), or empty if there are none.
    pub(crate) biases: &'a [f32],
    pub(crate) inputs: usize,
}

/// Filters whose weights stay in the first-level cache while all examples go by.
const FILTERS_AT_ONCE: usize = 8;

/// Computes `activation(x * weights + biases)`.
///
/// - y: (examples, filters)
pub(crate) fn dense_forward<S: Simd>(simd: S, activation: Elementwise, layer: Dense<'_>, y: &mut [f32]) {
    let (examples, filters) = (layer.x.len() / layer.inputs, y.len() / (layer.x.len() / layer.inputs));
    for first in (0..filters).step_by(FILTERS_AT_ONCE) {
        let some = first..(first + FILTERS_AT_ONCE).min(filters);
        let mut example = 0;
        while example < examples {
            let of = |examples: usize| Tiles { example, filters: some.clone(), all: filters, examples };
            let tiles = match (examples - example, has_32_registers::<S>()) {
                (8.., true) => of(8),
                (6, true) => of(6),
                (5, true) => of(5),
                (4.., _) => of(4),
                (_, _) => of(1),
            };
            example += tiles.examples;
            match tiles.examples {
                8 => tiles.compute::<S, 8, 2>(simd, layer, y),
                6 => tiles.compute::<S, 6, 2>(simd, layer, y),
                5 => tiles.compute::<S, 5, 2>(simd, layer, y),
                4 => tiles.compute::<S, 4, 2>(simd, layer, y),
                _ => tiles.compute::<S, 1, 8>(simd, layer, y),
            }
        }
    }
    activate(simd, activation, y);
}

/// The outputs of some examples and filters.
struct Tiles {
    example: usize,
    examples: usize,
    filters: Range<usize>,
    /// The layer's filters.
    all: usize,
}

impl Tiles {
    /// Computes them for `E` examples, in tiles of `F` filters; what is left one by one.
    fn compute<S: Simd, const E: usize, const F: usize>(&self, simd: S, layer: Dense<'_>, y: &mut [f32]) {
        let Self { example, filters, all, .. } = self;
        let whole = filters.end - filters.len() % F;
        for filter in (filters.start..whole).step_by(F) {
            tile::<S, E, F>(simd, layer, (*example, filter), *all, y);
        }
        for filter in whole..filters.end {
            tile::<S, E, 1>(simd, layer, (*example, filter), *all, y);
        }
    }
}

/// The microkernel: the outputs of `E` examples and `F` filters from a place on.
fn tile<S: Simd, const E: usize, const F: usize>(
    simd: S,
    layer: Dense<'_>,
    (example, filter): (usize, usize),
    filters: usize,
    y: &mut [f32],
) {
    const LANES: [u32; MOST] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    simd.vectorize(
        #[inline(always)]
        || {
            let Dense { x, weights, biases, inputs } = layer;
            let lanes = S::f32s::LEN;
            let zero = S::f32s::splat(simd, 0.0);
            let (mut rows, mut kernels) = ([&x[..0]; E], [&x[..0]; F]);
            for e in 0..E {
                rows[e] = &x[(example + e) * inputs..][..inputs];
            }
            for f in 0..F {
                kernels[f] = &weights[(filter + f) * inputs..][..inputs];
            }
            let mut sums = [[zero; E]; F];
            let whole = inputs - inputs % lanes;
            for at in (0..whole).step_by(lanes) {
                let mut vectors = [zero; F];
                for f in 0..F {
                    vectors[f] = S::f32s::from_slice(simd, &kernels[f][at..at + lanes]);
                }
                for e in 0..E {
                    let input = S::f32s::from_slice(simd, &rows[e][at..at + lanes]);
                    for f in 0..F {
                        sums[f][e] = input.mul_add(vectors[f], sums[f][e]);
                    }
                }
            }
            if whole < inputs {
                // The last vector again, without the lanes that have been added already.
                let last = inputs - lanes;
                let new =
                    S::u32s::from_slice(simd, &LANES[..lanes]).simd_ge(S::u32s::splat(simd, (whole - last) as u32));
                for e in 0..E {
                    let input = new.select(S::f32s::from_slice(simd, &rows[e][last..last + lanes]), zero);
                    for f in 0..F {
                        let vector = new.select(S::f32s::from_slice(simd, &kernels[f][last..last + lanes]), zero);
                        sums[f][e] = input.mul_add(vector, sums[f][e]);
                    }
                }
            }
            let mut flat = [zero; MOST];
            for f in 0..F {
                for e in 0..E {
                    flat[f * E + e] = sums[f][e];
                }
            }
            let totals = add_lanes(simd, flat);
            for f in 0..F {
                let bias = biases.get(filter + f).copied().unwrap_or_default();
                for e in 0..E {
                    y[(example + e) * filters + filter + f] = totals[f * E + e] + bias;
                }
            }
        },
    );
}

/// The sum of the lanes of each vector.
#[inline(always)]
fn add_lanes<S: Simd>(simd: S, vectors: [S::f32s; MOST]) -> [f32; MOST] {
    let lanes = S::f32s::LEN;
    let mut totals = [0.0; MOST];
    for group in 0..MOST / lanes {
        // Each time a vector takes in what the vector half a group behind it has, and both become half as wide.
        let mut rows = [S::f32s::splat(simd, 0.0); MOST];
        rows[..lanes].copy_from_slice(&vectors[group * lanes..(group + 1) * lanes]);
        let mut half = lanes / 2;
        while half > 0 {
            for row in 0..half {
                rows[row] = rows[row].zip_low(rows[row + half]) + rows[row].zip_high(rows[row + half]);
            }
            half /= 2;
        }
        rows[0].store_slice(&mut totals[group * lanes..][..lanes]);
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, all_levels, dispatch};

    fn number(index: usize) -> f32 {
        (index * 7919 % 2003) as f32 / 1000.0 - 1.0
    }

    /// The outputs, with NaN behind everything that may be read.
    fn outputs(level: Level, inputs: usize, filters: usize, examples: usize) -> Vec<f32> {
        let x: Vec<f32> = (0..examples * inputs).map(number).collect();
        let weights: Vec<f32> = (0..filters * inputs).map(|place| number(place + 5)).collect();
        let biases: Vec<f32> = (0..filters).map(|place| number(place + 9)).collect();
        let layer = Dense { x: &x, weights: &weights, biases: &biases, inputs };
        let mut y = vec![f32::NAN; examples * filters];
        dispatch!(level, simd => dense_forward(simd, Elementwise::Relu, layer, &mut y));
        y
    }

    #[test]
    fn any_number_of_inputs_filters_and_examples_gives_the_plain_sums() {
        for level in all_levels() {
            for inputs in [64, 65, 79, 96, 1000, MOST_INPUTS] {
                for filters in [1, 2, 7, 8, 10, 17] {
                    for examples in [1, 3, 4, 5, 6, 7, 8, 9, 13, 17] {
                        let found = outputs(level, inputs, filters, examples);
                        for (place, found) in found.iter().enumerate() {
                            let (example, filter) = (place / filters, place % filters);
                            let terms = (0..inputs).map(|input| {
                                f64::from(number(example * inputs + input))
                                    * f64::from(number(filter * inputs + input + 5))
                            });
                            let expected = (terms.sum::<f64>() + f64::from(number(filter + 9))).max(0.0);
                            let error = (f64::from(*found) - expected).abs();
                            let most = 1e-6 * ((inputs as f64).sqrt() + expected);
                            assert!(
                                error <= most,
                                "{level:?} {inputs} {filters} {examples} [{place}]: {found}, not {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// A chunk's size depends on the batch; what an example gives does not.
    #[test]
    fn an_example_has_the_same_bits_in_a_tile_of_any_size() {
        for level in all_levels() {
            let all = outputs(level, 100, 21, 17);
            for examples in 1..17 {
                let some = outputs(level, 100, 21, examples);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&some), bits(&all[..some.len()]), "{level:?} {examples}");
            }
        }
    }
}
