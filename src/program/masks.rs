//! Which values have a mask, and the operations that make and use masks. A mask has one number for each step of a
//! sequence, 1 where the step counts and 0 where it does not, and no gradient.

use super::plain::{FindMask, MaskedMean, MaskedSteps, MergeFunction};
use super::{Builder, Operand, ValueId};
use crate::shape::{Shape, Window2d};

/// The mask of a layer's output, by those of its inputs, as Keras' `compute_mask` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaskRule {
    /// None: the output has no steps, or not those of the input.
    Ends,
    /// That of the input.
    Passes,
    /// A step counts where it counts in any input; none if an input has none.
    Merges,
    /// One that lowering the layer makes, with [`Builder::set_mask`].
    Makes,
}

impl Builder {
    /// The mask of a value, of shape (steps), if it has one.
    pub(crate) fn mask_of(&self, value: ValueId) -> Option<ValueId> {
        self.masks.get(value.0).copied().flatten()
    }

    /// The mask of a sequence, if it has one.
    pub(crate) fn mask_of_steps(&self, x: Operand) -> Option<Operand> {
        let value = self.mask_of(x.value)?;
        Some(Operand { value, shape: Shape::from([x.shape.axes()[0]]) })
    }

    /// Gives a value this mask, or takes its mask away.
    pub(crate) fn set_mask(&mut self, value: ValueId, mask: Option<ValueId>) {
        self.masks.resize(self.lengths.len(), None);
        self.masks[value.0] = mask;
    }

    /// Whether an operation gives a value; otherwise it is an input of the model.
    pub(crate) fn computes(&self, value: ValueId) -> bool {
        self.operations.iter().any(|operation| operation.writes == value)
    }

    /// The mask of a sequence, (steps, features) or (steps), that leaves out the steps whose values all are `value`.
    pub(crate) fn find_mask(&mut self, x: Operand, value: f32) -> Operand {
        let (steps, features) = match *x.shape.axes() {
            [steps, features] => (steps, features),
            _ => (x.shape.axes().iter().product(), 1),
        };
        self.plain(FindMask { value, features }, &[x], Shape::from([steps]))
    }

    /// A sequence with zeros in the steps that do not count.
    pub(crate) fn masked_steps(&mut self, x: Operand, mask: Operand) -> Operand {
        let features = x.shape.channels();
        self.plain(MaskedSteps { features }, &[mask, x], x.shape)
    }

    /// The mean of each feature over all steps, or over those that count.
    ///
    /// - window: as long as the sequence
    pub(crate) fn mean_of_steps(&mut self, x: Operand, window: Window2d) -> Operand {
        let Some(mask) = self.mask_of(x.value) else { return self.average_pool(x, window) };
        let (steps, features) = (window.size.1, x.shape.channels());
        let mask = Operand { value: mask, shape: Shape::from([steps]) };
        self.plain(MaskedMean { steps, features }, &[mask, x], Shape::from([features]))
    }

    /// The mask of a layer's output.
    ///
    /// - reads: the layer's inputs, with the mask of each
    pub(crate) fn mask_by(
        &mut self,
        rule: MaskRule,
        reads: &[(Operand, Option<ValueId>)],
        output: Operand,
    ) -> Option<ValueId> {
        match rule {
            MaskRule::Ends => None,
            MaskRule::Passes => reads[0].1,
            MaskRule::Merges => self.any_of(reads, output.shape),
            MaskRule::Makes => self.mask_of(output.value),
        }
    }

    /// The mask that counts a step which any of these does; none if one of them counts all.
    fn any_of(&mut self, reads: &[(Operand, Option<ValueId>)], output: Shape) -> Option<ValueId> {
        let steps = Shape::from([output.axes()[0]]);
        let mut masks: Vec<Operand> = Vec::new();
        for (read, mask) in reads {
            let mask = Operand { value: (*mask)?, shape: Shape::from([read.shape.axes()[0]]) };
            if masks.iter().all(|known| known.value != mask.value) {
                masks.push(mask);
            }
        }
        let masks: Vec<Operand> = masks.into_iter().map(|mask| self.broadcast(mask, steps)).collect();
        let any = masks.into_iter().reduce(|any, mask| self.merge(MergeFunction::Maximum, any, mask));
        any.map(|any| any.value)
    }
}
