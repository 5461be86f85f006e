//! Puts a program together, operation by operation.

use super::{Conv, Custom, MAX_READS, Operand, Operation, OperationKind, ValueId};
use crate::kernels::activation::Elementwise;
use crate::shape::{Shape, Window2d};

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
        self.push(OperationKind::Conv(conv), &[x], output)
    }

    pub(crate) fn max_pool(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.push(OperationKind::MaxPool { window, channels }, &[x], image(window.out, channels))
    }

    pub(crate) fn average_pool(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.push(OperationKind::AveragePool { window, channels }, &[x], image(window.out, channels))
    }

    pub(crate) fn zero_pad(&mut self, x: Operand, window: Window2d) -> Operand {
        let channels = x.shape.channels();
        self.push(OperationKind::ZeroPad { window, channels }, &[x], image(window.padded, channels))
    }

    /// A function of each value; nothing for the identity.
    pub(crate) fn activate(&mut self, x: Operand, function: Elementwise) -> Operand {
        match function {
            Elementwise::Linear => x,
            Elementwise::Relu | Elementwise::Sigmoid | Elementwise::Tanh => {
                self.push(OperationKind::Activate(function), &[x], x.shape)
            }
        }
    }

    /// A softmax over the last axis.
    pub(crate) fn softmax(&mut self, x: Operand) -> Operand {
        let classes = x.shape.channels();
        self.push(OperationKind::Softmax { classes }, &[x], x.shape)
    }

    pub(crate) fn dropout(&mut self, x: Operand, rate: f32) -> Operand {
        let call = self.call;
        self.push(OperationKind::Dropout { rate, call }, &[x], x.shape)
    }

    /// The sum of two operands of the same shape.
    pub(crate) fn add(&mut self, left: Operand, right: Operand) -> Operand {
        let right = self.distinct(left, right);
        self.push(OperationKind::Add, &[left, right], left.shape)
    }

    /// The channels of the second operand behind those of the first, which has the same leading axes.
    pub(crate) fn concatenate(&mut self, left: Operand, right: Operand) -> Operand {
        let right = self.distinct(left, right);
        let channels = [left, right].map(|operand| operand.shape.channels());
        let output = left.shape.with_channels(channels[0] + channels[1]);
        self.push(OperationKind::Concatenate { channels }, &[left, right], output)
    }

    pub(crate) fn custom(&mut self, x: Operand, custom: Custom) -> Operand {
        let output = custom.output;
        self.push(OperationKind::Custom(custom), &[x], output)
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
        self.push(OperationKind::Activate(Elementwise::Linear), &[x], x.shape)
    }

    fn push(&mut self, kind: OperationKind, reads: &[Operand], output: Shape) -> Operand {
        debug_assert!((1..=MAX_READS).contains(&reads.len()), "an operation reads one or two values");
        let output = self.value(output);
        let reads = reads.iter().map(|operand| operand.value).collect();
        self.operations.push(Operation { kind, reads, writes: output.value });
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
