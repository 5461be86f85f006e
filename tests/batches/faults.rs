//! Sources that fail: what is said, and that nothing hangs.

use super::{Files, bits, config, model};
use inkstone::callbacks::LambdaCallback;
use inkstone::data::{Augment, BatchSource, EpochStart, batches_of_epochs, idx};
use inkstone::prelude::*;
use inkstone::{Error, Result};
use ndarray::{Array1, Array4};
use std::fs::{self, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn refused(source: impl BatchSource, config: FitConfig<'_>) -> String {
    model().fit_batches(source, config).unwrap_err().to_string()
}

/// Batches of eight images, of which this one is made by `other`.
fn with_one(files: &Files, at: usize, other: impl Fn() -> Result<Dataset> + Send + Sync) -> impl BatchSource {
    let dataset = files.dataset();
    let batches: Vec<Dataset> = dataset.batch(8).unwrap().collect();
    let mut made: Vec<Result<Dataset>> = batches.into_iter().map(Ok).collect();
    made[at] = other();
    let mut made = Some(made);
    batches_of_epochs(move |_| made.take().unwrap_or_default())
}

#[test]
fn an_error_of_a_source_ends_the_training_with_what_was_trained() {
    let files = Files::new(32);
    let broken = || Err(Error::Data("the camera was unplugged".into()));
    let mut trained = model();
    let error = trained.fit_batches(with_one(&files, 2, broken), config()).unwrap_err();
    assert_eq!(error.to_string(), "the camera was unplugged");
    let mut two_steps = model();
    let two = files.dataset().take(16).unwrap();
    two_steps.fit(&two, config().epochs(1).shuffle(false)).unwrap();
    assert_eq!(bits(&trained), bits(&two_steps));
    // The next training is one of its own.
    trained.fit_batches(files.open(), config()).unwrap();
}

#[test]
fn a_panic_of_a_source_goes_to_the_caller() {
    let files = Files::new(32);
    let dataset = files.dataset();
    let mut trained = model();
    let source = batches_of_epochs(|_| {
        dataset
            .batch(8)
            .unwrap()
            .enumerate()
            .map(|(at, batch)| if at == 2 { panic!("index out of range") } else { Ok(batch) })
    });
    let panic = catch_unwind(AssertUnwindSafe(|| trained.fit_batches(source, config()))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"index out of range"));
    trained.fit_batches(files.open(), config()).unwrap();
}

#[test]
fn a_panic_of_a_callback_leaves_no_thread() {
    let files = Files::new(32);
    let panics = LambdaCallback::new().on_train_batch_end(|_, _, _| panic!("in a callback"));
    let mut trained = model();
    catch_unwind(AssertUnwindSafe(|| trained.fit_batches(files.open(), config().callback(panics)))).unwrap_err();
    trained.fit_batches(files.open(), config()).unwrap();
}

#[test]
fn batches_that_do_not_fit_are_told_by_their_number() {
    let files = Files::new(32);
    let other = || Dataset::from_bytes(Array4::zeros((8, 7, 7, 1)), vec![0; 8]);
    assert_eq!(
        refused(with_one(&files, 1, other), config()),
        "in batch 2 of epoch 1: the model expects images of (6, 6, 1), got (7, 7, 1)"
    );
}

#[test]
fn a_label_that_the_model_has_no_output_for_is_told_with_its_example() {
    let files = Files::new(32);
    let labels = Array1::from_shape_fn(32, |n| if n == 21 { 3_u8 } else { 0 });
    idx::write_file(&files.labels, labels.view().into_dyn()).unwrap();
    let place = format!("{} and {}", files.images.display(), files.labels.display());
    assert_eq!(
        refused(files.open(), config().shuffle(false)),
        format!(
            "{place}, example 21, in batch 3 of epoch 1: labels must be from 0 to 2, as the model has 3 outputs, got 3 at index 5"
        )
    );
    assert!(refused(files.open(), config()).starts_with(&format!("{place}, example 21, in batch ")));
    let error = model().evaluate_batches(files.open()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{place}, example 21, in batch 1: labels must be")), "{error}");
}

#[test]
fn a_file_that_is_cut_off_while_it_is_read_ends_the_training() {
    let files = Files::new(32);
    let cut = LambdaCallback::new().on_epoch_end(|epoch, _, _| {
        if epoch == 0 {
            let file = OpenOptions::new().write(true).open(&files.images).unwrap();
            file.set_len(16 + 20 * 36).unwrap();
        }
        Ok(())
    });
    let source = files.open().block_len(8).buffer_size(8);
    assert_eq!(
        refused(source, config().shuffle(false).callback(cut)),
        format!(
            "{}: expected the examples 16 to 23 at the bytes 592 to 880, the file ends before that: it was cut off while it was read",
            files.images.display()
        )
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_is_removed_while_it_is_read_is_read_to_the_end() {
    let files = Files::new(32);
    let (mut through, mut removed) = (model(), model());
    through.fit_batches(files.open().block_len(8).buffer_size(8), config()).unwrap();
    let remove = LambdaCallback::new().on_epoch_end(|epoch, _, _| {
        if epoch == 0 {
            fs::remove_file(&files.images).unwrap();
        }
        Ok(())
    });
    removed.fit_batches(files.open().block_len(8).buffer_size(8), config().callback(remove)).unwrap();
    assert_eq!(bits(&removed), bits(&through));
}

#[test]
fn epochs_without_enough_batches_are_told() {
    let files = Files::new(32);
    let nothing = || batches_of_epochs(|_| Vec::<Result<Dataset>>::new());
    assert_eq!(
        refused(nothing(), config()),
        "the source of batches ended after 0 batches of epoch 1, expected at least one"
    );
    assert_eq!(
        model().evaluate_batches(nothing()).unwrap_err().to_string(),
        "the source of batches ended after 0 batches, expected at least one"
    );
    assert_eq!(
        refused(files.open(), config().steps_per_epoch(9)),
        "the source of batches ended after 4 batches of epoch 1, expected 9, as `steps_per_epoch` or the source's `examples` says"
    );
}

#[test]
fn faults_of_a_source_of_validation_data_are_told_as_such() {
    let files = Files::new(32);
    let other = || Dataset::from_bytes(Array4::zeros((8, 7, 7, 1)), vec![0; 8]);
    assert_eq!(
        refused(files.open(), config().validation_batches(with_one(&files, 1, other))),
        "in the validation data: in batch 2: the model expects images of (6, 6, 1), got (7, 7, 1)"
    );
}

#[test]
fn settings_that_need_all_examples_are_refused() {
    let files = Files::new(32);
    assert_eq!(
        refused(files.open(), config().validation_split(0.1)),
        "validation_split must be 0 with a source of batches: give `validation_data`, got 0.1"
    );
    assert_eq!(
        refused(files.open(), config().sample_weight(&[1.0; 32])),
        "sample_weight must be left out with a source of batches: give each batch its own, by `Batch::sample_weight`, got 32 weights"
    );
    let dataset = files.dataset();
    let both = config().validation_data(&dataset).validation_batches(files.open());
    assert_eq!(refused(files.open(), both), "validation_batches must be left out beside `validation_data`, got both");
    assert_eq!(refused(files.open(), config().steps_per_epoch(0)), "steps_per_epoch must be at least 1, got 0");
    assert_eq!(refused(files.open().block_len(0), config()), "block_len must be at least 1, got 0");
    assert_eq!(refused(files.open().buffer_size(0), config()), "buffer_size must be at least 1, got 0");
    assert_eq!(files.open().begin(EpochStart::new(0)).unwrap_err().to_string(), "batch_size must be at least 1, got 0");
    assert_eq!(
        model().fit(&files.dataset(), config().steps_per_epoch(2)).unwrap_err().to_string(),
        "steps_per_epoch must be left out, as an epoch has all examples: it is for `fit_batches`, got 2"
    );
    let rotate = config().augment(Augment::new().rotate(f32::NAN));
    assert_eq!(refused(files.open(), rotate), "rotate must be from 0 to 180 degrees, got NaN");
    #[cfg(feature = "privacy")]
    assert_eq!(
        refused(files.open(), config().differential_privacy(inkstone::privacy::DpSgd::new(1.0, 1.0))),
        "differential_privacy must be left out with a source of batches, as each step draws among all examples, got settings"
    );
}

#[test]
fn stateful_layers_want_batches_of_one_size_in_their_order() {
    let compiled = || {
        let layers = Sequential::new([4, 1]).add(GRU::new(3).stateful(true)).add(Dense::new(1));
        layers.compile(Adam::default(), MeanSquaredError, []).unwrap()
    };
    let pieces = |size: usize| Dataset::from_sequences_and_values(ndarray::Array3::ones((size, 4, 1)), vec![1.0; size]);
    let source = |sizes: [usize; 2]| batches_of_epochs(move |_| sizes.map(pieces));
    compiled().fit_batches(source([3, 3]), FitConfig::new().verbose(0)).unwrap();
    let error = compiled().fit_batches(source([3, 2]), FitConfig::new().verbose(0)).unwrap_err().to_string();
    assert!(error.contains("stateful layers"), "{error}");
}
