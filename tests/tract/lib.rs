//! Nothing: the package is its test, `same.rs`.
