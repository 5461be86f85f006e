//! The steps, a file each.

mod activate;
mod affine;
mod average_pool;
mod concatenate;
mod conv;
mod crop;
mod custom;
mod dropout;
mod leak_by_slope;
mod max_pool;
mod merge;
mod noise;
mod normalize;
mod permute;
mod softmax;
mod up_sample;
mod zero_pad;
