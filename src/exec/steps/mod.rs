//! The steps, a file each.

mod activate;
mod affine;
mod average_pool;
mod concatenate;
mod conv;
mod custom;
mod dropout;
mod max_pool;
mod merge;
mod softmax;
mod zero_pad;
