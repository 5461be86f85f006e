//! Finds the weights of a layer in the file of HDF5, which names layers by their class and number.

use crate::error::KerasFault;
use crate::layers::Layer;
use crate::model::Weight;
use crate::program::WeightSpec;
use hdf5_pure::{DType, File};
use ndarray::{ArrayD, IxDyn};

/// The weights of a model.
pub(super) struct Weights(File);

impl Weights {
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, KerasFault> {
        let problem = |error: hdf5_pure::Error| format!("is no HDF5, or a damaged one ({error})");
        let file = File::from_bytes(bytes);
        file.map(Self).map_err(|error| KerasFault::Entry { name: "model.weights.h5", problem: problem(error) })
    }

    /// The weights of a layer, in the order that it declares.
    ///
    /// - folder: where they are
    pub(super) fn of_layer(
        &self,
        layer: &Layer,
        name: &str,
        folder: &str,
        specs: &[WeightSpec],
    ) -> Result<Vec<Weight>, KerasFault> {
        let folders = folders(layer, folder);
        let each = specs.len() / folders.len();
        let places = folders.iter().flat_map(|folder| (0..each).map(move |index| format!("{folder}/vars/{index}")));
        let fault = |weight: &str, problem: String| KerasFault::Weight {
            layer: name.to_owned(),
            weight: weight.to_owned(),
            problem,
        };
        let weight = |(spec, place): (&WeightSpec, String)| {
            let values = self.read(&place, &spec.shape).map_err(|problem| fault(&spec.name, problem))?;
            Ok(Weight { name: spec.name.to_string(), values })
        };
        let weights = specs.iter().zip(places).map(weight).collect::<Result<Vec<_>, KerasFault>>()?;
        // That of a normalization is how many examples it has seen.
        let is_counted = matches!(layer, Layer::Normalization(_));
        if !is_counted && !specs.is_empty() && self.0.dataset(&format!("{}/vars/{each}", folders[0])).is_ok() {
            return Err(fault("variable", format!("is one more than the {each} that a {} has", layer.kind())));
        }
        Ok(weights)
    }

    fn read(&self, place: &str, shape: &[usize]) -> Result<ArrayD<f32>, String> {
        let dataset = self.0.dataset(place).map_err(|error| format!("is not at {place} ({error})"))?;
        let damaged = |error: hdf5_pure::Error| format!("is damaged at {place} ({error})");
        let found = dataset.shape().map_err(damaged)?;
        if !found.iter().copied().eq(shape.iter().map(|len| *len as u64)) {
            return Err(format!("has the shape {found:?} at {place}, expected {shape:?}"));
        }
        match dataset.dtype().map_err(damaged)? {
            DType::F32 => {}
            other => return Err(format!("is of {other:?} at {place}, expected F32")),
        }
        let values = dataset.read_f32().map_err(damaged)?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(format!("is NaN or infinite at {place}"));
        }
        ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|_| format!("is cut off at {place}"))
    }
}

/// The folders that a layer has its weights in, each with as many.
fn folders(layer: &Layer, folder: &str) -> Vec<String> {
    match layer {
        Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) => vec![format!("{folder}/cell")],
        Layer::Bidirectional(both) => ["forward_layer", "backward_layer"]
            .into_iter()
            .flat_map(|direction| folders(&both.layer, &format!("{folder}/{direction}")))
            .collect(),
        Layer::TimeDistributed(steps) => folders(&steps.layer, &format!("{folder}/layer")),
        _ => vec![folder.to_owned()],
    }
}
