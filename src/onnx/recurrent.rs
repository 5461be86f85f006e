//! Decides which ONNX operators recurrent layers become. Those operators have the steps first, (steps, N, features), an
//! axis for directions, and gates in an order of their own.

use super::graph::{Builder, Layout, Operator, Value};
use super::layers::{CHECKED, Call};
use super::message::{Attribute, Tensor};
use crate::layers::{ActivationFunction, Bidirectional, GRU, LEAKY_RELU_SLOPE, LSTM, Layer, MergeMode, SimpleRNN};
use crate::model::Weight;
use crate::shape::Shape;
use ndarray::{ArrayD, Axis, concatenate};

/// What states are called.
const STATES: [&str; 2] = ["h", "c"];

const SEQUENCE: Layout = Layout::Plain { rank: 2 };

/// A recurrent layer as ONNX has it.
pub(super) struct Cell {
    operator: &'static str,
    units: usize,
    /// For each of ONNX' gates which of Keras' it is.
    order: &'static [usize],
    /// The functions, in ONNX' order.
    functions: Vec<ActivationFunction>,
    attributes: Vec<Attribute>,
    return_sequences: bool,
    /// How many final states are outputs.
    states: usize,
    go_backwards: bool,
    /// Whether sequences are in the order of processing, as Keras has them, or each state is in the place of its step.
    order_of_states: Order,
}

/// The order of the states that a layer gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsProcessed,
    InPlace,
}

impl Cell {
    /// That of a layer, if it is a recurrent one.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        match layer {
            Layer::SimpleRNN(rnn) => Some(Self::of_simple(rnn)),
            Layer::LSTM(rnn) => Some(Self::of_lstm(rnn)),
            Layer::GRU(rnn) => Some(Self::of_gru(rnn)),
            Layer::Bidirectional(both) => Self::of(&both.layer),
            _ => None,
        }
    }

    pub(super) fn of_simple(rnn: &SimpleRNN) -> Self {
        Self {
            operator: "RNN",
            units: rnn.units,
            order: &[0],
            functions: vec![rnn.activation],
            attributes: Vec::new(),
            return_sequences: rnn.return_sequences,
            states: if rnn.return_state { 1 } else { 0 },
            go_backwards: rnn.go_backwards,
            order_of_states: Order::AsProcessed,
        }
    }

    pub(super) fn of_lstm(rnn: &LSTM) -> Self {
        Self {
            operator: "LSTM",
            units: rnn.units,
            // Input, output, forget, candidate.
            order: &[0, 3, 1, 2],
            functions: vec![rnn.recurrent_activation, rnn.activation, rnn.activation],
            attributes: Vec::new(),
            return_sequences: rnn.return_sequences,
            states: if rnn.return_state { 2 } else { 0 },
            go_backwards: rnn.go_backwards,
            order_of_states: Order::AsProcessed,
        }
    }

    pub(super) fn of_gru(rnn: &GRU) -> Self {
        Self {
            operator: "GRU",
            units: rnn.units,
            order: &[0, 1, 2],
            functions: vec![rnn.recurrent_activation, rnn.activation],
            attributes: vec![Attribute::int("linear_before_reset", i64::from(rnn.reset_after))],
            return_sequences: rnn.return_sequences,
            states: if rnn.return_state { 1 } else { 0 },
            go_backwards: rnn.go_backwards,
            order_of_states: Order::AsProcessed,
        }
    }

    /// A function that ONNX' cells do not have, if there is one.
    pub(super) fn unknown_function(&self) -> Option<ActivationFunction> {
        self.functions.iter().copied().find(|function| known(*function).is_none())
    }

    fn attributes(&self) -> Vec<Attribute> {
        let functions = || self.functions.iter().filter_map(|function| known(*function));
        let names: Vec<&str> = functions().map(|(name, _)| name).collect();
        let numbers = |place: usize| functions().filter_map(move |(_, numbers)| numbers.get(place).copied());
        let mut attributes = self.attributes.clone();
        attributes.push(Attribute::int("hidden_size", self.units as i64));
        attributes.push(Attribute::text("direction", if self.go_backwards { "reverse" } else { "forward" }));
        attributes.push(Attribute::texts("activations", &names));
        for (name, place) in [("activation_alpha", 0), ("activation_beta", 1)] {
            let numbers: Vec<f32> = numbers(place).collect();
            if !numbers.is_empty() {
                attributes.push(Attribute::floats(name, &numbers));
            }
        }
        attributes
    }
}

/// ONNX' name for a function of a cell, and its numbers, if it has it.
fn known(function: ActivationFunction) -> Option<(&'static str, &'static [f32])> {
    match function {
        ActivationFunction::Linear => Some(("Affine", &[1.0, 0.0])),
        ActivationFunction::Relu => Some(("Relu", &[])),
        ActivationFunction::Sigmoid => Some(("Sigmoid", &[])),
        ActivationFunction::Tanh => Some(("Tanh", &[])),
        ActivationFunction::LeakyRelu => Some(("LeakyRelu", &[LEAKY_RELU_SLOPE])),
        ActivationFunction::Elu => Some(("Elu", &[1.0])),
        ActivationFunction::Softsign => Some(("Softsign", &[])),
        ActivationFunction::Softplus => Some(("Softplus", &[])),
        ActivationFunction::HardSigmoid => Some(("HardSigmoid", &[1.0 / 6.0, 0.5])),
        ActivationFunction::Softmax
        | ActivationFunction::Relu6
        | ActivationFunction::Selu
        | ActivationFunction::Gelu
        | ActivationFunction::GeluTanh
        | ActivationFunction::Silu
        | ActivationFunction::Mish
        | ActivationFunction::Exponential => None,
    }
}

impl Call<'_> {
    /// A recurrent layer: the cell's operator between changes of the order of axes.
    pub(super) fn recurrent(self, cell: &Cell) -> Vec<Value> {
        let [(x, _), initial @ ..] = self.reads else { unreachable!("{CHECKED}") };
        let sequence = Sequence { x, initial, weights: self.weights };
        let Given { output, states } = cell_on(self.builder, &self.name, cell, sequence);
        [vec![output], states].concat()
    }

    /// A recurrent layer in both directions.
    pub(super) fn bidirectional(self, both: &Bidirectional) -> Vec<Value> {
        let cells = [Cell::of(&both.layer), Cell::of(&both.layer)].map(|cell| cell.expect(CHECKED));
        let [forward, backward] = cells;
        let backward = Cell { go_backwards: true, order_of_states: Order::InPlace, ..backward };
        let (of_forward, of_backward) = self.weights.split_at(self.weights.len() / 2);
        let [(x, _), initial @ ..] = self.reads else { unreachable!("{CHECKED}") };
        let (left_initial, right_initial) = initial.split_at(initial.len() / 2);
        let left = Sequence { x, initial: left_initial, weights: of_forward };
        let right = Sequence { x, initial: right_initial, weights: of_backward };
        let left = cell_on(self.builder, &format!("{}/forward", self.name), &forward, left);
        let right = cell_on(self.builder, &format!("{}/backward", self.name), &backward, right);
        let layout = left.output.layout;
        let operator = match both.merge_mode {
            MergeMode::Concat => {
                Some(Operator::new("Concat").with_attributes([Attribute::int("axis", layout.channels())]))
            }
            MergeMode::Sum => Some(Operator::new("Sum")),
            MergeMode::Mul => Some(Operator::new("Mul")),
            MergeMode::Ave => Some(Operator::new("Mean")),
            MergeMode::None => None,
        };
        let outputs = match operator {
            Some(operator) => {
                vec![self.builder.push(self.name, operator, &[&left.output, &right.output], layout)]
            }
            None => vec![left.output, right.output],
        };
        [outputs, left.states, right.states].concat()
    }
}

/// What a cell is applied to.
struct Sequence<'a> {
    x: &'a Value,
    /// The states before the first step; none if they are 0.
    initial: &'a [(Value, Shape)],
    weights: &'a [&'a Weight],
}

/// What a cell gives.
struct Given {
    output: Value,
    /// The final states, if the layer gives them.
    states: Vec<Value>,
}

/// The nodes of one direction.
fn cell_on(builder: &mut Builder, name: &str, cell: &Cell, sequence: Sequence<'_>) -> Given {
    let Sequence { x, initial, weights } = sequence;
    let named = |part: &str| format!("{name}/{part}");
    let turn = || Operator::new("Transpose").with_attributes([Attribute::ints("perm", [1, 0, 2])]);
    let steps_first = builder.push(named("steps_first"), turn(), &[x], SEQUENCE);
    let axes = |part: &str, axis: i64| Tensor::of_integers(&named(part), &[axis]);
    let directions = |builder: &mut Builder, (place, (state, _)): (usize, &(Value, Shape))| {
        let unsqueeze = Operator::new("Unsqueeze").with_weights([axes("direction", 0)]);
        Some(builder.push(format!("{name}/initial_{}", STATES[place]), unsqueeze, &[state], SEQUENCE))
    };
    let mut behind: Vec<Option<Value>> = initial.iter().enumerate().map(|state| directions(builder, state)).collect();
    if !behind.is_empty() {
        // Lengths, which are those of all steps, and biases if there are none.
        let left_out = 1 + usize::from(weights.len() < 3);
        behind.splice(0..0, std::iter::repeat_n(None, left_out));
    }
    let operator = Operator { behind, ..Operator::new(cell.operator).with_weights(cell_weights(cell, weights)) };
    let operator = operator.with_attributes(cell.attributes());
    let squeezed = |builder: &mut Builder, name: String, state: &Value| {
        let part = if cell.return_sequences { "direction" } else { "axis" };
        let squeeze = Operator::new("Squeeze").with_weights([axes(part, 0)]);
        builder.push(name, squeeze, &[state], Layout::Plain { rank: 1 })
    };
    let states = |builder: &mut Builder, node: &Value| -> Vec<Value> {
        let of_node = STATES.iter().take(cell.states).enumerate().map(|(place, state)| {
            let last = builder.output(node, 1 + place, named(&format!("last_{state}")), SEQUENCE);
            squeezed(builder, named(&format!("final_{state}")), &last)
        });
        of_node.collect()
    };
    if !cell.return_sequences {
        // All states are the first output, the last state the second.
        let last = Operator { unread: 1, ..operator };
        let state = builder.push(named("last"), last, &[&steps_first], SEQUENCE);
        let output = squeezed(builder, name.to_owned(), &state);
        let states = match cell.states {
            0 => Vec::new(),
            1 => vec![output.clone()],
            _ => {
                let carry = builder.output(&state, 2, named("last_c"), SEQUENCE);
                vec![output.clone(), squeezed(builder, named("final_c"), &carry)]
            }
        };
        return Given { output, states };
    }
    let all = builder.push(named("states"), operator, &[&steps_first], SEQUENCE);
    let states = states(builder, &all);
    let squeeze = Operator::new("Squeeze").with_weights([axes("axis", 1)]);
    let mut all = builder.push(named("squeezed"), squeeze, &[&all], SEQUENCE);
    if cell.go_backwards && cell.order_of_states == Order::AsProcessed {
        // ONNX puts each state in the place of its step, Keras in the order of processing.
        let bounds = [("starts", -1), ("ends", i64::MIN + 1), ("axes", 0), ("strides", -1)];
        let bounds = bounds.map(|(part, value)| Tensor::of_integers(&named(part), &[value]));
        let reverse = Operator::new("Slice").with_weights(bounds);
        all = builder.push(named("reversed"), reverse, &[&all], SEQUENCE);
    }
    Given { output: builder.push(name.to_owned(), turn(), &[&all], SEQUENCE), states }
}

/// The kernels, (1, gates, inputs), and both biases side by side, (1, 2 gates), with the gates in ONNX' order.
fn cell_weights(cell: &Cell, weights: &[&Weight]) -> Vec<Tensor> {
    let gates = |values: ArrayD<f32>| {
        let order: Vec<usize> = cell.order.iter().flat_map(|gate| gate * cell.units..(gate + 1) * cell.units).collect();
        values.select(Axis(0), &order)
    };
    let kernels = weights.iter().take(2).map(|weight| {
        let turned = gates(weight.values.t().to_owned()).insert_axis(Axis(0));
        Tensor::new(&weight.name, turned.shape(), &turned)
    });
    let bias = weights.get(2).map(|weight| {
        let rows = match weight.values.ndim() {
            1 => vec![weight.values.clone(), ArrayD::zeros(weight.values.shape())],
            _ => weight.values.axis_iter(Axis(0)).map(|row| row.to_owned()).collect(),
        };
        let rows: Vec<ArrayD<f32>> = rows.into_iter().map(gates).collect();
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        let both = concatenate(Axis(0), &views).expect("rows of a bias").insert_axis(Axis(0));
        Tensor::new(&weight.name, both.shape(), &both)
    });
    kernels.chain(bias).collect()
}
