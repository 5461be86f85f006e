//! What examples are told apart by: a checksum of them as they are stored, which processes compare that must have the same ones.

use super::Examples;
use crate::data::{Stored, Target};
use crate::plan::Plan;
use crate::wire::put_floats;
use crc32fast::Hasher;

impl Examples<'_> {
    /// A checksum of their inputs as they are stored, targets and weights, in their order. The same images as bytes and as floats have
    /// different ones.
    pub(crate) fn checksum(&self, plan: &Plan) -> u32 {
        let (mut sum, mut bytes, mut row) = (Hasher::new(), Vec::new(), Vec::new());
        for (input, images) in self.inputs.iter().enumerate() {
            let pixels = images.pixels();
            if let Some(scaling) = pixels.scaling {
                hash_floats(&scaling.factors, &mut sum, &mut bytes);
                hash_floats(&scaling.offsets, &mut sum, &mut bytes);
            }
            let len = plan.input_len(input);
            for place in 0..self.len() {
                let start = self.stored_at(images, place) * len;
                match pixels.stored {
                    Stored::Bytes(pixels) => sum.update(&pixels[start..][..len]),
                    Stored::Floats(values) => hash_floats(&values[start..][..len], &mut sum, &mut bytes),
                }
            }
        }
        for output in 0..self.targets.len() {
            let targets = self.targets(output, 0..self.len());
            for example in 0..self.len() {
                let (target, weight) = targets.at(example, &mut row);
                match target {
                    Target::Class(class) => sum.update(&(class as u64).to_le_bytes()),
                    Target::Values(values) => hash_floats(values, &mut sum, &mut bytes),
                }
                sum.update(&weight.to_le_bytes());
            }
        }
        sum.finalize()
    }
}

/// - bytes: room for them
fn hash_floats(values: &[f32], sum: &mut Hasher, bytes: &mut Vec<u8>) {
    bytes.clear();
    put_floats(values, bytes);
    sum.update(bytes);
}
