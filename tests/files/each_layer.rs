//! Every kind of layer in the table of cases goes through files and JSON without a change.

use crate::cases::{KINDS, chain, inputs, model};
use inkstone::prelude::*;

/// How many layers of each kind are drawn.
const CASES: u64 = 12;
const LABELS: [usize; 5] = [0, 1, 2, 1, 0];

fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let bits = |weight: inkstone::Weight| (weight.name, weight.values.iter().map(|value| value.to_bits()).collect());
    model.get_weights().into_iter().map(bits).collect()
}

#[test]
fn every_layer_is_described_in_json_and_read_again() {
    for case in KINDS.iter().flat_map(|kind| (0..CASES).map(|seed| kind.case(seed))) {
        if let Some(described) = chain(&case) {
            assert_eq!(Sequential::from_json(&described.to_json()).unwrap(), described);
        }
        let described = model(&case);
        let json = serde_json::to_string(&described).unwrap();
        assert_eq!(serde_json::from_str::<Functional>(&json).unwrap(), described);
    }
}

#[test]
fn every_layer_is_saved_and_loaded_to_the_bit() {
    for case in KINDS.iter().flat_map(|kind| (0..CASES).map(|seed| kind.case(seed))) {
        let mut model =
            model(&case).compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
        let images = inputs(&case, LABELS.len());
        model.train_on_batch(&images, &LABELS).unwrap();

        let bytes = model.to_bytes().unwrap();
        let loaded = Model::from_bytes(&bytes).unwrap();
        assert_eq!(bits(&loaded), bits(&model), "{case:?}");
        assert!(loaded.predict(&images).unwrap() == model.predict(&images).unwrap(), "{case:?}");
        assert!(loaded.to_bytes().unwrap() == bytes, "{case:?}");

        let mut resumed = Model::resume_from_bytes(&model.checkpoint_to_bytes().unwrap()).unwrap();
        let scores = [&mut model, &mut resumed].map(|model| model.train_on_batch(&images, &LABELS).unwrap());
        assert_eq!(scores[0], scores[1], "{case:?}");
        assert_eq!(bits(&resumed), bits(&model), "{case:?}: the next step");
        assert!(model.to_bytes().unwrap() != bytes, "{case:?}: a step changes something");
    }
}
