//! Recurrent cells, step by step: what each computes behind the products with its recurrent kernel, forward and
//! backward. Products are in `product`; the loop over steps is in `exec`.
//!
//! Everything is laid out step by step, with the examples of a chunk side by side: (steps, examples, ...). So a step
//! reads and writes runs of memory, and a product over all steps at once is one over (steps * examples) rows.
//!
//! States that nothing feeds and gradients that nothing renews shrink from step to step. What is tiny becomes zero,
//! before arithmetic on subnormal numbers makes a long sequence several times as slow.

mod gru;
mod lstm;
mod product;
mod simple;

pub(crate) use gru::{GruKept, gru_backward, gru_finish_backward, gru_forward, gru_reset};
pub(crate) use lstm::{LstmKept, LstmStates, lstm_backward, lstm_forward};
pub(crate) use product::Product;
pub(crate) use simple::{simple_backward, simple_forward};

use super::activation::{Derivative, Elementwise};
use super::tiny::flushed;
use crate::simd::Simd;

/// Which recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// `h = activation(x + h U)`.
    Simple,
    /// Gates in the order input, forget, candidate, output.
    Lstm,
    /// Gates in the order update, reset, candidate.
    Gru(Reset),
}

/// Where the reset gate of a GRU is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// To the state, before the product with the recurrent kernel.
    Before,
    /// To the product.
    After,
}

impl Cell {
    /// How many times the units a row of the projected inputs has.
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Simple => 1,
            Self::Lstm => 4,
            Self::Gru(_) => 3,
        }
    }

    /// How many states there are: an LSTM has a carry state, too.
    pub(crate) fn states(self) -> usize {
        match self {
            Self::Simple | Self::Gru(_) => 1,
            Self::Lstm => 2,
        }
    }
}

/// The functions of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Functions {
    /// Of candidates and outputs.
    pub(crate) activation: Elementwise,
    /// Of gates.
    pub(crate) recurrent: Elementwise,
}

impl Functions {
    /// Whether a derivative is found from what the function was applied to.
    pub(crate) fn read_inputs(self) -> bool {
        [self.activation, self.recurrent].into_iter().any(|function| function.derivative() == Derivative::OfInput)
    }
}

/// What the derivative of a function is found from.
///
/// - outputs: the function's; inputs: what it was applied to, empty where no function of the cell reads that
#[inline(always)]
fn derivative_of<'a>(function: Elementwise, outputs: &'a [f32], inputs: &'a [f32]) -> &'a [f32] {
    match function.derivative() {
        Derivative::OfOutput => outputs,
        Derivative::OfInput => inputs,
    }
}

/// `dh += back * factors`: the gradients of states, and those that come to them through products.
///
/// - factors: what was dropped of the states; empty where nothing was
pub(crate) fn add_back<S: Simd>(simd: S, back: &[f32], factors: &[f32], dh: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            if factors.is_empty() {
                dh.iter_mut().zip(back).for_each(|(dh, back)| *dh = flushed(*dh + back));
            } else {
                let back = back.iter().zip(factors);
                dh.iter_mut().zip(back).for_each(|(dh, (back, factor))| *dh = flushed(*dh + back * factor));
            }
        },
    );
}
