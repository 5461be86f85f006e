//! Decides which operations become one: the only place where fusion is decided. Each rule holds where nothing else
//! reads the value between the two.

use super::gradients::Wanted;
use crate::kernels::activation::{Derivative, Elementwise};
use crate::kernels::normalize::Then;
use crate::kernels::output::OutputFunction;
use crate::program::plain::{Activate, BatchNorm, Depthwise, MaxPool, Softmax, Statistics};
use crate::program::{Conv, Folded, Operation, OperationKind, Plain, ValueId};
use crate::shape::Window2d;

/// The most outputs that a fused pooling takes the maximum of: a band of twelve of its windows stays in the cache.
const MAX_FUSED_POOL: usize = 256;

/// Fuses what can be. The model's outputs are read from outside.
///
/// - values: how many there are
pub(super) fn fuse(operations: &mut Vec<Operation>, values: usize, outputs: &[ValueId], wanted: Wanted) {
    match wanted {
        Wanted::OfParameters | Wanted::OfInputs | Wanted::OfInputsAlone => {}
        Wanted::Nothing => operations.iter_mut().for_each(normalize_with_moving_statistics),
    }
    let mut only_reader = only_readers(operations, values);
    outputs.iter().for_each(|output| only_reader[output.0] = None);
    let mut is_fused = vec![false; operations.len()];
    for index in 0..operations.len() {
        while let Some(next) = only_reader[operations[index].writes.0] {
            let follower = operations[next].clone();
            let is_absorbed = match &mut operations[index].kind {
                OperationKind::Conv(conv) => conv.absorb(&follower, wanted),
                OperationKind::Plain(Plain::BatchNorm(norm)) => norm.absorb(&follower.kind),
                OperationKind::Plain(Plain::Depthwise(depthwise)) => depthwise.absorb(&follower.kind, wanted),
                OperationKind::Plain(_) => false,
            };
            if !is_absorbed {
                break;
            }
            operations[index].writes = operations[next].writes;
            operations[index].weights.extend(follower.weights);
            is_fused[next] = true;
        }
    }
    let mut is_fused = is_fused.into_iter();
    operations.retain(|_| is_fused.next() == Some(false));
}

impl BatchNorm {
    /// Takes what follows into itself, if it can. A sigmoid stays outside: at the end of a model losses take what comes
    /// before it.
    fn absorb(&mut self, follower: &OperationKind) -> bool {
        match (follower, self.then) {
            (OperationKind::Plain(Plain::Activate(Activate(Elementwise::Relu))), Then::Nothing) => {
                self.then = Then::Relu;
                true
            }
            (OperationKind::Plain(_) | OperationKind::Conv(_), Then::Nothing | Then::Relu) => false,
        }
    }
}

impl Depthwise {
    /// Takes what follows into itself, if it can.
    fn absorb(&mut self, follower: &OperationKind, wanted: Wanted) -> bool {
        match (follower, self.then) {
            (OperationKind::Plain(Plain::BatchNorm(norm)), Then::Nothing)
                if wanted == Wanted::Nothing && self.norm.is_none() && norm.channels == self.layout.channels =>
            {
                self.norm = Some(Box::new(norm.clone()));
            }
            (OperationKind::Plain(Plain::Activate(Activate(Elementwise::Relu))), Then::Nothing) => {
                self.then = Then::Relu;
            }
            (OperationKind::Plain(_) | OperationKind::Conv(_), Then::Nothing | Then::Relu) => return false,
        }
        true
    }
}

fn normalize_with_moving_statistics(operation: &mut Operation) {
    if let OperationKind::Plain(Plain::BatchNorm(norm)) = &mut operation.kind {
        norm.statistics = Statistics::Moving;
    }
}

/// For each value the operation that reads it, if there is just one.
fn only_readers(operations: &[Operation], values: usize) -> Vec<Option<usize>> {
    let mut readers = vec![None; values];
    let mut counts = vec![0; values];
    for (index, operation) in operations.iter().enumerate() {
        for ValueId(value) in &operation.reads {
            readers[*value] = Some(index);
            counts[*value] += 1;
        }
    }
    readers.into_iter().zip(counts).map(|(reader, count)| reader.filter(|_| count == 1)).collect()
}

impl Conv {
    /// Takes what follows into itself, if it can.
    fn absorb(&mut self, follower: &Operation, wanted: Wanted) -> bool {
        match &follower.kind {
            OperationKind::Plain(Plain::BatchNorm(norm))
                if wanted == Wanted::Nothing
                    && self.activation == Elementwise::Linear
                    && self.pool.is_none()
                    && self.norm.is_none()
                    && norm.channels == self.filters =>
            {
                self.norm = Some(Folded { norm: norm.clone(), weights: follower.weights.clone() });
            }
            // Of what a convolution gives before its activation nothing is kept for the backward pass.
            OperationKind::Plain(Plain::Activate(Activate(function)))
                if self.activation == Elementwise::Linear
                    && (function.derivative() == Derivative::OfOutput || wanted == Wanted::Nothing) =>
            {
                self.activation = *function;
            }
            OperationKind::Plain(Plain::MaxPool(MaxPool { window, channels }))
                if self.pool.is_none()
                    && self.activation.grows()
                    && self.yields(window, *channels)
                    && fuses(window) =>
            {
                self.pool = Some(*window);
            }
            OperationKind::Plain(_) | OperationKind::Conv(_) => return false,
        }
        true
    }

    /// Whether the outputs are the images of a pooling: between the two, they may have been given another shape.
    fn yields(&self, pool: &Window2d, channels: usize) -> bool {
        (self.window.out, self.filters) == (pool.image, channels)
    }
}

/// Whether a pooling can follow a convolution band by band: no output is pooled twice, none is padding, and a band
/// stays small.
fn fuses(pool: &Window2d) -> bool {
    let (size, strides) = (pool.size, pool.strides);
    !pool.pads() && strides.0 >= size.0 && strides.1 >= size.1 && size.0.saturating_mul(size.1) <= MAX_FUSED_POOL
}

/// Takes a softmax or sigmoid off the end of a model's output, because losses take what comes before it. Returns the
/// value before it.
pub(super) fn take_output_function(
    operations: &mut Vec<Operation>,
    lengths: &[usize],
    outputs: &[ValueId],
    output: ValueId,
) -> (ValueId, OutputFunction) {
    let unchanged = (output, OutputFunction::Linear);
    let is_read = operations.iter().any(|operation| operation.reads.contains(&output));
    if is_read || outputs.iter().filter(|other| **other == output).count() > 1 {
        return unchanged;
    }
    let Some(index) = operations.iter().position(|operation| operation.writes == output) else { return unchanged };
    let before = operations[index].reads[0];
    // The value before it becomes the model's output, and may be no other output.
    if outputs.contains(&before) {
        return unchanged;
    }
    match &mut operations[index].kind {
        // A softmax of every pixel, made a vector by `Flatten` behind it, is not one over the classes.
        OperationKind::Plain(Plain::Softmax(Softmax { classes })) if *classes == lengths[output.0] => {
            operations.remove(index);
            (before, OutputFunction::Softmax)
        }
        OperationKind::Plain(Plain::Activate(Activate(Elementwise::Sigmoid))) => {
            operations.remove(index);
            (before, OutputFunction::Sigmoid)
        }
        OperationKind::Conv(conv) if conv.activation == Elementwise::Sigmoid => {
            conv.activation = Elementwise::Linear;
            (output, OutputFunction::Sigmoid)
        }
        OperationKind::Conv(_) | OperationKind::Plain(_) => unchanged,
    }
}
