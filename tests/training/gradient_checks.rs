//! `testing::check_gradients` accepts the crate's layers, and finds what is wrong in others.

use inkstone::custom::{CustomLayer, CustomLoss, LayerBackward, LayerForward, LayerWeight, Target};
use inkstone::prelude::*;
use inkstone::testing::{self, GradientCheck};
use inkstone::{Error, Shape};
use serde::{Deserialize, Serialize};

#[test]
fn the_crate_s_layers_pass() {
    for function in [Linear, Relu, Sigmoid, Tanh, Softmax] {
        testing::check_gradients(Dense::new(4).activation(function), [6]).unwrap();
        testing::check_gradients(Activation::new(function), [3, 3, 4]).unwrap();
        testing::check_gradients(Conv2D::new(3, (2, 2)).strides((2, 1)).activation(function), [5, 4, 2]).unwrap();
    }
    testing::check_gradients(Conv2D::new(16, (3, 3)).padding(Same), [6, 6, 16]).unwrap();
    testing::check_gradients(MaxPooling2D::new((2, 2)), [4, 6, 2]).unwrap();
    testing::check_gradients(AveragePooling2D::new((3, 2)).padding(Same), [4, 6, 2]).unwrap();
    testing::check_gradients(GlobalAveragePooling2D::new(), [4, 6, 2]).unwrap();
    testing::check_gradients(ZeroPadding2D::new((1, 2)), [4, 6, 2]).unwrap();
    testing::check_gradients(Reshape::new([12]), [2, 3, 2]).unwrap();
    testing::check_gradients(Flatten::new(), [2, 3, 2]).unwrap();
    testing::check_gradients(Dropout::new(0.4), [20]).unwrap();
}

/// `factor * x^2 + offset`, with errors to choose from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Square {
    input_error: f32,
    factor_error: f32,
    offset_error: f32,
    /// Which offset has the error.
    at: usize,
}

const RIGHT: Square = Square { input_error: 1.0, factor_error: 1.0, offset_error: 1.0, at: 1 };

impl CustomLayer for Square {
    const NAME: &'static str = "Square";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input.as_image() {
            (1, 1, _) => Ok(input),
            _ => Err(format!("expects a vector, got {input}")),
        }
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        vec![LayerWeight::constant("factor", [1], 1.0), LayerWeight::zeros("offset", [1, input.as_image().2])]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        let (factor, offsets) = (pass.weights[0][0], &pass.weights[1]);
        for (at, (y, x)) in pass.output.iter_mut().zip(pass.input).enumerate() {
            *y = factor * x * x + offsets[at % offsets.len()];
        }
    }

    fn backward(&self, mut pass: LayerBackward<'_>) {
        let factor = pass.weights[0][0];
        for (at, (dy, x)) in pass.d_output.iter().zip(pass.input).enumerate() {
            if let Some(d_input) = &mut pass.d_input {
                d_input[at] = 2.0 * factor * x * dy * self.input_error;
            }
            pass.d_weights[0][0] += x * x * dy * self.factor_error;
            let channel = at % pass.d_weights[1].len();
            let error = if channel == self.at { self.offset_error } else { 1.0 };
            pass.d_weights[1][channel] += dy * error;
        }
    }
}

fn found(layer: Square) -> (String, Vec<usize>, f32) {
    match testing::check_gradients(layer, [4]).unwrap_err() {
        Error::Gradient { of, index, expected, received, tolerance } => {
            assert!((received - expected).abs() > tolerance || received.is_nan());
            (of, index, received / expected)
        }
        error => panic!("{error}"),
    }
}

#[test]
fn wrong_factors_and_signs_are_found_where_they_are() {
    testing::check_gradients(RIGHT, [4]).unwrap();
    for error in [0.0, 0.9, 1.05, -1.0] {
        let (of, index, ratio) = found(Square { input_error: error, ..RIGHT });
        assert_eq!((of.as_str(), index), ("the input", vec![0, 0]));
        assert!((ratio - error).abs() < 0.01, "{ratio}");
        let (of, index, ratio) = found(Square { factor_error: error, ..RIGHT });
        assert_eq!((of.as_str(), index), ("square/factor", vec![0]));
        assert!((ratio - error).abs() < 0.01, "{ratio}");
        let (of, index, ratio) = found(Square { offset_error: error, at: 2, ..RIGHT });
        assert_eq!((of.as_str(), index), ("square/offset", vec![0, 2]));
        assert!((ratio - error).abs() < 0.01, "{ratio}");
    }
    let (of, _, _) = found(Square { factor_error: f32::MAX, ..RIGHT });
    assert_eq!(of, "square/factor", "an infinite sum");
    // Half a percent passes unless it is asked for more.
    let small = Square { factor_error: 1.005, ..RIGHT };
    testing::check_gradients(small.clone(), [4]).unwrap();
    assert!(GradientCheck::new().relative(1e-3).layer(small, [4]).is_err());
}

#[test]
fn errors_tell_where_and_what_was_expected() {
    let error = testing::check_gradients(Square { factor_error: 2.0, ..RIGHT }, [4]).unwrap_err().to_string();
    assert!(error.starts_with("the gradient of square/factor at [0] is "), "{error}");
    assert!(error.contains(", the central difference of the forward pass: correct the backward pass"), "{error}");
    let error = testing::check_gradients(RIGHT, [2, 2, 1]).unwrap_err().to_string();
    assert_eq!(error, "layer 0 (Square) expects a vector, got (2, 2, 1)");
    let error = GradientCheck::new().step(0.0).layer(RIGHT, [4]).unwrap_err().to_string();
    assert_eq!(error, "step must be finite and more than 0, got 0");
    assert!(GradientCheck::new().values(0).layer(RIGHT, [4]).is_err());
}

/// The square of the difference, whose gradient lacks its factor.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    factor: f32,
}

impl CustomLoss for Half {
    const NAME: &'static str = "Half";

    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        f64::from(outputs[0] - target.value(0, outputs.len())).powi(2)
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        gradient[0] = self.factor * (outputs[0] - target.value(0, outputs.len()));
    }
}

#[test]
fn a_loss_is_checked_through_a_model() {
    let check = |function, factor| {
        let model = Sequential::new([2])
            .add(Dense::new(3).activation(Tanh))
            .add(Dense::new(2).activation(function))
            .seed(1)
            .compile(Sgd::default(), Half { factor }, [])
            .unwrap();
        let before = model.get_weights();
        let checked = testing::check_model_gradients(&model, (&[[0.5, -1.0], [2.0, 0.1]], &[[1.0, 0.0], [0.2, 0.3]]));
        assert_eq!(model.get_weights(), before);
        checked
    };
    for function in [Linear, Sigmoid, Softmax] {
        check(function, 2.0).unwrap();
        let error = check(function, 1.0).unwrap_err();
        assert!(matches!(&error, Error::Gradient { of, .. } if of == "dense/kernel"), "{error}");
    }
}
