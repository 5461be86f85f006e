//! The layers of a model as PyTorch's modules: which tensors each has, and which weights of ours they are.

use super::order::{Order, Orders, of_layer};
use super::recurrent;
use super::tensor::{Of, Tensor, View};
use crate::error::Result;
use crate::layers::{Layer, Network};
use crate::plan::{Outline, Parameter, layer_names};
use std::sync::Arc;

/// What is one module in PyTorch: a layer, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Module {
    /// The layer's name, and behind a dot that of a part.
    pub(super) name: String,
    pub(super) tensors: Vec<Tensor>,
}

/// All modules of a model, in the order of its layers. Each weight is in one of them.
///
/// - parameters: those of the network
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) if the order of a vector's numbers in PyTorch cannot be told.
pub(super) fn of_model(network: &Network, parameters: &[Parameter]) -> Result<Vec<Module>> {
    let orders = Orders::new(network, Outline::new(network)?.shapes)?;
    let mut modules = Vec::new();
    for (index, (layer, name)) in network.layers.iter().zip(layer_names(&network.layers)).enumerate() {
        let first = parameters.partition_point(|parameter| parameter.layer < index);
        let weights = &parameters[first..];
        let weights = &weights[..weights.partition_point(|parameter| parameter.layer == index)];
        if weights.is_empty() {
            continue;
        }
        let (input, output, shape) = of_layer(network, &orders, index)?;
        let is_vector = shape.axes().len() == 1;
        let weights = Weights { first, parameters: weights };
        let ends = Ends { input, output, is_vector };
        if let Layer::SeparableConv2D(_) = layer {
            let [of_depthwise, of_pointwise] = separable(weights);
            modules.push(Module { name: format!("{name}.depthwise"), tensors: of_depthwise });
            modules.push(Module { name: format!("{name}.pointwise"), tensors: of_pointwise });
        } else {
            modules.push(Module { name, tensors: tensors(layer, weights, &ends) });
        }
    }
    Ok(modules)
}

/// What a layer reads and gives.
struct Ends {
    input: Order,
    output: Order,
    is_vector: bool,
}

impl Ends {
    /// PyTorch's places of the input's channels.
    fn rows(&self) -> Option<Arc<[usize]>> {
        self.input.places().filter(|_| self.is_vector)
    }

    fn columns(&self) -> Option<Arc<[usize]>> {
        self.output.places().filter(|_| self.is_vector)
    }
}

/// The weights of a layer, or of a part of it.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// The index of the first among all parameters.
    first: usize,
    parameters: &'a [Parameter],
}

impl<'a> Weights<'a> {
    pub(super) fn len(self) -> usize {
        self.parameters.len()
    }

    pub(super) fn shape(self, place: usize) -> &'a [usize] {
        &self.parameters[place].shape
    }

    /// The first so many, and the others.
    pub(super) fn split_at(self, place: usize) -> [Self; 2] {
        let (left, right) = self.parameters.split_at(place);
        [Self { parameters: left, ..self }, Self { first: self.first + place, parameters: right }]
    }

    /// A tensor that is this view of one of the weights.
    pub(super) fn tensor(self, name: &str, place: usize, shape: Vec<usize>, view: View) -> Tensor {
        Tensor { name: name.to_owned(), shape, of: Of::Parameter(self.first + place, view) }
    }

    /// A tensor that is one of the weights with its axes in this order.
    fn turned(self, name: &str, place: usize, axes: &[usize]) -> Tensor {
        let shape = axes.iter().map(|axis| self.shape(place)[*axis]).collect();
        self.tensor(name, place, shape, View::new(axes))
    }

    /// One of the weights as a row of numbers.
    fn row(self, name: &str, place: usize, places: Option<Arc<[usize]>>) -> Tensor {
        self.tensor(name, place, self.shape(place).to_vec(), View::new([0]).places(0, places))
    }

    /// A kernel, and behind it a bias if there is one.
    fn with_bias(self, kernel: Tensor, places: Option<Arc<[usize]>>) -> Vec<Tensor> {
        [kernel].into_iter().chain((self.len() > 1).then(|| self.row("bias", 1, places))).collect()
    }

    /// The weights under our names and in our layout, of a layer that PyTorch does not have.
    fn as_here(self) -> Vec<Tensor> {
        let one = |(place, parameter): (usize, &Parameter)| {
            let name = parameter.name.split_once('/').map_or(&*parameter.name, |(_, name)| name);
            // A dot would make another module of it.
            self.turned(&name.replace('.', "_"), place, &(0..parameter.shape.len()).collect::<Vec<_>>())
        };
        self.parameters.iter().enumerate().map(one).collect()
    }
}

fn tensors(layer: &Layer, weights: Weights<'_>, ends: &Ends) -> Vec<Tensor> {
    match layer {
        // (height, width, channels, filters), and of a transposed convolution (height, width, filters, channels).
        Layer::Conv2D(_) | Layer::Conv2DTranspose(_) => {
            weights.with_bias(weights.turned("weight", 0, &[3, 2, 0, 1]), None)
        }
        // (width, channels, filters)
        Layer::Conv1D(_) => weights.with_bias(weights.turned("weight", 0, &[2, 1, 0]), None),
        Layer::DepthwiseConv2D(_) => weights.with_bias(depthwise(weights), None),
        Layer::Dense(_) => {
            let &[features, units] = weights.shape(0) else { return weights.as_here() };
            let view = View::new([1, 0]).places(0, ends.columns()).places(1, ends.rows());
            weights.with_bias(weights.tensor("weight", 0, vec![units, features], view), ends.columns())
        }
        Layer::TimeDistributed(layer) => tensors(&layer.layer, weights, ends),
        Layer::BatchNormalization(norm) => {
            let learned = usize::from(norm.scale) + usize::from(norm.center);
            let [of_affine, of_state] = weights.split_at(learned);
            let mut tensors = affine(of_affine, Learned { scale: norm.scale, center: norm.center }, ends);
            tensors.push(of_state.row("running_mean", 0, ends.rows()));
            tensors.push(of_state.row("running_var", 1, ends.rows()));
            tensors
        }
        Layer::GroupNormalization(norm) => affine(weights, Learned { scale: norm.scale, center: norm.center }, ends),
        Layer::LayerNormalization(norm) => match weights.shape(0).len() {
            // PyTorch's may have a weight alone.
            1 if norm.center => affine(weights, Learned { scale: norm.scale, center: norm.center }, ends),
            1 => vec![weights.row("weight", 0, ends.rows())],
            rank if norm.scale => {
                // PyTorch's axes are the last ones of an image with its channels first.
                let axes: Vec<usize> = match ends.input {
                    Order::ChannelsFirst => [rank - 1].into_iter().chain(0..rank - 1).collect(),
                    Order::Same | Order::Permuted(_) => (0..rank).collect(),
                };
                let names = ["weight", "bias"].into_iter().take(weights.len()).enumerate();
                names.map(|(place, name)| weights.turned(name, place, &axes)).collect()
            }
            _ => weights.as_here(),
        },
        Layer::Embedding(_) => vec![weights.turned("weight", 0, &[0, 1])],
        Layer::PReLU(_) => {
            let (channels, rank) = (weights.shape(0).last().copied().unwrap_or(1), weights.shape(0).len());
            if weights.shape(0).iter().product::<usize>() != channels {
                return weights.as_here();
            }
            let axes: Vec<usize> = (0..rank).collect();
            let places = ends.rows().filter(|places| places.len() == channels);
            vec![weights.tensor("weight", 0, vec![channels], View::new(axes).places(rank - 1, places))]
        }
        Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) | Layer::Bidirectional(_) => {
            recurrent::tensors(layer, weights).unwrap_or_else(|| weights.as_here())
        }
        Layer::SeparableConv2D(_) => separable(weights).concat(),
        Layer::Normalization(_) | Layer::Custom(_) => weights.as_here(),
        Layer::MaxPooling2D(_)
        | Layer::AveragePooling2D(_)
        | Layer::GlobalAveragePooling2D(_)
        | Layer::GlobalMaxPooling2D(_)
        | Layer::MaxPooling1D(_)
        | Layer::AveragePooling1D(_)
        | Layer::GlobalAveragePooling1D(_)
        | Layer::GlobalMaxPooling1D(_)
        | Layer::Masking(_)
        | Layer::ZeroPadding2D(_)
        | Layer::Reshape(_)
        | Layer::Cropping2D(_)
        | Layer::UpSampling2D(_)
        | Layer::Permute(_)
        | Layer::RepeatVector(_)
        | Layer::Flatten(_)
        | Layer::Activation(_)
        | Layer::ReLU(_)
        | Layer::LeakyReLU(_)
        | Layer::ELU(_)
        | Layer::Dropout(_)
        | Layer::SpatialDropout2D(_)
        | Layer::GaussianNoise(_)
        | Layer::GaussianDropout(_)
        | Layer::AlphaDropout(_)
        | Layer::Rescaling(_)
        | Layer::Add(_)
        | Layer::Subtract(_)
        | Layer::Multiply(_)
        | Layer::Average(_)
        | Layer::Maximum(_)
        | Layer::Minimum(_)
        | Layer::Concatenate(_) => weights.as_here(),
    }
}

/// A depthwise kernel: (height, width, channels, multiplier), in PyTorch (channels · multiplier, 1, height, width).
fn depthwise(weights: Weights<'_>) -> Tensor {
    let shape = weights.shape(0);
    let of_torch = vec![shape[2] * shape[3], 1, shape[0], shape[1]];
    weights.tensor("weight", 0, of_torch, View::new([2, 3, 0, 1]))
}

/// The two convolutions that PyTorch has for a separable one.
fn separable(weights: Weights<'_>) -> [Vec<Tensor>; 2] {
    let [first, second] = weights.split_at(1);
    [vec![depthwise(first)], second.with_bias(second.turned("weight", 0, &[3, 2, 0, 1]), None)]
}

/// Which weights a normalization learns.
#[derive(Clone, Copy)]
struct Learned {
    scale: bool,
    center: bool,
}

/// The weight and the bias of a normalization. PyTorch has both or neither, so one alone has a constant beside it.
fn affine(weights: Weights<'_>, Learned { scale, center }: Learned, ends: &Ends) -> Vec<Tensor> {
    if !scale && !center {
        return Vec::new();
    }
    let shape = weights.shape(0);
    let constant = |name: &str, value| Tensor { name: name.into(), shape: shape.to_vec(), of: Of::Constant(value) };
    let learned = |name: &str, place| weights.row(name, place, ends.rows());
    vec![
        if scale { learned("weight", 0) } else { constant("weight", 1.0) },
        if center { learned("bias", usize::from(scale)) } else { constant("bias", 0.0) },
    ]
}
