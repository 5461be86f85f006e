//! Predictions with floats and with bytes in turn, on random images. Arguments: model, images, threads. Each thread
//! predicts its part of the images with the same predictor; what is printed is the shortest time of each, in
//! milliseconds for all images.

use inkstone::ndarray::{ArrayView4, Axis};
use peer_inkstone::{network, random_images};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, count, threads] = &arguments[..] else { return Err("arguments: model images threads".into()) };
    let (count, threads): (usize, usize) = (count.parse()?, threads.parse()?);
    let images = random_images(name, count);
    let parts: Vec<ArrayView4<'_, u8>> = images.axis_chunks_iter(Axis(0), count.div_ceil(threads)).collect();
    let model = network(name)?;
    let quantized = model.quantize(&random_images(name, 64))?;
    let predictor = model.into_predictor();
    let mut by_floats: Vec<_> = parts.iter().map(|part| (predictor.scratch(), vec![0.0; part.len_of(Axis(0)) * 10])).collect();
    let mut by_bytes: Vec<_> = parts.iter().map(|part| (quantized.scratch(), vec![0.0; part.len_of(Axis(0)) * 10])).collect();
    let (mut floats, mut bytes) = (f64::INFINITY, f64::INFINITY);
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        // Many short calls are timed together.
        let calls = (200 / count).max(1);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for (part, (scratch, out)) in parts.iter().zip(&mut by_floats) {
                let predictor = &predictor;
                scope.spawn(move || (0..calls).for_each(|_| predictor.predict_into(part, scratch, out).unwrap()));
            }
        });
        floats = floats.min(start.elapsed().as_secs_f64() / calls as f64);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for (part, (scratch, out)) in parts.iter().zip(&mut by_bytes) {
                let quantized = &quantized;
                scope.spawn(move || (0..calls).for_each(|_| quantized.predict_into(part, scratch, out).unwrap()));
            }
        });
        bytes = bytes.min(start.elapsed().as_secs_f64() / calls as f64);
    }
    let outputs = |outs: Vec<&Vec<f32>>| outs.into_iter().flatten().copied().collect::<Vec<f32>>();
    let expected = outputs(by_floats.iter().map(|(_, out)| out).collect());
    let found = outputs(by_bytes.iter().map(|(_, out)| out).collect());
    let furthest = expected.iter().zip(&found).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(furthest < 0.05, "probabilities differ by {furthest}");
    println!("ms {:.4} {:.4} ratio {:.2} furthest {furthest:.4}", floats * 1e3, bytes * 1e3, floats / bytes);
    Ok(())
}
