//! Tokens: what models take as such, and what they refuse.

use inkstone::Dataset;
use inkstone::ndarray::{Array2, array};
use inkstone::prelude::*;

fn model(tokens: usize) -> Model {
    Sequential::new([3])
        .add(Embedding::new(tokens, 2))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

const HINT: &str = "the `input_dim` of an `Embedding` is one more than the largest token";

#[test]
fn tokens_come_as_integers_as_floats_and_as_a_data_set() {
    let model = model(5);
    let integers: Array2<u32> = array![[0, 4, 2], [1, 1, 3]];
    let floats = integers.mapv(|token| token as f32);
    let dataset = Dataset::from_tokens(integers.clone(), vec![0, 1]).unwrap();
    let expected = model.predict(&floats).unwrap();
    assert_eq!(model.predict(&integers).unwrap(), expected);
    assert_eq!(model.predict(integers.view()).unwrap(), expected);
    assert_eq!(model.predict(&dataset).unwrap(), expected);
    assert_eq!(
        model.predict(&dataset.select(&[1, 0]).unwrap()).unwrap().index_axis(inkstone::ndarray::Axis(0), 1),
        expected.index_axis(inkstone::ndarray::Axis(0), 0)
    );
}

#[test]
fn a_value_that_is_no_token_is_an_error_wherever_it_comes_in() {
    let mut model = model(5);
    for (bad, what) in [(5.0, "5"), (-1.0, "-1"), (2.5, "2.5"), (16_777_215.0, "16777215")] {
        let table = array![[0.0, 1.0, 2.0], [3.0, bad, 4.0]];
        let expected =
            format!("tokens must be whole numbers from 0 to 4, got {what} at position 1 of example 1: {HINT}");
        let labels = [0_usize, 1];
        let dataset = Dataset::from_table(table.clone(), labels.to_vec()).unwrap();
        let predictor = model.clone().into_predictor();
        let quantized = model.quantize(&array![[0.0, 1.0, 2.0], [3.0, 4.0, 0.0]]).unwrap();
        let mut scratch = quantized.scratch();
        let errors = [
            model.predict(&table).unwrap_err(),
            model.evaluate((&table, &labels)).unwrap_err(),
            model.fit(&dataset, FitConfig::new().verbose(0)).unwrap_err(),
            model.train_on_batch(&table, &labels).unwrap_err(),
            model.forward(&table, inkstone::Mode::Training).unwrap_err(),
            predictor.predict(&table).unwrap_err(),
            predictor.predict_classes(&table).unwrap_err(),
            model.quantize(&table).unwrap_err(),
            quantized.predict(&table).unwrap_err(),
            quantized.predict_into(&table, &mut scratch, &mut [0.0; 4]).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.to_string(), expected);
        }
        // In another order, the place is that of the example in this order.
        let error = model.predict(&dataset.select(&[0, 0, 1]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("position 1 of example 2"), "{error}");
    }
    let error = model.predict(&array![[0, 1, 1 << 24_u32]]).unwrap_err();
    assert_eq!(error.to_string(), "tokens must be less than 16777216, got 16777216 at position 2 of example 0");
    assert!(Dataset::from_tokens(array![[1 << 24]], vec![0]).is_err());
}

#[test]
fn the_input_that_holds_tokens_is_named() {
    let (words, numbers) = (Input::new([2]), Input::new([2]));
    let vectors = words.apply(Embedding::new(3, 2)).apply(Flatten::new());
    let output = Concatenate::of([&numbers, &vectors]).apply(Dense::new(1));
    let model = Functional::new([&numbers, &words], [&output]).compile(Adam::default(), MeanSquaredError, []).unwrap();
    let error = model.predict((&array![[0.5, -1.0]], &array![[1.0, 3.0]])).unwrap_err();
    let expected =
        format!("input 1: tokens must be whole numbers from 0 to 2, got 3 at position 1 of example 0: {HINT}");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_embedding_wants_a_vector_of_tokens_that_an_input_gives() {
    let fault =
        |described: Sequential| described.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string();
    assert_eq!(
        fault(Sequential::new([2]).add(Dense::new(2)).add(Embedding::new(3, 2))),
        "layer 1 (Embedding) expects tokens, which an input of the model gives, got the output of a layer"
    );
    assert_eq!(
        fault(Sequential::new([2, 1]).add(Embedding::new(3, 2))),
        "layer 0 (Embedding) expects a vector of tokens, (steps), got (2, 1): tokens have no axis of features"
    );
    assert_eq!(
        fault(Sequential::new([2]).add(Embedding::new(0, 2))),
        "layer 0 (Embedding) expects an input_dim of at least 1, got 0"
    );
    assert_eq!(
        fault(Sequential::new([2]).add(Embedding::new(1 << 25, 1))),
        "layer 0 (Embedding) expects an input_dim of at most 16777216, got 33554432"
    );
}

/// Two calls of one table add up; rows that do not occur stay as they are.
#[test]
fn a_shared_table_gets_the_gradients_of_all_its_calls() {
    let (one, two) = (Input::new([2]), Input::new([1]));
    let shared = Shared::new(Embedding::new(6, 1).embeddings_initializer(Initializer::Ones));
    let sums = [one.apply(shared.clone()), two.apply(shared)].map(|vectors| {
        vectors.apply(Flatten::new()).apply(Dense::new(1).kernel_initializer(Initializer::Ones).trainable(false))
    });
    let output = Add::of(&sums);
    let mut model = Functional::new([&one, &two], [&output]).compile(Sgd::new(1.0), MeanSquaredError, []).unwrap();
    // The output is 3; a target of 2.5 has a slope of 1 on each occurrence.
    model.train_on_batch((&array![[4.0, 1.0]], &array![[4.0]]), &[2.5]).unwrap();
    let table = model.get_weight("embedding/embeddings").unwrap().values;
    assert_eq!(table.iter().copied().collect::<Vec<f32>>(), [1.0, 0.0, 1.0, 1.0, -1.0, 1.0]);
}

/// An average of the weights makes a step visit all of them, which changes no bit of the weights themselves.
#[test]
fn optimizers_that_leave_out_what_does_not_occur_train_to_the_same_bits() {
    let tokens = Array2::from_shape_fn((60, 3), |(example, place)| ((example * 31 + place * 17) % 900) as u32);
    let labels: Vec<usize> = (0..60).map(|example| example % 2).collect();
    let trained = |optimizer: Optimizer| {
        let described = Sequential::new([3]).add(Embedding::new(1000, 5)).add(GlobalAveragePooling1D::new());
        let described = described.add(Dense::new(2).activation(Softmax)).seed(1);
        let mut model = described.compile(optimizer, SparseCategoricalCrossentropy::default(), []).unwrap();
        let first = model.get_weights();
        (0..3).for_each(|_| drop(model.train_on_batch(&tokens, &labels).unwrap()));
        assert_ne!(first, model.get_weights());
        model.get_weights()
    };
    assert_eq!(trained(Sgd::new(0.1).into()), trained(Sgd::new(0.1).use_ema(true)));
    assert_eq!(trained(Adagrad::new(0.1).into()), trained(Adagrad::new(0.1).use_ema(true)));
}

/// The gradients of a table lie in no shard's buffer, and come out the same however the batch is cut.
#[test]
fn a_large_table_is_trained_to_the_same_bits_on_any_number_of_threads() {
    let tokens = Array2::from_shape_fn((97, 3), |(example, place)| ((example * 31 + place * 17) % 5000) as u32);
    let labels: Vec<usize> = (0..97).map(|example| example % 2).collect();
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = model(5000);
            let data = Dataset::from_tokens(tokens.clone(), labels.clone()).unwrap();
            model.fit(&data, FitConfig::new().epochs(2).batch_size(40).verbose(0)).unwrap();
            model.get_weights()
        })
    };
    let one = trained(1);
    assert!(one == trained(2) && one == trained(3));
}
