//! The networks that `models.sh` and `inference.sh` compare, which `cargo bench` runs as well.

#[path = "../../../networks/models.rs"]
mod models;
#[path = "../../../networks/normalized.rs"]
mod normalized;

pub use models::{image, network, random_images};
