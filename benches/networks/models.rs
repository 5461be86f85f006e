//! The networks that `cargo bench --bench networks` runs and that `models.sh` and `inference.sh` of `benches/peers` compare
//! with those of `torch_networks.py`, and random images for them.

use super::normalized;
use inkstone::Result;
use inkstone::ndarray::Array4;
use inkstone::prelude::*;

/// The network of this name, ready to be trained.
pub fn network(name: &str) -> Result<Model> {
    let input = Input::new(image(name));
    let hidden = match name {
        "cnn" => cnn(&input),
        "mlp" => [512, 512].into_iter().fold(input.apply(Flatten::new()), |x, units| dense(&x, units, Relu)),
        "lenet" => lenet(&input, Relu, |x| x.apply(MaxPooling2D::new((2, 2)))),
        "lenet_avg" => lenet(&input, Tanh, |x| x.apply(AveragePooling2D::new((2, 2)))),
        "vgg" => vgg(&input),
        "resnet" => normalized::resnet(&input),
        "mobilenet" => normalized::mobilenet(&input),
        _ => return Err(inkstone::Error::Data(format!("expected a network of benches/networks, got {name:?}"))),
    };
    let output = hidden.apply(Dense::new(10).activation(Softmax));
    Functional::new([&input], [&output]).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
}

/// Rows, columns and channels of its images.
#[must_use]
pub fn image(network: &str) -> [usize; 3] {
    if network == "vgg" { [32, 32, 3] } else { [28, 28, 1] }
}

/// Random images for this network.
#[must_use]
pub fn random_images(network: &str, count: usize) -> Array4<u8> {
    let [height, width, channels] = image(network);
    Array4::from_shape_fn((count, height, width, channels), |(n, y, x, c)| {
        // The upper bits of a product are as good as random.
        ((n * 3072 + y * 96 + x * 3 + c + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    })
}

fn dense(x: &Node, units: usize, activation: ActivationFunction) -> Node {
    x.apply(Dense::new(units).activation(activation))
}

/// The Keras example's.
fn cnn(input: &Node) -> Node {
    let conv = |x: &Node, filters| x.apply(Conv2D::new(filters, (3, 3)).activation(Relu));
    let pool = |x: &Node| x.apply(MaxPooling2D::new((2, 2)));
    dense(&conv(&pool(&conv(&pool(&conv(input, 32)), 64)), 64).apply(Flatten::new()), 64, Relu)
}

fn lenet(input: &Node, activation: ActivationFunction, pool: impl Fn(&Node) -> Node) -> Node {
    let x = pool(&input.apply(Conv2D::new(6, (5, 5)).padding(Same).activation(activation)));
    let x = pool(&x.apply(Conv2D::new(16, (5, 5)).activation(activation))).apply(Flatten::new());
    dense(&dense(&x, 120, activation), 84, activation)
}

fn vgg(input: &Node) -> Node {
    let conv = |x: &Node, filters| x.apply(Conv2D::new(filters, (3, 3)).padding(Same).activation(Relu));
    let block = |x: Node, filters| conv(&conv(&x, filters), filters).apply(MaxPooling2D::new((2, 2)));
    dense(&[32, 64, 128].into_iter().fold(input.clone(), block).apply(Flatten::new()), 128, Relu)
}
