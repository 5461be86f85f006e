//! Trainings that come to nothing.

use super::*;

/// The epoch and step in which a training diverged, its text having been checked.
#[track_caller]
fn diverged<T>(result: inkstone::Result<T>) -> (usize, usize) {
    let Err(error) = result else { panic!("expected a divergence") };
    let Error::Diverged { epoch, step, loss } = error else { panic!("expected a divergence, got {error}") };
    assert!(!loss.is_finite());
    assert_eq!(
        error.to_string(),
        format!(
            "the loss became {loss} in epoch {epoch}, step {step}: lower the learning rate, or look for extreme \
             values in the data"
        )
    );
    (epoch, step)
}

/// A model whose weights are zero, so that its first step is the same everywhere, and its second is too far: white
/// images of class 0 push the weights to about 1e38, and 64 of these to infinity.
fn model() -> (Model, Dataset) {
    let mut model =
        head(image()).compile(Sgd::new(1e38), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let mut weights = model.get_weights();
    weights.iter_mut().for_each(|weight| weight.values.fill(0.0));
    model.set_weights(&weights).unwrap();
    (model, Dataset::from_bytes(Array4::from_elem((64, 8, 8, 1), 255), vec![0; 64]).unwrap())
}

#[test]
fn the_step_in_which_the_loss_is_lost_is_named() {
    let (mut model, data) = model();
    assert_eq!(diverged(model.fit(&data, quiet().batch_size(16))), (1, 2));
}

#[test]
fn the_epoch_in_which_the_loss_is_lost_is_named() {
    let (mut model, data) = model();
    assert_eq!(diverged(model.fit(&data, quiet().batch_size(64).epochs(5))), (2, 1));
}

#[test]
fn a_convolutional_model_that_learns_far_too_fast_diverges() {
    let data = dataset((0..64).map(|n| n % 10).collect());
    let mut model = head(image().add(Conv2D::new(4, (3, 3)).activation(Relu)))
        .seed(3)
        .compile(Sgd::new(1e30), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let (epoch, step) = diverged(model.fit(&data, quiet().epochs(5).batch_size(16)));
    assert!(epoch == 1 && (2..=4).contains(&step), "epoch {epoch}, step {step}");
}

#[test]
fn the_step_that_diverges_is_not_taken() {
    let mut model = small();
    let mut weights = model.get_weights();
    weights[0].values.fill(f32::MAX);
    model.set_weights(&weights).unwrap();
    let white = Array4::from_elem((2, 8, 8, 1), 1.0);
    assert_eq!(diverged(model.train_on_batch(&white, &[0, 1])), (1, 1));
    assert_eq!(diverged(model.gradients(&white, &[0, 1])), (1, 1));
    assert_eq!(model.get_weights(), weights);
}

#[test]
fn a_model_that_diverged_trains_again_with_sound_weights() {
    let (mut model, data) = model();
    let sound = model.get_weights();
    diverged(model.fit(&data, quiet().batch_size(16)));
    model.set_weights(&sound).unwrap();
    let scores = model.train_on_batch(&data.images(), data.labels()).unwrap();
    assert!((scores.loss - 10_f64.ln()).abs() < 1e-5, "{scores}");
}
