//! Decides which steps of a plan run on bytes, and which values are bytes on the way. Everything else runs on floats,
//! as in the model.
//!
//! Convolutions and dense layers read bytes. They give bytes where only such steps read them, and nothing but a ReLU is
//! fused behind them. Poolings, sums and ReLUs that stand between such steps run on bytes too. Values go from floats to
//! bytes where they are written; no byte becomes a float again but as the sum of products.

use crate::kernels::activation::Elementwise;
use crate::plan::{ConvStep, Placed, Plan, Step};
use crate::program::plain::{Activate, Merge, MergeFunction};
use crate::program::{Plain, ValueId};

/// The longest window that runs on bytes: 32-bit sums of so many products, and of a bias, hold.
const MAX_WINDOW: usize = 32768;

/// How a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A convolution or dense layer, from bytes to these.
    Conv(Form),
    /// A max pooling of bytes, which stand for the same as before.
    MaxPool,
    /// Bytes as they are: what changes values in training alone.
    Copy,
    /// A sum or a ReLU of bytes.
    Rescale,
    /// On floats.
    Floats,
}

/// What numbers a value is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bytes,
    Floats,
}

/// How each step runs, and how each value is read.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    /// One for each step.
    pub(crate) ways: Vec<Way>,
    /// Whether a step reads the value as bytes.
    pub(crate) as_bytes: Vec<bool>,
}

impl Forms {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut as_bytes = vec![false; plan.lengths.len()];
        let mut as_floats = vec![false; plan.lengths.len()];
        plan.heads.iter().for_each(|head| as_floats[head.value.0] = true);
        let mut ways = Vec::new();
        // All readers of a value come behind the step that writes it.
        for Placed { step, reads, writes, .. } in plan.steps.iter().rev() {
            let ValueId(writes) = *writes;
            let to = if as_bytes[writes] && !as_floats[writes] { Form::Bytes } else { Form::Floats };
            let way = way(step, to);
            let is_read = match way {
                Way::Conv(_) | Way::MaxPool | Way::Copy | Way::Rescale => &mut as_bytes,
                Way::Floats => &mut as_floats,
            };
            reads.iter().for_each(|ValueId(read)| is_read[*read] = true);
            ways.push(way);
        }
        ways.reverse();
        Self { ways, as_bytes }
    }
}

/// - to: what the step's output is read as
fn way(step: &Step, to: Form) -> Way {
    match (step, to) {
        (Step::Conv(conv), _) if !runs_on_bytes(conv) => Way::Floats,
        (Step::Conv(conv), Form::Bytes) if bounds(conv.activation).is_some() => Way::Conv(Form::Bytes),
        (Step::Conv(_), Form::Bytes | Form::Floats) => Way::Conv(Form::Floats),
        (Step::Plain(Plain::MaxPool(_)), Form::Bytes) => Way::MaxPool,
        (Step::Plain(Plain::Dropout(_) | Plain::Noise(_)), Form::Bytes) => Way::Copy,
        (Step::Plain(Plain::Merge(Merge(MergeFunction::Sum))), Form::Bytes) => Way::Rescale,
        (Step::Plain(Plain::Activate(Activate(function))), Form::Bytes) if bounds(*function).is_some() => Way::Rescale,
        (Step::Plain(_), Form::Bytes | Form::Floats) => Way::Floats,
    }
}

fn runs_on_bytes(conv: &ConvStep) -> bool {
    conv.layout.window_len() <= MAX_WINDOW
}

/// The lowest and highest output of a function that leaves all between as it is: the bounds of bytes can do the same.
pub(crate) fn bounds(function: Elementwise) -> Option<(f32, f32)> {
    match function {
        Elementwise::Linear => Some((f32::NEG_INFINITY, f32::INFINITY)),
        Elementwise::Relu => Some((0.0, f32::INFINITY)),
        Elementwise::CappedRelu { ceiling } => Some((0.0, ceiling)),
        Elementwise::LeakyRelu { .. }
        | Elementwise::Rectifier { .. }
        | Elementwise::Elu { .. }
        | Elementwise::Sigmoid
        | Elementwise::HardSigmoid
        | Elementwise::Tanh
        | Elementwise::Softsign
        | Elementwise::Softplus
        | Elementwise::Exponential
        | Elementwise::Silu
        | Elementwise::Gelu
        | Elementwise::GeluTanh
        | Elementwise::Mish => None,
    }
}

/// The bounds of what a step gives.
pub(crate) fn bounds_of(step: &Step) -> (f32, f32) {
    let function = match step {
        Step::Conv(conv) => conv.activation,
        Step::Plain(Plain::Activate(Activate(function))) => *function,
        Step::Plain(_) => Elementwise::Linear,
    };
    bounds(function).unwrap_or((f32::NEG_INFINITY, f32::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{
        Activation, ActivationFunction, Add, AveragePooling2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D,
    };
    use crate::prelude::{Functional, Input, MeanSquaredError, Sequential, Sgd};
    use ActivationFunction::{Gelu, Linear, Relu, Tanh};
    use Form::{Bytes, Floats};

    fn ways(layers: Vec<Layer>) -> Vec<Way> {
        let described = layers.into_iter().fold(Sequential::new([16, 16, 1]), Sequential::add);
        let model = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
        Forms::new(&model.engine.plan).ways
    }

    fn conv(function: ActivationFunction) -> Layer {
        Conv2D::new(4, (3, 3)).activation(function).into()
    }

    fn end() -> [Layer; 2] {
        [Flatten::new().into(), Dense::new(3).into()]
    }

    #[test]
    fn bytes_go_from_one_product_to_the_next() {
        let middle = [
            vec![conv(Relu), MaxPooling2D::new((2, 2)).into(), Dropout::new(0.5).into()],
            vec![conv(Linear), MaxPooling2D::new((3, 3)).strides((1, 1)).into()],
        ];
        let layers = [middle.concat(), end().to_vec()].concat();
        use Way::{Conv, Copy, MaxPool};
        assert_eq!(ways(layers), [Conv(Bytes), Copy, Conv(Bytes), MaxPool, Conv(Floats)]);
    }

    #[test]
    fn what_has_no_form_on_bytes_runs_on_floats() {
        use Way::Conv;
        let average = AveragePooling2D::new((2, 2)).into();
        let layers = [vec![conv(Tanh), conv(Gelu), conv(Relu), average], end().to_vec()].concat();
        assert_eq!(ways(layers), [Conv(Floats), Conv(Floats), Way::Floats, Conv(Floats), Way::Floats, Conv(Floats)]);
        let softmax = Activation::new(ActivationFunction::Softmax).into();
        assert_eq!(
            ways(vec![Flatten::new().into(), Dense::new(3).into(), softmax, Dense::new(2).into()]),
            [Conv(Floats), Way::Floats, Conv(Floats)]
        );
    }

    #[test]
    fn residual_sums_are_sums_of_bytes() {
        let input = Input::new([8, 8, 4]);
        let same = |function| Conv2D::new(4, (3, 3)).padding(crate::shape::Padding::Same).activation(function);
        let x = input.apply(same(Relu));
        let sum = Add::of([&x, &x.apply(same(Linear))]).apply(Activation::new(Relu));
        let output = sum.apply(Flatten::new()).apply(Dense::new(2));
        let model = Functional::new([&input], [&output]).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
        use Way::{Conv, Rescale};
        let forms = Forms::new(&model.engine.plan);
        assert_eq!(forms.ways, [Conv(Bytes), Conv(Bytes), Rescale, Rescale, Conv(Floats)]);
    }
}
