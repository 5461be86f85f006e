//! Adds up what the steps of differentially private trainings tell of one example, and finds epsilon; it knows no model.
//! [`privacy`](mod@crate::privacy) tells what is guaranteed.

mod accountant;
mod convolution;
mod discretize;
#[cfg(feature = "privacy")]
mod dp_sgd;
mod erfc;
mod losses;
mod noise;
mod pld;
mod rdp;
mod step;

pub use accountant::{Accountant, AccountantMethod, epsilon};
#[cfg(feature = "privacy")]
pub use dp_sgd::DpSgd;
pub use noise::noise_multiplier_for;
