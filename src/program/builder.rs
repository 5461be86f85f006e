//! Puts a program together, operation by operation.

use super::plain::{
    Activate, AveragePool, Bias, Concatenate, Cut, Depthwise, Dropout, MaxPool, Merge, MergeFunction, Plain, Slice,
    Softmax, ZeroPad,
};
use super::{Conv, MAX_READS, Operand, Operation, OperationKind, ValueId, WeightId};
use crate::kernels::activation::Elementwise;
use crate::kernels::patches::Dilated;
use crate::shape::{MAX_ELEMENTS, Shape, Window2d};

/// A program under construction.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// How many values of one example each value has.
    pub(crate) lengths: Vec<usize>,
    pub(crate) operations: Vec<Operation>,
    /// The index of the call that is lowered, which random numbers depend on.
    pub(crate) call: usize,
}

impl Builder {
    /// A value that nothing writes: an input of the model.
    pub(crate) fn input(&mut self, shape: Shape) -> Operand {
        self.value(shape)
    }

    pub(crate) fn conv(&mut self, x: Operand, conv: Conv) -> Operand {
        let (height, width) = conv.window.out;
        let output = image((height, width), conv.filters);
        self.push(OperationKind::Conv(conv), &[x], &[], output)
    }

    pub(crate) fn max_pool(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.plain(MaxPool { window, channels }, &[x], image(window.out, channels))
    }

    pub(crate) fn average_pool(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.plain(AveragePool { window, channels }, &[x], image(window.out, channels))
    }

    pub(crate) fn zero_pad(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.plain(ZeroPad { window, channels }, &[x], image(window.padded, channels))
    }

    /// A function of each value; nothing for the identity.
    pub(crate) fn activate(&mut self, x: Operand, function: Elementwise) -> Operand {
        if function == Elementwise::Linear {
            return x;
        }
        self.plain(Activate(function), &[x], x.shape)
    }

    /// A softmax over the last axis.
    pub(crate) fn softmax(&mut self, x: Operand) -> Operand {
        let classes = x.shape.channels();
        self.plain(Softmax { classes }, &[x], x.shape)
    }

    pub(crate) fn dropout(&mut self, x: Operand, rate: f32) -> Operand {
        let call = self.call;
        self.plain(Dropout { rate, call }, &[x], x.shape)
    }

    /// A function of two operands of the same shape.
    pub(crate) fn merge(&mut self, function: MergeFunction, left: Operand, right: Operand) -> Operand {
        let right = self.distinct(left, right);
        self.plain(Merge(function), &[left, right], left.shape)
    }

    /// The channels of the second operand behind those of the first, which has the same leading axes.
    pub(crate) fn concatenate(&mut self, left: Operand, right: Operand) -> Operand {
        let right = self.distinct(left, right);
        let channels = [left, right].map(|operand| operand.shape.channels());
        let output = left.shape.with_channels(channels[0] + channels[1]);
        self.plain(Concatenate { channels }, &[left, right], output)
    }

    /// Some of the channels; the operand itself if they are all.
    pub(crate) fn some_channels(&mut self, x: Operand, from: usize, channels: usize) -> Operand {
        let of = x.shape.channels();
        if channels == of {
            return x;
        }
        self.plain(Slice { from, channels, of }, &[x], x.shape.with_channels(channels))
    }

    /// The pixels of each window as the channels of one.
    pub(crate) fn cut(&mut self, x: Operand, of: Dilated) -> Result<Operand, String> {
        let channels = x.shape.channels();
        let (height, width) = of.window.out;
        let all = of.taps.0.checked_mul(of.taps.1).and_then(|taps| taps.checked_mul(channels));
        let shape = all.map(|channels| Shape::from([height, width, channels])).filter(|shape| shape.len().is_some());
        let shape = shape.ok_or_else(|| format!("needs more than {MAX_ELEMENTS} values to cut its windows out"))?;
        Ok(self.plain(Cut { of, channels }, &[x], shape))
    }

    /// Each channel convolved with windows of its own.
    ///
    /// - weights: the kernel, and the bias if there is one
    pub(crate) fn depthwise(&mut self, x: Operand, of: Dilated, multiplier: usize, weights: &[WeightId]) -> Operand {
        let bias = if weights.len() > 1 { Bias::Added } else { Bias::Nothing };
        let (channels, (height, width)) = (x.shape.channels(), of.window.out);
        let output = Shape::from([height, width, channels * multiplier]);
        self.weighted(Depthwise::new(of, channels, multiplier, bias), &[x], weights, output)
    }

    /// The second operand, copied if it is the value of the first: an operation never reads a value twice.
    fn distinct(&mut self, left: Operand, right: Operand) -> Operand {
        if left.value == right.value {
            return self.copy(right);
        }
        right
    }

    /// A value of its own that is the same.
    pub(crate) fn copy(&mut self, x: Operand) -> Operand {
        self.plain(Activate(Elementwise::Linear), &[x], x.shape)
    }

    /// An operation without weights.
    pub(crate) fn plain(&mut self, operation: impl Into<Plain>, reads: &[Operand], output: Shape) -> Operand {
        self.weighted(operation, reads, &[], output)
    }

    /// An operation with weights.
    pub(crate) fn weighted(
        &mut self,
        operation: impl Into<Plain>,
        reads: &[Operand],
        weights: &[WeightId],
        output: Shape,
    ) -> Operand {
        self.push(OperationKind::Plain(operation.into()), reads, weights, output)
    }

    fn push(&mut self, kind: OperationKind, reads: &[Operand], weights: &[WeightId], output: Shape) -> Operand {
        debug_assert!((1..=MAX_READS).contains(&reads.len()), "an operation reads one or two values");
        let output = self.value(output);
        let reads = reads.iter().map(|operand| operand.value).collect();
        self.operations.push(Operation { kind, reads, writes: output.value, weights: weights.to_vec() });
        output
    }

    fn value(&mut self, shape: Shape) -> Operand {
        self.lengths.push(shape.axes().iter().product());
        Operand { value: ValueId(self.lengths.len() - 1), shape }
    }
}

fn image((height, width): (usize, usize), channels: usize) -> Shape {
    Shape::from([height, width, channels])
}
