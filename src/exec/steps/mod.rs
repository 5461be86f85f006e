//! The steps, a file each.

mod activate;
mod affine;
mod average_pool;
mod batch_norm;
mod concatenate;
mod conv;
mod custom;
mod depthwise;
mod dropout;
mod local_norm;
mod max_pool;
mod merge;
mod patches;
mod softmax;
mod zero_pad;
