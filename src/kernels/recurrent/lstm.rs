//! The long short-term memory cell ([Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735),
//! with the forget gate of [Gers et al., 2000](https://doi.org/10.1162/089976600300015015)).

use super::{Functions, derivative_of};
use crate::kernels::activation::{activate, activate_backward};
use crate::kernels::tiny::flushed;
use crate::simd::Simd;

/// What the forward pass has left of one step of one example.
#[derive(Clone, Copy)]
pub(crate) struct LstmKept<'a> {
    /// (4 units): the gates.
    pub(crate) gates: &'a [f32],
    /// The same: what their functions were applied to, empty where nobody reads that.
    pub(crate) inputs: &'a [f32],
    /// The carry state before the step, behind it, and the function of that.
    pub(crate) c_before: &'a [f32],
    pub(crate) c: &'a [f32],
    pub(crate) squashed: &'a [f32],
}

/// The states that one step of one example writes.
pub(crate) struct LstmStates<'a> {
    pub(crate) c: &'a mut [f32],
    /// The function of the carry state.
    pub(crate) squashed: &'a mut [f32],
    pub(crate) h: &'a mut [f32],
}

/// One step of one example.
///
/// - x: the projected input, (4 units); gates: the product with the recurrent kernel, which becomes the gates
/// - inputs: what functions are applied to, empty where nobody reads that
pub(crate) fn lstm_forward<S: Simd>(
    simd: S,
    of: Functions,
    x: &[f32],
    (gates, inputs): (&mut [f32], &mut [f32]),
    c_before: &[f32],
    LstmStates { c, squashed, h }: LstmStates<'_>,
) {
    let units = h.len();
    simd.vectorize(
        #[inline(always)]
        || {
            gates.iter_mut().zip(x).for_each(|(gate, x)| *gate += x);
            inputs.copy_from_slice(&gates[..inputs.len()]);
            activate(simd, of.recurrent, &mut gates[..2 * units]);
            activate(simd, of.activation, &mut gates[2 * units..3 * units]);
            activate(simd, of.recurrent, &mut gates[3 * units..]);
            let (input, forget, candidate, output) = split(gates, units);
            let (c_before, c, squashed) = (&c_before[..units], &mut c[..units], &mut squashed[..units]);
            for j in 0..units {
                c[j] = flushed(forget[j] * c_before[j] + input[j] * candidate[j]);
            }
            squashed.copy_from_slice(c);
            activate(simd, of.activation, squashed);
            for j in 0..units {
                h[j] = output[j] * squashed[j];
            }
        },
    );
}

/// - dh: the gradient of the output state; dc: that of the carry state behind the step, which becomes that before it
/// - dz: the gradient of the projected input, (4 units)
pub(crate) fn lstm_backward<S: Simd>(
    simd: S,
    of: Functions,
    kept: LstmKept<'_>,
    dh: &[f32],
    dc: &mut [f32],
    dz: &mut [f32],
) {
    let LstmKept { gates, inputs, c_before, c, squashed } = kept;
    let units = dh.len();
    simd.vectorize(
        #[inline(always)]
        || {
            let (input, forget, candidate, output) = split(gates, units);
            let (d_input, rest) = dz.split_at_mut(units);
            let (d_forget, rest) = rest.split_at_mut(units);
            let (d_candidate, d_output) = rest.split_at_mut(units);
            let (squashed, c_before, d_output) = (&squashed[..units], &c_before[..units], &mut d_output[..units]);
            let dc = &mut dc[..units];
            // The gradient of the carry state that goes through the output, in the memory of a gate's.
            for j in 0..units {
                d_input[j] = dh[j] * output[j];
                d_output[j] = dh[j] * squashed[j];
            }
            activate_backward(simd, of.activation, derivative_of(of.activation, squashed, c), d_input);
            for j in 0..units {
                let through = dc[j] + d_input[j];
                d_candidate[j] = through * input[j];
                d_input[j] = through * candidate[j];
                d_forget[j] = through * c_before[j];
                dc[j] = flushed(through * forget[j]);
            }
            let (at, of_gates) = (2 * units, derivative_of(of.recurrent, gates, inputs));
            activate_backward(simd, of.recurrent, &of_gates[..at], &mut dz[..at]);
            let of_candidates = &derivative_of(of.activation, gates, inputs)[at..at + units];
            activate_backward(simd, of.activation, of_candidates, &mut dz[at..at + units]);
            activate_backward(simd, of.recurrent, &of_gates[at + units..], &mut dz[at + units..]);
        },
    );
}

/// The gates: input, forget, candidate, output.
#[inline(always)]
fn split(gates: &[f32], units: usize) -> (&[f32], &[f32], &[f32], &[f32]) {
    let (input, rest) = gates.split_at(units);
    let (forget, rest) = rest.split_at(units);
    let (candidate, output) = rest.split_at(units);
    (input, forget, candidate, &output[..units])
}
