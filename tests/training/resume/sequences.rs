//! Models of sequences resumed: what recurrent layers drop, and what tables and masks have to do with it, hangs on
//! seed, step and example alone.

use super::*;
use inkstone::ndarray::Array2;

const ROWS: usize = 43;
const STEPS: usize = 6;

/// Sentences of different lengths, with padding behind.
fn sentences(rows: usize) -> Dataset {
    let token = |(row, step): (usize, usize)| {
        let is_word = step < row % (STEPS + 1);
        if is_word { (row * 7 + step * 5) as u32 % 19 + 1 } else { 0 }
    };
    Dataset::from_tokens(Array2::from_shape_fn((rows, STEPS), token), (0..rows).map(|row| row % 3).collect()).unwrap()
}

fn recurrent(seed: u64) -> Model {
    let first = LSTM::new(5).return_sequences(true).dropout(0.3).recurrent_dropout(0.2);
    Sequential::new([STEPS])
        .add(Embedding::new(20, 4).mask_zero(true))
        .add(Bidirectional::new(first))
        .add(GRU::new(4).reset_after(false).return_sequences(true).recurrent_dropout(0.3))
        .add(TimeDistributed::new(Dense::new(4).activation(Tanh)))
        .add(SimpleRNN::new(3).dropout(0.2).go_backwards(true))
        .add(Dense::new(3).activation(Softmax))
        .seed(seed)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn three_epochs<'a>() -> FitConfig<'a> {
    FitConfig::new().epochs(3).batch_size(BATCH).verbose(0)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// What is left of a training: its losses of the last epoch, all that a checkpoint has, and predictions.
fn remains(model: &mut Model, history: &History) -> (u64, Vec<u8>, Vec<u32>) {
    let predictions = model.predict(&sentences(7).images()).unwrap();
    let loss = history.losses().last().unwrap().to_bits();
    (loss, model.checkpoint_to_bytes().unwrap(), predictions.iter().map(|value| value.to_bits()).collect())
}

#[test]
fn resumed_after_any_step_on_other_threads_recurrent_models_end_with_the_same_bits() {
    let train = sentences(ROWS);
    for (threads, other) in [(1, 3), (2, 1)] {
        let mut saved = Vec::new();
        let save = LambdaCallback::new().on_train_batch_end(|_, _, training| {
            saved.push(training.model().checkpoint_to_bytes()?);
            Ok(())
        });
        let expected = on_threads(threads, || {
            let mut model = recurrent(7);
            let history = model.fit(&train, three_epochs().callback(save)).unwrap();
            remains(&mut model, &history)
        });
        assert_eq!(saved.len(), 3 * ROWS.div_ceil(BATCH));
        // The last one has nothing left to do.
        for (place, bytes) in saved[..saved.len() - 1].iter().enumerate() {
            let mut resumed = Model::resume_from_bytes(bytes).unwrap();
            assert!(resumed.checkpoint_to_bytes().unwrap() == *bytes, "it is saved as it was loaded");
            let found = on_threads(other, || {
                let history = resumed.fit(&train, three_epochs()).unwrap();
                remains(&mut resumed, &history)
            });
            assert!(found == expected, "resumed after {} steps, on {other} threads", place + 1);
        }
    }
}

/// Another seed, which decides what is dropped, ends elsewhere: the comparison above sees the dropouts.
#[test]
fn what_recurrent_layers_drop_is_seen_in_what_is_left() {
    let train = sentences(ROWS);
    let trained = |seed: u64| {
        let mut model = recurrent(seed);
        let weights = recurrent(7).get_weights();
        model.set_weights(&weights).unwrap();
        // In order, so that the seed decides nothing else.
        model.fit(&train, FitConfig::new().epochs(1).batch_size(BATCH).shuffle(false).verbose(0)).unwrap();
        model.get_weights()
    };
    assert_eq!(trained(7), trained(7));
    assert_ne!(trained(7), trained(8));
}
