//! Layers whose weights training leaves as they are.

use inkstone::Optimizer;
use inkstone::ndarray::Array4;
use inkstone::prelude::*;

fn images() -> (Array4<f32>, Vec<usize>) {
    let images = Array4::from_shape_fn((24, 8, 8, 2), |(n, y, x, c)| ((n * 31 + y * 7 + x * x + c) % 17) as f32 / 17.0);
    (images, (0..24).map(|n| n % 3).collect())
}

/// Two convolutions and a dense layer, each trained or not.
fn model(trainable: [bool; 3], optimizer: impl Into<Optimizer>) -> Model {
    let [first, second, last] = trainable;
    Sequential::new([8, 8, 2])
        .add(Conv2D::new(4, (3, 3)).activation(Relu).trainable(first))
        .add(Conv2D::new(5, (3, 3)).activation(Tanh).trainable(second))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax).trainable(last))
        .seed(4)
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn trained(mut model: Model) -> Model {
    let (images, labels) = images();
    model.fit((&images, &labels), FitConfig::new().epochs(2).batch_size(8).verbose(0)).unwrap();
    model
}

#[test]
fn frozen_weights_stay_and_all_others_are_trained() {
    let optimizers: [Optimizer; 3] = [
        Adam::default().into(),
        AdamW::default().weight_decay(0.1).into(),
        Sgd::new(0.1).momentum(0.9).use_ema(true).global_clipnorm(0.5),
    ];
    for optimizer in optimizers {
        for trainable in [[false, true, true], [true, false, true], [true, true, false], [false, false, true]] {
            let before = model(trainable, optimizer.clone()).get_weights();
            let after = trained(model(trainable, optimizer.clone())).get_weights();
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                assert_eq!(before.values != after.values, trainable[index / 2], "{trainable:?} {}", before.name);
            }
        }
    }
}

/// The gradients of what is trained do not depend on what else is.
#[test]
fn gradients_are_those_of_the_model_in_which_all_is_trained() {
    let (images, labels) = images();
    let (_, all) = model([true; 3], Sgd::new(0.1)).gradients(&images, &labels).unwrap();
    for trainable in [[false, true, true], [true, false, true], [true, true, false], [false, false, true]] {
        let (_, found) = model(trainable, Sgd::new(0.1)).gradients(&images, &labels).unwrap();
        let expected: Vec<_> = all.iter().enumerate().filter(|(index, _)| trainable[index / 2]).collect();
        assert_eq!(found.len(), expected.len());
        for (found, (_, expected)) in found.iter().zip(expected) {
            assert_eq!(found.name, expected.name);
            let largest = expected.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let difference = (&found.values - &expected.values).mapv(f32::abs);
            assert!(difference.iter().all(|difference| *difference <= 1e-5 * largest), "{trainable:?} {}", found.name);
        }
    }
}

#[test]
fn frozen_layers_are_saved_resumed_and_counted_as_such() {
    let model = trained(model([false, true, true], Adam::default()));
    let summary = model.summary().to_string();
    let frozen = 3 * 3 * 2 * 4 + 4;
    assert!(summary.contains(&format!("Non-trainable params: {frozen} ")), "{summary}");
    let bytes = model.checkpoint_to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(file.tensor("conv2d/kernel").is_ok() && file.tensor("optimizer/momentum/conv2d_1/kernel").is_ok());
    assert!(file.tensor("optimizer/momentum/conv2d/kernel").is_err(), "the optimizer keeps nothing for it");

    let resumed = trained(Model::resume_from_bytes(&bytes).unwrap());
    let again = trained(model);
    assert_eq!(resumed.get_weights(), again.get_weights());
}
