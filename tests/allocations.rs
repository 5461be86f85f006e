//! The training loop allocates nothing after its first step, and predicting nothing but the result.

#[path = "../src/exec/tests/cases.rs"]
mod cases;
#[path = "common/custom_layers.rs"]
mod custom_layers;

use cases::{KINDS, inputs, model as model_of};
use inkstone::callbacks::SaveFreq;
use inkstone::data::{Augment, Flip};
use inkstone::prelude::*;
use inkstone::{Model, Optimizer};
use ndarray::{Array4, Axis, Slice};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How many blocks `work` allocates.
fn blocks(work: impl FnOnce()) -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    work();
    dhat::HeapStats::get().total_blocks - before
}

fn model_with(optimizer: impl Into<Optimizer>) -> Model {
    Sequential::new([12, 12, 1])
        .add(Conv2D::new(8, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(8, (3, 3)))
        .add(MaxPooling2D::new((3, 3)).strides((1, 1)))
        .add(Dropout::new(0.1))
        .add(Flatten::new())
        .add(Dense::new(4).activation(Softmax))
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// One test, because the counters are the process'.
#[test]
fn steps_and_predictions_allocate_nothing_of_their_own() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let images = Array4::from_shape_fn((640, 12, 12, 1), |(n, y, x, _)| (n * 31 + y * 7 + x * x) as u8);
    let long = Dataset::from_bytes(images, (0..640).map(|n| n % 4).collect()).unwrap();
    let short = long.take(320).unwrap();
    let mut model = model_with(Adam::default());
    let quiet = || FitConfig::new().verbose(0);

    // The first call makes the workspaces, and rayon its queues.
    let first = blocks(|| drop(model.fit(&long, quiet().epochs(3)).unwrap()));
    let ten_steps = blocks(|| drop(model.fit(&short, quiet()).unwrap()));
    let twenty_steps = blocks(|| drop(model.fit(&long, quiet()).unwrap()));
    assert!(first > ten_steps, "counting works: {first} blocks at first, {ten_steps} later");
    // Rayon's queue for work from outside grows by a block now and then; a step that allocated would show ten more.
    assert!(twenty_steps <= ten_steps + 2, "{ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    let mut clipped = model_with(AdamW::default().amsgrad(true).global_clipnorm(0.1).use_ema(true));
    drop(clipped.fit(&short, quiet()).unwrap());
    let ten_steps = blocks(|| drop(clipped.fit(&short, quiet()).unwrap()));
    let twenty_steps = blocks(|| drop(clipped.fit(&long, quiet()).unwrap()));
    assert!(twenty_steps <= ten_steps + 2, "clipped, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    // Of a test seed, so that no epsilon is reckoned at the end of the epoch.
    #[cfg(feature = "privacy")]
    {
        let mut private = model_with(Adam::default());
        let config = || quiet().differential_privacy(inkstone::privacy::DpSgd::new(1.0, 1.0).test_seed(1));
        let mut steps =
            |data: &Dataset, size: usize| blocks(|| drop(private.fit(data, config().batch_size(size)).unwrap()));
        steps(&long, 32);
        let (ten_steps, twenty_steps) = (steps(&short, 32), steps(&long, 32));
        assert!(twenty_steps <= ten_steps + 2, "private, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");
        // Batches differ in size, and each may be the largest so far: there is room from the beginning on.
        let first_steps = |data: &Dataset| {
            let mut new = model_with(Adam::default());
            blocks(|| drop(new.fit(data, config().batch_size(20)).unwrap()))
        };
        let (few_steps, many_steps) = (first_steps(&short), first_steps(&long));
        assert!(many_steps <= few_steps + 2, "new and private, {few_steps} blocks for 16 steps, {many_steps} for 32");
    }

    let l2 = Regularizer::l2(0.01);
    let conv = Conv2D::new(8, (3, 3)).kernel_regularizer(l2).activity_regularizer(l2);
    let conv = conv.kernel_constraint(Constraint::max_norm(1.0)).bias_constraint(Constraint::NonNeg);
    let described = Sequential::new([12, 12, 1]).add(conv).add(Flatten::new()).add(Dense::new(4).activation(Softmax));
    let mut bounded = described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
    drop(bounded.fit(&short, quiet()).unwrap());
    let ten_steps = blocks(|| drop(bounded.fit(&short, quiet()).unwrap()));
    let twenty_steps = blocks(|| drop(bounded.fit(&long, quiet()).unwrap()));
    assert!(twenty_steps <= ten_steps + 2, "regularized, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    // Every kind of layer, in batches of a size of its own.
    for case in KINDS.iter().flat_map(|kind| (0..3).map(|seed| kind.case(seed))) {
        let (x, classes) = (inputs(&case, 60), (0..60).map(|n| n % 3).collect::<Vec<usize>>());
        let described = model_of(&case);
        let mut model = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
        let mut steps = |count: usize| {
            let data = (x.slice_axis(Axis(0), Slice::from(..3 * count)), &classes[..3 * count]);
            blocks(|| drop(model.fit(data, quiet().batch_size(3)).unwrap()))
        };
        steps(20);
        let (ten_steps, twenty_steps) = (steps(10), steps(20));
        assert!(twenty_steps <= ten_steps + 2, "{case:?}, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");
    }

    // A layer of a user's own.
    let described = Sequential::new([12, 12, 1]).add(custom_layers::Scale { initial: 0.5 }).add(Flatten::new());
    let described = described.add(custom_layers::Scale { initial: 0.5 }).add(Dense::new(4).activation(Softmax));
    let mut own = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
    let mut steps = |data: &Dataset| blocks(|| drop(own.fit(data, quiet()).unwrap()));
    steps(&long);
    let (ten_steps, twenty_steps) = (steps(&short), steps(&long));
    assert!(twenty_steps <= ten_steps + 2, "own layers, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    // A checkpoint at the end of the epoch, the same one for both; the steps on the way there allocate nothing.
    let folder = tempfile::tempdir().unwrap();
    let backup = |name: &str| BackupAndRestore::new(folder.path().join(name)).save_freq(SaveFreq::Batches(1000));
    drop(model.fit(&short, quiet().backup(backup("0"))).unwrap());
    let ten_steps = blocks(|| drop(model.fit(&short, quiet().backup(backup("1"))).unwrap()));
    let twenty_steps = blocks(|| drop(model.fit(&long, quiet().backup(backup("2"))).unwrap()));
    assert!(twenty_steps <= ten_steps + 4, "with backups, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    let augment = Augment::new().shift(2).rotate(10.0).elastic(1.0, 4).noise(0.1).erase(0.5, 0.1);
    let augment = augment.flip(Flip::HorizontalAndVertical).crop(1).brightness(0.1).contrast(0.1).value_range(0, 1);
    let bent = || quiet().augment(augment);
    drop(model.fit(&short, bent()).unwrap());
    let ten_steps = blocks(|| drop(model.fit(&short, bent()).unwrap()));
    let twenty_steps = blocks(|| drop(model.fit(&long, bent()).unwrap()));
    assert!(twenty_steps <= ten_steps + 2, "augmented, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    let gradients = vec![0.5; 50_000];
    let mut parameters = vec![1.0; 50_000];
    let mut optimizer = AdamW::default().amsgrad(true).clipnorm(1.0).use_ema(true).build([20_000, 30_000]).unwrap();
    optimizer.apply(&gradients, &mut parameters).unwrap();
    let steps = blocks(|| (0..20).for_each(|_| optimizer.apply(&gradients, &mut parameters).unwrap()));
    // Rayon's queue again.
    assert!(steps <= 2, "{steps} blocks for 20 steps of an optimizer on its own");

    let image = Array4::<f32>::zeros((1, 12, 12, 1));
    model.predict(&image).unwrap();
    let predicting = blocks(|| drop(model.predict(&image).unwrap()));
    assert_eq!(predicting, 1, "the result is the only block");

    let quantized = model.quantize(&short).unwrap();
    let (mut scratch, mut out) = (quantized.scratch(), [0.0; 4]);
    let predicting = blocks(|| quantized.predict_into(&image, &mut scratch, &mut out).unwrap());
    assert_eq!(predicting, 0, "not even the first call");

    let predictor = model.into_predictor();
    predictor.predict(&image).unwrap();
    let predicting = blocks(|| drop(predictor.predict(&image).unwrap()));
    assert_eq!(predicting, 1, "the result is the only block");
    let (mut scratch, mut out, mut classes) = (predictor.scratch(), [0.0; 4], [0]);
    let predicting = blocks(|| {
        predictor.predict_into(&image, &mut scratch, &mut out).unwrap();
        predictor.predict_classes_into(&image, &mut scratch, &mut classes).unwrap();
    });
    assert_eq!(predicting, 0, "not even the first call");

    // So small a step runs on this thread, and no queue of rayon's is in it.
    let described = Sequential::new([2]).add(Dense::new(16).activation(Tanh)).add(Dense::new(1));
    let mut tiny = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let (x, y) = ([[0.5, -0.5]; 32], [1.0_f32; 32]);
    tiny.train_on_batch(&x, &y).unwrap();
    let steps = blocks(|| (0..20).for_each(|_| drop(tiny.train_on_batch(&x, &y).unwrap())));
    assert_eq!(steps, 0, "steps of a small network");

    // Targets that are bytes become floats one by one.
    let described = Sequential::new([12, 12, 1]).add(Conv2D::new(1, (3, 3)).padding(Same).activation(Sigmoid));
    let mut same = described.compile(Adam::default(), BinaryCrossentropy::default(), []).unwrap();
    let mut steps = |data: &Dataset| {
        let data = data.with_values(data).unwrap();
        blocks(|| drop(same.fit(&data, quiet()).unwrap()))
    };
    steps(&long);
    let (ten_steps, twenty_steps) = (steps(&short), steps(&long));
    assert!(twenty_steps <= ten_steps + 2, "image targets, {ten_steps} blocks for 10 steps, {twenty_steps} for 20");

    let described = Sequential::new([2, 2]).add(LSTM::new(4).stateful(true)).add(Dense::new(1));
    let mut stateful = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let (x, y) = (ndarray::Array3::ones((4, 2, 2)), [1.0_f32; 4]);
    stateful.train_on_batch(&x, &y).unwrap();
    let steps = blocks(|| (0..20).for_each(|_| drop(stateful.train_on_batch(&x, &y).unwrap())));
    assert_eq!(steps, 0, "steps of a stateful network");
}
