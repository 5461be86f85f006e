//! Gradients of inputs: which pixels a prediction hangs on (a saliency map), and what a step along their signs does to
//! it (the fast gradient sign method, <https://arxiv.org/abs/1412.6572>).
//!
//! `cargo run --release --features image --example adversarial`; `-- --help` tells what else it can do. It writes
//! `adversarial.png`: each row is a digit, its saliency map, and the digit after the step, which the network takes for
//! another one. After two epochs with seed 1 the network is right about 98.2 % of the test images, and about 66.7 % of
//! them after a step of 0.15 (2026-11-26).

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::data::pictures::write_png;
use inkstone::ndarray::{Array2, Array4, ArrayView2, Axis, Ix4};
use inkstone::prelude::*;
use inkstone::{Error, Mode};
use std::path::PathBuf;

/// Trains on MNIST, then changes test images a little, so that the network is wrong about them.
#[derive(Parser)]
struct Arguments {
    /// Epochs of training
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// How far each pixel goes; black is 0 and white is 1
    #[arg(long, default_value_t = 0.15)]
    epsilon: f32,
    /// Rows of the picture
    #[arg(long, default_value_t = 8)]
    rows: usize,
    /// Where the picture goes
    #[arg(long, default_value = "adversarial.png")]
    picture: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Images of one step: as many as one forward pass keeps all layers of.
const BATCH: usize = 500;
/// How many times a pixel is repeated in the picture, across and down.
const ZOOM: usize = 3;

fn main() -> Result<()> {
    let Arguments { epochs, epsilon, rows, picture: path, common } = Arguments::parse();
    let data = common.start()?;
    let model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax));
    let mut model =
        common.seeded(model).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    let history = model.fit(&data.train, FitConfig::new().epochs(epochs).interrupt(&interrupt_on_ctrl_c()?))?;

    let (mut right, mut right_after, mut shown) = (0, 0, Vec::new());
    for batch in data.test.batch(BATCH)? {
        let (images, labels) = (batch.images(), batch.labels());
        let gradients = gradients(&model, &images, labels)?;
        let changed = fast_gradient_sign(&images, &gradients, epsilon);
        let [before, after] = [&images, &changed].map(|images| model.predict_classes(images));
        let (before, after) = (before?, after?);
        for (index, label) in labels.iter().enumerate() {
            right += usize::from(before[index] == *label);
            right_after += usize::from(after[index] == *label);
            if before[index] == *label && after[index] != *label && shown.len() < rows {
                println!("row {}: a {label}, taken for a {}", shown.len() + 1, after[index]);
                let saliency = saliency(picture(&gradients, index));
                shown.push([picture(&images, index).to_owned(), saliency, picture(&changed, index).to_owned()]);
            }
        }
    }
    let percent = |count: usize| 100.0 * count as f64 / data.test.len() as f64;
    println!("Right about the test images:         {:.2} %{}", percent(right), data.remark);
    println!("and after a step of {epsilon} of each pixel: {:.2} %{}", percent(right_after), data.remark);
    if shown.is_empty() {
        println!("No image is taken for another digit after the step: there is no picture");
    } else {
        write_png(&path, &side_by_side(&shown))?;
        println!("Wrote {}", path.display());
    }
    common.finish(&mut model, &history, &data)
}

/// The gradient of the loss with respect to each pixel: (N, 28, 28, 1).
fn gradients(model: &Model, images: &Array4<f32>, labels: &[usize]) -> inkstone::Result<Array4<f32>> {
    let pass = model.forward(images, Mode::Training)?;
    let (_, d_outputs) = model.compute_loss(&pass, labels)?;
    let d_images = model.backward(pass, d_outputs)?.inputs.swap_remove(0);
    d_images.into_dimensionality::<Ix4>().map_err(|error| Error::Data(error.to_string()))
}

/// One of several grey images: (height, width).
fn picture(images: &Array4<f32>, index: usize) -> ArrayView2<'_, f32> {
    images.index_axis(Axis(0), index).index_axis_move(Axis(2), 0)
}

/// Each pixel goes by `epsilon` the way that makes the loss larger, as far as there are shades.
fn fast_gradient_sign(images: &Array4<f32>, gradients: &Array4<f32>, epsilon: f32) -> Array4<f32> {
    let step = gradients.mapv(|gradient| if gradient == 0.0 { 0.0 } else { epsilon * gradient.signum() });
    (images + &step).mapv(|shade| shade.clamp(0.0, 1.0))
}

/// How much the loss hangs on each pixel, from 0 to 1.
fn saliency(gradient: ArrayView2<'_, f32>) -> Array2<f32> {
    let sizes = gradient.mapv(f32::abs);
    let largest = sizes.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    sizes / largest
}

/// Rows of pictures of one size, as bytes.
fn side_by_side(rows: &[[Array2<f32>; 3]]) -> Array2<u8> {
    let (height, width) = rows[0][0].dim();
    let (tall, wide) = (height + 2, width + 2);
    Array2::from_shape_fn((ZOOM * tall * rows.len(), ZOOM * wide * 3), |(y, x)| {
        let (y, x) = (y / ZOOM, x / ZOOM);
        let picture = &rows[y / tall][x / wide];
        // The frame between pictures is grey.
        picture.get((y % tall, x % wide)).map_or(96, |shade| (255.0 * shade).round() as u8)
    })
}
