//! The products of a cell, in `f64`.

use super::{RecurrentInput, RecurrentWeights};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// A kernel and what is added to its product; or the gradients of both.
pub(super) struct Linear {
    /// (inputs, columns).
    pub(super) kernel: Array2<f64>,
    /// (columns).
    pub(super) bias: Array1<f64>,
}

impl Linear {
    fn new(kernel: ArrayView2<'_, f32>, bias: Option<ArrayView1<'_, f32>>) -> Self {
        let zeros = || Array1::zeros(kernel.dim().1);
        Self { kernel: kernel.mapv(f64::from), bias: bias.map_or_else(zeros, |bias| bias.mapv(f64::from)) }
    }

    fn zeros_like(&self) -> Self {
        Self { kernel: Array2::zeros(self.kernel.dim()), bias: Array1::zeros(self.bias.len()) }
    }

    /// `row · kernel + bias`, of so many columns from this one on.
    pub(super) fn project(&self, row: &[f64], first: usize, columns: usize) -> Vec<f64> {
        let sum = |column: usize| {
            let terms = row.iter().zip(self.kernel.column(column)).map(|(value, weight)| value * weight);
            self.bias[column] + terms.sum::<f64>()
        };
        (first..first + columns).map(sum).collect()
    }

    /// The gradient of the row. Adds the gradients of kernel and bias to `sums`.
    ///
    /// - dy: of the columns from `first` on
    pub(super) fn project_backward(&self, row: &[f64], first: usize, dy: &[f64], sums: &mut Self) -> Vec<f64> {
        let mut d_row = vec![0.0; row.len()];
        for (column, dy) in (first..).zip(dy) {
            sums.bias[column] += dy;
            for (place, value) in row.iter().enumerate() {
                sums.kernel[[place, column]] += dy * value;
                d_row[place] += dy * self.kernel[[place, column]];
            }
        }
        d_row
    }
}

/// All weights of a layer, or their gradients.
pub(super) struct Weights {
    pub(super) inputs: Linear,
    pub(super) states: Linear,
}

impl Weights {
    pub(super) fn new(weights: &RecurrentWeights<'_>) -> Self {
        Self {
            inputs: Linear::new(weights.kernel, weights.bias),
            states: Linear::new(weights.recurrent_kernel, weights.recurrent_bias),
        }
    }

    pub(super) fn zeros_like(&self) -> Self {
        Self { inputs: self.inputs.zeros_like(), states: self.states.zeros_like() }
    }
}

/// What the cell of one example reads: `x` and `read` with what dropout leaves of them.
pub(super) struct Step<'a> {
    /// (features).
    pub(super) x: Vec<f64>,
    /// The state before it as products read it: (units).
    pub(super) read: Vec<f64>,
    /// The states before it.
    pub(super) before: &'a State,
}

/// The states of an example, or their gradients: (units) each; without carry state, `c` is empty.
#[derive(Clone)]
pub(super) struct State {
    pub(super) h: Vec<f64>,
    pub(super) c: Vec<f64>,
}

/// The gradients of what a step reads.
pub(super) struct StepGradients {
    pub(super) dx: Vec<f64>,
    pub(super) d_read: Vec<f64>,
    /// Of the states before it, but for the way through `read`.
    pub(super) before: State,
}

/// One example of the input.
#[derive(Clone, Copy)]
pub(super) struct Example<'a, 'b> {
    pub(super) input: &'a RecurrentInput<'b>,
    pub(super) place: usize,
}

impl Example<'_, '_> {
    /// Whether a step counts.
    pub(super) fn counts(self, step: usize) -> bool {
        self.input.mask.is_none_or(|mask| mask[[self.place, step]])
    }

    /// What dropout multiplies the state of this unit by.
    pub(super) fn state_factor(self, unit: usize) -> f64 {
        self.input.state_factors.map_or(1.0, |factors| f64::from(factors[[self.place, unit]]))
    }

    /// What dropout multiplies this feature by.
    pub(super) fn input_factor(self, feature: usize) -> f64 {
        self.input.input_factors.map_or(1.0, |factors| f64::from(factors[[self.place, feature]]))
    }

    pub(super) fn step(self, step: usize, before: &State) -> Step<'_> {
        let x = self.input.x;
        let features = 0..x.dim().2;
        Step {
            x: features.map(|f| f64::from(x[[self.place, step, f]]) * self.input_factor(f)).collect(),
            read: before.h.iter().enumerate().map(|(unit, h)| h * self.state_factor(unit)).collect(),
            before,
        }
    }
}
