//! Decides which ONNX operators the layers of sequences become. Those operators have the steps last: (N, features,
//! steps).

use super::graph::{Layout, Operator, Value, sequence_kernel, weight};
use super::layers::{CHECKED, Call};
use super::message::Attribute;
use crate::kernels::patches::Dilated;
use crate::layers::Conv1D;
use crate::shape::{Shape, Window2d};

const SEQUENCE: Layout = Layout::Plain { rank: 2 };

impl Call<'_> {
    pub(super) fn convolve_sequence(mut self, x: &Value, conv: &Conv1D, input: Shape) -> Value {
        let Dilated { window, taps: (_, taps), dilation: (_, dilation) } = conv.dilated(input).expect(CHECKED);
        let bias = self.weights[1..].iter().map(|bias| weight(bias));
        let weights: Vec<_> = [sequence_kernel(self.weights[0])].into_iter().chain(bias).collect();
        let [_, moved @ ..] = along(&window);
        let kernel = [
            Attribute::ints("kernel_shape", [taps]),
            Attribute::ints("dilations", [dilation]),
            Attribute::int("group", conv.groups as i64),
        ];
        let attributes = kernel.into_iter().chain(moved);
        let operator = Operator::new("Conv").with_weights(weights).with_attributes(attributes);
        let y = self.on_steps_last(x, operator);
        self.activate(&y, conv.activation)
    }

    /// A pooling of windows.
    pub(super) fn slide_along(mut self, operator: &'static str, x: &Value, window: &Window2d) -> Value {
        self.on_steps_last(x, Operator::new(operator).with_attributes(along(window)))
    }

    /// A pooling of all steps: a sequence of one, or a vector.
    pub(super) fn pool_all_steps(mut self, operator: &'static str, x: &Value) -> Value {
        let turned = self.steps_last(x);
        let pooled = format!("{}/pooled", self.name);
        let y = self.builder.push(pooled, Operator::new(operator), &[&turned], SEQUENCE);
        match self.output.axes().len() {
            1 => self.one_step(&y),
            _ => self.builder.push(self.name, turn(), &[&y], SEQUENCE),
        }
    }

    /// A sequence of one step as what the layer gives: that, or a vector.
    pub(super) fn one_step(self, y: &Value) -> Value {
        match self.output.axes().len() {
            1 => {
                let flat = Operator::new("Flatten").with_attributes([Attribute::int("axis", 1)]);
                self.builder.push(self.name, flat, &[y], Layout::Plain { rank: 1 })
            }
            _ => self.builder.push(self.name, Operator::new("Identity"), &[y], SEQUENCE),
        }
    }

    /// The output of an operator that has the steps last, with the features last.
    fn on_steps_last(&mut self, x: &Value, operator: Operator) -> Value {
        let turned = self.steps_last(x);
        let y = self.builder.push(format!("{}/turned", self.name), operator, &[&turned], SEQUENCE);
        self.builder.push(self.name.clone(), turn(), &[&y], SEQUENCE)
    }

    /// A sequence with its steps last.
    fn steps_last(&mut self, x: &Value) -> Value {
        self.builder.push(format!("{}/steps_last", self.name), turn(), &[x], SEQUENCE)
    }
}

/// Exchanges steps and features.
fn turn() -> Operator {
    Operator::new("Transpose").with_attributes([Attribute::ints("perm", [0, 2, 1])])
}

/// A window's size, strides and padding along the steps.
fn along(window: &Window2d) -> [Attribute; 3] {
    let Window2d { image, size, strides, before, padded, out: _ } = *window;
    [
        Attribute::ints("kernel_shape", [size.1]),
        Attribute::ints("strides", [strides.1]),
        Attribute::ints("pads", [before.1, padded.1 - image.1 - before.1]),
    ]
}
