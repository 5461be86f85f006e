//! Files of quantized models are read with the care that files of models are.

use crate::common_model_file::{entry, with_entry};
use inkstone::data::TextVectorization;
use inkstone::prelude::*;
use inkstone::{Error, LoadLimits, ModelFault};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

fn model() -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(4, (3, 3)).activation(Relu))
        .add(Activation::new(Tanh))
        .add(PReLU::new())
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap()
}

fn images() -> ndarray::Array4<f32> {
    ndarray::Array4::from_shape_fn((5, 6, 6, 1), |(n, y, x, _)| ((n * 36 + y * 6 + x) % 11) as f32 / 10.0)
}

fn quantized() -> QuantizedPredictor {
    model().quantize(&images()).unwrap()
}

#[track_caller]
fn fault(bytes: &[u8]) -> ModelFault {
    match QuantizedPredictor::from_bytes(bytes).unwrap_err() {
        Error::ModelFile { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

/// The file with one tensor changed, whose checksum is right again.
fn with_tensor(bytes: &[u8], name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(found, tensor)| {
            let mut data = tensor.data().to_vec();
            if found == name {
                change(&mut data);
            }
            (found, tensor.dtype(), tensor.shape().to_vec(), data)
        })
        .collect();
    assert!(tensors.iter().any(|(found, ..)| found == name));
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let metadata = [("inkstone".to_owned(), entry(bytes).to_string())].into_iter().collect();
    with_entry(&safetensors::serialize(views, Some(metadata)).unwrap(), entry(bytes))
}

#[test]
fn a_file_holds_kernels_as_bytes_and_gives_the_same_predictor() {
    let quantized = quantized();
    let path = tempfile::tempdir().unwrap().keep().join("quantized.safetensors");
    quantized.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, quantized.to_bytes().unwrap());
    let loaded = QuantizedPredictor::load(&path).unwrap();
    assert_eq!(loaded.predict(&images()).unwrap(), quantized.predict(&images()).unwrap());
    assert_eq!(loaded.predict_classes(&images()).unwrap(), quantized.predict_classes(&images()).unwrap());
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    assert_eq!(entry(&bytes)["format_version"], json!(4));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file.tensors().into_iter().map(|(name, of)| (name, of.dtype())).collect();
    tensors.sort();
    let kernel = |step: &str| {
        [("", Dtype::I8), ("/biases", Dtype::F32), ("/scales", Dtype::F32)]
            .map(|(part, of)| (format!("{step}{part}"), of))
    };
    let mut expected = vec![("p_re_lu/alpha".to_owned(), Dtype::F32), ("values/ranges".to_owned(), Dtype::F32)];
    expected.extend(kernel("steps/0/conv2d/kernel"));
    expected.extend(kernel("steps/3/dense/kernel"));
    expected.sort();
    assert_eq!(tensors, expected);
}

#[test]
fn files_of_the_other_kind_say_what_takes_them() {
    assert!(matches!(fault(&model().to_bytes().unwrap()), ModelFault::NotQuantized));
    let bytes = quantized().to_bytes().unwrap();
    let error = Model::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("found a quantized one") && error.contains("`QuantizedPredictor::load`"), "{error}");
    let path = tempfile::tempdir().unwrap().keep().join("quantized.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let error = model().load_weights(&path).unwrap_err().to_string();
    assert!(error.contains("found a quantized one"), "{error}");
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let bytes = quantized().to_bytes().unwrap();
    for len in 0..bytes.len() {
        assert!(QuantizedPredictor::from_bytes(&bytes[..len]).is_err(), "{len}");
    }
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        // A few are in words of the header that say the same either way.
        let found = QuantizedPredictor::from_bytes(&changed);
        assert!(found.is_err() || found.unwrap().to_bytes().unwrap() == bytes, "{place}");
    }
}

#[test]
fn tensors_that_make_no_sense_are_refused() {
    let bytes = quantized().to_bytes().unwrap();
    let with_float = |name: &str, index: usize, value: f32| {
        fault(&with_tensor(&bytes, name, |data| data[4 * index..][..4].copy_from_slice(&value.to_le_bytes())))
    };
    let scales = "steps/0/conv2d/kernel/scales";
    let nan = with_float(scales, 1, f32::NAN);
    assert!(matches!(nan, ModelFault::NotFinite { index: 1, .. }), "{nan:?}");
    let inf = with_float("p_re_lu/alpha", 2, f32::INFINITY);
    assert!(matches!(inf, ModelFault::NotFinite { index: 2, .. }), "{inf:?}");
    let zero = with_float(scales, 2, 0.0).to_string();
    assert!(
        zero.contains("filter 2 has the scale 0 (steps/0/conv2d/kernel/scales): expected scales above zero"),
        "{zero}"
    );
    let range = with_float("values/ranges", 0, 0.5).to_string();
    assert!(range.contains("value 0 lies between 0.5 and") && range.contains("expected zero between"), "{range}");
    let wide = with_tensor(&bytes, "values/ranges", |data| {
        data[..4].copy_from_slice(&f32::MIN.to_le_bytes());
        data[4..8].copy_from_slice(&f32::MAX.to_le_bytes());
    });
    let wide = fault(&wide).to_string();
    assert!(wide.contains("value 0 lies between -340282350000000000000000000000000000000 and"), "{wide}");
}

#[test]
fn extreme_numbers_give_predictions() {
    let bytes = quantized().to_bytes().unwrap();
    for value in [f32::MAX, f32::MIN_POSITIVE, 1e-45] {
        let changed = with_tensor(&bytes, "steps/3/dense/kernel/scales", |data| {
            data.as_chunks_mut::<4>().0.iter_mut().for_each(|bytes| *bytes = value.to_le_bytes());
        });
        let changed = with_tensor(&changed, "steps/3/dense/kernel", |data| data.fill(0x80));
        QuantizedPredictor::from_bytes(&changed).unwrap().predict(&images()).unwrap();
    }
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let bytes = quantized().to_bytes().unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut entry = entry(&bytes);
        change(&mut entry);
        fault(&with_entry(&bytes, entry)).to_string()
    };
    let other_values = changed(&|entry| entry["quantized"]["values"][0] = json!(35));
    assert!(other_values.contains("quantize the model again"), "{other_values}");
    let other_decision = changed(&|entry| entry["quantized"]["decision"] = json!("Logit"));
    assert!(other_decision.contains("classes are decided by Logit"), "{other_decision}");
    let news = changed(&|entry| entry["quantized"]["news"] = json!(1));
    assert!(news.contains("news"), "{news}");
    let nothing = changed(&|entry| drop(entry.as_object_mut().unwrap().remove("quantized")));
    assert!(nothing.contains("a quantized model without `quantized`"), "{nothing}");
    let older = changed(&|entry| entry["format_version"] = json!(3));
    assert!(older.contains("quantized"), "{older}");
    let wider = changed(&|entry| entry["quantized"]["network"]["layers"][0]["Conv2D"]["filters"] = json!(5));
    assert!(wider.contains("expected"), "{wider}");
    let few = LoadLimits::new().operations(10);
    let error = QuantizedPredictor::from_bytes_with(&bytes, few).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::Limit { limit: 10, .. }, .. }), "{error}");
}

#[test]
fn how_tokens_are_made_of_texts_is_kept_and_saved() {
    let mut words = TextVectorization::new().output_sequence_length(4);
    words.adapt(["a good film", "a bad film", "not good"]).unwrap();
    let layers = Sequential::new([4]).add(Embedding::new(words.vocabulary_size(), 6).mask_zero(true));
    let layers = layers.add(LSTM::new(5)).add(Dense::new(1).activation(Sigmoid));
    let mut model = layers.seed(1).compile(Adam::default(), BinaryCrossentropy::default(), []).unwrap();
    let tokens = words.tokens(["a good film", "not a film", "bad"]).unwrap();
    let without = model.quantize(&tokens).unwrap();
    assert!(without.text_vectorization().is_none());
    assert!(entry(&without.to_bytes().unwrap())["quantized"].get("text_vectorization").is_none());
    model.set_text_vectorization(words.clone());
    let quantized = model.quantize(&tokens).unwrap();
    assert_eq!(quantized.text_vectorization(), Some(&words));
    let bytes = quantized.to_bytes().unwrap();
    let loaded = QuantizedPredictor::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.text_vectorization(), Some(&words));
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    let again = loaded.text_vectorization().unwrap().tokens(["a good film", "not a film", "bad"]).unwrap();
    assert_eq!(loaded.predict(&again).unwrap(), quantized.predict(&tokens).unwrap());
    // A vocabulary that names a word twice is none.
    let mut entry = entry(&bytes);
    entry["quantized"]["text_vectorization"]["words"] = json!(["a", "a"]);
    assert!(matches!(fault(&with_entry(&bytes, entry)), ModelFault::Metadata(_)));
}
