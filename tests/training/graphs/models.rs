//! The networks to start from: each learns, is saved, and is a base for transfer learning.

use crate::small::quiet;
use inkstone::ndarray::Array4;
use inkstone::prelude::*;
use inkstone::{Result, models};

fn data() -> (Array4<f32>, Vec<usize>) {
    let images = Array4::from_shape_fn((8, 20, 20, 2), |(n, y, x, c)| ((n % 2 * 5 + y * 3 + x + c) % 7) as f32 / 7.0);
    (images, (0..8).map(|n| n % 2).collect())
}

fn all() -> [Result<Model>; 4] {
    let adam = || Adam::new(0.002);
    let loss = SparseCategoricalCrossentropy::default;
    let input = [20, 20, 2];
    [
        models::lenet5(input, 2).seed(1).compile(adam(), loss(), [Accuracy]),
        models::keras_example(input, 2).seed(1).compile(adam(), loss(), [Accuracy]),
        models::resnet14(input, 2).seed(1).compile(adam(), loss(), [Accuracy]),
        models::mobilenet(input, 2).seed(1).compile(adam(), loss(), [Accuracy]),
    ]
}

#[test]
fn each_network_learns_and_is_saved() {
    let (images, labels) = data();
    for model in all() {
        let mut model = model.unwrap();
        let history = model.fit((&images, &labels), quiet().epochs(8)).unwrap();
        let losses = history.get("loss").unwrap();
        assert!(losses[7] < 0.7 * losses[0], "{losses:?}\n{}", model.summary());
        let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded.predict(&images).unwrap(), model.predict(&images).unwrap());
    }
}

/// Moving averages are kept, and a frozen normalisation leaves them as they are.
#[test]
fn a_new_head_leaves_the_frozen_base_as_it_is() {
    let (images, labels) = data();
    for model in all() {
        let mut model = model.unwrap();
        model.fit((&images, &labels), quiet().epochs(1)).unwrap();
        let head = model.without_top(1).unwrap().freeze().add(Dense::new(2).activation(Softmax));
        let mut head = head.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), []).unwrap();
        head.fit((&images, &labels), quiet().epochs(2)).unwrap();
        let (before, after) = (model.get_weights(), head.get_weights());
        let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert_eq!(changed.len(), 2, "{:?}", changed.iter().map(|(before, _)| &before.name).collect::<Vec<_>>());
    }
}
