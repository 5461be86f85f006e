//! What a layer declares of its weights.

/// Which weight of a model is meant: its index among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WeightId(pub(crate) usize);

/// One weight of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeightSpec {
    /// Keras' name within the layer, as in `kernel`.
    pub(crate) name: &'static str,
    /// Keras' shape.
    pub(crate) shape: Vec<usize>,
    pub(crate) stored: StoredOrder,
    pub(crate) initializer: Initializer,
    pub(crate) role: Role,
}

/// The order of a weight's axes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredOrder {
    /// That of its shape.
    AsShaped,
    /// The last axis first, then the others: kernels, whose outputs come last in Keras' shape, and which backward
    /// passes read output by output.
    LastAxisFirst,
}

/// How a weight's first values are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initializer {
    Zeros,
    /// All are this number.
    Constant(f32),
    /// Uniform between `-limit` and `limit`.
    Uniform {
        limit: f32,
    },
}

/// What training does with a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The optimizer changes it.
    Trained,
    /// It could be trained, and is not.
    Frozen,
    /// The forward pass of training changes it, as the moving mean of a normalisation.
    #[expect(dead_code, reason = "no layer has state yet")]
    State,
}

impl WeightSpec {
    /// A kernel of this shape, whose last axis is its outputs, with Glorot's uniform distribution ([Glorot and Bengio,
    /// 2010](https://proceedings.mlr.press/v9/glorot10a.html)).
    pub(crate) fn kernel(name: &'static str, shape: Vec<usize>) -> Self {
        let Some(limit) = glorot_limit(&shape) else {
            return Self { stored: StoredOrder::AsShaped, ..Self::zeros(name, shape) };
        };
        let initializer = Initializer::Uniform { limit };
        Self { name, shape, stored: StoredOrder::LastAxisFirst, initializer, role: Role::Trained }
    }

    /// A weight that starts at zero.
    pub(crate) fn zeros(name: &'static str, shape: Vec<usize>) -> Self {
        let (stored, initializer) = (StoredOrder::AsShaped, Initializer::Zeros);
        Self { name, shape, stored, initializer, role: Role::Trained }
    }

    /// Takes it out of training.
    pub(crate) fn freeze(&mut self) {
        self.role = match self.role {
            Role::Trained | Role::Frozen => Role::Frozen,
            Role::State => Role::State,
        };
    }

    /// How many values it has; `None` if that overflows.
    pub(crate) fn len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis))
    }
}

/// How far from 0 Glorot's uniform distribution reaches for a kernel whose last axes are its inputs and its outputs;
/// `None` for one of fewer axes.
pub(crate) fn glorot_limit(shape: &[usize]) -> Option<f32> {
    let [window @ .., channels, filters] = shape else { return None };
    let window = window.iter().map(|axis| *axis as f32).product::<f32>();
    let fans = window * (*channels as f32 + *filters as f32);
    Some((6.0 / fans).sqrt())
}
