//! Nodes: the values of a network that is being described, each with the layer that gives it.

use crate::layers::{Add, Average, Concatenate, Layer, Maximum, Minimum, Multiply, Subtract};
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
    Output { layer: Shared, reads: Vec<Node> },
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

/// A layer that several nodes are given by: its weights are the same in all of them.
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
pub struct Shared(pub(super) Arc<Layer>);

impl Shared {
    /// A layer to be applied several times.
    #[must_use]
    pub fn new(layer: impl Into<Layer>) -> Self {
        Self(Arc::new(layer.into()))
    }
}

impl<L: Into<Layer>> From<L> for Shared {
    /// A layer that is applied once.
    fn from(layer: L) -> Self {
        Self::new(layer)
    }
}

impl From<&Shared> for Shared {
    fn from(shared: &Self) -> Self {
        shared.clone()
    }
}

impl Node {
    /// What this layer gives of the node.
    #[must_use]
    pub fn apply(&self, layer: impl Into<Shared>) -> Self {
        Self::of(layer.into(), [self])
    }

    fn of<'n>(layer: Shared, reads: impl IntoIterator<Item = &'n Self>) -> Self {
        Self(Arc::new(Value::Output { layer, reads: reads.into_iter().cloned().collect() }))
    }

    /// What tells it from all other nodes that live.
    pub(super) fn address(&self) -> *const Value {
        Arc::as_ptr(&self.0)
    }

    pub(super) fn reads(&self) -> &[Self] {
        match &*self.0 {
            Value::Input(_) => &[],
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
                Node::of(Shared::new(Self::new()), nodes)
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
            Self::Output { reads, .. } => std::mem::take(reads),
        };
        while let Some(Node(value)) = waiting.pop() {
            if let Some(Self::Output { reads, .. }) = Arc::into_inner(value).as_mut() {
                waiting.append(reads);
            }
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Value::Input(shape) => f.debug_tuple("Input").field(shape).finish(),
            Value::Output { layer, reads } => {
                write!(f, "{} of {} nodes", layer.0.kind(), reads.len())
            }
        }
    }
}
