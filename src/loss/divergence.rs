//! The Kullback-Leibler divergence.

use super::{Gradient, Loss, Outcome};
use crate::kernels::softmax::soft_cross_entropy;
use serde::{Deserialize, Serialize};

/// `sum(target * ln(target / output))`, from probabilities that are to be met to the model's, as
/// [Keras' `KLDivergence`](https://keras.io/api/losses/probabilistic_losses/). The model ends with a softmax.
///
/// It is the cross-entropy less what no model can take away, the entropy of the targets; its gradients are the same.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array4, array};
/// let mut model =
///     Sequential::new([1]).add(Dense::new(2).activation(Softmax)).compile(Sgd::default(), KlDivergence, [])?;
/// // An untrained model without input gives one half to each class: just what is wanted here.
/// let x = Array4::<f32>::zeros((1, 1, 1, 1));
/// assert!(model.evaluate((&x, &array![[0.5, 0.5]]))?.loss.abs() < 1e-6);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KlDivergence;

pub(super) fn kl_divergence(outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
    let classes = outcome.logits.len();
    let target = |class| outcome.target.value(class, classes);
    let crossed =
        soft_cross_entropy(outcome.logits, target, gradient.map(|Gradient { dlogits, scale }| (dlogits, scale)));
    let positive = (0..classes).map(|class| f64::from(target(class))).filter(|target| *target > 0.0);
    crossed + positive.map(|target| target * target.ln()).sum::<f64>()
}

impl From<KlDivergence> for Loss {
    fn from(loss: KlDivergence) -> Self {
        Self::KlDivergence(loss)
    }
}
