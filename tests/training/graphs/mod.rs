//! Networks that are put together of parts: a `Sequential` in a graph, a model taken apart, and what is said of them.

mod faults;
mod models;
mod parts;
mod summary;
mod transfer;
