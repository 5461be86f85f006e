//! What users do wrong: each case ends in an error that says where, what was expected and what was found; never in a
//! panic, and never in memory for a size that makes no sense.

use inkstone::prelude::*;
use inkstone::{Error, LearningRate, Model, Optimizer};
use ndarray::{Array4, ArrayD, Axis};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn try_compile(model: Sequential) -> inkstone::Result<Model> {
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
}

/// Fails unless this model is refused with this text.
#[track_caller]
fn refused(model: Sequential, expected: &str) {
    assert_eq!(compile_error(model), expected);
}

/// The text of the error that compiling this model gives.
#[track_caller]
fn compile_error(model: Sequential) -> String {
    // `unwrap_err` would print all weights of a model that should not be.
    let Err(error) = try_compile(model) else { panic!("expected an error") };
    error.to_string()
}

/// Fails unless this optimizer is refused with this text.
#[track_caller]
fn optimizer_refused(optimizer: impl Into<Optimizer>, expected: &str) {
    let error = head(image()).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(error.to_string(), expected);
}

fn image() -> Sequential {
    Sequential::new([8, 8, 1])
}

fn vector() -> Sequential {
    Sequential::new([64])
}

/// The end that most models here have.
fn head(model: Sequential) -> Sequential {
    model.add(Flatten::new()).add(Dense::new(10).activation(Softmax))
}

fn small() -> Model {
    try_compile(head(image()).seed(1)).unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 8, 8, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * 3) % 64) as f32 / 64.0)
}

fn dataset(labels: Vec<usize>) -> Dataset {
    Dataset::from_floats(images(labels.len()), labels).unwrap()
}

fn colour() -> Dataset {
    Dataset::from_bytes(Array4::zeros((2, 8, 8, 3)), vec![0, 0]).unwrap()
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().verbose(0)
}

/// The text of an error about data.
#[track_caller]
fn data_error<T>(result: inkstone::Result<T>) -> String {
    let Err(error) = result else { panic!("expected an error") };
    assert!(matches!(error, Error::Data(_)), "{error}");
    error.to_string()
}

/// Layers where they cannot stand.
mod layers {
    use super::*;

    #[test]
    fn dense_on_an_image_is_refused() {
        refused(
            image().add(Dense::new(10).activation(Softmax)),
            "layer 0 (Dense) expects a vector, got (8, 8, 1): add `Flatten` before it",
        );
    }

    #[test]
    fn dense_behind_a_convolution_is_refused_where_it_stands() {
        refused(
            image().add(Conv2D::new(4, (3, 3))).add(MaxPooling2D::new((2, 2))).add(Dense::new(10).activation(Softmax)),
            "layer 2 (Dense) expects a vector, got (3, 3, 4): add `Flatten` before it",
        );
    }

    #[test]
    fn conv2d_on_a_vector_is_refused() {
        refused(
            head(vector().add(Conv2D::new(3, (3, 3)))),
            "layer 0 (Conv2D) expects an image (height, width, channels), got (64): put it before `Flatten`",
        );
    }

    #[test]
    fn max_pooling2d_on_a_vector_is_refused() {
        refused(
            head(image().add(Flatten::new()).add(MaxPooling2D::new((2, 2)))),
            "layer 1 (MaxPooling2D) expects an image (height, width, channels), got (64): put it before `Flatten`",
        );
    }

    #[test]
    fn a_kernel_larger_than_its_input_is_refused_where_it_stands() {
        refused(
            head(image().add(Conv2D::new(4, (3, 3))).add(MaxPooling2D::new((2, 2))).add(Conv2D::new(4, (4, 2)))),
            "layer 2 (Conv2D) cannot work on (3, 3, 4): the window (4, 2) is larger than its input (3, 3): use a \
             smaller window, less pooling before it, or `padding(Same)`",
        );
    }

    #[test]
    fn a_pool_larger_than_its_input_is_refused_where_it_stands() {
        // Behind a convolution, with which it would be fused, and alone.
        refused(
            head(image().add(Conv2D::new(4, (6, 6))).add(MaxPooling2D::new((2, 4)))),
            "layer 1 (MaxPooling2D) cannot work on (3, 3, 4): the window (2, 4) is larger than its input (3, 3): use a \
             smaller window, less pooling before it, or `padding(Same)`",
        );
        refused(
            head(image().add(MaxPooling2D::new((2, 2))).add(MaxPooling2D::new((5, 1)))),
            "layer 1 (MaxPooling2D) cannot work on (4, 4, 1): the window (5, 1) is larger than its input (4, 4): use a \
             smaller window, less pooling before it, or `padding(Same)`",
        );
    }

    #[test]
    fn a_kernel_as_large_as_its_input_works() {
        let model = try_compile(head(image().add(Conv2D::new(4, (8, 8))))).unwrap();
        assert_eq!(model.predict(&images(2)).unwrap().dim(), (2, 10));
    }

    #[test]
    fn the_first_layer_that_cannot_work_is_the_one_that_is_named() {
        refused(
            image().add(Dropout::new(2.0)).add(Dense::new(0)),
            "layer 0 (Dropout) expects a rate of at least 0 and less than 1, got 2",
        );
    }
}

/// Numbers of zero.
mod zeros {
    use super::*;

    #[test]
    fn no_filters_are_refused() {
        refused(
            head(image().add(Conv2D::new(0, (3, 3)))),
            "layer 0 (Conv2D) has an output of (6, 6, 0): each tensor must have between 1 and 268435456 values",
        );
    }

    #[test]
    fn no_units_are_refused() {
        refused(
            image().add(Flatten::new()).add(Dense::new(0)),
            "layer 1 (Dense) has an output of (0): each tensor must have between 1 and 268435456 values",
        );
    }

    #[test]
    fn a_kernel_without_rows_or_columns_is_refused() {
        for (size, written) in [((0, 3), "(0, 3)"), ((3, 0), "(3, 0)"), ((0, 0), "(0, 0)")] {
            for padding in [Valid, Same] {
                refused(
                    head(image().add(Conv2D::new(2, size).padding(padding))),
                    &format!(
                        "layer 0 (Conv2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each \
                         way, got {written}"
                    ),
                );
            }
        }
    }

    #[test]
    fn strides_of_a_convolution_of_zero_are_refused() {
        for (strides, written) in [((0, 1), "(0, 1)"), ((1, 0), "(1, 0)")] {
            for padding in [Valid, Same] {
                refused(
                    head(image().add(Conv2D::new(2, (3, 3)).strides(strides).padding(padding))),
                    &format!(
                        "layer 0 (Conv2D) cannot work on (8, 8, 1): the strides must be between 1 and 268435456 each \
                         way, got {written}"
                    ),
                );
            }
        }
    }

    #[test]
    fn a_pool_without_rows_or_columns_is_refused() {
        for (size, written) in [((0, 2), "(0, 2)"), ((2, 0), "(2, 0)")] {
            refused(
                head(image().add(MaxPooling2D::new(size))),
                &format!(
                    "layer 0 (MaxPooling2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each \
                     way, got {written}"
                ),
            );
        }
    }

    #[test]
    fn strides_of_a_pooling_of_zero_are_refused() {
        refused(
            head(image().add(MaxPooling2D::new((2, 2)).strides((2, 0)))),
            "layer 0 (MaxPooling2D) cannot work on (8, 8, 1): the strides must be between 1 and 268435456 each way, \
             got (2, 0)",
        );
    }

    #[test]
    fn an_input_with_an_axis_of_zero_is_refused() {
        for (shape, written) in [([0, 8, 1], "(0, 8, 1)"), ([8, 0, 1], "(8, 0, 1)"), ([8, 8, 0], "(8, 8, 0)")] {
            refused(
                head(Sequential::new(shape)),
                &format!(
                    "the model has an input of {written}: every axis must be at least 1, and all together at most \
                     268435456"
                ),
            );
        }
        refused(
            head(Sequential::new([0])),
            "the model has an input of (0): every axis must be at least 1, and all together at most 268435456",
        );
    }
}

/// Sizes that no machine could work on.
mod absurd {
    use super::*;

    const MAX: usize = usize::MAX;

    fn window(kind: &str, name: &str, received: &str) -> String {
        format!(
            "layer 0 ({kind}) cannot work on (8, 8, 1): the {name} must be between 1 and 268435456 each way, got {received}"
        )
    }

    fn output(layer: &str, shape: &str) -> String {
        format!("layer {layer} has an output of {shape}: each tensor must have between 1 and 268435456 values")
    }

    fn input(shape: &str) -> String {
        format!("the model has an input of {shape}: every axis must be at least 1, and all together at most 268435456")
    }

    fn parameters(layer: &str) -> String {
        format!("layer {layer} brings the model to more than 268435456 parameters")
    }

    fn dense(units: usize) -> Sequential {
        vector().add(Dense::new(units).activation(Softmax))
    }

    fn conv(filters: usize, kernel_size: (usize, usize)) -> Conv2D {
        Conv2D::new(filters, kernel_size)
    }

    /// One test, because the counters are the process'; what other tests allocate at the same time is little.
    #[test]
    fn absurd_sizes_are_refused_before_anything_is_allocated() {
        let max = MAX.to_string();
        let cases: Vec<(Sequential, String)> = vec![
            (dense(MAX), output("0 (Dense)", &format!("({max})"))),
            (dense((1 << 28) + 1), output("0 (Dense)", "(268435457)")),
            (dense(1 << 28), parameters("0 (Dense)")),
            (dense(1 << 22), parameters("0 (Dense)")),
            (vector().add(Dense::new(1 << 21)).add(Dense::new(1 << 21)), parameters("1 (Dense)")),
            (vector().add(Dense::new(1 << 28).use_bias(false)), parameters("0 (Dense)")),
            (head(image().add(conv(MAX, (3, 3)))), output("0 (Conv2D)", &format!("(6, 6, {max})"))),
            (head(image().add(conv(1 << 62, (1, 1)))), output("0 (Conv2D)", &format!("(8, 8, {})", 1_u64 << 62))),
            (head(image().add(conv(1 << 28, (8, 8)))), parameters("0 (Conv2D)")),
            (head(image().add(conv(2, (MAX, MAX)))), window("Conv2D", "window", &format!("({max}, {max})"))),
            (head(image().add(conv(2, (3, MAX)).padding(Same))), window("Conv2D", "window", &format!("(3, {max})"))),
            (head(image().add(conv(2, (1 << 28, 1 << 28)).padding(Same))), parameters("0 (Conv2D)")),
            (head(image().add(conv(1, (1 << 14, 1 << 14)).padding(Same))), parameters("0 (Conv2D)")),
            (head(image().add(conv(2, (3, 3)).strides((MAX, 1)))), window("Conv2D", "strides", &format!("({max}, 1)"))),
            (
                head(
                    Sequential::new([1 << 14, 1 << 14, 1])
                        .add(conv(1, (3, 3)).padding(Same))
                        .add(MaxPooling2D::new((1 << 14, 1 << 14))),
                ),
                "layer 0 (Conv2D) needs an input padded to more than 268435456 values".into(),
            ),
            (
                head(
                    Sequential::new([1 << 13, 1 << 13, 1])
                        .add(conv(1, (1 << 13, 1 << 13)).padding(Same))
                        .add(MaxPooling2D::new((1 << 13, 1 << 13))),
                ),
                "layer 0 (Conv2D) needs more than 268435456 values to pack its kernel".into(),
            ),
            (
                Sequential::new([1 << 26]).add(Dense::new(1).activation(Softmax)),
                "layer 0 (Dense) needs more than 268435456 values to pack its kernel".into(),
            ),
            (
                head(image().add(MaxPooling2D::new((MAX, MAX)))),
                window("MaxPooling2D", "window", &format!("({max}, {max})")),
            ),
            (
                head(image().add(MaxPooling2D::new((2, MAX)).strides((1, 1)).padding(Same))),
                window("MaxPooling2D", "window", &format!("(2, {max})")),
            ),
            (
                head(image().add(MaxPooling2D::new((2, 2)).strides((MAX, MAX)).padding(Same))),
                window("MaxPooling2D", "strides", &format!("({max}, {max})")),
            ),
            (head(Sequential::new([MAX, MAX, MAX])), input(&format!("({max}, {max}, {max})"))),
            (head(Sequential::new([1 << 32, 1 << 32, 1])), input("(4294967296, 4294967296, 1)")),
            (head(Sequential::new([1 << 14, 1 << 14, 2])), input("(16384, 16384, 2)")),
            (head(Sequential::new([MAX])), input(&format!("({max})"))),
            (head(Sequential::new([1 << 28])), parameters("1 (Dense)")),
        ];
        for (model, expected) in cases {
            let _profiler = dhat::Profiler::builder().testing().build();
            let error = compile_error(model);
            let peak = dhat::HeapStats::get().max_bytes;
            assert_eq!(error, expected);
            assert!(peak > 0, "counting works");
            assert!(peak < 4 << 20, "{peak} bytes were allocated before: {error}");
        }
    }

    #[test]
    fn a_pool_of_any_size_works_where_padding_makes_it_one_window_over_all() {
        for strides in [(1 << 28, 1 << 28), (8, 8), (1, 1)] {
            let pool = MaxPooling2D::new((1 << 28, 1 << 28)).strides(strides).padding(Same);
            let layers = image().add(pool).add(Flatten::new());
            let model = layers.compile(Adam::default(), MeanSquaredError, []).unwrap();
            let images = images(1);
            let highest = images.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(model.predict(&images).unwrap().iter().all(|value| *value == highest), "all windows see the same");
        }
    }

    #[test]
    fn strides_larger_than_the_image_give_one_output() {
        let conv = Conv2D::new(3, (3, 3)).strides((1 << 28, 1 << 28));
        for padding in [Valid, Same] {
            let model = image().add(conv.clone().padding(padding)).add(Flatten::new()).add(Activation::new(Softmax));
            assert_eq!(try_compile(model).unwrap().predict(&images(2)).unwrap().dim(), (2, 3));
        }
    }
}

/// Models that no loss fits.
mod ends {
    use super::*;

    #[test]
    fn a_model_without_layers_is_refused() {
        refused(image(), "the model has no layers: add at least one `Dense`");
        refused(vector(), "the model has no layers: add at least one `Dense`");
    }

    #[test]
    fn a_model_that_ends_with_an_image_is_refused() {
        let ends_with_image = || image().add(Conv2D::new(2, (3, 3)).activation(Sigmoid));
        refused(
            ends_with_image(),
            "the model ends with an output of (6, 6, 2), expected a vector: end it with `Flatten` for a value for each \
             channel of each pixel, as an autoencoder has, or with `Flatten` and `Dense` for a value for each class",
        );
        let mended = ends_with_image().add(Flatten::new()).compile(Adam::default(), MeanSquaredError, []);
        assert_eq!(mended.unwrap().parameter_count(), 3 * 3 * 2 + 2);
    }

    #[test]
    fn a_model_without_softmax_is_refused_unless_the_loss_takes_logits() {
        let message = "the model gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
                       `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`";
        for activation in [Linear, Relu, Tanh] {
            let model = image().add(Flatten::new()).add(Dense::new(10).activation(activation));
            refused(model.clone(), message);
            let logits = SparseCategoricalCrossentropy::default().from_logits(true);
            assert!(model.compile(Adam::default(), logits, [Accuracy]).is_ok());
        }
    }

    #[test]
    fn metrics_that_would_take_too_much_memory_are_refused() {
        let auc: inkstone::Metric = Auc::new().num_thresholds(1 << 16).into();
        let compile =
            |count| head(image()).compile(Adam::default(), SparseCategoricalCrossentropy::default(), vec![auc; count]);
        assert!(compile(8).is_ok());
        assert_eq!(
            compile(9).unwrap_err().to_string(),
            "metrics must be metrics that keep at most 1048576 sums together, got 1179630"
        );
    }

    #[test]
    fn an_end_for_another_loss_is_refused() {
        let ends_with = |activation| image().add(Flatten::new()).add(Dense::new(10).activation(activation));
        let refusal = |activation, loss: inkstone::Loss| {
            ends_with(activation).compile(Adam::default(), loss, [Accuracy]).unwrap_err().to_string()
        };
        let sparse = SparseCategoricalCrossentropy::default();
        assert_eq!(
            refusal(Sigmoid, sparse.into()),
            "the model ends with Sigmoid, but SparseCategoricalCrossentropy expects Softmax: end it with \
             `.activation(Softmax)`"
        );
        assert_eq!(
            refusal(Sigmoid, sparse.from_logits(true).into()),
            "the model ends with Sigmoid, but the loss expects logits: leave out Sigmoid"
        );
        assert_eq!(
            refusal(Softmax, BinaryCrossentropy::default().into()),
            "the model ends with Softmax, but BinaryCrossentropy expects Sigmoid: end it with `.activation(Sigmoid)`"
        );
        assert_eq!(
            refusal(Linear, KlDivergence.into()),
            "the model gives no probabilities, which KlDivergence expects: end it with `.activation(Softmax)`"
        );
        assert!(ends_with(Linear).compile(Adam::default(), MeanSquaredError, [Accuracy]).is_ok());
    }

    #[test]
    fn a_softmax_that_is_not_the_end_does_not_count() {
        refused(
            head(image()).add(Dropout::new(0.5)),
            "the model gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
             `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`",
        );
    }

    #[test]
    fn a_model_with_softmax_is_refused_if_the_loss_takes_logits() {
        let logits = SparseCategoricalCrossentropy::default().from_logits(true);
        let layers = [head(image()), image().add(Flatten::new()).add(Dense::new(10)).add(Activation::new(Softmax))];
        for model in layers {
            assert_eq!(
                model.compile(Adam::default(), logits, [Accuracy]).unwrap_err().to_string(),
                "the model ends with Softmax, but the loss expects logits: leave out Softmax, or leave out \
                 `from_logits(true)`"
            );
        }
    }

    #[test]
    fn a_model_without_weights_trains_to_nothing() {
        let mut model = try_compile(image().add(Flatten::new()).add(Activation::new(Softmax))).unwrap();
        let data = dataset((0..20).collect());
        let history = model.fit(&data, quiet().epochs(2)).unwrap();
        assert!(model.get_weights().is_empty());
        assert_eq!(model.parameter_count(), 0);
        assert!((history.losses()[0] - history.losses()[1]).abs() < 1e-6, "{:?}", history.losses());
    }
}

/// Numbers that make no sense.
mod settings {
    use super::*;

    #[track_caller]
    fn rate_refused(rate: f32, written: &str) {
        refused(
            head(image().add(Dropout::new(rate))),
            &format!("layer 0 (Dropout) expects a rate of at least 0 and less than 1, got {written}"),
        );
    }

    #[test]
    fn a_dropout_rate_that_is_nan_is_refused() {
        rate_refused(f32::NAN, "NaN");
    }

    #[test]
    fn a_dropout_rate_of_one_or_more_is_refused() {
        rate_refused(1.0, "1");
        rate_refused(f32::INFINITY, "inf");
    }

    #[test]
    fn a_negative_dropout_rate_is_refused() {
        rate_refused(-0.1, "-0.1");
    }

    #[test]
    fn a_schedule_with_numbers_that_make_no_sense_is_refused() {
        let schedule = || OneCycle::new(0.1, 10);
        let refused = |schedule: OneCycle, error: &str| {
            optimizer_refused(Adam::new(schedule), error);
            optimizer_refused(Sgd::new(schedule), error);
        };
        refused(OneCycle::new(f32::NAN, 10), "max_learning_rate must be finite and at least 0, got NaN");
        refused(OneCycle::new(-0.1, 10), "max_learning_rate must be finite and at least 0, got -0.1");
        refused(OneCycle::new(0.1, 0), "total_steps must be at least 1, got 0");
        refused(schedule().rising(1.5), "rising must be from 0 to 1, got 1.5");
        refused(schedule().rising(f64::NAN), "rising must be from 0 to 1, got NaN");
        refused(schedule().div_factor(0.0), "div_factor must be finite and more than 0, got 0");
        refused(schedule().final_div_factor(-1.0), "final_div_factor must be finite and more than 0, got -1");
    }

    #[test]
    fn keras_schedules_with_numbers_that_make_no_sense_are_refused() {
        fn refused(schedule: impl Into<LearningRate>, error: &str) {
            optimizer_refused(Lion::new(schedule), error);
        }
        let nan = f32::NAN;
        refused(
            PiecewiseConstantDecay::new([1, 2], [0.1, 0.2]),
            "values must be one more than boundaries, got 2 boundaries and 2 values",
        );
        refused(
            PiecewiseConstantDecay::new([], []),
            "values must be one more than boundaries, got 0 boundaries and 0 values",
        );
        refused(
            PiecewiseConstantDecay::new([2, 2], [0.1, 0.2, 0.3]),
            "boundaries must be in rising order, got 2 before 2",
        );
        refused(PiecewiseConstantDecay::new([2], [0.1, -0.2]), "values must be finite and at least 0, got -0.2");
        refused(ExponentialDecay::new(nan, 1, 0.5), "initial_learning_rate must be finite and at least 0, got NaN");
        refused(ExponentialDecay::new(0.1, 0, 0.5), "decay_steps must be at least 1, got 0");
        refused(ExponentialDecay::new(0.1, 1, 0.0), "decay_rate must be finite and more than 0, got 0");
        let cosine = CosineDecay::new(0.1, 5);
        refused(CosineDecay::new(-0.1, 5), "initial_learning_rate must be finite and at least 0, got -0.1");
        refused(CosineDecay::new(0.1, 0), "decay_steps must be at least 1, got 0");
        refused(cosine.alpha(nan), "alpha must be finite and at least 0, got NaN");
        refused(cosine.warmup_target(nan), "warmup_target must be finite and at least 0, got NaN");
        refused(cosine.warmup_steps(3), "warmup_target must be set if warmup_steps is, got 3 warmup_steps without it");
        refused(WarmUp::new(0, 0.1), "steps must be at least 1, got 0");
        refused(WarmUp::new(1, 0.1).start_factor(1.5), "start_factor must be from 0 to 1, got 1.5");
        refused(WarmUp::new(1, nan), "learning_rate must be finite and at least 0, got NaN");
        refused(WarmUp::new(1, cosine.alpha(-1.0)), "alpha must be finite and at least 0, got -1");
    }

    #[test]
    fn numbers_of_other_optimizers_that_make_no_sense_are_refused() {
        optimizer_refused(RmsProp::default().rho(1.0), "rho must be at least 0 and less than 1, got 1");
        optimizer_refused(RmsProp::default().momentum(-0.5), "momentum must be from 0 to 1, got -0.5");
        optimizer_refused(RmsProp::default().epsilon(0.0), "epsilon must be finite and more than 0, got 0");
        optimizer_refused(Adagrad::default().epsilon(f32::NAN), "epsilon must be finite and more than 0, got NaN");
        optimizer_refused(
            Adagrad::default().initial_accumulator_value(-1.0),
            "initial_accumulator_value must be finite and at least 0, got -1",
        );
        optimizer_refused(AdamW::default().beta_1(1.0), "beta_1 must be at least 0 and less than 1, got 1");
        optimizer_refused(Nadam::default().beta_2(1.0), "beta_2 must be at least 0 and less than 1, got 1");
        optimizer_refused(Lion::default().beta_1(0.0), "beta_1 must be more than 0 and at most 1, got 0");
        optimizer_refused(Lion::default().beta_2(2.0), "beta_2 must be from 0 to 1, got 2");
    }

    #[test]
    fn options_of_an_optimizer_that_make_no_sense_are_refused() {
        let adam = Adam::default;
        optimizer_refused(adam().clipnorm(0.0), "clipnorm must be finite and more than 0, got 0");
        optimizer_refused(adam().clipvalue(-1.0), "clipvalue must be finite and more than 0, got -1");
        optimizer_refused(adam().global_clipnorm(f32::NAN), "global_clipnorm must be finite and more than 0, got NaN");
        optimizer_refused(adam().weight_decay(-0.1), "weight_decay must be finite and at least 0, got -0.1");
        optimizer_refused(
            AdamW::default().weight_decay(f32::INFINITY),
            "weight_decay must be finite and at least 0, got inf",
        );
        optimizer_refused(adam().use_ema(true).ema_momentum(1.5), "ema_momentum must be from 0 to 1, got 1.5");
        optimizer_refused(adam().ema_overwrite_frequency(0), "ema_overwrite_frequency must be at least 1, got 0");
        optimizer_refused(
            adam().clipnorm(1.0).clipvalue(0.5),
            "clipping must be only one of clipnorm, clipvalue and global_clipnorm, got clipnorm 1 and clipvalue 0.5",
        );
    }

    #[test]
    fn a_learning_rate_cannot_be_set_where_a_schedule_sets_it_or_where_it_makes_no_sense() {
        let compile = |optimizer: Optimizer| {
            head(image()).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
        };
        let mut scheduled = compile(Adam::new(WarmUp::new(3, 0.25)).into());
        assert_eq!(
            scheduled.set_learning_rate(0.1).unwrap_err().to_string(),
            "learning_rate must be a number to be set later, not a schedule, got WarmUp"
        );
        let mut constant = compile(Adam::new(0.25).into());
        assert_eq!(
            constant.set_learning_rate(-1.0).unwrap_err().to_string(),
            "learning_rate must be finite and at least 0, got -1"
        );
        assert_eq!(constant.learning_rate(), 0.25);
    }

    #[test]
    fn a_learning_rate_that_is_nan_is_refused() {
        optimizer_refused(Adam::new(f32::NAN), "learning_rate must be finite and at least 0, got NaN");
        optimizer_refused(Sgd::new(f32::NAN), "learning_rate must be finite and at least 0, got NaN");
    }

    #[test]
    fn a_learning_rate_that_is_infinite_is_refused() {
        optimizer_refused(Adam::new(f32::INFINITY), "learning_rate must be finite and at least 0, got inf");
        optimizer_refused(Sgd::new(f32::INFINITY), "learning_rate must be finite and at least 0, got inf");
    }

    #[test]
    fn a_negative_learning_rate_is_refused() {
        optimizer_refused(Adam::new(-1.0), "learning_rate must be finite and at least 0, got -1");
        optimizer_refused(Sgd::new(-0.01), "learning_rate must be finite and at least 0, got -0.01");
    }

    #[test]
    fn betas_of_one_are_refused() {
        optimizer_refused(Adam::default().beta_1(1.0), "beta_1 must be at least 0 and less than 1, got 1");
        optimizer_refused(Adam::default().beta_2(1.0), "beta_2 must be at least 0 and less than 1, got 1");
    }

    #[test]
    fn negative_betas_and_betas_that_are_nan_are_refused() {
        optimizer_refused(Adam::default().beta_1(f32::NAN), "beta_1 must be at least 0 and less than 1, got NaN");
        optimizer_refused(Adam::default().beta_2(-0.5), "beta_2 must be at least 0 and less than 1, got -0.5");
    }

    #[test]
    fn an_epsilon_that_is_not_finite_and_positive_is_refused() {
        for (epsilon, written) in [(0.0, "0"), (-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
            optimizer_refused(
                Adam::default().epsilon(epsilon),
                &format!("epsilon must be finite and more than 0, got {written}"),
            );
        }
    }

    #[test]
    fn a_momentum_that_is_not_from_zero_to_one_is_refused() {
        for (momentum, written) in [(2.0, "2"), (-0.9, "-0.9"), (f32::NAN, "NaN")] {
            optimizer_refused(
                Sgd::default().momentum(momentum),
                &format!("momentum must be from 0 to 1, got {written}"),
            );
        }
    }

    #[test]
    fn a_batch_size_of_zero_is_refused() {
        let error = small().fit(&dataset(vec![0; 4]), quiet().batch_size(0)).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }));
        assert_eq!(error.to_string(), "batch_size must be at least 1, got 0");
    }

    #[test]
    fn an_unknown_verbosity_is_refused() {
        let error = small().fit(&dataset(vec![0; 4]), FitConfig::new().verbose(3)).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }));
        assert_eq!(error.to_string(), "verbose must be 0, 1 or 2, got 3");
    }

    #[test]
    fn no_epochs_give_an_empty_history_and_change_nothing() {
        let mut model = small();
        let before = model.get_weights();
        let history = model.fit(&dataset(vec![0; 4]), quiet().epochs(0)).unwrap();
        assert!(history.epochs.is_empty());
        assert_eq!(model.get_weights(), before);
    }

    #[test]
    fn a_batch_larger_than_the_data_is_one_batch_of_all() {
        let data = dataset((0..7).collect());
        let fit = |batch_size| {
            let mut model = small();
            let history = model.fit(&data, quiet().batch_size(batch_size).epochs(2)).unwrap();
            (history.losses(), model.get_weights())
        };
        let whole = fit(7);
        for batch_size in [8, 1000, usize::MAX] {
            assert_eq!(fit(batch_size), whole, "batch size {batch_size}");
        }
        assert_ne!(fit(6), whole, "the batch size makes a difference");
    }

    #[test]
    fn a_smaller_last_batch_is_a_step_of_its_own() {
        let data = dataset((0..7).collect());
        let mut fitted = small();
        fitted.fit(&data, quiet().batch_size(3).shuffle(false)).unwrap();
        let mut stepped = small();
        for places in [0..3, 3..6, 6..7] {
            let batch = data.images().slice_axis(Axis(0), places.clone().into()).to_owned();
            stepped.train_on_batch(&batch, &data.labels()[places]).unwrap();
        }
        assert_eq!(fitted.get_weights(), stepped.get_weights());
    }
}

/// Data sets that are none.
mod datasets {
    use super::*;

    #[test]
    fn different_numbers_of_images_and_labels_are_refused() {
        for (count, labels, written) in
            [(3, 2, "3 images and 2 labels"), (3, 4, "3 images and 4 labels"), (1, 0, "1 images and 0 labels")]
        {
            let expected = format!("there must be one label for each image, got {written}");
            assert_eq!(data_error(Dataset::from_bytes(Array4::zeros((count, 8, 8, 1)), vec![0; labels])), expected);
            assert_eq!(data_error(Dataset::from_floats(images(count), vec![0; labels])), expected);
        }
    }

    #[test]
    fn no_images_are_refused() {
        let expected = "images must have at least one value on every axis (N, H, W, C), got (0, 8, 8, 1)";
        assert_eq!(data_error(Dataset::from_bytes(Array4::zeros((0, 8, 8, 1)), vec![])), expected);
        assert_eq!(data_error(Dataset::from_floats(images(0), vec![])), expected);
    }

    #[test]
    fn images_without_rows_columns_or_channels_are_refused() {
        for shape in [(2, 0, 8, 1), (2, 8, 0, 1), (2, 8, 8, 0)] {
            assert_eq!(
                data_error(Dataset::from_bytes(Array4::zeros(shape), vec![0, 0])),
                format!("images must have at least one value on every axis (N, H, W, C), got {shape:?}")
            );
        }
    }

    #[test]
    fn images_that_are_not_finite_are_refused_with_their_place() {
        for (value, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
            let mut images = images(2);
            images[[1, 2, 7, 0]] = value;
            assert_eq!(
                data_error(Dataset::from_floats(images, vec![0, 0])),
                format!("images must be finite, got {written} at (1, 2, 7, 0) (N, H, W, C)")
            );
        }
    }
}

/// Data that do not fit the model.
mod data {
    use super::*;

    const SHAPE: &str = "the model expects images of (8, 8, 1), got (8, 8, 3)";
    const LABEL: &str = "labels must be from 0 to 9, as the model has 10 outputs, got 10 at index 2";

    fn of_validation(text: &str) -> String {
        format!("in the validation data: {text}")
    }

    #[test]
    fn fit_refuses_images_of_another_shape() {
        assert_eq!(data_error(small().fit(&colour(), quiet())), SHAPE);
    }

    #[test]
    fn fit_refuses_validation_data_of_another_shape_before_it_trains() {
        let mut model = small();
        let before = model.get_weights();
        assert_eq!(
            data_error(model.fit(&dataset(vec![0, 9]), quiet().validation_data(&colour()))),
            of_validation(SHAPE)
        );
        assert_eq!(model.get_weights(), before);
    }

    #[test]
    fn evaluate_refuses_images_of_another_shape() {
        assert_eq!(data_error(small().evaluate(&colour())), SHAPE);
    }

    #[test]
    fn predict_refuses_images_of_another_shape() {
        assert_eq!(data_error(small().predict(&colour().images())), SHAPE);
        assert_eq!(data_error(small().predict_classes(&colour().images())), SHAPE);
    }

    #[test]
    fn train_on_batch_refuses_images_of_another_shape() {
        assert_eq!(data_error(small().train_on_batch(&colour().images(), &[0, 0])), SHAPE);
        assert_eq!(data_error(small().gradients(&colour().images(), &[0, 0])), SHAPE);
    }

    #[test]
    fn images_of_as_many_values_in_another_shape_are_refused() {
        assert_eq!(
            data_error(small().predict(&Array4::<f32>::zeros((1, 4, 16, 1)))),
            "the model expects images of (8, 8, 1), got (4, 16, 1)"
        );
    }

    #[test]
    fn a_model_on_vectors_says_how_it_takes_them() {
        let model = try_compile(vector().add(Dense::new(10).activation(Softmax))).unwrap();
        assert_eq!(
            data_error(model.predict(&images(1))),
            "the model expects rows of 64 features, a table of (N, 64), got images of (8, 8, 1): add `Flatten`, as in \
             `Sequential::new([8, 8, 1]).add(Flatten::new())`"
        );
        assert_eq!(model.predict(&Array4::<f32>::zeros((3, 1, 1, 64))).unwrap().dim(), (3, 10));
    }

    #[test]
    fn fit_refuses_labels_out_of_range() {
        assert_eq!(data_error(small().fit(&dataset(vec![0, 9, 10]), quiet())), LABEL);
    }

    #[test]
    fn fit_refuses_validation_labels_out_of_range_before_it_trains() {
        let mut model = small();
        let before = model.get_weights();
        let wrong = dataset(vec![0, 9, 10]);
        assert_eq!(data_error(model.fit(&dataset(vec![0, 9]), quiet().validation_data(&wrong))), of_validation(LABEL));
        assert_eq!(model.get_weights(), before);
    }

    #[test]
    fn evaluate_refuses_labels_out_of_range() {
        assert_eq!(data_error(small().evaluate(&dataset(vec![0, 9, 10]))), LABEL);
    }

    #[test]
    fn train_on_batch_refuses_labels_out_of_range() {
        assert_eq!(data_error(small().train_on_batch(&images(3), &[0, 9, 10])), LABEL);
        assert_eq!(data_error(small().gradients(&images(3), &[0, 9, 10])), LABEL);
        assert_eq!(
            data_error(small().train_on_batch(&images(1), &[usize::MAX])),
            format!("labels must be from 0 to 9, as the model has 10 outputs, got {} at index 0", usize::MAX)
        );
    }

    #[test]
    fn train_on_batch_refuses_different_numbers_of_images_and_labels() {
        for labels in [&[0][..], &[0, 1, 2], &[]] {
            let expected = format!(
                "there must be at least one image and one label for each, got 2 images and {} labels",
                labels.len()
            );
            assert_eq!(data_error(small().train_on_batch(&images(2), labels)), expected);
            assert_eq!(data_error(small().gradients(&images(2), labels)), expected);
        }
    }

    #[test]
    fn train_on_batch_refuses_an_empty_batch() {
        let expected = "there must be at least one image and one label for each, got 0 images and 0 labels";
        assert_eq!(data_error(small().train_on_batch(&images(0), &[0_usize; 0])), expected);
        assert_eq!(data_error(small().gradients(&images(0), &[0_usize; 0])), expected);
    }

    #[test]
    fn predicting_nothing_gives_nothing() {
        assert_eq!(small().predict(&images(0)).unwrap().dim(), (0, 10));
        assert!(small().predict_classes(&images(0)).unwrap().is_empty());
    }

    #[test]
    fn pixels_that_are_not_finite_are_refused_with_their_place() {
        for (value, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
            let mut images = images(2);
            images[[1, 0, 3, 0]] = value;
            let expected = format!("images must be finite, got {written} at (1, 0, 3, 0) (N, H, W, C)");
            assert_eq!(data_error(small().predict(&images)), expected);
            assert_eq!(data_error(small().predict_classes(&images)), expected);
            assert_eq!(data_error(small().train_on_batch(&images, &[0, 0])), expected);
            assert_eq!(data_error(small().gradients(&images, &[0, 0])), expected);
        }
    }

    #[test]
    fn a_refused_batch_changes_nothing() {
        let mut model = small();
        let before = model.get_weights();
        model.train_on_batch(&images(3), &[0, 9, 10]).unwrap_err();
        assert_eq!(model.get_weights(), before);
        // Nor does it count as a step.
        let mut fresh = small();
        model.train_on_batch(&images(3), &[0, 8, 9]).unwrap();
        fresh.train_on_batch(&images(3), &[0, 8, 9]).unwrap();
        assert_eq!(model.get_weights(), fresh.get_weights());
    }

    #[test]
    fn images_in_any_memory_order_are_predicted_alike() {
        let model = small();
        let images = images(3);
        let mut reversed = Array4::zeros((1, 8, 8, 3)).reversed_axes();
        reversed.assign(&images);
        assert!(!reversed.is_standard_layout());
        assert_eq!(model.predict(&reversed).unwrap(), model.predict(&images).unwrap());
        let data = Dataset::from_floats(reversed, vec![0, 1, 2]).unwrap();
        assert_eq!(data.images(), images);
        let same = Dataset::from_floats(images, vec![0, 1, 2]).unwrap();
        assert_eq!(model.evaluate(&data).unwrap(), model.evaluate(&same).unwrap());
    }
}

/// Trainings that come to nothing.
mod divergence {
    use super::*;

    /// The epoch and step in which a training diverged, its text having been checked.
    #[track_caller]
    fn diverged<T>(result: inkstone::Result<T>) -> (usize, usize) {
        let Err(error) = result else { panic!("expected a divergence") };
        let Error::Diverged { epoch, step, loss } = error else { panic!("expected a divergence, got {error}") };
        assert!(!loss.is_finite());
        assert_eq!(
            error.to_string(),
            format!(
                "the loss became {loss} in epoch {epoch}, step {step}: lower the learning rate, or look for extreme \
                 values in the data"
            )
        );
        (epoch, step)
    }

    /// A model whose weights are zero, so that its first step is the same everywhere, and its second is too far: white
    /// images of class 0 push the weights to about 1e38, and 64 of these to infinity.
    fn model() -> (Model, Dataset) {
        let mut model =
            head(image()).compile(Sgd::new(1e38), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
        let mut weights = model.get_weights();
        weights.iter_mut().for_each(|weight| weight.values.fill(0.0));
        model.set_weights(&weights).unwrap();
        (model, Dataset::from_bytes(Array4::from_elem((64, 8, 8, 1), 255), vec![0; 64]).unwrap())
    }

    #[test]
    fn the_step_in_which_the_loss_is_lost_is_named() {
        let (mut model, data) = model();
        assert_eq!(diverged(model.fit(&data, quiet().batch_size(16))), (1, 2));
    }

    #[test]
    fn the_epoch_in_which_the_loss_is_lost_is_named() {
        let (mut model, data) = model();
        assert_eq!(diverged(model.fit(&data, quiet().batch_size(64).epochs(5))), (2, 1));
    }

    #[test]
    fn a_convolutional_model_that_learns_far_too_fast_diverges() {
        let data = dataset((0..64).map(|n| n % 10).collect());
        let mut model = head(image().add(Conv2D::new(4, (3, 3)).activation(Relu)))
            .seed(3)
            .compile(Sgd::new(1e30), SparseCategoricalCrossentropy::default(), [Accuracy])
            .unwrap();
        let (epoch, step) = diverged(model.fit(&data, quiet().epochs(5).batch_size(16)));
        assert!(epoch == 1 && (2..=4).contains(&step), "epoch {epoch}, step {step}");
    }

    #[test]
    fn the_step_that_diverges_is_not_taken() {
        let mut model = small();
        let mut weights = model.get_weights();
        weights[0].values.fill(f32::MAX);
        model.set_weights(&weights).unwrap();
        let white = Array4::from_elem((2, 8, 8, 1), 1.0);
        assert_eq!(diverged(model.train_on_batch(&white, &[0, 1])), (1, 1));
        assert_eq!(diverged(model.gradients(&white, &[0, 1])), (1, 1));
        assert_eq!(model.get_weights(), weights);
    }

    #[test]
    fn a_model_that_diverged_trains_again_with_sound_weights() {
        let (mut model, data) = model();
        let sound = model.get_weights();
        diverged(model.fit(&data, quiet().batch_size(16)));
        model.set_weights(&sound).unwrap();
        let scores = model.train_on_batch(&data.images(), data.labels()).unwrap();
        assert!((scores.loss - 10_f64.ln()).abs() < 1e-5, "{scores}");
    }
}

/// Weights of another model.
mod weights {
    use super::*;
    use inkstone::Weight;

    /// Fails unless these weights are refused with this text, and nothing is changed.
    #[track_caller]
    fn weights_refused(change: impl Fn(&mut Vec<Weight>), expected: &str) {
        let mut model = small();
        let before = model.get_weights();
        let mut weights = before.clone();
        // What stands before the fault would be taken over first.
        weights[0].values.fill(1.0);
        change(&mut weights);
        assert_eq!(data_error(model.set_weights(&weights)), expected);
        assert_eq!(model.get_weights(), before);
        assert_eq!(model.predict(&images(2)).unwrap(), small().predict(&images(2)).unwrap());
    }

    #[test]
    fn too_few_weights_change_nothing() {
        weights_refused(
            |weights| weights.truncate(1),
            "the model has 2 weights, got 1: `set_weights_by_name` takes some of them",
        );
        weights_refused(Vec::clear, "the model has 2 weights, got 0: `set_weights_by_name` takes some of them");
    }

    #[test]
    fn too_many_weights_change_nothing() {
        weights_refused(|weights| weights.push(weights[0].clone()), "the model has 2 weights, got 3");
    }

    #[test]
    fn weights_of_another_name_change_nothing() {
        weights_refused(
            |weights| weights[1].name = "dense_7/bias".into(),
            "expected the weight dense/bias of shape [10], got dense_7/bias of shape [10]",
        );
    }

    #[test]
    fn weights_in_another_order_change_nothing() {
        weights_refused(
            |weights| weights.reverse(),
            "expected the weight dense/kernel of shape [64, 10], got dense/bias of shape [10]",
        );
    }

    #[test]
    fn weights_of_another_shape_change_nothing() {
        weights_refused(
            |weights| weights[1].values = ArrayD::zeros(vec![11]),
            "expected the weight dense/bias of shape [10], got dense/bias of shape [11]",
        );
        weights_refused(
            |weights| weights[1].values = ArrayD::zeros(vec![10, 1]),
            "expected the weight dense/bias of shape [10], got dense/bias of shape [10, 1]",
        );
    }

    #[test]
    fn a_transposed_kernel_changes_nothing() {
        weights_refused(
            |weights| weights[0].values = weights[0].values.t().to_owned(),
            "expected the weight dense/kernel of shape [64, 10], got dense/kernel of shape [10, 64]",
        );
    }
}

/// `unwrap_err` on a `compile` that went well prints the model.
#[test]
fn a_printed_model_is_short() {
    let text = format!("{:?}", small());
    assert!(text.starts_with("Model { layers: [Flatten(Flatten), Dense("), "{text}");
    assert!(text.len() < 1000, "{} characters", text.len());
}

/// A softmax of every pixel with `Flatten` behind it gives several sums of 1, not the probabilities of classes.
#[test]
fn a_softmax_over_pixels_is_not_taken_for_one_over_classes() {
    let pixels = || Sequential::new([2, 2, 1]).add(Conv2D::new(3, (1, 1)).activation(Softmax)).add(Flatten::new());
    let error = try_compile(pixels()).unwrap_err().to_string();
    assert!(
        error.starts_with("the model gives no probabilities, which SparseCategoricalCrossentropy expects"),
        "{error}"
    );
    let logits = SparseCategoricalCrossentropy::default().from_logits(true);
    let model = pixels().compile(Adam::default(), logits, [Accuracy]).unwrap();
    let sum = model.predict(&Array4::<f32>::zeros((1, 2, 2, 1))).unwrap().sum();
    assert!((sum - 4.0).abs() < 1e-5, "four pixels, four sums of 1, got {sum}");
}
