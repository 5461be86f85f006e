//! Depthwise convolution.

use super::{BatchNorm, Declare, Lengths, product};
use crate::kernels::depthwise::DepthwiseLayout;
use crate::kernels::normalize::Then;
use crate::kernels::patches::Dilated;

/// Each channel convolved with windows of its own. Its weights are the kernel, the bias if there is one, and those of
/// the normalization.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Depthwise {
    pub(crate) layout: Box<DepthwiseLayout>,
    pub(crate) bias: Bias,
    /// The normalization with moving statistics that has become part of it.
    pub(crate) norm: Option<Box<BatchNorm>>,
    /// What is fused behind it.
    pub(crate) then: Then,
}

/// Whether a bias is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    Nothing,
    Added,
}

impl Bias {
    /// How many weights it is.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Added => 1,
        }
    }
}

impl Depthwise {
    /// - inputs: channels of the input
    pub(crate) fn new(of: Dilated, inputs: usize, multiplier: usize, bias: Bias) -> Self {
        let layout = Box::new(DepthwiseLayout::new(of, inputs, multiplier));
        Self { layout, bias, norm: None, then: Then::Nothing }
    }
}

impl Declare for Depthwise {
    fn operations(&self, of: Lengths) -> u64 {
        let (rows, columns) = self.layout.of.taps;
        product([of.y as u64, rows as u64, columns as u64])
    }
}
