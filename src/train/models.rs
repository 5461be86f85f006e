//! Models whose work is known, for tests.

use crate::layers::{ActivationFunction, Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network};
use crate::plan::{Plan, Wanted};
use crate::shape::{Padding, Shape};
use ActivationFunction::Relu;

/// The plan of these layers and a last one of ten outputs.
pub(super) fn plan(input: [usize; 3], hidden: Vec<Layer>) -> Plan {
    let layers = [hidden, vec![Dense::new(10).into()]].concat();
    Plan::new(&Network::chain(Shape::from(input), layers), Wanted::OfParameters).unwrap()
}

fn dense(units: usize) -> Layer {
    Dense::new(units).activation(Relu).into()
}

/// The Keras example's network.
pub(super) fn keras_cnn() -> Plan {
    let conv = |filters| Layer::from(Conv2D::new(filters, (3, 3)).activation(Relu));
    let pool = || Layer::from(MaxPooling2D::new((2, 2)));
    plan([28, 28, 1], vec![conv(32), pool(), conv(64), pool(), conv(64), Flatten::new().into(), dense(64)])
}

/// The multilayer perceptron 784-512-512-10.
pub(super) fn mlp() -> Plan {
    plan([28, 28, 1], vec![Flatten::new().into(), dense(512), dense(512)])
}

/// The VGG-like network of `benches/peers/models.sh`.
pub(super) fn vgg() -> Plan {
    let conv = |filters| Layer::from(Conv2D::new(filters, (3, 3)).padding(Padding::Same).activation(Relu));
    let blocks = [32, 64, 128];
    let blocks = blocks.map(|filters| vec![conv(filters), conv(filters), MaxPooling2D::new((2, 2)).into()]);
    plan([32, 32, 3], [blocks.concat(), vec![Flatten::new().into(), dense(128)]].concat())
}
