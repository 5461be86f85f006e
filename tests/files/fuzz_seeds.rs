//! What fuzzing of the model reader starts from: files of today's format, one of each earlier one, and descriptions of
//! networks. After a change of the format all but `format-1`, `format-2` and `description-chain` are written anew with
//! `cargo test --test files write_the_seeds -- --ignored`.

#[path = "../common/model_check.rs"]
pub(crate) mod model_check;
#[path = "../common/sound_file.rs"]
mod sound_file;

use crate::cases::KINDS;
use crate::common_model_file::entry;
use inkstone::callbacks::SaveFreq;
use inkstone::layers::SequencePadding;
use inkstone::prelude::*;
use inkstone::{Error, ModelFault, Optimizer};
use ndarray::Array4;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/model")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn model(optimizer: impl Into<Optimizer>) -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(2, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Dropout::new(0.25))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(5)
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Layers of vectors alone, and a loss of logits.
fn dense() -> Vec<u8> {
    let model = Sequential::new([2]).add(Dense::new(2)).add(Activation::new(Tanh)).add(Dense::new(2).use_bias(false));
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    model.seed(1).compile(Adam::default(), loss, []).unwrap().to_bytes().unwrap()
}

/// The middle of an epoch, with a callback that remembers weights.
fn checkpoint() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(1)).keep(9);
    let images = Array4::from_shape_fn((5, 6, 6, 1), |(n, y, x, _)| ((n * 5 + y * 3 + x) % 7) as f32 / 7.0);
    let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    let config = FitConfig::new().epochs(2).batch_size(2).verbose(0).callback(stopping).backup(backup);
    model(Adam::default()).fit((&images, &[0, 1, 2, 0, 1]), config).unwrap();
    fs::read(folder.path().join("step-000000000005.safetensors")).unwrap()
}

/// Layers of images, with settings that are no defaults.
fn images() -> Model {
    let transposed = Conv2DTranspose::new(3, (3, 2)).strides((2, 1)).padding(Same).output_padding((1, 0));
    Sequential::new([5, 4, 4])
        .add(Rescaling::new(0.5).offset(-1.0))
        .add(Conv2D::new(4, (3, 3)).groups(2).dilation_rate((2, 1)).padding(Same).use_bias(false))
        .add(BatchNormalization::new().axis(1))
        .add(ReLU::new().max_value(6.0).negative_slope(0.1))
        .add(DepthwiseConv2D::new((2, 2)).depth_multiplier(2).padding(Same).activation(Elu))
        .add(SpatialDropout2D::new(0.25))
        .add(SeparableConv2D::new(4, (3, 2)).padding(Same))
        .add(GroupNormalization::new().groups(2))
        .add(PReLU::new().shared_axes([1, 2]))
        .add(transposed)
        .add(LeakyReLU::new())
        .add(UpSampling2D::new((1, 2)).interpolation(Interpolation::Bilinear))
        .add(Cropping2D::asymmetric((1, 0), (0, 2)))
        .add(ZeroPadding2D::asymmetric((0, 1), (2, 0)))
        .add(MaxPooling2D::new((2, 2)))
        .add(AveragePooling2D::new((2, 2)).strides((1, 2)).padding(Same))
        .add(GlobalAveragePooling2D::new().keepdims(true))
        .add(GlobalMaxPooling2D::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Layers of sequences, and such as change the order of values.
fn sequences() -> Model {
    Sequential::new([6, 4])
        .add(Masking::new())
        .add(Normalization::new(vec![0.5; 4], vec![2.0; 4]))
        .add(Conv1D::new(4, 2).groups(2).dilation_rate(2).padding(SequencePadding::Causal).activation(Relu))
        .add(LayerNormalization::new().axis([1, 2]))
        .add(GaussianNoise::new(0.1))
        .add(MaxPooling1D::new(2).strides(1))
        .add(AveragePooling1D::new(2))
        .add(Permute::new([2, 1]))
        .add(GaussianDropout::new(0.1))
        .add(Reshape::new([8]))
        .add(RepeatVector::new(2))
        .add(AlphaDropout::new(0.1))
        .add(ELU::new())
        .add(GlobalMaxPooling1D::new().keepdims(true))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(1).activation(Sigmoid))
        .seed(2)
        .compile(RmsProp::new(0.01), BinaryCrossentropy::default(), [BinaryAccuracy::default().into()])
        .unwrap()
}

/// Tokens, and the mask that their padding makes.
fn tokens() -> Model {
    Sequential::new([5])
        .add(Embedding::new(7, 3).mask_zero(true))
        .add(Dropout::new(0.25))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(1).activation(Sigmoid))
        .seed(2)
        .compile(RmsProp::new(0.01), BinaryCrossentropy::default(), [BinaryAccuracy::default().into()])
        .unwrap()
}

/// Every recurrent layer, and those around other layers.
fn recurrent() -> Model {
    Sequential::new([4, 2])
        .add(SimpleRNN::new(2).return_sequences(true).go_backwards(true))
        .add(GRU::new(2).return_sequences(true).recurrent_dropout(0.25))
        .add(Bidirectional::new(GRU::new(1).reset_after(false).return_sequences(true)).merge_mode(MergeMode::Ave))
        .add(TimeDistributed::new(Dense::new(2)))
        .add(LSTM::new(2).dropout(0.25).activation(Silu))
        .add(Dense::new(1).activation(Sigmoid))
        .seed(2)
        .compile(RmsProp::new(0.01), BinaryCrossentropy::default(), [BinaryAccuracy::default().into()])
        .unwrap()
}

/// Several inputs and outputs, a layer that is called twice, layers that merge values of other shapes, and settings of
/// weights.
fn graph() -> Model {
    let (one, two) = (Input::new([2, 3]), Input::new([3]));
    let shared = Shared::new(
        Dense::new(3)
            .kernel_initializer(Initializer::HeNormal)
            .kernel_regularizer(Regularizer::l1_l2(0.01, 0.02))
            .bias_constraint(Constraint::max_norm(1.5)),
    );
    let (x, y) = (one.apply(shared.clone()), two.apply(shared));
    let sum = Add::of([&x, &y]);
    let merged = Multiply::of([&Subtract::of([&sum, &x]), &Maximum::of([&x, &y, &sum])]);
    let averaged = Average::of([&merged, &Minimum::of([&one, &two])]);
    let all = Concatenate::of([&averaged, &x]).apply(Flatten::new());
    let class = all.apply(Dropout::new(0.5)).apply(Dense::new(3).activation(Softmax).name("class"));
    let size = all.apply(Dense::new(1).trainable(false)).apply(Activation::new(Tanh));
    let objectives = [
        Objective::new(CategoricalCrossentropy::default()).metrics([Accuracy]),
        Objective::new(Huber::default()).weight(0.5),
    ];
    let optimizer = AdamW::new(0.01).clipvalue(1.0).use_ema(true);
    Functional::new([&one, &two], [&class, &size, &sum.apply(Flatten::new())])
        .seed(3)
        .compile_with(optimizer, objectives.into_iter().chain([Objective::new(MeanAbsoluteError)]))
        .unwrap()
}

/// The text of a part of an entry.
fn text(bytes: &[u8], part: &str) -> String {
    entry(bytes)[part].to_string()
}

#[test]
#[ignore = "writes the files"]
fn write_the_seeds() {
    let write = |name: &str, bytes: &[u8]| fs::write(folder().join(name), bytes).unwrap();
    let convs = model(Adam::default()).to_bytes().unwrap();
    let sgd = model(Sgd::new(OneCycle::new(0.1, 10)).momentum(0.9).clipnorm(1.0)).to_bytes().unwrap();
    write("convs", &convs);
    write("dense", &dense());
    write("checkpoint", &checkpoint());
    write("cut", &convs[..convs.len() * 5 / 6]);
    // The length of a header of 2^56 bytes.
    let mut promise = dense();
    promise[7] = 1;
    write("promise", &promise);
    let weights = tempfile::tempdir().unwrap().keep().join("weights");
    model(Adam::default()).save_weights(&weights).unwrap();
    write("weights", &fs::read(weights).unwrap());
    // As text, without what is around.
    write("description-adam", text(&convs, "model").as_bytes());
    write("description-sgd", text(&sgd, "model").as_bytes());
    let networks = [
        ("network-images", images()),
        ("network-sequences", sequences()),
        ("network-tokens", tokens()),
        ("network-recurrent", recurrent()),
        ("network-graph", graph()),
    ];
    for (name, model) in networks {
        write(name, text(&model.to_bytes().unwrap(), "model").as_bytes());
    }
    let checkpoint = checkpoint();
    let (model, training) = (text(&checkpoint, "model"), text(&checkpoint, "training"));
    write("training", format!(r#"{{"model":{model},"training":{training}}}"#).as_bytes());
}

#[test]
fn the_seeds_are_of_todays_format() {
    let fault = |name: &str| match Model::from_bytes(&read(name)) {
        Err(Error::ModelFile { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    for (name, format) in [("convs", 3), ("dense", 3), ("checkpoint", 3), ("format-1", 1), ("format-2", 2)] {
        assert_eq!(entry(&read(name))["format_version"], format, "{name}");
        Model::from_bytes(&read(name)).unwrap();
    }
    Model::resume_from_bytes(&read("checkpoint")).unwrap();
    Model::resume_from_bytes(&read("format-2")).unwrap();
    assert!(matches!(fault("cut"), ModelFault::Length { .. }));
    assert!(matches!(fault("promise"), ModelFault::HeaderTooLarge { .. }));
    assert!(matches!(fault("weights"), ModelFault::WeightsOnly));
}

const TEXTS: [&str; 8] = [
    "description-chain",
    "description-adam",
    "description-sgd",
    "network-images",
    "network-sequences",
    "network-tokens",
    "network-recurrent",
    "network-graph",
];

#[test]
fn a_sound_file_is_made_around_each_text() {
    let around = |name: &str| sound_file::around(std::str::from_utf8(&read(name)).unwrap());
    for name in TEXTS {
        Model::from_bytes(&around(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    Model::resume_from_bytes(&around("training")).unwrap();
}

#[test]
fn fuzzing_starts_from_every_layer() {
    let texts: String = TEXTS.map(|name| String::from_utf8(read(name)).unwrap()).concat();
    for kind in KINDS {
        assert!(texts.contains(&format!("{{\"{kind:?}\":")), "no seed has a layer {kind:?}");
    }
}

#[test]
fn the_seeds_pass_what_the_fuzz_target_checks() {
    for file in fs::read_dir(folder()).unwrap() {
        model_check::check(&fs::read(file.unwrap().path()).unwrap());
    }
}
