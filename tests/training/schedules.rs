//! Learning rate schedules against PyTorch and Keras: the rate of every step. `tests/fixtures/make_schedules.py` made
//! the numbers.

use approx::relative_eq;
use inkstone::LearningRate;
use inkstone::prelude::*;
use ndarray::Array4;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Fixture {
    cases: HashMap<String, Vec<f32>>,
}

/// `rounding` is how far a rate may be off that is small beside the highest: it is a difference of numbers of its size.
#[track_caller]
fn compare(case: &str, schedule: impl Into<LearningRate>, rounding: f32) {
    let schedule = schedule.into();
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/schedules.json")).unwrap();
    for (step, expected) in (0..).zip(&fixture.cases[case]) {
        let actual = schedule.at(step);
        let close = relative_eq!(actual, *expected, max_relative = 1e-5, epsilon = rounding);
        assert!(close, "{case}, step {step}: {actual}, expected {expected}");
    }
}

fn compare_with_pytorch(case: &str, schedule: OneCycle) {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/schedules.json")).unwrap();
    assert_eq!(fixture.cases[case].len() as u64, schedule.total_steps);
    compare(case, schedule, 1e-9);
    assert_eq!(schedule.at(schedule.total_steps + 5), schedule.at(schedule.total_steps - 1));
}

#[test]
fn one_cycle_with_default_settings_is_pytorch_s() {
    compare_with_pytorch("default", OneCycle::new(0.01, 235));
}

#[test]
fn a_short_cycle_is_pytorch_s() {
    compare_with_pytorch("short", OneCycle::new(0.5, 7));
}

#[test]
fn one_cycle_with_other_settings_is_pytorch_s() {
    compare_with_pytorch("other", OneCycle::new(0.002, 60).rising(0.1).div_factor(5.0).final_div_factor(100.0));
}

#[test]
fn a_schedule_of_one_step_has_its_last_rate() {
    assert_eq!(OneCycle::new(0.5, 1).at(0), 0.5 / 25.0 / 1e4);
}

#[test]
fn a_rise_of_one_step_starts_at_the_highest_rate() {
    for (rising, steps) in [(0.1, 10), (0.2, 5), (0.25, 4), (0.5, 2), (1.0, 1)] {
        assert_eq!(OneCycle::new(1.0, steps).rising(rising).at(0), 1.0, "{rising} of {steps}");
    }
}

#[test]
fn a_schedule_may_only_fall_or_only_rise() {
    let rates = |rising| (0..10).map(|step| OneCycle::new(1.0, 10).rising(rising).at(step)).collect::<Vec<_>>();
    let (falling, rising) = (rates(0.0), rates(1.0));
    assert!(falling.windows(2).all(|pair| pair[0] > pair[1]) && falling[0] < 1.0, "{falling:?}");
    assert!(rising.windows(2).all(|pair| pair[0] < pair[1]), "{rising:?}");
    assert_eq!((rising[0], rising[9]), (0.04, 1.0));
}

/// With plain gradient descent a step is the rate times the gradient, so the weights tell which rate was taken.
#[test]
fn steps_take_the_rate_of_the_schedule() {
    let schedule = OneCycle::new(0.5, 6);
    let x = Array4::from_shape_fn((2, 1, 1, 3), |(n, _, _, c)| (n * 3 + c) as f32 * 0.1);
    let mut model = Sequential::new([3])
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(schedule), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    for step in 0..6 {
        let before = model.get_weights();
        let (_, gradients) = model.gradients(&x, &[0, 1]).unwrap();
        model.train_on_batch(&x, &[0, 1]).unwrap();
        for ((before, gradient), after) in before.iter().zip(&gradients).zip(&model.get_weights()) {
            for ((before, gradient), after) in before.values.iter().zip(&gradient.values).zip(&after.values) {
                assert!((before - schedule.at(step) * gradient - after).abs() < 1e-7, "step {step}");
            }
        }
    }
}

#[test]
fn piecewise_constant_decay_is_keras_s() {
    compare("piecewise", PiecewiseConstantDecay::new([3, 10, 11], [0.1, 0.5, 0.02, 0.001]), 0.0);
}

#[test]
fn exponential_decay_is_keras_s() {
    let schedule = ExponentialDecay::new(0.1, 7, 0.6);
    compare("exponential", schedule, 0.0);
    compare("exponential_staircase", schedule.staircase(true), 0.0);
    compare("exponential_growth", ExponentialDecay::new(1e-6, 3, 2.0), 0.0);
}

/// Keras computes in f32: its cosine near -1 is off by half a unit in the last place, 6e-8, of half the highest rate.
#[test]
fn cosine_decay_is_keras_s() {
    compare("cosine", CosineDecay::new(0.1, 30), 1e-8);
    compare("cosine_alpha", CosineDecay::new(0.1, 30).alpha(0.2), 1e-8);
    let warmed_up = CosineDecay::new(0.01, 20).alpha(0.05).warmup_target(0.2).warmup_steps(10);
    compare("cosine_warm_up", warmed_up, 2e-8);
    compare("cosine_target_alone", CosineDecay::new(0.01, 20).warmup_target(0.2), 2e-8);
}

#[test]
fn a_warm_up_is_pytorch_s() {
    // PyTorch's cosine does not stay at its end, so the fixture ends there.
    compare("warm_up_cosine", WarmUp::new(10, CosineDecay::new(0.1, 30)), 1e-9);
    let exponential = ExponentialDecay::new(0.1, 1, 0.9);
    compare("warm_up_exponential", WarmUp::new(5, exponential).start_factor(0.01), 0.0);
    compare("warm_up_constant", WarmUp::new(7, 0.1).start_factor(0.5), 0.0);
}

#[test]
fn schedules_answer_for_any_step() {
    let schedules: [LearningRate; 6] = [
        0.5.into(),
        PiecewiseConstantDecay::new([3], [0.5, 0.25]).into(),
        ExponentialDecay::new(0.5, 3, 0.5).into(),
        CosineDecay::new(0.5, 3).warmup_target(1.0).warmup_steps(u64::MAX).into(),
        OneCycle::new(0.5, u64::MAX).into(),
        WarmUp::new(u64::MAX, WarmUp::new(1, 0.5)).into(),
    ];
    for schedule in schedules {
        for step in [0, 1, u64::MAX - 1, u64::MAX] {
            assert!((0.0..=1.0).contains(&schedule.at(step)), "{schedule:?} at {step}: {}", schedule.at(step));
        }
    }
}
