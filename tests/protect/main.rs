//! Encrypted files and pseudonyms, as a user sees them, and as the tool `age` does.
#![cfg(feature = "protect")]

mod age_tool;
mod damage;
mod datasets;
mod keys;
mod models;
mod signatures;
