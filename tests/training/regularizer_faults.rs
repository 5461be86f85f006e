//! Regularizers and constraints that cannot be.

use inkstone::Error;
use inkstone::prelude::*;

#[test]
fn what_cannot_be_is_an_error() {
    let fault = |layer: Dense| {
        let error = Sequential::new([4]).add(layer).compile(Adam::default(), MeanSquaredError, []).unwrap_err();
        assert!(matches!(&error, Error::Layer { index: 0, .. }));
        error.to_string()
    };
    for (layer, expected) in [
        (
            Dense::new(3).kernel_regularizer(Regularizer::l1(-1.0)),
            "layer 0 (Dense) expects a kernel_regularizer with finite factors of at least 0, got Regularizer { l1: -1.0, l2: 0.0 }",
        ),
        (
            Dense::new(3).activity_regularizer(Regularizer::l2(-0.5)),
            "layer 0 (Dense) expects an activity_regularizer with finite factors of at least 0, got Regularizer { l1: 0.0, l2: -0.5 }",
        ),
        (
            Dense::new(3).bias_regularizer(Regularizer::l2(f32::NAN)),
            "layer 0 (Dense) expects a bias_regularizer with finite factors of at least 0, got Regularizer { l1: 0.0, l2: NaN }",
        ),
        (
            Dense::new(3).kernel_constraint(Constraint::max_norm(-2.0)),
            "layer 0 (Dense) expects a kernel_constraint with a finite `max_value` of at least 0, got MaxNorm { max_value: -2.0, axis: \
             [0] }",
        ),
        (
            Dense::new(3).bias_constraint(Constraint::unit_norm().axis([1])),
            "layer 0 (Dense) expects a bias_constraint with one or more different axes from 0 to 0, got UnitNorm { axis: [1] }",
        ),
        (
            Dense::new(3).kernel_constraint(Constraint::unit_norm().axis([0, 0])),
            "layer 0 (Dense) expects a kernel_constraint with one or more different axes from 0 to 1, got UnitNorm { axis: [0, 0] }",
        ),
        (
            Dense::new(3).kernel_constraint(Constraint::unit_norm().axis([])),
            "layer 0 (Dense) expects a kernel_constraint with one or more different axes from 0 to 1, got UnitNorm { axis: [] }",
        ),
        (
            Dense::new(3).kernel_constraint(Constraint::min_max_norm(2.0, 1.0)),
            "layer 0 (Dense) expects a kernel_constraint whose `min_value` is at least 0 and at most its finite `max_value`, got \
             MinMaxNorm { min_value: 2.0, max_value: 1.0, rate: 1.0, axis: [0] }",
        ),
        (
            Dense::new(3).kernel_constraint(Constraint::MinMaxNorm {
                min_value: 0.0,
                max_value: 1.0,
                rate: 2.0,
                axis: vec![0],
            }),
            "layer 0 (Dense) expects a kernel_constraint with a `rate` from 0 to 1, got MinMaxNorm { min_value: 0.0, max_value: 1.0, \
             rate: 2.0, axis: [0] }",
        ),
    ] {
        assert_eq!(fault(layer), expected);
    }
}
