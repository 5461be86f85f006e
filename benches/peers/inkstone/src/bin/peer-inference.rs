//! Milliseconds of a forward pass on random images with Inkstone, printed as `torch_inference.py` prints. Arguments:
//! model batch.

use peer_inkstone::{network, random_images};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, batch] = &arguments[..] else { return Err("arguments: model batch".into()) };
    // The peers are given floats.
    let images = random_images(name, batch.parse()?).mapv(|byte| f32::from(byte) / 255.0);
    // One image on one thread, in memory that is kept; many on all threads.
    let model = network(name)?;
    let predictor = model.clone().into_predictor();
    let (mut scratch, mut output) = (predictor.scratch(), vec![0.0; predictor.classes()]);
    let (mut times, until) = (Vec::new(), Instant::now() + Duration::from_secs(3));
    let mut sum = 0.0;
    while Instant::now() < until {
        let start = Instant::now();
        let count = images.len_of(inkstone::ndarray::Axis(0));
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
