//! A layer of your own: `Scale` multiplies each value by a weight that is trained. It is checked, trained among the
//! crate's layers, saved, and loaded by a program that names its type; a loss and a metric of your own go the same way.
//!
//! `cargo run --release --example custom_layer` takes seconds, and needs no data: it draws digits.

use inkstone::custom::{CustomLayer, CustomLoss, CustomMetric, CustomObjects, Direction, Target};
use inkstone::custom::{LayerBackward, LayerForward, LayerWeight};
use inkstone::data::synthetic;
use inkstone::prelude::*;
use inkstone::{Shape, testing};
use serde::{Deserialize, Serialize};

/// Multiplies each value of a vector by a weight of its own. The fields of a layer are its settings: files keep them.
#[derive(Debug, Serialize, Deserialize)]
struct Scale {
    /// What all weights start as.
    initial: f32,
}

impl CustomLayer for Scale {
    const NAME: &'static str = "Scale";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input.as_image() {
            (1, 1, _) => Ok(input),
            _ => Err(format!("expects a vector, got {input}: add `Flatten` before it")),
        }
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        let (_, _, features) = input.as_image();
        vec![LayerWeight::constant("factors", [features], self.initial)]
    }

    /// y = x * factors, example by example.
    fn forward(&self, pass: LayerForward<'_>) {
        let factors = &pass.weights[0];
        let examples = pass.input.chunks_exact(factors.len()).zip(pass.output.chunks_exact_mut(factors.len()));
        for (x, y) in examples {
            for ((y, x), factor) in y.iter_mut().zip(x).zip(factors) {
                *y = x * factor;
            }
        }
    }

    /// dx = dy * factors, and d_factors = the sum over all examples of dy * x.
    fn backward(&self, mut pass: LayerBackward<'_>) {
        let factors = &pass.weights[0];
        let examples = pass.input.chunks_exact(factors.len()).zip(pass.d_output.chunks_exact(factors.len()));
        for (x, dy) in examples {
            for ((d_factor, x), dy) in pass.d_weights[0].iter_mut().zip(x).zip(dy) {
                *d_factor += dy * x;
            }
        }
        // Nobody asks for the gradient of the input where nothing before the layer is trained.
        if let Some(d_input) = pass.d_input {
            for (dx, dy) in d_input.chunks_exact_mut(factors.len()).zip(pass.d_output.chunks_exact(factors.len())) {
                for ((dx, dy), factor) in dx.iter_mut().zip(dy).zip(factors) {
                    *dx = dy * factor;
                }
            }
        }
    }
}

/// The Brier score: the sum of the squares by which probabilities miss 1 for the right class, and 0 for the others.
#[derive(Debug, Serialize, Deserialize)]
struct Brier;

impl CustomLoss for Brier {
    const NAME: &'static str = "Brier";

    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        let missed = outputs.iter().enumerate().map(|(class, p)| f64::from(p - target.value(class, outputs.len())));
        missed.map(|missed| missed * missed).sum()
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        for (class, (gradient, p)) in gradient.iter_mut().zip(outputs).enumerate() {
            *gradient = 2.0 * (p - target.value(class, outputs.len()));
        }
    }
}

/// The mean probability of the right class. Its sums: of these probabilities, and how many there are.
#[derive(Debug, Serialize, Deserialize)]
struct Confidence;

impl CustomMetric for Confidence {
    const NAME: &'static str = "confidence";

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn sums(&self, _outputs: usize) -> usize {
        2
    }

    fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>) {
        sums[0] += f64::from(outputs[target.class()]);
        sums[1] += 1.0;
    }

    fn value(&self, sums: &[f64]) -> f64 {
        sums[0] / sums[1]
    }
}

fn main() -> inkstone::Result<()> {
    // The backward pass against differences of the forward pass; then the loss, through a small model.
    testing::check_gradients(Scale { initial: 0.5 }, [6])?;
    let small =
        Sequential::new([3]).add(Dense::new(4).activation(Softmax)).seed(1).compile(Sgd::default(), Brier, [])?;
    testing::check_model_gradients(&small, (&[[0.5, -1.0, 2.0], [1.0, 0.3, -0.2]], &[0, 3]))?;
    println!("The gradients of Scale are those of its forward pass, and those of Brier are those of the loss.");

    let (train, test) = (synthetic::digits(4000, 1)?, synthetic::digits(1000, 2)?);
    let mut model = Sequential::new([28, 28, 1])
        .add(Flatten::new())
        .add(Scale { initial: 1.0 })
        .add(Dense::new(32).activation(Relu))
        .add(Scale { initial: 1.0 })
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), Brier, metrics![Accuracy, Confidence])?;
    println!("{}", model.summary());
    model.fit(&train, FitConfig::new().epochs(5).validation_data(&test))?;

    let path = std::env::temp_dir().join("inkstone-custom-layer.safetensors");
    model.save(&path)?;
    let known = CustomObjects::new().layer::<Scale>().loss::<Brier>().metric::<Confidence>();
    let loaded = Model::load_with(&path, known)?;
    assert_eq!(loaded.predict(&test.images())?, model.predict(&test.images())?);
    std::fs::remove_file(&path).ok();
    println!("Loaded, it predicts the same. Test accuracy: {:.4}", loaded.evaluate(&test)?.accuracy()?);
    Ok(())
}
