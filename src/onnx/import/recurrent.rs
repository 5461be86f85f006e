//! `RNN`, `LSTM` and `GRU`: gates in Keras' order, one or both directions.

use super::convolution::names_of_weights;
use super::graph::{Importer, Known};
use super::network::Added;
use super::node::Op;
use super::value::{Order, Sign, Steps, Value};
use crate::layers::{
    ActivationFunction, Bidirectional, Concatenate, GRU, LEAKY_RELU_SLOPE, LSTM, Layer, SimpleRNN, Source,
};
use ndarray::{Array2, ArrayD, Axis as ArrayAxis, Slice};

/// In which order steps are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Reverse,
    Both,
}

impl Direction {
    fn count(self) -> usize {
        match self {
            Self::Forward | Self::Reverse => 1,
            Self::Both => 2,
        }
    }
}

/// What a layer is made of.
struct Cell {
    /// For each of Keras' gates which of ONNX' it is.
    gates: &'static [usize],
    units: usize,
    direction: Direction,
    reset_after: bool,
    use_bias: bool,
    gives_all: bool,
    gives_states: bool,
    activation: ActivationFunction,
    recurrent_activation: ActivationFunction,
}

impl<'a> Importer<'a> {
    pub(super) fn recurrent(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let (steps, batch) = if op.int("layout", 0) == 1 { (1, 0) } else { (0, 1) };
        if value.rank() != 3 || !value.is_batch(batch) {
            return Err(format!("reads ({}), expected sequences with N at axis {batch}", value.shown()));
        }
        let arranged = self.builder.arranged(&value, &[steps, 2])?;
        let x = self.builder.shaped(arranged.source, &arranged.lens)?;
        let (sequence, features) = (arranged.lens[0], arranged.lens[1]);
        let (kernel, recurrent) = (self.needed(op, 1)?.floats()?, self.needed(op, 2)?.floats()?);
        let bias = self.constant(op, 3)?.map(|bias| bias.floats()).transpose()?;
        let cell = self.cell(op, &recurrent, bias.is_some())?;
        if let Some(lengths) = self.constant(op, 4)?
            && lengths.whole()?.iter().any(|len| *len != sequence as i64)
        {
            return Err("has sequences of different lengths, which is not supported".into());
        }
        if self.constant(op, 7)?.is_some_and(|peepholes| !peepholes.is_zero()) {
            return Err("has peepholes, which the layer for it does not have".into());
        }
        let initial = self.initial(op, &cell)?;
        let gates = cell.gates.len() * cell.units;
        let fits = |weight: &ArrayD<f32>, sizes: &[usize]| {
            let expected = [&[cell.direction.count()], sizes].concat();
            let is_it = weight.shape() == expected;
            is_it.then_some(()).ok_or_else(|| format!("has weights of {:?}, expected {expected:?}", weight.shape()))
        };
        fits(&kernel, &[gates, features])?;
        fits(&recurrent, &[gates, cell.units])?;
        bias.as_ref().map_or(Ok(()), |bias| fits(bias, &[2 * gates]))?;
        let mut weights = Vec::new();
        for direction in 0..cell.direction.count() {
            let of = |weight: &ArrayD<f32>| weight.index_axis(ArrayAxis(0), direction).to_owned();
            weights.push(cell.in_order(&of(&kernel)).reversed_axes().as_standard_layout().into_owned());
            weights.push(cell.in_order(&of(&recurrent)).reversed_axes().as_standard_layout().into_owned());
            weights.extend(bias.as_ref().map(|bias| cell.bias(&of(bias), gates)));
        }
        let reads: Vec<Source> = [x].into_iter().chain(initial).collect();
        let added = Added { layer: cell.layer(op), weights, name: &op.node.name, from: names_of_weights(op) };
        let y = self.builder.add(added, &reads)?;
        self.give_states(op, &cell, y, sequence)
    }

    fn cell(&mut self, op: &Op<'a>, recurrent: &ArrayD<f32>, use_bias: bool) -> Result<Cell, String> {
        let units = *recurrent.shape().last().ok_or("has a recurrent kernel without axes")?;
        let given = op.int("hidden_size", units as i64);
        if given != units as i64 || units == 0 {
            return Err(format!("has the hidden_size {given} and a recurrent kernel for {units}"));
        }
        let direction = match &op.text("direction", "forward")[..] {
            "forward" => Direction::Forward,
            "reverse" => Direction::Reverse,
            "bidirectional" => Direction::Both,
            other => return Err(format!("has the direction {other:?}")),
        };
        if op.optional_float("clip").is_some() || op.int("input_forget", 0) != 0 {
            return Err("has clip or input_forget, which the layer for it does not have".into());
        }
        let (gates, defaults): (&[usize], &[&str]) = match &op.node.op_type[..] {
            "LSTM" => (&[0, 2, 3, 1], &["Sigmoid", "Tanh", "Tanh"]),
            "GRU" => (&[0, 1, 2], &["Sigmoid", "Tanh"]),
            _ => (&[0], &["Tanh"]),
        };
        let functions = functions(op, defaults, direction.count())?;
        let (recurrent_activation, activation) = match functions[..] {
            [recurrent, activation] => (recurrent, activation),
            [recurrent, activation, of_carry] if activation == of_carry => (recurrent, activation),
            [activation] => (activation, activation),
            _ => return Err("has two functions for the carry and the output, where the layer has one".into()),
        };
        let reset_after = op.node.op_type == "GRU" && op.int("linear_before_reset", 0) != 0;
        let gives_all = self.is_read(op, 0);
        let gives_carry = op.node.op_type == "LSTM" && self.is_read(op, 2);
        let gives_states = gives_carry || gives_all && self.is_read(op, 1);
        Ok(Cell {
            gates,
            units,
            direction,
            reset_after,
            use_bias,
            gives_all,
            gives_states,
            activation,
            recurrent_activation,
        })
    }

    /// The states before the first step, if they are not 0.
    fn initial(&mut self, op: &Op<'a>, cell: &Cell) -> Result<Vec<Source>, String> {
        let places: &[usize] = if op.node.op_type == "LSTM" { &[5, 6] } else { &[5] };
        let mut states = Vec::new();
        for place in places.iter().filter(|place| op.input(**place).is_some()) {
            match self.known(op, *place)?.clone() {
                Known::Constant(constant) if constant.is_zero() => {}
                Known::Value(value) if cell.direction != Direction::Both && value.rank() == 3 => {
                    let own: Vec<usize> = (0..3).filter(|axis| !value.is_batch(*axis)).collect();
                    let arranged = self.builder.arranged(&value, &own)?;
                    states.push(self.builder.shaped(arranged.source, &[arranged.lens.iter().product()])?);
                }
                Known::Constant(_) | Known::Value(_) | Known::Unfinished(_) => {
                    return Err("starts from states that are neither zeros nor computed for one direction".into());
                }
            }
        }
        if !states.is_empty() && states.len() != places.len() {
            return Err("starts from one state that is computed and one that is not, which is not supported".into());
        }
        Ok(states)
    }

    /// Names what a node gives: all states, the last state, the last carry.
    fn give_states(&mut self, op: &Op<'a>, cell: &Cell, y: Source, sequence: usize) -> Result<(), String> {
        let Source::Call(call) = y else { return Err("gives nothing".into()) };
        let is_batch_first = op.int("layout", 0) == 1;
        let (count, units) = (cell.direction.count(), cell.units);
        if cell.gives_all {
            // In memory: steps, directions, units.
            let places: [Option<usize>; 4] =
                if is_batch_first { [None, Some(0), Some(1), Some(2)] } else { [Some(0), Some(1), None, Some(2)] };
            let all = Value::new(y, &[sequence, count, units], &places, Order::AsWritten);
            let steps = if cell.direction == Direction::Reverse { Steps::Reversed } else { Steps::InPlace };
            self.give(op, 0, Known::Value(Value { steps, sign: Sign::Any, ..all }))?;
        }
        let per_direction = if op.node.op_type == "LSTM" { 2 } else { 1 };
        for place in 0..per_direction {
            if !self.is_read(op, 1 + place) {
                continue;
            }
            let source = if cell.gives_states {
                let of = |direction: usize| Source::Output { call, place: 1 + direction * per_direction + place };
                match cell.direction {
                    Direction::Forward | Direction::Reverse => of(0),
                    Direction::Both => self.builder.add(Added::plain(Concatenate::new()), &[of(0), of(1)])?,
                }
            } else {
                y
            };
            let places: [Option<usize>; 3] =
                if is_batch_first { [None, Some(0), Some(1)] } else { [Some(0), None, Some(1)] };
            let state = Value::new(source, &[count, units], &places, Order::AsWritten);
            self.give(op, 1 + place, Known::Value(state))?;
        }
        Ok(())
    }
}

impl Cell {
    fn layer(&self, op: &Op<'_>) -> Layer {
        let (activation, recurrent) = (self.activation, self.recurrent_activation);
        let backwards = self.direction == Direction::Reverse;
        let layer: Layer = match &op.node.op_type[..] {
            "LSTM" => LSTM::new(self.units)
                .activation(activation)
                .recurrent_activation(recurrent)
                .use_bias(self.use_bias)
                .return_sequences(self.gives_all)
                .return_state(self.gives_states)
                .go_backwards(backwards)
                .into(),
            "GRU" => GRU::new(self.units)
                .activation(activation)
                .recurrent_activation(recurrent)
                .use_bias(self.use_bias)
                .reset_after(self.reset_after)
                .return_sequences(self.gives_all)
                .return_state(self.gives_states)
                .go_backwards(backwards)
                .into(),
            _ => SimpleRNN::new(self.units)
                .activation(activation)
                .use_bias(self.use_bias)
                .return_sequences(self.gives_all)
                .return_state(self.gives_states)
                .go_backwards(backwards)
                .into(),
        };
        if self.direction == Direction::Both { Bidirectional::new(layer).into() } else { layer }
    }

    /// Rows, or values, of all gates in Keras' order.
    fn in_order(&self, weight: &ArrayD<f32>) -> ArrayD<f32> {
        let rows: Vec<usize> = self.gates.iter().flat_map(|gate| gate * self.units..(gate + 1) * self.units).collect();
        weight.select(ArrayAxis(0), &rows)
    }

    /// The sum of both biases, or both where the layer keeps them apart.
    fn bias(&self, both: &ArrayD<f32>, gates: usize) -> ArrayD<f32> {
        let of_input = self.in_order(&both.slice_axis(ArrayAxis(0), Slice::from(..gates)).to_owned());
        let of_state = self.in_order(&both.slice_axis(ArrayAxis(0), Slice::from(gates..)).to_owned());
        if !self.reset_after {
            return of_input + of_state;
        }
        let rows = of_input.iter().chain(&of_state).copied().collect();
        Array2::from_shape_vec((2, gates), rows).expect("two rows of all gates").into_dyn()
    }
}

/// The functions of one direction, which must be those of the other.
fn functions(op: &Op<'_>, defaults: &[&str], directions: usize) -> Result<Vec<ActivationFunction>, String> {
    let names = op.texts("activations");
    let mut alphas = op.floats("activation_alpha").iter().copied();
    let mut betas = op.floats("activation_beta").iter().copied();
    let names: Vec<String> = if names.is_empty() {
        defaults.iter().map(|name| (*name).to_owned()).cycle().take(defaults.len() * directions).collect()
    } else {
        names
    };
    if names.len() != defaults.len() * directions {
        return Err(format!("has the activations {names:?}, expected {} of each direction", defaults.len()));
    }
    let near = |given: f32, known: f32| (given - known).abs() < 1e-6;
    let mut function = |name: &String| {
        let known = match &name.to_lowercase()[..] {
            "tanh" => Some(ActivationFunction::Tanh),
            "sigmoid" => Some(ActivationFunction::Sigmoid),
            "relu" => Some(ActivationFunction::Relu),
            "softsign" => Some(ActivationFunction::Softsign),
            "softplus" => Some(ActivationFunction::Softplus),
            "elu" => near(alphas.next().unwrap_or(1.0), 1.0).then_some(ActivationFunction::Elu),
            "leakyrelu" => {
                near(alphas.next().unwrap_or(0.01), LEAKY_RELU_SLOPE).then_some(ActivationFunction::LeakyRelu)
            }
            "affine" => {
                let numbers = (alphas.next().unwrap_or(1.0), betas.next().unwrap_or(0.0));
                (numbers == (1.0, 0.0)).then_some(ActivationFunction::Linear)
            }
            "hardsigmoid" => {
                let (alpha, beta) = (alphas.next().unwrap_or(0.2), betas.next().unwrap_or(0.5));
                (near(alpha, 1.0 / 6.0) && near(beta, 0.5)).then_some(ActivationFunction::HardSigmoid)
            }
            _ => None,
        };
        known.ok_or_else(|| format!("has the function {name:?}, which the layer for it does not have"))
    };
    let functions: Vec<ActivationFunction> = names.iter().map(&mut function).collect::<Result<_, _>>()?;
    let (first, second) = functions.split_at(defaults.len());
    if directions == 2 && first != second {
        return Err("has different functions for its directions, which is not supported".into());
    }
    Ok(first.to_vec())
}
