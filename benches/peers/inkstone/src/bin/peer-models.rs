//! Epochs of a network on random images with Inkstone, printed as `torch_models.py` prints. Arguments: model batch.

use inkstone::prelude::*;
use peer_inkstone::{network, random_images};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, batch] = &arguments[..] else { return Err("arguments: model batch".into()) };
    let batch: usize = batch.parse()?;
    let images = match name.as_str() {
        "vgg" => 1000,
        "resnet" | "mobilenet" => 2000,
        _ => 10_000,
    };
    let data = Dataset::from_bytes(random_images(name, images), (0..images).map(|image| image % 10).collect())?;
    let mut model = network(name)?;
    println!("parameters {}", model.parameter_count());
    let history = model.fit(&data, FitConfig::new().epochs(3).batch_size(batch).verbose(0))?;
    // The first epoch warms up.
    for epoch in &history.epochs[1..] {
        let steps = images.div_ceil(batch) as f64;
        println!("epoch {:.4} step {:.4}", epoch.seconds, epoch.seconds / steps * 1000.0);
    }
    Ok(())
}
