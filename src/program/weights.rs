//! What a layer declares of its weights.

use super::constraint::Constraint;
use super::initializer::{InitialValues, Initializer, glorot_limit};
use super::regularizer::Regularizer;
use std::borrow::Cow;
use std::ops::Range;

/// Which weight of a model is meant: its index among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WeightId(pub(crate) usize);

/// One weight of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeightSpec {
    /// Keras' name within the layer, as in `kernel`.
    pub(crate) name: Cow<'static, str>,
    /// Keras' shape.
    pub(crate) shape: Vec<usize>,
    pub(crate) stored: StoredOrder,
    pub(crate) initial: InitialValues,
    /// The values that start at 1, whatever the others are.
    pub(crate) ones: Range<usize>,
    pub(crate) role: Role,
    pub(crate) options: WeightOptions,
}

/// What users may ask for while a weight is trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WeightOptions {
    pub(crate) regularizer: Option<Regularizer>,
    pub(crate) constraint: Option<Constraint>,
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

/// What training does with a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The optimizer changes it.
    Trained,
    /// It could be trained, and is not.
    Frozen,
    /// The forward pass of training changes it, as the moving mean of a normalisation.
    State,
}

impl WeightSpec {
    /// A kernel of this shape, whose last axis is its outputs, with Glorot's uniform distribution.
    pub(crate) fn kernel(name: impl Into<Cow<'static, str>>, shape: Vec<usize>) -> Self {
        let Some(limit) = glorot_limit(&shape) else { return Self::zeros(name, shape) };
        let initial = InitialValues::Uniform { limit };
        Self { stored: StoredOrder::LastAxisFirst, initial, ..Self::zeros(name, shape) }
    }

    /// A weight that starts at zero.
    pub(crate) fn zeros(name: impl Into<Cow<'static, str>>, shape: Vec<usize>) -> Self {
        let (stored, initial) = (StoredOrder::AsShaped, InitialValues::Zeros);
        let (role, options) = (Role::Trained, WeightOptions::default());
        Self { name: name.into(), shape, stored, initial, ones: 0..0, role, options }
    }

    /// The same, with values that are drawn so.
    ///
    /// # Errors
    /// A sentence without its subject if the initializer is not for such a weight.
    pub(crate) fn initialized(self, initializer: Initializer) -> Result<Self, String> {
        let initial = initializer.of_shape(&self.shape);
        let initial = initial.map_err(|problem| format!("expects a {}_initializer {problem}", self.name))?;
        Ok(Self { initial, ..self })
    }

    /// The same with a regularizer, if there is one.
    ///
    /// # Errors
    /// A sentence without its subject if its factors are out of range.
    pub(crate) fn regularized(mut self, regularizer: Option<Regularizer>) -> Result<Self, String> {
        let checked = regularizer.map_or(Ok(()), Regularizer::check);
        checked.map_err(|problem| format!("expects a {}_regularizer {problem}", self.name))?;
        self.options.regularizer = regularizer;
        Ok(self)
    }

    /// The same with a constraint, if there is one.
    ///
    /// # Errors
    /// A sentence without its subject if it is not for such a weight.
    pub(crate) fn constrained(mut self, constraint: Option<&Constraint>) -> Result<Self, String> {
        let checked = constraint.map_or(Ok(()), |constraint| constraint.check(&self.shape));
        checked.map_err(|problem| format!("expects a {}_constraint {problem}", self.name))?;
        self.options.constraint = constraint.cloned();
        Ok(self)
    }

    /// A weight whose values all start as this number.
    pub(crate) fn constant(name: &'static str, shape: Vec<usize>, value: f32) -> Self {
        Self { initial: InitialValues::Constant(value), ..Self::zeros(name, shape) }
    }

    /// The weight as one that the forward pass of training changes, not the optimizer.
    pub(crate) fn into_state(self) -> Self {
        Self { role: Role::State, ..self }
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
