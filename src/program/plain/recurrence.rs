//! Recurrent cells along a sequence.

use super::{Bias, Declare, Lengths, product};
use crate::kernels::recurrent::{Cell, Functions, Product, Reset};

/// The multiply-adds that take about as long as the functions of one gate.
const PER_GATE: u64 = 48;

/// A recurrent cell run along a sequence that has been projected: it reads what the inputs of each step add to the
/// gates, (steps, gates), for masked sequences which steps count, (steps), and the states before the first step, if
/// they are not 0: those of an LSTM with the carry states behind them. Its weights are the recurrent kernel, and the
/// bias whose second row is the recurrent one, if there is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recurrence {
    pub(crate) cell: Cell,
    pub(crate) units: usize,
    pub(crate) steps: usize,
    pub(crate) functions: Functions,
    pub(crate) along: Along,
    pub(crate) gives: Gives,
    pub(crate) dropout: RecurrentDropout,
    pub(crate) mask: Mask,
    pub(crate) initial: Initial,
    pub(crate) carry: Carry,
    /// Whether the product with the recurrent kernel has a bias of its own.
    pub(crate) bias: Bias,
    /// The products with the recurrent kernel: two where the candidate's depends on the other gates.
    pub(crate) products: Vec<Product>,
}

/// In which order steps are processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    Forward,
    Backward,
}

/// What becomes of the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// The last one is the output.
    Last,
    /// All are, in the order in which they were processed.
    EachAsProcessed,
    /// All are, each in the place of its step.
    EachInPlace,
}

/// The part of the state that is dropped before the products, the same in all steps of a sequence; `call` tells its
/// random numbers from those of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RecurrentDropout {
    pub(crate) rate: f32,
    pub(crate) call: usize,
}

/// Which steps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    All,
    /// Those whose value is not 0; a step that does not count leaves the states as they are.
    Read,
}

/// The states before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    Zeros,
    Read,
}

/// What becomes of the last carry state of an LSTM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    Kept,
    /// It is given behind the outputs.
    Given,
}

impl Recurrence {
    /// A recurrence over all steps, forward, without dropout.
    pub(crate) fn new(cell: Cell, units: usize, steps: usize, functions: Functions) -> Self {
        let products = match cell {
            Cell::Simple | Cell::Lstm | Cell::Gru(Reset::After) => vec![Product::new(units, cell.gates() * units)],
            Cell::Gru(Reset::Before) => vec![Product::new(units, 2 * units), Product::new(units, units)],
        };
        Self {
            cell,
            units,
            steps,
            functions,
            along: Along::Forward,
            gives: Gives::Last,
            dropout: RecurrentDropout { rate: 0.0, call: 0 },
            mask: Mask::All,
            initial: Initial::Zeros,
            carry: Carry::Kept,
            bias: Bias::Nothing,
            products,
        }
    }

    /// Values of a step of the projected sequence.
    pub(crate) fn width(&self) -> usize {
        self.cell.gates() * self.units
    }

    /// Whether all states before a step of this number in the order of processing are 0.
    pub(crate) fn starts_from_zeros(&self, step: usize) -> bool {
        match self.initial {
            Initial::Zeros => step == 0,
            Initial::Read => false,
        }
    }

    /// Whether the states that products read differ from those that were found.
    pub(crate) fn drops(&self) -> bool {
        self.dropout.rate > 0.0
    }

    /// Values of the states: with the carry state, if there is one.
    pub(crate) fn state_len(&self) -> usize {
        self.cell.states() * self.units
    }

    /// Of what it reads behind the projected inputs the mask, then the initial states.
    pub(crate) fn mask_and_initial<T>(&self, [second, third]: [T; 2]) -> [T; 2] {
        match self.mask {
            Mask::All => [third, second],
            Mask::Read => [second, third],
        }
    }

    /// The place of a step of this number in the order of processing.
    pub(crate) fn place(&self, step: usize) -> usize {
        match self.along {
            Along::Forward => step,
            Along::Backward => self.steps - 1 - step,
        }
    }

    /// Where the state behind a step goes among the outputs, if it is one.
    pub(crate) fn output_place(&self, step: usize) -> Option<usize> {
        match self.gives {
            Gives::Last => (step + 1 == self.steps).then_some(0),
            Gives::EachAsProcessed => Some(step),
            Gives::EachInPlace => Some(self.place(step)),
        }
    }
}

impl Declare for Recurrence {
    fn operations(&self, _of: Lengths) -> u64 {
        let [steps, width, units] = [self.steps, self.width(), self.units].map(|count| count as u64);
        product([steps, width, units.saturating_add(PER_GATE)])
    }

    /// Each step reads the whole recurrent kernel.
    fn examples_at_once(&self) -> usize {
        16
    }
}
