//! What convolutions share whose taps may stand apart and whose channels may be cut into groups.

use super::check_convolution;
use crate::kernels::patches::Dilated;
use crate::program::{Builder, Conv, Operand, WeightId};
use crate::shape::{Padding, Window2d};

/// The most groups of a convolution: each is a convolution of its own.
const MAX_GROUPS: usize = 1024;

/// About as many bytes as the steps of a group take in a plan.
const BYTES_OF_A_GROUP: u64 = 4096;

/// What the steps of all groups but the first take in a plan.
pub(super) fn bytes_of_groups(groups: usize) -> u64 {
    (groups as u64).saturating_sub(1).saturating_mul(BYTES_OF_A_GROUP)
}

/// A convolution of images, cut into groups.
pub(super) struct Grouped {
    pub(super) of: Dilated,
    /// All of them.
    pub(super) channels: usize,
    /// All of them.
    pub(super) filters: usize,
    pub(super) groups: usize,
}

impl Grouped {
    /// How many channels each filter reads, or a sentence without its subject that says why there are no such groups.
    ///
    /// - for_one: the layer for groups of one channel, if there is one
    pub(super) fn channels_of_each(&self, for_one: Option<&str>) -> Result<usize, String> {
        let Self { channels, filters, groups, .. } = *self;
        if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            return Err(format!(
                "expects groups that divide its {channels} channels and {filters} filters, got {groups}"
            ));
        }
        if groups > MAX_GROUPS {
            let instead = for_one.map(|layer| format!(": use `{layer}` where each channel is on its own"));
            return Err(format!("expects at most {MAX_GROUPS} groups, got {groups}{}", instead.unwrap_or_default()));
        }
        Ok(channels / groups)
    }

    /// Adds a convolution for each group, and joins their outputs.
    ///
    /// - input: (height, width, channels), a sequence as an image of one row
    pub(super) fn lower(&self, builder: &mut Builder, input: Operand, weights: &[WeightId]) -> Result<Operand, String> {
        let (channels, filters) = (self.channels / self.groups, self.filters / self.groups);
        let mut outputs = Vec::new();
        for group in 0..self.groups {
            let x = builder.some_channels(input, group * channels, channels);
            // Taps that stand apart are cut out of the image first, and make one pixel.
            let (x, window) = if self.of.dilation == (1, 1) {
                (x, self.of.window)
            } else {
                (builder.cut(x, self.of)?, Window2d::new(self.of.window.out, (1, 1), (1, 1), Padding::Valid)?)
            };
            let channels = x.shape.channels();
            check_convolution(&window, channels, filters)?;
            let conv = Conv { first_filter: group * filters, ..Conv::new(window, channels, filters, weights) };
            outputs.push(builder.conv(x, conv));
        }
        // Two and two, so that no channel is copied often.
        while outputs.len() > 1 {
            let join = |pair: &[Operand]| match *pair {
                [left, right] => builder.concatenate(left, right),
                _ => pair[0],
            };
            outputs = outputs.chunks(2).map(join).collect();
        }
        Ok(outputs[0])
    }
}
