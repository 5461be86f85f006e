//! Decides which operations become one: the only place where fusion is decided. Each rule holds where nothing else
//! reads the value between the two.

use crate::kernels::activation::{Derivative, Elementwise};
use crate::kernels::output::OutputFunction;
use crate::program::plain::{Activate, MaxPool, Softmax};
use crate::program::{Conv, Operation, OperationKind, Plain, ValueId};
use crate::shape::Window2d;

/// The most outputs that a fused pooling takes the maximum of: a band of twelve of its windows stays in the cache.
const MAX_FUSED_POOL: usize = 256;

/// Fuses what can be. The model's outputs are read from outside.
///
/// - values: how many there are
pub(super) fn fuse(operations: &mut Vec<Operation>, values: usize, outputs: &[ValueId]) {
    let mut only_reader = only_readers(operations, values);
    outputs.iter().for_each(|output| only_reader[output.0] = None);
    let mut is_fused = vec![false; operations.len()];
    for index in 0..operations.len() {
        while let Some(next) = only_reader[operations[index].writes.0] {
            let follower = operations[next].kind.clone();
            let OperationKind::Conv(conv) = &mut operations[index].kind else { break };
            if !conv.absorb(&follower) {
                break;
            }
            operations[index].writes = operations[next].writes;
            is_fused[next] = true;
        }
    }
    let mut is_fused = is_fused.into_iter();
    operations.retain(|_| is_fused.next() == Some(false));
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
    fn absorb(&mut self, follower: &OperationKind) -> bool {
        match follower {
            // Of what a convolution gives before its activation nothing is kept for the backward pass.
            OperationKind::Plain(Plain::Activate(Activate(function)))
                if self.activation == Elementwise::Linear && function.derivative() == Derivative::OfOutput =>
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
