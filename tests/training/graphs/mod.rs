//! Networks that are put together of parts: a `Sequential` in a graph, a model taken apart, and what is said of them.

mod parts;
mod summary;
