//! Decides where gradients lie, and which are needed at all. A gradient lives from the last reader of its value back to
//! the step that writes the value, and memory is shared by gradients that never live at once: on a chain two buffers
//! serve in turn.

use super::step::{Flow, Placed};
use crate::program::{MAX_READS, ValueId};

/// Which gradients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    OfParameters,
    /// Those of the model's inputs as well as those of its parameters.
    OfInputs,
    /// Those of the inputs, through weights that stay as they are.
    OfInputsAlone,
    /// No gradients: the plan is for inference, where normalizations become part of kernels.
    Nothing,
}

impl Wanted {
    pub(crate) fn includes_parameters(self) -> bool {
        matches!(self, Self::OfParameters | Self::OfInputs)
    }

    pub(crate) fn includes_inputs(self) -> bool {
        matches!(self, Self::OfInputs | Self::OfInputsAlone)
    }
}

/// Where the gradients of a plan's values lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GradientMemory {
    /// The slot of each value's gradient, if it has one.
    pub(crate) slot_of: Vec<Option<usize>>,
    /// How many floats of one example each slot holds.
    pub(crate) lengths: Vec<usize>,
}

/// Sets the flows of all steps.
///
/// - lengths: how many floats of one example each value has
pub(super) fn lay_out(
    steps: &mut [Placed],
    lengths: &[usize],
    inputs: &[ValueId],
    outputs: &[ValueId],
    wanted: Wanted,
) -> GradientMemory {
    let needed = needed(steps, lengths.len(), inputs, wanted);
    let mut memory = Memory { slot_of: vec![None; lengths.len()], slots: Vec::new(), free: Vec::new() };
    for output in outputs {
        if memory.slot_of[output.0].is_none() {
            memory.take(*output, lengths[output.0]);
        }
    }
    for placed in steps.iter_mut().rev() {
        let has_backward = placed.trains() || placed.reads.iter().any(|value| needed[value.0]);
        let Some(slot) = memory.slot_of[placed.writes.0] else { continue };
        let mut is_passed_on = false;
        if has_backward {
            let mut flows = [Flow::Nobody; MAX_READS];
            for (place, (flow, value)) in flows.iter_mut().zip(&placed.reads).enumerate() {
                *flow = if !needed[value.0] {
                    Flow::Nobody
                } else if memory.slot_of[value.0].is_some() {
                    Flow::Add
                } else if placed.works_in_place() && !is_passed_on && only_in_place(placed, place) {
                    memory.slot_of[value.0] = Some(slot);
                    is_passed_on = true;
                    Flow::InPlace
                } else {
                    memory.take(*value, lengths[value.0]);
                    Flow::Write
                };
            }
            placed.flows = Some(flows);
        }
        if !is_passed_on {
            memory.free.push(slot);
        }
    }
    GradientMemory { slot_of: memory.slot_of, lengths: memory.slots }
}

/// A step hands its memory on to the last of its inputs, when the others have got theirs.
fn only_in_place(placed: &Placed, place: usize) -> bool {
    place + 1 == placed.reads.len()
}

/// For each value, whether its gradient is needed: it depends on a trained parameter, or on an input whose gradient is
/// wanted.
fn needed(steps: &[Placed], values: usize, inputs: &[ValueId], wanted: Wanted) -> Vec<bool> {
    let mut needed = vec![false; values];
    inputs.iter().for_each(|input| needed[input.0] = wanted.includes_inputs());
    for placed in steps {
        let depends = placed.has_gradient() && placed.reads.iter().any(|value| needed[value.0]);
        needed[placed.writes.0] = placed.trains() || depends;
    }
    needed
}

/// Slots as they are taken and freed, from the end of the program to its start.
struct Memory {
    slot_of: Vec<Option<usize>>,
    slots: Vec<usize>,
    free: Vec<usize>,
}

impl Memory {
    fn take(&mut self, value: ValueId, len: usize) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(0);
            self.slots.len() - 1
        });
        self.slots[slot] = self.slots[slot].max(len);
        self.slot_of[value.0] = Some(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Elementwise;
    use crate::plan::step::Step;
    use crate::program::plain::{Activate, MaxPool, Merge, MergeFunction};
    use crate::shape::{Padding, Window2d};

    fn place(step: Step, reads: &[usize], writes: usize) -> Placed {
        Placed {
            step,
            reads: reads.iter().map(|value| ValueId(*value)).collect(),
            writes: ValueId(writes),
            weights: Vec::new(),
            flows: None,
        }
    }

    fn pool() -> Step {
        let window = Window2d::new((4, 4), (2, 2), (1, 1), Padding::Same).unwrap();
        Step::Plain(MaxPool { window, channels: 1 }.into())
    }

    fn flows(steps: &[Placed]) -> Vec<Option<[Flow; MAX_READS]>> {
        steps.iter().map(|placed| placed.flows).collect()
    }

    #[test]
    fn a_chain_takes_two_slots_in_turn_and_one_where_it_works_in_place() {
        let mut steps = [
            place(pool(), &[0], 1),
            place(pool(), &[1], 2),
            place(Step::Plain(Activate(Elementwise::Tanh).into()), &[2], 3),
            place(pool(), &[3], 4),
        ];
        let memory = lay_out(&mut steps, &[9, 8, 7, 7, 5], &[ValueId(0)], &[ValueId(4)], Wanted::OfInputs);
        assert_eq!(memory.slot_of, [Some(1), Some(0), Some(1), Some(1), Some(0)]);
        assert_eq!(memory.lengths, [8, 9]);
        use Flow::{InPlace, Nobody, Write};
        let [write, in_place] = [Write, InPlace].map(|flow| Some([flow, Nobody, Nobody]));
        assert_eq!(flows(&steps), [write, write, in_place, write]);
    }

    #[test]
    fn a_value_that_is_read_twice_gets_a_gradient_from_each_reader() {
        // y = pool(x); z = pool(y) + y
        let mut steps = [
            place(pool(), &[0], 1),
            place(pool(), &[1], 2),
            place(Step::Plain(Merge(MergeFunction::Sum).into()), &[2, 1], 3),
        ];
        let memory = lay_out(&mut steps, &[4; 4], &[ValueId(0)], &[ValueId(3)], Wanted::OfInputs);
        use Flow::{Add, InPlace, Nobody, Write};
        let expected = [[Write, Nobody, Nobody], [Add, Nobody, Nobody], [Write, InPlace, Nobody]];
        assert_eq!(flows(&steps), expected.map(Some));
        let slot = |value: usize| memory.slot_of[value];
        assert_eq!(slot(1), slot(3), "handed on");
        assert_ne!(slot(1), slot(2), "both live at once");
    }

    #[test]
    fn what_nobody_needs_has_no_backward_pass() {
        let mut steps = [place(pool(), &[0], 1), place(pool(), &[1], 2)];
        lay_out(&mut steps, &[4; 3], &[ValueId(0)], &[ValueId(2)], Wanted::OfParameters);
        assert_eq!(flows(&steps), [None, None]);
    }
}
