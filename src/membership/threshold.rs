//! The attack by the loss alone.

use super::MembershipInference;
use super::score::log_odds;
use crate::data::LabelledInputs;
use crate::error::Result;
use crate::model::Model;

/// Attacks a classifier by its loss: the smaller the loss of an example, the more likely the model was trained on it
/// ([Yeom et al., 2018](https://arxiv.org/abs/1709.01604)).
///
/// An example's score is the log-odds of its class, `ln(p / (1 - p))`, which fall as the loss grows. The attack costs two
/// predictions, and hardly finds single examples, because easy ones have small losses whether the model has seen them or not;
/// [`likelihood_ratio`](crate::privacy::likelihood_ratio) tells those apart.
///
/// - members: examples that the model was trained on
/// - others: examples like these that it was not trained on
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) unless the model has one output, a softmax over classes or the sigmoid of one
/// number, and its outputs are finite; [`Error::Data`](crate::Error::Data) if examples and model do not fit, or there is not
/// a class for each example.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::synthetic;
/// use inkstone::privacy::membership_inference;
/// let (members, others) = (synthetic::digits(200, 1)?, synthetic::digits(200, 2)?);
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(64).activation(Relu))
///     .add(Dense::new(10).activation(Softmax))
///     .seed(1)
///     .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [])?;
/// let attack = membership_inference(&model, &members, &others)?;
/// assert!((attack.auc() - 0.5).abs() < 0.1);
/// model.fit(&members, FitConfig::new().epochs(30).verbose(0))?;
/// let attack = membership_inference(&model, &members, &others)?;
/// assert!(attack.auc() > 0.6, "{attack}");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn membership_inference<'a, 'b>(
    model: &Model,
    members: impl Into<LabelledInputs<'a>>,
    others: impl Into<LabelledInputs<'b>>,
) -> Result<MembershipInference> {
    let members = log_odds(model, members.into(), "members")?;
    let others = log_odds(model, others.into(), "others")?;
    Ok(MembershipInference::new(members, others))
}
