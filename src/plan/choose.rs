//! Decides which algorithm each operation gets: the only place where algorithms are picked.

use super::parameters::Parameters;
use super::step::{
    Add, Concatenate, ConvStep, Dropout, ForwardAlgorithm, Placed, Pooling, Softmax, Step, WeightGradient,
};
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::conv2d_backward_small::has_small_windows;
use crate::kernels::conv2d_forward_small::has_tiny_windows;
use crate::program::{Conv, Operation, OperationKind, ValueId, WeightId};

/// The steps for these operations, without a backward pass yet; and the floats of all packed weights.
///
/// - lengths: how many floats of one example each value has
pub(super) fn choose(operations: &[Operation], parameters: &Parameters, lengths: &[usize]) -> (Vec<Placed>, usize) {
    let mut packed_end = 0;
    // Whether a value depends on a parameter that is trained.
    let mut trained = vec![false; lengths.len()];
    let mut place = |operation: &Operation| {
        let Operation { kind, reads, writes } = operation;
        let behind_trained = reads.iter().any(|value| trained[value.0]);
        let step = match kind {
            OperationKind::Conv(conv) => {
                let step = choose_conv(conv, parameters, behind_trained, packed_end);
                packed_end = step.packed.end;
                Step::Conv(step)
            }
            OperationKind::MaxPool { window, channels } => Step::MaxPool(pooling(window, channels)),
            OperationKind::AveragePool { window, channels } => Step::AveragePool(pooling(window, channels)),
            OperationKind::ZeroPad { window, channels } => Step::ZeroPad(pooling(window, channels)),
            OperationKind::Activate(function) => Step::Activate(*function),
            OperationKind::Softmax { classes } => Step::Softmax(Softmax { classes: *classes }),
            OperationKind::Dropout { rate, layer } => {
                Step::Dropout(Dropout { rate: *rate, len: lengths[writes.0], layer: *layer })
            }
            OperationKind::Add => Step::Add(Add),
            OperationKind::Concatenate { channels } => Step::Concatenate(Concatenate { channels: *channels }),
        };
        let ValueId(written) = *writes;
        trained[written] = behind_trained || step.trains();
        Placed { step, reads: reads.clone(), writes: *writes, flows: None }
    };
    let steps = operations.iter().map(&mut place).collect();
    (steps, packed_end)
}

fn choose_conv(conv: &Conv, parameters: &Parameters, behind_trained: bool, packed_start: usize) -> ConvStep {
    let Conv { window, channels, filters, kernel, bias, pool, activation } = conv;
    let layout = ConvLayout::new(window, *channels, *filters, pool.as_ref());
    let forward = if layout.winograd.is_some() {
        ForwardAlgorithm::Winograd
    } else if has_tiny_windows(&layout) {
        ForwardAlgorithm::Tiny
    } else {
        ForwardAlgorithm::Direct
    };
    let parameter = |WeightId(id): WeightId| &parameters.all[id];
    let weight_gradient = if !parameter(*kernel).is_trained() {
        WeightGradient::Nobody
    } else if !behind_trained && has_small_windows(&layout) {
        WeightGradient::SmallWindows
    } else {
        WeightGradient::Lists
    };
    ConvStep {
        activation: *activation,
        border: window.pads().then_some((*window, *channels)),
        weights: parameter(*kernel).range.clone(),
        biases: bias.map_or(0..0, |bias| parameter(bias).range.clone()),
        packed: packed_start..packed_start + layout.packed_len(),
        forward,
        weight_gradient,
        trains_biases: bias.is_some_and(|bias| parameter(bias).is_trained()),
        layout,
    }
}

fn pooling(window: &crate::shape::Window2d, channels: &usize) -> Pooling {
    Pooling { window: *window, channels: *channels }
}
