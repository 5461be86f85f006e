//! What is known of a plan before it is made: of a file, to be compared with what the file has.

use super::parameters::{self, Parameters};
use super::{Checked, check, shape_of};
use crate::error::Result;
use crate::layers::{Call, Network, Source};
use crate::program::MaskRule;
use crate::shape::Shape;

/// What a plan of a network has, without the plan, which takes more memory.
pub(crate) struct Outline {
    /// The shapes of each call's outputs.
    pub(crate) shapes: Vec<Vec<Shape>>,
    /// How many values of each output are scored at a time.
    pub(crate) scored: Vec<usize>,
    /// How many outputs are sequences with masks.
    pub(crate) masked: usize,
    /// Values of the states of one example that go from a batch to the next.
    pub(crate) carried_len: usize,
    pub(crate) parameters: Parameters,
}

impl Outline {
    /// # Errors
    /// As [`Plan::new`], of the layers' shapes.
    pub(crate) fn new(network: &Network) -> Result<Self> {
        let Checked { shapes, weights } = check(network)?;
        let parameters = parameters::lay_out(&network.layers, &weights)?;
        let masks = masked_calls(network);
        let is_masked = |source: &Source| is_masked(network, &masks, source);
        let scored = network.outputs.iter().map(|source| {
            let shape = shape_of(network, &shapes, source)?;
            let len = shape.len().unwrap_or_default();
            Ok(if is_masked(source) { len / shape.axes()[0] } else { len })
        });
        let scored = scored.collect::<Result<Vec<usize>>>()?;
        let masked = network.outputs.iter().filter(|source| is_masked(source)).count();
        let carried = network.calls.iter().map(|call| network.layers[call.layer].describe().carried_len());
        let carried_len = carried.fold(0, usize::saturating_add);
        Ok(Self { scored, masked, carried_len, shapes, parameters })
    }
}

/// For each call whether its output has a mask, by the rules alone.
fn masked_calls(network: &Network) -> Vec<bool> {
    let mut masks: Vec<bool> = Vec::new();
    for Call { layer, reads } in &network.calls {
        let mut reads = reads.iter().map(|source| is_masked(network, &masks, source));
        let mask = match network.layers[*layer].describe().mask_rule() {
            MaskRule::Ends => false,
            MaskRule::Makes => true,
            MaskRule::Passes => reads.next() == Some(true),
            MaskRule::Merges => reads.all(|is_masked| is_masked),
        };
        masks.push(mask);
    }
    masks
}

/// Whether a value has a mask: a state has none.
fn is_masked(network: &Network, masks: &[bool], source: &Source) -> bool {
    match *source {
        Source::Input(_) => false,
        Source::Call(call) => masks[call],
        Source::Output { call, place } => {
            masks[call] && place < network.layers[network.calls[call].layer].describe().outputs_before_states()
        }
    }
}
