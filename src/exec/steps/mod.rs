//! The steps, a file each.

mod activate;
mod add;
mod average_pool;
mod concatenate;
mod conv;
mod custom;
mod dropout;
mod max_pool;
mod softmax;
mod zero_pad;

pub(super) use average_pool::AveragePool;
pub(super) use max_pool::MaxPool;
pub(super) use zero_pad::ZeroPad;
