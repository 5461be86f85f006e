//! Differentially private training, as a user sees it.
#![cfg(feature = "privacy")]

#[path = "../common/model_file.rs"]
mod common_model_file;

mod attack;
mod attack_settings;
mod clipping;
mod files;
mod settings;
mod training;
