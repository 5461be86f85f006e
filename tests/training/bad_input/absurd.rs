//! Sizes that no machine could work on.

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
        assert!(model.predict_rows(&images).unwrap().iter().all(|value| *value == highest), "all windows see the same");
    }
}

#[test]
fn strides_larger_than_the_image_give_one_output() {
    let conv = Conv2D::new(3, (3, 3)).strides((1 << 28, 1 << 28));
    for padding in [Valid, Same] {
        let model = image().add(conv.clone().padding(padding)).add(Flatten::new()).add(Activation::new(Softmax));
        assert_eq!(try_compile(model).unwrap().predict_rows(&images(2)).unwrap().dim(), (2, 3));
    }
}
