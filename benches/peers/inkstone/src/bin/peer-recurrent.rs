//! Steps of a recurrent layer and a dense layer. Arguments: cell steps features units batch.

use inkstone::layers::Layer;
use inkstone::ndarray::{Array1, Array3};
use inkstone::prelude::*;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments[place].parse::<usize>();
    let (steps, features, units, batch) = (number(1)?, number(2)?, number(3)?, number(4)?);
    let cell: Layer = match arguments[0].as_str() {
        "simple" => SimpleRNN::new(units).into(),
        "lstm" => LSTM::new(units).into(),
        "gru" => GRU::new(units).into(),
        other => return Err(format!("no cell {other}").into()),
    };
    let mut model = Sequential::new([steps, features])
        .add(cell)
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    let x = Array3::from_shape_fn((batch, steps, features), |(n, t, f)| ((n * 31 + t * 17 + f * 7) % 101) as f32 / 101.0);
    let y = Array1::from_shape_fn(batch, |n| n % 10);
    // The first steps warm up.
    for _ in 0..3 {
        model.train_on_batch(&x, &y)?;
    }
    for _ in 0..5 {
        // About a second.
        let (mut count, start) = (0, Instant::now());
        while start.elapsed().as_secs_f64() < 1.0 {
            model.train_on_batch(&x, &y)?;
            count += 1;
        }
        println!("step {:.4}", start.elapsed().as_secs_f64() / f64::from(count) * 1000.0);
    }
    Ok(())
}
