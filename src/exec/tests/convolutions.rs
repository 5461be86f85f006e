//! Convolutions of every kind in `f64`, as plainly as they can be written: each is a list of products of an input with
//! a weight, which its gradients go through as well.

use crate::kernels::patches::Dilated;
use crate::layers::Layer;
use crate::shape::{Padding, Shape, Window2d};
use ndarray::{ArrayD, Axis, IxDyn};

/// One product: the places of an input, a weight and the output that it is added to.
struct Product {
    x: usize,
    weight: usize,
    y: usize,
}

/// All products of one kernel, and the shape of the output.
struct Products {
    all: Vec<Product>,
    output: Vec<usize>,
}

/// What a convolution is made of: the products of each of its kernels, one behind the other.
fn products(layer: &Layer, x: &[usize], weights: &[ArrayD<f64>]) -> Option<Vec<Products>> {
    let input = Shape::new(&x[1..]).unwrap();
    let with_channels = |x: &[usize], channels: usize| [&x[..3], &[channels]].concat();
    Some(match layer {
        Layer::Conv2D(conv) => {
            vec![convolution(x, weights[0].shape(), &conv.dilated(input).unwrap(), conv.groups)]
        }
        Layer::DepthwiseConv2D(conv) => vec![depthwise(x, weights[0].shape(), &conv.dilated(input).unwrap())],
        Layer::SeparableConv2D(conv) => {
            let first = depthwise(x, weights[0].shape(), &conv.dilated(input).unwrap());
            let pixels = (first.output[1], first.output[2]);
            let window = Window2d::new(pixels, (1, 1), (1, 1), Padding::Valid).unwrap();
            let of = Dilated { window, taps: (1, 1), dilation: (1, 1) };
            let second = convolution(&first.output, weights[1].shape(), &of, 1);
            vec![first, second]
        }
        Layer::Conv2DTranspose(conv) => {
            // The products of the convolution that it is the transpose of, with input and output in each other's place.
            let of = conv.dilated(input).unwrap();
            let (height, width) = of.window.image;
            let output = with_channels(&[x[0], height, width], conv.filters);
            let Products { all, .. } = convolution(&output, weights[0].shape(), &of, 1);
            let turned = |Product { x, weight, y }| Product { x: y, weight, y: x };
            vec![Products { all: all.into_iter().map(turned).collect(), output }]
        }
        _ => return None,
    })
}

/// - x: (N, H, W, channels); kernel: (rows, columns, channels of a group, filters)
fn convolution(x: &[usize], kernel: &[usize], of: &Dilated, groups: usize) -> Products {
    let Dilated { window, taps, dilation } = of;
    let (channels, filters) = (kernel[2], kernel[3]);
    let mut all = Vec::new();
    for n in 0..x[0] {
        for (row, column) in places(window.out) {
            for (tap_y, tap_x) in places(*taps) {
                let at_y = (row * window.strides.0 + tap_y * dilation.0).checked_sub(window.before.0);
                let at_x = (column * window.strides.1 + tap_x * dilation.1).checked_sub(window.before.1);
                let (Some(at_y), Some(at_x)) = (at_y, at_x) else { continue };
                if at_y >= x[1] || at_x >= x[2] {
                    continue;
                }
                let pixel = ((n * x[1] + at_y) * x[2] + at_x) * x[3];
                let output = ((n * window.out.0 + row) * window.out.1 + column) * filters;
                let tap = (tap_y * taps.1 + tap_x) * channels;
                for filter in 0..filters {
                    let first = filter / (filters / groups) * channels;
                    all.extend((0..channels).map(|channel| Product {
                        x: pixel + first + channel,
                        weight: (tap + channel) * filters + filter,
                        y: output + filter,
                    }));
                }
            }
        }
    }
    Products { all, output: vec![x[0], window.out.0, window.out.1, filters] }
}

/// - kernel: (rows, columns, channels, multiplier)
fn depthwise(x: &[usize], kernel: &[usize], of: &Dilated) -> Products {
    let [rows, columns, channels, multiplier] = kernel[..] else { unreachable!("a kernel has four axes") };
    convolution(x, &[rows, columns, 1, channels * multiplier], of, channels)
}

fn places((rows, columns): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

/// The output before the activation; `None` for layers that are no convolutions.
pub(super) fn forward(layer: &Layer, weights: &[ArrayD<f64>], x: &ArrayD<f64>) -> Option<ArrayD<f64>> {
    let kernels = products(layer, x.shape(), weights)?;
    let count = kernels.len();
    let y = kernels.iter().zip(weights).fold(x.clone(), |x, (products, weight)| apply(products, weight, &x));
    Some(match weights.get(count) {
        Some(bias) => y + bias,
        None => y,
    })
}

fn apply(products: &Products, weight: &ArrayD<f64>, x: &ArrayD<f64>) -> ArrayD<f64> {
    let mut y = vec![0.0; products.output.iter().product()];
    let (x, weight) = (x.as_slice().unwrap(), weight.as_slice().unwrap());
    products.all.iter().for_each(|at| y[at.y] += x[at.x] * weight[at.weight]);
    ArrayD::from_shape_vec(IxDyn(&products.output), y).unwrap()
}

/// The gradients of the input and of the weights.
pub(super) fn backward(
    layer: &Layer,
    weights: &[ArrayD<f64>],
    x: &ArrayD<f64>,
    dy: &ArrayD<f64>,
) -> Option<(ArrayD<f64>, Vec<ArrayD<f64>>)> {
    let kernels = products(layer, x.shape(), weights)?;
    let mut values = vec![x.clone()];
    for (products, weight) in kernels.iter().zip(weights) {
        values.push(apply(products, weight, values.last().unwrap()));
    }
    let mut dy = dy.clone().into_shape_with_order(values.last().unwrap().shape()).unwrap();
    let mut gradients: Vec<ArrayD<f64>> = weights.iter().map(|weight| ArrayD::zeros(weight.shape())).collect();
    if let Some(bias) = gradients.get_mut(kernels.len()) {
        *bias = (0..3).fold(dy.clone(), |sum, _| sum.sum_axis(Axis(0)));
    }
    for (place, products) in kernels.iter().enumerate().rev() {
        let (x, weight) = (values[place].as_slice().unwrap(), weights[place].as_slice().unwrap());
        let mut dx = vec![0.0; x.len()];
        let (dw, d_out) = (gradients[place].as_slice_mut().unwrap(), dy.as_slice().unwrap());
        for at in &products.all {
            dx[at.x] += weight[at.weight] * d_out[at.y];
            dw[at.weight] += x[at.x] * d_out[at.y];
        }
        dy = ArrayD::from_shape_vec(IxDyn(values[place].shape()), dx).unwrap();
    }
    Some((dy, gradients))
}
