//! Puts a program together, operation by operation.

use super::plain::{
    Activate, AveragePool, Bias, Concatenate, Cut, Depthwise, Dropout, MaxPool, Merge, MergeFunction, Permute, Plain,
    Repeat, Slice, Softmax, ZeroPad,
};
use super::{Carried, Conv, MAX_READS, Operand, Operation, OperationKind, ValueId, WeightId};
use crate::kernels::activation::Elementwise;
use crate::kernels::patches::Dilated;
use crate::shape::{MAX_ELEMENTS, MAX_RANK, Shape, Window2d};

/// A program under construction.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// How many values of one example each value has.
    pub(crate) lengths: Vec<usize>,
    pub(crate) operations: Vec<Operation>,
    /// The mask of each value that has one; shorter where the last values have none.
    pub(super) masks: Vec<Option<ValueId>>,
    /// The states that go from a batch to the next.
    pub(crate) carried: Vec<Carried>,
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

    /// The axes in another order.
    ///
    /// - order: for each axis of the output, which axis of the operand it is, from 0
    pub(crate) fn permute(&mut self, x: Operand, order: &[usize]) -> Operand {
        let (mut axes, mut strides) = ([1; MAX_RANK], [1; MAX_RANK]);
        let (from, first) = (x.shape.axes(), MAX_RANK - order.len());
        for (place, axis) in order.iter().enumerate() {
            axes[first + place] = from[*axis];
            strides[first + place] = from[axis + 1..].iter().product();
        }
        let output = Shape::new(&axes[first..]).expect("as many axes as before");
        self.plain(Permute { axes, strides }, &[x], output)
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

    /// The operand made a larger shape: axes of size 1 are repeated, and missing ones are in front. The operand itself
    /// if no axis is repeated.
    pub(crate) fn broadcast(&mut self, x: Operand, to: Shape) -> Operand {
        let in_front = to.axes().len() - x.shape.axes().len();
        let mut axes: Vec<usize> = std::iter::repeat_n(1, in_front).chain(x.shape.axes().iter().copied()).collect();
        let mut x = Operand { shape: Shape::new(&axes).expect("as many axes as the larger shape"), ..x };
        let mut end = axes.len();
        // From the last axis on, neighbours that are repeated together.
        while end > 0 {
            let start = (0..end).rev().take_while(|place| axes[*place] == 1).last().unwrap_or(end);
            let times: usize = to.axes()[start..end].iter().product();
            if times > 1 {
                let run = axes[end..].iter().product();
                axes[start..end].copy_from_slice(&to.axes()[start..end]);
                let output = Shape::new(&axes).expect("as many axes as before");
                x = self.plain(Repeat { run, times }, &[x], output);
            }
            end = start.min(end - 1);
        }
        x
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
        debug_assert!((1..=MAX_READS).contains(&reads.len()), "an operation reads one to three values");
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
