//! What `fit_batches` makes of sources: what `fit` makes of the same examples.

use super::{Files, bits, config, model};
use inkstone::callbacks::{EarlyStopping, LambdaCallback, SaveFreq};
use inkstone::data::{Batch, BatchSource, batches_of_epochs, endless_batches};
use inkstone::prelude::*;
use inkstone::{Error, Objective};
use ndarray::Array2;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool of so many threads.
fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn the_same_order_gives_the_bits_of_fit() {
    let files = Files::new(50);
    let dataset = files.dataset();
    let mut loaded = model();
    let history = loaded.fit(&dataset, config().shuffle(false).class_weight([(1, 3.0)])).unwrap();
    for threads in [1, 3] {
        pool(threads).install(|| {
            let mut read = model();
            // The blocks and the parts in memory end anywhere in a batch.
            let source = files.open().block_len(7).buffer_size(15);
            let same = read.fit_batches(source, config().shuffle(false).class_weight([(1, 3.0)])).unwrap();
            assert_eq!(bits(&read), bits(&loaded), "{threads} threads");
            assert_eq!(same.losses(), history.losses());
        });
    }
    let mut made = model();
    let source = batches_of_epochs(|_| dataset.batch(8).unwrap().map(Ok));
    made.fit_batches(source, config().class_weight([(1, 3.0)])).unwrap();
    assert_eq!(bits(&made), bits(&loaded), "of an iterator");
}

#[test]
fn shuffled_files_give_the_same_bits_on_any_number_of_threads() {
    let files = Files::new(50);
    let trained = |threads| {
        let mut model = model();
        let source = files.open().block_len(4).buffer_size(20);
        pool(threads).install(|| model.fit_batches(source, config()).unwrap());
        bits(&model)
    };
    assert_eq!(trained(1), trained(3));
}

#[test]
fn a_training_that_was_interrupted_anywhere_goes_on_to_the_same_bits() {
    let files = Files::new(50);
    let dataset = files.dataset();
    type Open<'a> = Box<dyn Fn() -> Box<dyn BatchSource + 'a> + 'a>;
    let from_files: Open<'_> = Box::new(|| Box::new(files.open().block_len(4).buffer_size(20)));
    let of_epochs: Open<'_> = Box::new(|| Box::new(batches_of_epochs(|_| dataset.batch(8).unwrap().map(Ok))));
    for open in [from_files, of_epochs] {
        let mut through = model();
        through.fit_batches(&mut *open(), config()).unwrap();
        // Seven batches an epoch.
        for step in [1, 5, 7, 10, 20] {
            let folder = tempfile::tempdir().unwrap();
            let backup = || BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(3));
            let mut steps = 0;
            let interrupt = LambdaCallback::new().on_train_batch_begin(|_, training| {
                if steps == step {
                    training.interrupt();
                }
                steps += 1;
                Ok(())
            });
            model().fit_batches(&mut *open(), config().backup(backup()).callback(interrupt)).unwrap();
            let mut resumed = model();
            resumed.fit_batches(&mut *open(), config().backup(backup())).unwrap();
            assert_eq!(bits(&resumed), bits(&through), "interrupted before step {step}");
        }
    }
}

#[test]
fn an_endless_source_is_asked_for_no_more_than_its_steps() {
    let dataset = Files::new(8).dataset();
    let drawn = Arc::new(AtomicUsize::new(0));
    let batches = std::iter::repeat_with({
        let drawn = drawn.clone();
        move || {
            drawn.fetch_add(1, Ordering::Relaxed);
            Ok(dataset.clone())
        }
    });
    let mut trained = 0;
    let count = LambdaCallback::new().on_train_batch_end(|_, _, training| {
        assert_eq!(training.steps(), 5);
        trained += 1;
        Ok(())
    });
    model().fit_batches(endless_batches(batches), config().steps_per_epoch(5).callback(count)).unwrap();
    assert_eq!((trained, drawn.load(Ordering::Relaxed)), (15, 15));
}

#[test]
fn the_preparing_thread_ends_when_a_training_is_stopped() {
    let dataset = Files::new(8).dataset();
    let held = Arc::new(());
    let batches = std::iter::repeat_with({
        let held = held.clone();
        move || {
            let _held = &held;
            Ok(dataset.clone())
        }
    });
    // Nobody says how many steps there are.
    let stop = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
        assert_eq!(training.steps(), 0);
        if batch == 6 {
            training.stop_training();
        }
        Ok(())
    });
    let history = model().fit_batches(endless_batches(batches), config().epochs(100).callback(stop)).unwrap();
    assert_eq!(history.epochs.len(), 1);
    assert_eq!(Arc::strong_count(&held), 1, "the source has gone with its thread");
}

#[test]
fn validation_data_and_callbacks_are_those_of_fit() {
    let files = Files::new(30);
    let dataset = files.dataset();
    let config = || config().epochs(40).shuffle(false).validation_data(&dataset);
    let stopping = || EarlyStopping::new("val_loss").patience(1);
    let (mut loaded, mut read) = (model(), model());
    let expected = loaded.fit(&dataset, config().callback(stopping())).unwrap();
    let history = read.fit_batches(files.open(), config().callback(stopping())).unwrap();
    assert_eq!(history.get("val_loss").unwrap(), expected.get("val_loss").unwrap());
    assert_eq!(bits(&read), bits(&loaded));
    // The validation data may come from a source, too, for both.
    let config = || super::config().shuffle(false).validation_split(0.0).validation_batches(files.open());
    let (mut loaded, mut read) = (model(), model());
    let losses = loaded.fit(&dataset, config()).unwrap().get("val_loss").unwrap();
    assert!(losses.iter().zip(history.get("val_loss").unwrap()).all(|(loss, other)| (loss - other).abs() < 1e-6));
    assert_eq!(read.fit_batches(files.open(), config()).unwrap().get("val_loss").unwrap(), losses);
}

#[test]
fn models_with_several_inputs_and_outputs_and_weights_of_examples_train() {
    let table = |seed: usize| Array2::from_shape_fn((20, 3), |(n, x)| ((n * 7 + x * 5 + seed) % 11) as f32 / 11.0);
    let (first, second) = (table(1), table(4));
    let (classes, values): (Vec<usize>, Vec<f32>) = (0..20).map(|n| (n % 2, n as f32 / 20.0)).unzip();
    let weights: Vec<f32> = (0..20).map(|n| 1.0 + (n % 4) as f32).collect();
    let compiled = || {
        let inputs = [Input::new([3]), Input::new([3])];
        let both = Concatenate::of([&inputs[0], &inputs[1]]);
        let outputs = [both.apply(Dense::new(2).activation(Softmax)), both.apply(Dense::new(1))];
        let objectives = [Objective::new(SparseCategoricalCrossentropy::default()), Objective::new(MeanSquaredError)];
        Functional::new([&inputs[0], &inputs[1]], &outputs).seed(2).compile_with(Adam::new(0.01), objectives).unwrap()
    };
    let config = || FitConfig::new().epochs(4).batch_size(8).shuffle(false).verbose(0);
    let mut loaded = compiled();
    loaded.fit(((&first, &second), (&classes, &values), &weights), config()).unwrap();

    let first = Dataset::from_table(first, classes).unwrap();
    let second = Dataset::from_table_and_values(second, values).unwrap();
    let source = batches_of_epochs(|_| {
        let pairs = first.batch(8).unwrap().zip(second.batch(8).unwrap()).zip(weights.chunks(8));
        pairs.map(|((first, second), weights)| {
            Ok(Batch::from(first).input(second.clone()).output(second).sample_weight(weights.to_vec()))
        })
    });
    let mut read = compiled();
    read.fit_batches(source, config()).unwrap();
    assert_eq!(bits(&read), bits(&loaded));
}

#[test]
fn evaluating_and_predicting_batches_gives_what_all_at_once_gives() {
    let files = Files::new(70);
    let (dataset, model) = (files.dataset(), model());
    let (all, parts) = (model.evaluate(&dataset).unwrap(), model.evaluate_batches(files.open()).unwrap());
    assert!((all.loss - parts.loss).abs() < 1e-6);
    assert_eq!(all.accuracy().unwrap(), parts.accuracy().unwrap());
    let mut rows = Vec::new();
    let source = inkstone::data::FileBatches::open_inputs(&files.images).unwrap();
    model
        .predict_batches(source, |_, predicted| {
            rows.extend(predicted);
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, model.predict(&dataset).unwrap().into_raw_vec_and_offset().0);
    let stop = model.predict_batches(files.open(), |_, _| Err(Error::Callback("enough".into())));
    assert_eq!(stop.unwrap_err().to_string(), "enough");
}
