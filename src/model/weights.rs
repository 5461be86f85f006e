//! Weights between Keras' layout and a flat buffer: all of a model's, or some by their names.

use super::Model;
use crate::error::{Error, Result};
use crate::exec::Weights;
use crate::plan::Parameter;
use crate::program::StoredOrder;
use crate::train::Engine;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::collections::HashMap;

/// A kernel or bias, or the gradient of one, under Keras' name and in Keras' layout: a convolution's kernel is
/// (kernel height, kernel width, channels, filters), a dense layer's (features, units).
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// As in `conv2d_1/kernel`.
    pub name: String,
    /// The numbers.
    pub values: ArrayD<f32>,
}

/// Reading and writing weights.
impl Model {
    /// The check of all trained weights, and of what the optimizer keeps for them.
    ///
    /// # Errors
    /// [`Error::WeightDiverged`], in this epoch, unless all are finite.
    pub(crate) fn check_weights(&self, epoch: usize) -> Result<()> {
        let Self { engine, state, .. } = self;
        let buffers = state.named().map(|(buffer, flat)| (format!("optimizer/{buffer}/"), flat));
        for (folder, flat) in [(String::new(), &engine.weights.flat[..])].into_iter().chain(buffers) {
            for parameter in engine.plan.parameters.trained() {
                let values = &flat[parameter.range.clone()];
                if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                    let name = format!("{folder}{}", parameter.name);
                    return Err(Error::WeightDiverged { epoch, name, value: *value });
                }
            }
        }
        Ok(())
    }

    /// A copy of every kernel and bias, in the order of the layers.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(4, (3, 3)))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let weights = model.get_weights();
    /// assert_eq!((weights[0].name.as_str(), weights[0].values.shape()), ("conv2d/kernel", &[3, 3, 1, 4][..]));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn get_weights(&self) -> Vec<Weight> {
        named(self.engine.plan.parameters.all.iter(), &self.engine.weights.flat)
    }

    /// A copy of the weight of this name, as in `conv2d_1/kernel`. Several by a pattern are picked out of
    /// [`get_weights`](Self::get_weights).
    ///
    /// # Errors
    /// [`Error::Data`] if the model has no weight of this name; it lists those that there are.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(8).activation(Relu))
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// assert_eq!(model.get_weight("dense_1/kernel")?.values.shape(), [8, 3]);
    /// let error = model.get_weight("dense_2/kernel").unwrap_err().to_string();
    /// assert!(error.ends_with("it has dense/kernel, dense/bias, dense_1/kernel, dense_1/bias"));
    /// let all = model.get_weights().into_iter();
    /// let of_last: Vec<_> = all.filter(|weight| weight.name.starts_with("dense_1/")).collect();
    /// assert_eq!(of_last.len(), 2);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn get_weight(&self, name: &str) -> Result<Weight> {
        let plan = &self.engine.plan;
        let parameter = find(&plan.parameters.all, name)?;
        Ok(read(parameter, &self.engine.weights.flat))
    }

    /// Replaces every kernel and bias. The optimizer's state stays as it is.
    ///
    /// # Errors
    /// [`Error::Data`] if these are not the model's weights, by number, name and shape; then nothing is changed.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let points = Array4::from_shape_vec((2, 1, 1, 2), vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    /// let mut weights = model.get_weights();
    /// weights[0].values.fill(0.0);
    /// model.set_weights(&weights)?;
    /// assert_eq!(model.predict(&points)?[[0, 0]], 0.5);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn set_weights(&mut self, weights: &[Weight]) -> Result<()> {
        let expected = &self.engine.plan.parameters.all;
        if weights.len() != expected.len() {
            let advice = if weights.len() < expected.len() { ": `set_weights_by_name` takes some of them" } else { "" };
            let (expected, found) = (expected.len(), weights.len());
            return Err(Error::Data(format!("the model has {expected} weights, got {found}{advice}")));
        }
        for (parameter, weight) in expected.iter().zip(weights) {
            if weight.name != parameter.name {
                return Err(differs(parameter, weight));
            }
        }
        self.set_weights_by_name(weights)
    }

    /// Replaces the kernels and biases of these names, in any order, and leaves all others as they are. The optimizer's
    /// state stays as it is.
    ///
    /// # Errors
    /// [`Error::Data`] if the model has no weight of a name, a name comes twice, or a shape is another; then nothing is
    /// changed.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(8).activation(Relu))
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let mut bias = model.get_weight("dense_1/bias")?;
    /// bias.values[[2]] = 0.5;
    /// model.set_weights_by_name(&[bias])?;
    /// assert_eq!(model.get_weight("dense_1/bias")?.values.as_slice().unwrap(), [0.0, 0.0, 0.5]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn set_weights_by_name(&mut self, weights: &[Weight]) -> Result<()> {
        let Engine { plan, weights: Weights { flat, .. }, .. } = &mut self.engine;
        let mut by_name: HashMap<&str, &Parameter> =
            plan.parameters.all.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect();
        let mut found = Vec::with_capacity(weights.len());
        for weight in weights {
            let Some(parameter) = by_name.remove(weight.name.as_str()) else {
                find(&plan.parameters.all, &weight.name)?;
                return Err(Error::Data(format!("the weight {} comes twice: give it once", weight.name)));
            };
            if weight.values.shape() != parameter.shape {
                return Err(differs(parameter, weight));
            }
            found.push(parameter);
        }
        found.into_iter().zip(weights).for_each(|(parameter, weight)| write(parameter, weight, flat));
        self.engine.pack();
        Ok(())
    }
}

/// How many names an error lists.
const LISTED: usize = 20;

/// # Errors
/// [`Error::Data`] if there is no parameter of this name.
fn find<'a>(parameters: &'a [Parameter], name: &str) -> Result<&'a Parameter> {
    parameters.iter().find(|parameter| parameter.name == name).ok_or_else(|| {
        let mut names: Vec<&str> = parameters.iter().take(LISTED).map(|parameter| parameter.name.as_str()).collect();
        let more = format!("{} more", parameters.len().saturating_sub(LISTED));
        match parameters.len() {
            0 => names.push("none"),
            len if len > LISTED => names.push(&more),
            _ => {}
        }
        Error::Data(format!("the model has no weight {name:?}: it has {}", names.join(", ")))
    })
}

fn differs(parameter: &Parameter, weight: &Weight) -> Error {
    Error::Data(format!(
        "expected the weight {} of shape {:?}, got {} of shape {:?}",
        parameter.name,
        parameter.shape,
        weight.name,
        weight.values.shape()
    ))
}

/// Writes weights, whose shapes have been checked, into a flat buffer: one for each of these parameters.
pub(crate) fn store<'p>(parameters: impl Iterator<Item = &'p Parameter>, weights: &[Weight], flat: &mut [f32]) {
    parameters.zip(weights).for_each(|(parameter, weight)| write(parameter, weight, flat));
}

fn write(parameter: &Parameter, weight: &Weight, flat: &mut [f32]) {
    let values = weight.values.as_standard_layout();
    let values = values.as_slice().expect("in the standard layout there is a slice");
    let stored = &mut flat[parameter.range.clone()];
    match (parameter.stored, parameter.shape.last()) {
        (StoredOrder::LastAxisFirst, Some(&last)) => {
            // Walking an array's turned view takes ten times as long.
            for (index, row) in stored.chunks_exact_mut(values.len() / last).enumerate() {
                row.iter_mut().zip(values[index..].iter().step_by(last)).for_each(|(to, from)| *to = *from);
            }
        }
        (StoredOrder::AsShaped | StoredOrder::LastAxisFirst, _) => stored.copy_from_slice(values),
    }
}

/// These weights, or what belongs to them, out of a flat buffer, in Keras' layout.
pub(crate) fn named<'p>(parameters: impl Iterator<Item = &'p Parameter>, flat: &[f32]) -> Vec<Weight> {
    parameters.map(|parameter| read(parameter, flat)).collect()
}

fn read(parameter: &Parameter, flat: &[f32]) -> Weight {
    let stored = ArrayViewD::from_shape(parameter.stored_shape(), &flat[parameter.range.clone()])
        .expect("the plan gives a parameter as much room as its shape needs");
    let values = match parameter.stored {
        StoredOrder::AsShaped => stored.into_owned(),
        StoredOrder::LastAxisFirst => {
            let axes = stored.ndim();
            let order: Vec<usize> = (1..axes).chain([0]).collect();
            stored.permuted_axes(IxDyn(&order)).as_standard_layout().into_owned()
        }
    };
    Weight { name: parameter.name.clone(), values }
}
