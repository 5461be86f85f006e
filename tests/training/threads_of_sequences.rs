//! Sequences in batches of more examples than a shard takes (128), and than a round takes (8192): recurrent layers,
//! tables of tokens and masked outputs have the same bits on any number of threads.

use inkstone::ndarray::{Array2, Array3, ArrayD};
use inkstone::prelude::*;

const THREADS: [usize; 4] = [2, 3, 5, 16];

/// Rows of tokens that end with padding, of different lengths; some are all padding.
fn tokens(rows: usize, steps: usize) -> Array2<u32> {
    Array2::from_shape_fn((rows, steps), |(row, step)| {
        let is_word = step < (row * 5 + 3) % (steps + 1);
        if is_word { (row * 31 + step * step * 17) as u32 % 29 + 1 } else { 0 }
    })
}

fn labels(rows: usize) -> Vec<usize> {
    (0..rows).map(|row| row * row % 3).collect()
}

/// Fails unless weights, losses and predictions have the same bits on one thread and on any other number.
fn assert_same_bits(what: &str, train: impl Fn() -> (Model, Vec<f64>, ArrayD<f32>) + Sync) {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (model, losses, predictions) = pool.install(&train);
        let weights = model.get_weights().into_iter().flat_map(|weight| weight.values);
        let floats: Vec<u32> = weights.chain(predictions).map(f32::to_bits).collect();
        (losses.into_iter().map(f64::to_bits).collect::<Vec<u64>>(), floats)
    };
    let one = on(1);
    for threads in THREADS {
        assert!(on(threads) == one, "{what} on {threads} threads");
    }
}

fn classifies(layers: Sequential) -> Model {
    let described = layers.add(Dense::new(3).activation(Softmax)).seed(11);
    described.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

#[test]
fn recurrent_layers_behind_a_table() {
    const ROWS: usize = 431;
    let directions: [fn() -> Bidirectional; 3] = [
        || Bidirectional::new(LSTM::new(5).dropout(0.2).recurrent_dropout(0.3)),
        || Bidirectional::new(GRU::new(6).recurrent_dropout(0.2).reset_after(false)),
        || Bidirectional::new(SimpleRNN::new(4).dropout(0.1)),
    ];
    for layer in directions {
        assert_same_bits(&format!("{:?}", layer()), || {
            let layers = Sequential::new([7]).add(Embedding::new(30, 6).mask_zero(true));
            let layers = layers.add(GRU::new(7).return_sequences(true).dropout(0.2)).add(layer());
            let mut model = classifies(layers);
            let data = Dataset::from_tokens(tokens(ROWS, 7), labels(ROWS)).unwrap();
            let history = model.fit(&data, FitConfig::new().epochs(2).batch_size(300).verbose(0)).unwrap();
            let predictions = model.predict(&tokens(ROWS, 7)).unwrap();
            (model, history.losses(), predictions)
        });
    }
}

#[test]
fn more_rows_of_tokens_than_a_round_takes() {
    const ROWS: usize = 9001;
    assert_same_bits("a table", || {
        let layers = Sequential::new([5]).add(Embedding::new(30, 6).mask_zero(true)).add(GlobalAveragePooling1D::new());
        let mut model = classifies(layers);
        let (tokens, labels) = (tokens(ROWS, 5), labels(ROWS));
        let losses = (0..2).map(|_| model.train_on_batch(&tokens, &labels).unwrap().loss).collect();
        let predictions = model.predict(&tokens).unwrap();
        (model, losses, predictions)
    });
}

#[test]
fn masked_outputs() {
    const ROWS: usize = 333;
    let x = Array3::from_shape_fn((ROWS, 6, 2), |(row, step, feature)| {
        let counts = step < (row * 3 + 1) % 7;
        if counts { ((row * 13 + step * 7 + feature * 5) % 19) as f32 / 19.0 + 0.1 } else { 0.0 }
    });
    let y = Array3::from_shape_fn((ROWS, 6, 2), |(row, step, feature)| ((row + step + feature) % 5) as f32 / 5.0);
    assert_same_bits("a masked sequence", || {
        let layers = Sequential::new([6, 2]).add(Masking::new());
        let layers = layers.add(LSTM::new(5).return_sequences(true).go_backwards(true).recurrent_dropout(0.2));
        let described = layers.add(TimeDistributed::new(Dense::new(2).activation(Tanh))).seed(5);
        let metrics = [Metric::MeanAbsoluteError];
        let mut model = described.compile(Adam::new(0.01), MeanSquaredError, metrics).unwrap();
        let losses = (0..3).map(|_| model.train_on_batch(&x, &y).unwrap().loss).collect();
        let predictions = model.predict(&x).unwrap();
        (model, losses, predictions)
    });
}
