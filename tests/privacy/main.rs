//! Differentially private training, as a user sees it.
#![cfg(feature = "privacy")]

mod clipping;
mod settings;
mod training;
