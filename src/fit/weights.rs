//! Decides how much each training example counts.

use crate::data::OrderedExamples;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// How much each example counts in training; `None` if all count alike.
///
/// # Errors
/// [`Error::Setting`] if a class has no output or two weights, a weight is negative or no number, or there are weights
/// of examples as well.
pub(super) fn for_training<'e>(
    class_weight: &[(usize, f32)],
    examples: &'e OrderedExamples<'_>,
    outputs: usize,
) -> Result<Option<Cow<'e, [f32]>>> {
    if class_weight.is_empty() {
        return Ok(examples.weights.as_deref().map(Cow::Borrowed));
    }
    let setting = |expected, received: String| Err(Error::Setting { name: "class_weight", expected, received });
    if examples.targets.as_slice().len() > 1 {
        return setting("given for a model with one output", "weights of classes for several outputs".into());
    }
    if examples.weights.is_some() {
        return setting("given without weights of examples", "both".into());
    }
    let mut of_class = vec![None; outputs.max(2)];
    for (class, weight) in class_weight {
        let Some(place) = of_class.get_mut(*class) else {
            return setting("for classes that the model has outputs for", format!("class {class}"));
        };
        if !(weight.is_finite() && *weight >= 0.0) {
            return setting("finite and at least 0", format!("{weight} for class {class}"));
        }
        if place.replace(*weight).is_some() {
            return setting("one weight for a class", format!("two for class {class}"));
        }
    }
    let targets = examples.targets.as_slice()[0].rows();
    let mut row = Vec::new();
    let weight = |example| of_class.get(targets.at(example, &mut row).class()).copied().flatten().unwrap_or(1.0);
    Ok(Some((0..examples.len()).map(weight).collect()))
}
