//! What recurrent layers have in common: their settings, their weights, and the operations that they stand for. The
//! products of all inputs with the kernel are one dense operation; the recurrence behind it knows the states alone.

use super::dropout::check_rate;
use super::{ActivationFunction, Initializer, MaskRule, check_convolution, checked, sequence};
use crate::kernels::activation::Elementwise;
use crate::kernels::recurrent::{Cell, Functions, Reset};
use crate::program::plain::{Along, Bias, Carry, Chance, Gives, Initial, Mask, Noise, Recurrence, RecurrentDropout};
use crate::program::{Builder, Carried, Conv, Operand, WeightId, WeightSpec};
use crate::shape::{Padding, Shape, Window2d};
use std::ops::Range;

/// A recurrent layer without what users set of its weights.
#[derive(Clone, Debug)]
pub(crate) struct RecurrentCell {
    pub(super) cell: Cell,
    pub(super) units: usize,
    pub(super) activation: ActivationFunction,
    pub(super) recurrent_activation: ActivationFunction,
    pub(super) use_bias: bool,
    pub(super) return_sequences: bool,
    pub(super) return_state: bool,
    pub(super) stateful: bool,
    pub(super) go_backwards: bool,
    pub(super) dropout: f32,
    pub(super) recurrent_dropout: f32,
    /// The values of the bias that start at 1.
    pub(super) ones: Range<usize>,
}

/// What a recurrent layer is applied to.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    /// (steps, features).
    pub(super) x: Operand,
    /// Which steps count, if not all: (steps).
    pub(super) mask: Option<Operand>,
    /// The states before the first step, if they are not 0, each (units).
    pub(super) initial: &'a [Operand],
    /// Where the state behind each step goes.
    pub(super) gives: Gives,
}

/// What a recurrent layer gives.
pub(super) struct Given {
    pub(super) output: Operand,
    /// The final states, each (units), if they are asked for.
    pub(super) states: Vec<Operand>,
}

impl RecurrentCell {
    fn width(&self) -> usize {
        self.cell.gates() * self.units
    }

    /// The shapes of the kernel, the recurrent kernel and, if there is one, the bias.
    pub(super) fn weights(&self, features: usize) -> Vec<WeightSpec> {
        let width = self.width();
        let kernel = WeightSpec::kernel("kernel", vec![features, width]);
        let recurrent = WeightSpec::kernel("recurrent_kernel", vec![self.units, width]);
        let bias = self.use_bias.then(|| {
            let shape = if self.has_recurrent_bias() { vec![2, width] } else { vec![width] };
            WeightSpec { ones: self.ones.clone(), ..WeightSpec::zeros("bias", shape) }
        });
        [kernel, recurrent].into_iter().chain(bias).collect()
    }

    fn has_recurrent_bias(&self) -> bool {
        self.use_bias && self.cell == Cell::Gru(Reset::After)
    }

    /// The functions, which must look at one value at a time.
    fn functions(&self) -> Result<Functions, String> {
        let of = |argument: &str, function: ActivationFunction| {
            function.elementwise().ok_or_else(|| {
                format!("expects a function of each value as its {argument}, got {function:?}: use Tanh or Sigmoid")
            })
        };
        let activation: Elementwise = of("activation", self.activation)?;
        Ok(Functions { activation, recurrent: of("recurrent_activation", self.recurrent_activation)? })
    }

    /// How many states it has.
    pub(super) fn state_count(&self) -> usize {
        self.cell.states()
    }

    /// The shapes of the final states that it gives.
    pub(super) fn final_states(&self) -> Vec<Shape> {
        let count = if self.return_state { self.state_count() } else { 0 };
        vec![Shape::from([self.units]); count]
    }

    /// How many values of an example's states go from a batch to the next.
    pub(super) fn carried_len(&self) -> usize {
        if self.stateful { self.state_count().saturating_mul(self.units) } else { 0 }
    }

    /// Checks the shapes of initial states.
    pub(super) fn check_initial(&self, states: &[Shape]) -> Result<(), String> {
        if self.stateful && !states.is_empty() {
            return Err(
                "is stateful, so that it starts from the states behind the batch before, and was given initial \
                        states: leave one of both out"
                    .into(),
            );
        }
        let expected = Shape::from([self.units]);
        match states.iter().find(|state| **state != expected) {
            None => Ok(()),
            Some(state) => Err(format!(
                "expects initial states of {expected}, its units, got {state}: use a layer of as many units for them"
            )),
        }
    }

    /// The shape of its output.
    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        let (steps, _) = sequence(input)?;
        self.functions()?;
        for (argument, rate) in [("dropout", self.dropout), ("recurrent_dropout", self.recurrent_dropout)] {
            check_rate(rate).map_err(|problem| problem.replacen("a rate", &format!("a {argument}"), 1))?;
        }
        if self.units == 0 {
            return Err("expects at least 1 unit, got 0".into());
        }
        let too_many = || format!("has too many units: {}", self.units);
        let width = self.units.checked_mul(self.cell.gates()).ok_or_else(too_many)?;
        checked(Shape::from([self.units, width])).map_err(|_| too_many())?;
        let projected = checked(Shape::from([steps, width]));
        projected.map_err(|_| format!("has too many steps or units: {steps} steps of {width} gate values"))?;
        let each = Shape::from([steps, self.units]);
        checked(if self.return_sequences { each } else { Shape::from([self.units]) })
    }

    /// Where the states behind the steps go.
    pub(super) fn gives(&self) -> Gives {
        if self.return_sequences { Gives::EachAsProcessed } else { Gives::Last }
    }

    /// Adds its operations to a program.
    ///
    /// - weights: those of [`Self::weights`]
    pub(super) fn lower(
        &self,
        builder: &mut Builder,
        Sequence { x, mask, initial, gives }: Sequence<'_>,
        weights: &[WeightId],
    ) -> Result<Given, String> {
        let (steps, features) = sequence(x.shape)?;
        let (width, call) = (self.width(), builder.call);
        let x = if self.dropout > 0.0 {
            let noise = Noise { chance: Chance::Channels { rate: self.dropout }, call, channels: features };
            builder.plain(noise, &[x], x.shape)
        } else {
            x
        };
        let window = Window2d::new((1, steps), (1, 1), (1, 1), Padding::Valid)?;
        check_convolution(&window, features, width)?;
        let bias = weights.get(2).copied();
        let of_inputs: Vec<WeightId> = [Some(weights[0]), bias].into_iter().flatten().collect();
        let projected = builder.conv(x, Conv::new(window, features, width, &of_inputs));
        let recurrence = Recurrence {
            along: if self.go_backwards { Along::Backward } else { Along::Forward },
            gives,
            dropout: RecurrentDropout { rate: self.recurrent_dropout, call },
            mask: if mask.is_some() { Mask::Read } else { Mask::All },
            initial: if initial.is_empty() && !self.stateful { Initial::Zeros } else { Initial::Read },
            carry: if self.gives_carry() { Carry::Given } else { Carry::Kept },
            bias: if self.has_recurrent_bias() { Bias::Added } else { Bias::Nothing },
            ..Recurrence::new(self.cell, self.units, steps, self.functions()?)
        };
        let recurrent: Vec<WeightId> =
            [Some(weights[1]), bias.filter(|_| self.has_recurrent_bias())].into_iter().flatten().collect();
        let output = match gives {
            Gives::Last => Shape::from([self.units]),
            Gives::EachAsProcessed | Gives::EachInPlace => Shape::from([steps, self.units]),
        };
        let given = initial.iter().copied().reduce(|h, c| builder.concatenate(h, c));
        let carried = self.stateful.then(|| builder.input(Shape::from([recurrence.state_len()])));
        let initial = given.or(carried);
        let reads: Vec<Operand> = [Some(projected), mask, initial].into_iter().flatten().collect();
        let last = recurrence.output_place(steps - 1).unwrap_or(0);
        if !self.gives_carry() {
            let output = builder.weighted(recurrence, &reads, &recurrent, output);
            let row = |builder: &mut Builder| self.state(builder, output, last);
            let states = if self.return_state || self.stateful { vec![row(builder)] } else { Vec::new() };
            return Ok(self.given(builder, output, states, carried));
        }
        let len: usize = output.axes().iter().product();
        let whole = builder.weighted(recurrence, &reads, &recurrent, Shape::from([len + self.units]));
        let output = Operand { shape: output, ..builder.some_channels(whole, 0, len) };
        let h = match gives {
            Gives::Last => output,
            Gives::EachAsProcessed | Gives::EachInPlace => self.state(builder, whole, last),
        };
        let c = self.state(builder, whole, len / self.units);
        Ok(self.given(builder, output, vec![h, c], carried))
    }

    /// Whether the carry state is an output.
    fn gives_carry(&self) -> bool {
        (self.return_state || self.stateful) && self.cell == Cell::Lstm
    }

    /// What it gives, once its states are known.
    ///
    /// - carried: what it starts from, if that is what was behind the batch before
    fn given(&self, builder: &mut Builder, output: Operand, states: Vec<Operand>, carried: Option<Operand>) -> Given {
        if let Some(Operand { value: first, shape }) = carried {
            let last = states.iter().copied().reduce(|h, c| builder.concatenate(h, c));
            let last = last.expect("a recurrent layer has states").value;
            builder.carried.push(Carried { first, last, len: shape.channels() });
        }
        Given { output, states: if self.return_state { states } else { Vec::new() } }
    }

    /// One of the states that lie one after the other.
    fn state(&self, builder: &mut Builder, states: Operand, place: usize) -> Operand {
        let flat = Operand { shape: Shape::from([builder.lengths[states.value.0]]), ..states };
        builder.some_channels(flat, place * self.units, self.units)
    }

    /// The mask of its output: all steps of a masked sequence have one, and a single state has none.
    pub(super) fn mask_rule(&self) -> MaskRule {
        if self.return_sequences { MaskRule::Passes } else { MaskRule::Ends }
    }
}

/// Implements for a recurrent layer its setters, and what it declares.
macro_rules! recurrent_layer {
    ($layer:ident) => {
        impl $layer {
            setters! {
                /// Sets the activation function.
                activation: ActivationFunction,

                /// Sets whether there is a bias.
                use_bias: bool,

                /// Sets whether the output is the state behind each step, or behind the last alone.
                return_sequences: bool,

                /// Sets whether its final states are outputs, too.
                return_state: bool,

                /// Sets whether the states behind a batch are those before the next.
                stateful: bool,

                /// Sets whether it starts with the last step.
                go_backwards: bool,

                /// Sets whether training changes its weights.
                trainable: bool,

                /// Sets the part of the features that training drops, in all steps of a sequence.
                dropout: f32,

                /// Sets the part of the state that training drops where a step reads it, the same in all steps of a
                /// sequence.
                recurrent_dropout: f32,
            }

            $crate::layers::weight_settings::weight_setters!(
                "the kernel": kernel_initializer, kernel_regularizer, kernel_constraint
            );
            $crate::layers::weight_settings::weight_setters!(
                "the recurrent kernel": recurrent_initializer, recurrent_regularizer, recurrent_constraint
            );
            $crate::layers::weight_settings::weight_setters!(
                "the bias": bias_initializer, bias_regularizer, bias_constraint
            );
            $crate::layers::weight_settings::activity_setter!();
        }

        impl $crate::layers::Describe for $layer {
            fn arity(&self) -> $crate::layers::Arity {
                $crate::layers::Arity::OneAndStates(self.cell().state_count())
            }

            fn further_outputs(&self, _first: $crate::shape::Shape) -> Vec<$crate::shape::Shape> {
                self.cell().final_states()
            }

            fn carried_len(&self) -> usize {
                self.cell().carried_len()
            }

            fn spec(&self, inputs: &[$crate::shape::Shape]) -> Result<$crate::layers::Spec, String> {
                use $crate::layers::weight_settings::weight;
                let cell = self.cell();
                let output = cell.output(inputs[0])?;
                cell.check_initial(&inputs[1..])?;
                let mut specs = cell.weights(inputs[0].channels()).into_iter();
                let mut weights = Vec::new();
                weights.extend(specs.next().map(|spec| Ok::<_, String>(weight!(self, spec, kernel))).transpose()?);
                weights.extend(specs.next().map(|spec| Ok::<_, String>(weight!(self, spec, recurrent))).transpose()?);
                weights.extend(specs.next().map(|spec| Ok::<_, String>(weight!(self, spec, bias))).transpose()?);
                let spec = $crate::layers::Spec { output, weights };
                Ok(if self.trainable { spec } else { spec.frozen() })
            }

            fn recurrent(&self) -> Option<$crate::layers::recurrent::RecurrentCell> {
                Some(self.cell())
            }

            fn mask_rule(&self) -> $crate::layers::MaskRule {
                self.cell().mask_rule()
            }

            fn activity_regularizer(&self) -> Option<Regularizer> {
                self.activity_regularizer
            }

            fn listed_windows(&self, input: $crate::shape::Shape, _output: $crate::shape::Shape) -> usize {
                // The products of all steps with the kernel are one operation.
                input.axes()[0]
            }

            fn trainable_mut(&mut self) -> Option<&mut bool> {
                Some(&mut self.trainable)
            }

            fn lower(
                &self,
                builder: &mut $crate::program::Builder,
                inputs: &[$crate::program::Operand],
                weights: &[$crate::program::WeightId],
            ) -> Result<$crate::program::Operand, String> {
                Ok(self.lower_all(builder, inputs, weights)?[0])
            }

            fn lower_all(
                &self,
                builder: &mut $crate::program::Builder,
                inputs: &[$crate::program::Operand],
                weights: &[$crate::program::WeightId],
            ) -> Result<Vec<$crate::program::Operand>, String> {
                use $crate::layers::recurrent::{Given, Sequence};
                let cell = self.cell();
                let (x, initial, gives) = (inputs[0], &inputs[1..], cell.gives());
                let mask = builder.mask_of_steps(x);
                let Given { output, states } = cell.lower(builder, Sequence { x, mask, initial, gives }, weights)?;
                Ok([vec![output], states].concat())
            }
        }
    };
}
pub(super) use recurrent_layer;

/// Keras' default of `activation`.
pub(super) fn tanh() -> ActivationFunction {
    ActivationFunction::Tanh
}

/// Keras' default of `recurrent_activation`.
pub(super) fn sigmoid() -> ActivationFunction {
    ActivationFunction::Sigmoid
}

/// Keras' default of `recurrent_initializer`.
pub(super) fn orthogonal() -> Initializer {
    Initializer::Orthogonal { gain: 1.0 }
}

/// Keras' default of `reset_after` and `unit_forget_bias`.
pub(super) fn yes() -> bool {
    true
}
