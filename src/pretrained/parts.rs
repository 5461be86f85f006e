//! Which part of a model is gone on with, and what a model gives within.

use super::{Pretrained, find};
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::layers::Source;
use crate::loss::MeanSquaredError;
use crate::model::{Model, Weight};
use crate::optimizer::Sgd;
use crate::plan::layer_names;
use ndarray::ArrayD;

/// Taking a model apart.
impl Model {
    /// All layers with copies of their weights: to freeze or unfreeze some, and compile anew.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(3).activation(Relu))
    ///     .add(Dense::new(2))
    ///     .compile(Adam::default(), MeanSquaredError, [])?;
    /// let slower = model.pretrained().compile(Adam::new(1e-5), MeanSquaredError, [])?;
    /// assert_eq!(slower.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn pretrained(&self) -> Pretrained {
        self.ending_at(&self.network.outputs)
    }

    /// What the output of this layer depends on, that layer included, with copies of the weights: in Keras
    /// `Model(model.inputs, model.get_layer(name).output)`. Inputs that only other layers read are left out.
    ///
    /// # Errors
    /// [`Error::Model`] if there is no layer of this name, or it is called several times.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(8, (3, 3)).activation(Relu))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// assert_eq!(model.layers_up_to("flatten")?.layer_names(), ["conv2d", "flatten"]);
    /// let error = model.layers_up_to("flatten_1").unwrap_err();
    /// assert_eq!(error.to_string(), "the model has no layer \"flatten_1\": it has conv2d, flatten, dense");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn layers_up_to(&self, layer: &str) -> Result<Pretrained> {
        let index = find(&self.layer_names(), layer)?;
        let calls: Vec<usize> = self
            .network
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.layer == index)
            .map(|(call, _)| call)
            .collect();
        match calls[..] {
            [call] => Ok(self.ending_at(&[Source::Call(call)])),
            _ => Err(Error::Model(format!(
                "calls the layer {layer:?} {} times: name a layer that is called once",
                calls.len()
            ))),
        }
    }

    /// All but the last layers, this many, with copies of the weights: those before the head that a new one replaces,
    /// as Keras' `include_top=False`.
    ///
    /// # Errors
    /// [`Error::Model`] if there are not more layers, the model has several outputs, or one of the last layers reads
    /// several values: [`layers_up_to`](Self::layers_up_to) says by name where to end.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(64).activation(Relu))
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let base = model.without_top(1)?;
    /// assert_eq!(base.layer_names(), ["flatten", "dense"]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn without_top(&self, layers: usize) -> Result<Pretrained> {
        let [mut end] = self.network.outputs[..] else {
            let outputs = self.network.outputs.len();
            return Err(Error::Model(format!(
                "has {outputs} outputs: say with `layers_up_to` which layer is to be the last"
            )));
        };
        for left_out in 0..=layers {
            let (Source::Call(call) | Source::Output { call, .. }) = end else {
                return Err(Error::Model(format!(
                    "has {left_out} layers between its input and its output, expected more than the {layers} to be left out"
                )));
            };
            if left_out == layers {
                break;
            }
            let call = &self.network.calls[call];
            let [before] = call.reads[..] else {
                let names = self.layer_names();
                return Err(Error::Model(format!(
                    "has {left_out} layers behind {:?}, which reads {} values, expected {layers} to be left out: say with \
                     `layers_up_to` which layer is to be the last",
                    names[call.layer],
                    call.reads.len()
                )));
            };
            end = before;
        }
        Ok(self.ending_at(&[end]))
    }

    /// What an inner layer gives for these inputs, behind its activation: an array of (N, and the layer's output
    /// shape). A model with several inputs takes those that the layer depends on.
    ///
    /// Each call copies the weights. For many calls, make a model once:
    /// `model.layers_up_to(layer)?.compile(...)?.into_predictor()`.
    ///
    /// # Errors
    /// As [`layers_up_to`](Self::layers_up_to) and [`predict`](Self::predict).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(3).activation(Relu))
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let features = model.features("dense", &[[0.5, -1.0, 2.0, 0.0]])?;
    /// assert_eq!(features.shape(), [1, 3]);
    /// assert!(features.iter().all(|feature| *feature >= 0.0));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn features<'a>(&self, layer: &str, inputs: impl Into<Inputs<'a>>) -> Result<ArrayD<f32>> {
        self.layers_up_to(layer)?.compile(Sgd::default(), MeanSquaredError, [])?.predict(inputs)
    }

    fn ending_at(&self, outputs: &[Source]) -> Pretrained {
        let (mut network, layers) = self.network.ending_at(outputs);
        // Names count layers of one kind, and layers that are left out no longer count.
        let (names, counted) = (self.layer_names(), layer_names(&network.layers));
        for (layer, (old, counted)) in network.layers.iter_mut().zip(layers.iter().zip(counted)) {
            if names[*old] != counted {
                layer.set_name(names[*old].clone());
            }
        }
        let mut weights: Vec<Vec<Weight>> = vec![Vec::new(); self.network.layers.len()];
        let parameters = self.engine.plan.parameters.all.iter();
        parameters.zip(self.get_weights()).for_each(|(parameter, weight)| weights[parameter.layer].push(weight));
        let weights: Vec<_> = layers.iter().map(|layer| Some(std::mem::take(&mut weights[*layer]))).collect();
        Pretrained { frozen: vec![false; layers.len()], network, weights, seed: self.seed, fault: None }
    }
}
