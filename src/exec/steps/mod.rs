//! The steps, a file each.

mod activate;
mod affine;
mod average_pool;
mod batch_norm;
mod concatenate;
mod conv;
mod crop;
mod custom;
mod depthwise;
mod dropout;
mod leak_by_slope;
mod local_norm;
mod lookup;
mod masking;
mod max_pool;
mod merge;
mod noise;
mod normalize;
mod patches;
mod per_axis;
mod permute;
mod recurrence;
mod repeat;
mod softmax;
mod up_sample;
mod zero_pad;

pub(super) use batch_norm::MovingScaling;
