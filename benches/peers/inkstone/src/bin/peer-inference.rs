//! Milliseconds of a forward pass on random images with Inkstone, printed as `torch_inference.py` prints; and the same model
//! as a file for ONNX Runtime. Arguments: model images, or model export folder.

use inkstone::Model;
use inkstone::ndarray::Array4;
use peer_inkstone::{image, network, random_images};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name, "export", folder] => export(&network(name)?, image(name), Path::new(folder)),
        [name, count] => measure(network(name)?, random_images(name, count.parse()?)),
        _ => Err("arguments: model images, or model export folder".into()),
    }
}

/// Writes the model, and what it says of a grey image, by which the other side sees that it runs the same.
fn export(
    model: &Model,
    [height, width, channels]: [usize; 3],
    folder: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    model.export_onnx(folder.join("model.onnx"))?;
    let output = model.predict(&Array4::from_elem((1, height, width, channels), 0.5_f32))?;
    let numbers: Vec<String> = output.iter().map(f32::to_string).collect();
    Ok(std::fs::write(folder.join("grey.txt"), numbers.join("\n"))?)
}

/// One image on one thread, in memory that is kept; many on all threads.
fn measure(model: Model, images: Array4<u8>) -> Result<(), Box<dyn std::error::Error>> {
    // The peers are given floats.
    let images = images.mapv(|byte| f32::from(byte) / 255.0);
    let count = images.len_of(inkstone::ndarray::Axis(0));
    let predictor = model.clone().into_predictor();
    let (mut scratch, mut output) = (predictor.scratch(), vec![0.0; predictor.classes()]);
    let (mut times, until) = (Vec::new(), Instant::now() + Duration::from_secs(3));
    let mut sum = 0.0;
    while Instant::now() < until || times.len() < 4 {
        let start = Instant::now();
        let total = if count == 1 {
            predictor.predict_into(&images, &mut scratch, &mut output)?;
            output.iter().sum()
        } else {
            model.predict(&images)?.sum()
        };
        times.push(start.elapsed().as_secs_f64());
        sum += f64::from(total) / count as f64;
    }
    assert!((sum / times.len() as f64 - 1.0).abs() < 1e-3, "probabilities sum to 1");
    // The first half warms up.
    let half = times.len() / 2;
    let rest = &mut times[half..];
    rest.sort_by(f64::total_cmp);
    println!("ms {:.4}", rest[rest.len() / 2] * 1000.0);
    Ok(())
}
