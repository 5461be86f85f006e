//! Losses of users' own types.

use super::{Gradient, Loss, Outcome};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::user_object::{Constructor, UserObject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A loss of your own. A type that implements it goes into [`compile`](crate::Sequential::compile) as the crate's
/// losses do, and into files, as its serde form under its [`NAME`](Self::NAME).
///
/// It sees one example at a time, after the model's last function: probabilities, where the model ends with a softmax
/// or a sigmoid. The crate takes the gradient through that function, and averages over the batch.
///
/// Threads call it at the same time, and training gives the same bits on any number of them as long as equal arguments
/// give equal results. A panic unwinds through `fit`, and leaves the model as it was after the last step.
///
/// [`testing::check_model_gradients`](crate::testing::check_model_gradients) compares its gradient with its values. To
/// read a file with such a loss, [`CustomObjects`](crate::custom::CustomObjects) names its type.
///
/// ```
/// use inkstone::custom::{CustomLoss, Target};
/// use inkstone::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// `ln(cosh(output - target))`: as half the square for small differences, as the difference for large ones.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct LogCosh;
///
/// impl CustomLoss for LogCosh {
///     const NAME: &'static str = "LogCosh";
///
///     fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
///         let each = outputs.iter().enumerate().map(|(output, value)| {
///             let difference = f64::from(value - target.value(output, outputs.len()));
///             difference.cosh().ln()
///         });
///         each.sum::<f64>() / outputs.len() as f64
///     }
///
///     fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
///         for (output, (gradient, value)) in gradient.iter_mut().zip(outputs).enumerate() {
///             *gradient = (value - target.value(output, outputs.len())).tanh() / outputs.len() as f32;
///         }
///     }
/// }
///
/// let mut model = Sequential::new([1]).add(Dense::new(1)).seed(1).compile(Sgd::new(0.3), LogCosh, [])?;
/// let (x, y) = ([[-1.0], [0.0], [1.0]], [-2.0, 0.0, 2.0]);
/// let before = model.evaluate((&x, &y))?.loss;
/// model.fit((&x, &y), FitConfig::new().epochs(100).verbose(0))?;
/// assert!(model.evaluate((&x, &y))?.loss < before / 100.0);
/// assert_eq!(model.loss().kind(), "LogCosh");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub trait CustomLoss: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// The name that files know it by.
    const NAME: &'static str;

    /// The loss of one example.
    ///
    /// - outputs: (outputs), as [`predict`](crate::Model::predict) gives them
    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64;

    /// The gradient of [`loss`](Self::loss) with respect to each output.
    ///
    /// - outputs: (outputs); gradient: as many, all 0, to be written
    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]);

    /// Checks one target of data that are given to the model. Classes have been checked to be less than the number of
    /// outputs (of a single output they are any numbers), and values to be finite, one for each output.
    ///
    /// # Errors
    /// A sentence that says what was expected and what was found; it becomes part of an
    /// [`Error::Data`](crate::Error::Data).
    fn check_target(&self, target: Target<'_>, outputs: usize) -> std::result::Result<(), String> {
        let _ = (target, outputs);
        Ok(())
    }
}

/// What the engine calls.
pub(crate) trait ErasedLoss: Debug + Send + Sync {
    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64;
    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]);
    fn check_target(&self, target: Target<'_>, outputs: usize) -> std::result::Result<(), String>;
    /// What makes others of its type.
    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedLoss>);
}

impl<T: CustomLoss> ErasedLoss for T {
    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        CustomLoss::loss(self, outputs, target)
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        CustomLoss::gradient(self, outputs, target, gradient);
    }

    fn check_target(&self, target: Target<'_>, outputs: usize) -> std::result::Result<(), String> {
        CustomLoss::check_target(self, target, outputs)
    }

    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedLoss>) {
        (T::NAME, constructor::<T>())
    }
}

/// What makes losses of a type.
pub(crate) fn constructor<T: CustomLoss>() -> Constructor<dyn ErasedLoss> {
    |config| UserObject::from_config::<T>(T::NAME, config, |loss| Box::new(loss))
}

/// Any [`CustomLoss`], as a [`Loss`] holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyLoss(pub(crate) UserObject<dyn ErasedLoss>);

impl<T: CustomLoss> From<T> for Loss {
    fn from(loss: T) -> Self {
        Self::Custom(AnyLoss(UserObject::new(T::NAME, loss, |loss| Box::new(loss))))
    }
}

impl AnyLoss {
    /// The [`NAME`](CustomLoss::NAME) of its type.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// # Errors
    /// [`Error::Model`] if its type is not known, or it cannot be saved.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.check("loss") {
            Ok(_) => Ok(()),
            Err(problem) => Err(Error::Model(format!("has a loss that {problem}"))),
        }
    }

    /// # Errors
    /// [`Error::Data`] for a target, that of the example with this index, if it refuses it.
    pub(super) fn check_target(&self, index: usize, target: Target<'_>, outputs: usize) -> Result<()> {
        let problem = |problem| Error::Data(format!("the loss {}, at index {index}: {problem}", self.name()));
        self.object().check_target(target, outputs).map_err(problem)
    }

    pub(super) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        let (loss, outputs) = (self.object(), outcome.outputs);
        if let Some(Gradient { dlogits, scale }) = gradient {
            dlogits.fill(0.0);
            loss.gradient(outputs, outcome.target, dlogits);
            dlogits.iter_mut().for_each(|dlogit| *dlogit *= scale);
            outcome.function.backward(outputs, dlogits);
        }
        loss.loss(outputs, outcome.target)
    }

    fn object(&self) -> &dyn ErasedLoss {
        self.0.object().expect("`compile` refuses a loss whose type is not known")
    }
}
