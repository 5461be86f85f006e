//! Nodes: the values of a network that is being described, each with the layer that gives it.

use crate::layers::{Add, Average, Call, Concatenate, Layer, Maximum, Minimum, Multiply, Network, Source, Subtract};
use crate::pretrained::{Learned, Part, Pretrained};
use crate::sequential::Sequential;
use crate::shape::Shape;
use std::fmt;
use std::sync::Arc;

/// A value in a network that is being described: an [`Input`], or what a layer gives. It is a handle, and costs nothing
/// to clone.
///
/// ```
/// use inkstone::prelude::*;
/// let input = Input::new([28, 28, 1]);
/// let x = input.apply(Conv2D::new(8, (3, 3)).padding(Padding::Same).activation(Relu));
/// let y = x.apply(Conv2D::new(8, (3, 3)).padding(Padding::Same));
/// let output = Add::of([&x, &y]).apply(Flatten::new()).apply(Dense::new(10).activation(Softmax));
/// let model = Functional::new([&input], [&output])
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.output_shape().to_string(), "(10)");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Node(pub(super) Arc<Value>);

/// What a node stands for.
pub(super) enum Value {
    Input(Shape),
    Output {
        layer: Arc<Described>,
        reads: Vec<Node>,
    },
    /// Another output of the layer whose first one it reads, from 1.
    Further {
        first: Vec<Node>,
        place: usize,
    },
    /// The value of the one node that it reads, of which a part expects that it has this shape.
    Expected {
        part: PartOfNetwork,
        read: Vec<Node>,
    },
}

/// A layer, with the weights that it has if it comes from a model.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) layer: Layer,
    pub(super) learned: Option<Learned>,
}

/// What several layers are called that are applied together, and what they need.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PartOfNetwork {
    pub(super) kind: &'static str,
    /// The shape that it expects, or why it cannot be applied.
    pub(super) input: Result<Shape, String>,
}

/// The start of a network, as [Keras' `Input`](https://keras.io/api/layers/core_layers/input/).
#[derive(Clone, Copy, Debug)]
pub struct Input;

impl Input {
    /// An input of this shape, the batch axis left out.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "as in Keras, what it makes is a value like any other")]
    pub fn new(shape: impl Into<Shape>) -> Node {
        Node(Arc::new(Value::Input(shape.into())))
    }
}

/// A layer, a [`Sequential`] of layers, or a [`Pretrained`] part of a model, that several nodes are given by: its
/// weights are the same in all of them.
///
/// ```
/// use inkstone::prelude::*;
/// let (left, right) = (Input::new([4]), Input::new([4]));
/// let twin = Shared::new(Dense::new(3));
/// let output = Concatenate::of([&left.apply(&twin), &right.apply(&twin)]).apply(Dense::new(1));
/// let model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.parameter_count(), (4 * 3 + 3) + (6 + 1));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shared(pub(super) Applied);

#[derive(Clone, Debug)]
pub(super) enum Applied {
    Layer(Arc<Described>),
    Part { of: PartOfNetwork, layers: Arc<[Arc<Described>]>, calls: Arc<[Call]>, output: Source },
}

impl Shared {
    /// A layer, a `Sequential`, or a `Pretrained`, to be applied several times.
    #[must_use]
    pub fn new(layer: impl Into<Self>) -> Self {
        layer.into()
    }
}

impl<L: Into<Layer>> From<L> for Shared {
    /// A layer that is applied once.
    fn from(layer: L) -> Self {
        Self(Applied::Layer(Arc::new(Described { layer: layer.into(), learned: None })))
    }
}

impl From<Sequential> for Shared {
    /// A chain of layers that is applied once. Its seed is not used.
    fn from(chain: Sequential) -> Self {
        let Network { layers, calls, outputs, .. } = Network::chain(chain.input(), chain.layers().to_vec());
        let of = PartOfNetwork { kind: "Sequential", input: chain.check_outputs().map(|()| chain.input()) };
        let layers = layers.into_iter().map(|layer| Arc::new(Described { layer, learned: None })).collect();
        Self(Applied::Part { of, layers, calls: calls.into(), output: outputs[0] })
    }
}

impl From<Pretrained> for Shared {
    /// A part of a model that is applied once, with its weights. Its seed is not used.
    fn from(pretrained: Pretrained) -> Self {
        let Part { network: Network { inputs, layers, calls, outputs }, learned, fault } = pretrained.into_part();
        let ends = || {
            let (inputs, outputs) = (inputs.len(), outputs.len());
            format!(
                "is applied to one value, which takes one input and one output, and has {inputs} and {outputs}: \
                 `layers_up_to` gives the part up to one layer"
            )
        };
        let input = match (fault, &inputs[..], &outputs[..]) {
            (Some(fault), _, _) => Err(fault),
            (None, [input], [_]) => Ok(*input),
            (None, _, _) => Err(ends()),
        };
        let of = PartOfNetwork { kind: "Pretrained", input };
        let layers = layers.into_iter().zip(learned).map(|(layer, learned)| Arc::new(Described { layer, learned }));
        let output = outputs.first().copied().unwrap_or(Source::Input(0));
        Self(Applied::Part { of, layers: layers.collect(), calls: calls.into(), output })
    }
}

impl From<&Shared> for Shared {
    fn from(shared: &Self) -> Self {
        shared.clone()
    }
}

impl Node {
    /// What this layer gives of the node. The layers of a [`Sequential`] are applied one after the other, to a node of
    /// its input shape, and become layers of the network: there are no networks within networks.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let tower = Sequential::new([8, 8, 1])
    ///     .add(Conv2D::new(4, (3, 3)).activation(Relu))
    ///     .add(GlobalAveragePooling2D::new());
    /// let (left, right) = (Input::new([8, 8, 1]), Input::new([8, 8, 1]));
    /// let tower = Shared::new(tower);
    /// let output = Subtract::of([&left.apply(&tower), &right.apply(&tower)]).apply(Dense::new(1));
    /// let model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.layer_names(), ["conv2d", "global_average_pooling2d", "subtract", "dense"]);
    /// assert_eq!(model.parameter_count(), (3 * 3 * 4 + 4) + (4 + 1));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    ///
    /// So do those of a [`Pretrained`], a part of a model with one input and one output. They keep their weights, and
    /// are trained unless they are [frozen](Pretrained::freeze):
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let trained = Sequential::new([8, 8, 1])
    ///     .add(Conv2D::new(4, (3, 3)).activation(Relu))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let (image, numbers) = (Input::new([8, 8, 1]), Input::new([5]));
    /// let features = image.apply(trained.layers_up_to("flatten")?.freeze());
    /// let output = Concatenate::of([&features, &numbers]).apply(Dense::new(1));
    /// let model = Functional::new([&image, &numbers], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.get_weight("conv2d/kernel")?, trained.get_weight("conv2d/kernel")?);
    /// assert!(model.summary().to_string().contains("Non-trainable params: 40 "));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn apply(&self, layer: impl Into<Shared>) -> Self {
        match layer.into().0 {
            Applied::Layer(layer) => Self::of(layer, [self]),
            Applied::Part { of, layers, calls, output } => {
                let can_be_applied = of.input.is_ok();
                let start = Self(Arc::new(Value::Expected { part: of, read: vec![self.clone()] }));
                if !can_be_applied {
                    return start;
                }
                let mut nodes: Vec<Self> = Vec::with_capacity(calls.len());
                let node = |nodes: &[Self], source: &Source| match *source {
                    Source::Input(_) => start.clone(),
                    Source::Call(call) => nodes[call].clone(),
                    Source::Output { call, place } => nodes[call].output(place),
                };
                for Call { layer, reads } in calls.iter() {
                    let reads: Vec<Self> = reads.iter().map(|source| node(&nodes, source)).collect();
                    nodes.push(Self::of(Arc::clone(&layers[*layer]), &reads));
                }
                node(&nodes, &output)
            }
        }
    }

    pub(super) fn of<'n>(layer: Arc<Described>, reads: impl IntoIterator<Item = &'n Self>) -> Self {
        Self(Arc::new(Value::Output { layer, reads: reads.into_iter().cloned().collect() }))
    }

    /// What tells it from all other nodes that live.
    pub(super) fn address(&self) -> *const Value {
        Arc::as_ptr(&self.0)
    }

    pub(super) fn reads(&self) -> &[Self] {
        match &*self.0 {
            Value::Input(_) => &[],
            Value::Expected { read, .. } => read,
            Value::Further { first, .. } => first,
            Value::Output { reads, .. } => reads,
        }
    }
}

macro_rules! merging_layers {
    ($($layer:ident),*) => {$(
        impl $layer {
            /// What this layer gives of these nodes.
            #[must_use]
            pub fn of<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> Node {
                Node::of(Arc::new(Described { layer: Self::new().into(), learned: None }), nodes)
            }
        }
    )*};
}
merging_layers!(Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate);

/// A long chain is taken apart link by link: dropped as a whole, each link would take room on the stack.
impl Drop for Value {
    fn drop(&mut self) {
        let mut waiting = match self {
            Self::Input(_) => return,
            Self::Expected { read: reads, .. } | Self::Further { first: reads, .. } | Self::Output { reads, .. } => {
                std::mem::take(reads)
            }
        };
        while let Some(Node(value)) = waiting.pop() {
            match Arc::into_inner(value).as_mut() {
                None | Some(Self::Input(_)) => {}
                Some(
                    Self::Expected { read: reads, .. }
                    | Self::Further { first: reads, .. }
                    | Self::Output { reads, .. },
                ) => waiting.append(reads),
            }
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Value::Input(shape) => f.debug_tuple("Input").field(shape).finish(),
            Value::Expected { part, .. } => write!(f, "the input of a {}", part.kind),
            Value::Further { first, place } => write!(f, "output {place} of {first:?}"),
            Value::Output { layer, reads } => write!(f, "{} of {} nodes", layer.layer.kind(), reads.len()),
        }
    }
}
