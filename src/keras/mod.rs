//! Decides what a `.keras` file is among our models. `archive` opens it, `description` reads how its members are connected,
//! `layer` and `functions` what each is, `network` makes a network of that, `weights` finds its weights, and `compiled` what it
//! was trained for.

mod archive;
mod compiled;
mod description;
mod functions;
mod layer;
mod network;
mod weights;

use crate::error::{Error, KerasFault, Result};
use crate::layers::Network;
use crate::model::Model;
use crate::objective::Objective;
use crate::optimizer::Adam;
use crate::plan::{Plan, Wanted};
use crate::pretrained::Pretrained;
use crate::random::fresh_seed;
use crate::saving::LoadLimits;
use crate::shape::Shape;
use archive::{Archive, Refused};
use compiled::Compiled;
use description::Part;
use network::{Builder, Checked};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;
use weights::Weights;

/// What errors call bytes that come from no file.
const BYTES: &str = "the .keras file";

/// Importing from Keras. What `model.save("model.keras")` of Keras 3 writes, of a `Sequential` or a functional model, becomes a
/// model that predicts what Keras does, but for rounding, and trains on.
///
/// All [layers](crate::layers) are read, with `Softmax` and the operators `+`, `-` and `*` between values, or a value and a
/// number. Layers have the names that they have in Keras. An argument that a layer does not have here, a class that there is
/// not, or a size that the file leaves open is an error that names the layer.
///
/// - Models within a model become part of it: their layers stand among the others, and one whose name is taken already gets
///   another.
/// - Nothing of the file is run: a `Lambda`, a function or a class of one's own is an error. Write it as a
///   [custom layer](crate::custom).
/// - `data_format` must be `"channels_last"`, and the dtype `float32`.
/// - Initializers that there are not are left out, as they have done their work; so is `training=False` in a call, and a
///   layer that is not to be trained is [frozen](Pretrained::freeze).
/// - The optimizer's state is not taken: its moments start anew.
/// - Whole models in HDF5 (`.h5`), the format before Keras 3, are not read: load and save them in Keras.
/// - Outputs in a dictionary come in the order of their keys.
impl Model {
    /// Imports a `.keras` file as a model that predicts at once, and trains on with the optimizer, the losses and the metrics that
    /// it was compiled with. What we do not have of those is left out: for an optimizer there is Adam, and for a loss, as for a
    /// model that was never compiled, the one that fits the last function:
    /// [`SparseCategoricalCrossentropy`](crate::SparseCategoricalCrossentropy) with the accuracy behind a softmax of a vector,
    /// [`BinaryCrossentropy`](crate::BinaryCrossentropy) behind a sigmoid, otherwise
    /// [`MeanSquaredError`](crate::MeanSquaredError). [`Pretrained::import_keras`] leaves the choice to you.
    ///
    /// Only with the feature `keras`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Keras`] if it is no `.keras` file or has a layer that there is not,
    /// [`Error::ModelFile`] if the model exceeds the default [`LoadLimits`].
    ///
    /// ```no_run
    /// use inkstone::prelude::*;
    /// // As Keras' `model.save("digits.keras")` has written it.
    /// let mut model = Model::import_keras("digits.keras")?;
    /// let (train, test) = mnist::load_data()?;
    /// println!("{:.4}", model.evaluate(&test)?.accuracy()?);
    /// model.fit(&train, FitConfig::new().epochs(1))?;
    /// model.save("digits.safetensors")?;
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn import_keras(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        imported(open(path)?, &path.display().to_string(), &LoadLimits::new())?.compiled()
    }

    /// As [`import_keras`](Self::import_keras), of the bytes of a file.
    ///
    /// Only with the feature `keras`.
    ///
    /// # Errors
    /// As [`import_keras`](Self::import_keras).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let error = Model::from_keras(b"no model").unwrap_err();
    /// assert!(error.to_string().starts_with("the .keras file: expected a .keras file, which is a zip archive"));
    /// ```
    pub fn from_keras(bytes: &[u8]) -> Result<Self> {
        imported(Cursor::new(bytes), BYTES, &LoadLimits::new())?.compiled()
    }
}

/// Importing from Keras, to be compiled with a loss and an optimizer of one's own, or made a part of another network.
impl Pretrained {
    /// Imports a `.keras` file as a network with weights. What is read is described at [`Model::import_keras`].
    ///
    /// Only with the feature `keras`.
    ///
    /// # Errors
    /// As [`Model::import_keras`].
    ///
    /// ```no_run
    /// use inkstone::prelude::*;
    /// let model = Pretrained::import_keras("digits.keras")?
    ///     .freeze_layers(["conv2d"])?
    ///     .compile(Sgd::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn import_keras(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(imported(open(path)?, &path.display().to_string(), &LoadLimits::new())?.pretrained)
    }

    /// As [`import_keras`](Self::import_keras), from anything that can be read and sought in, with limits of one's own on what
    /// the model may take.
    ///
    /// Only with the feature `keras`.
    ///
    /// # Errors
    /// As [`Model::import_keras`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::LoadLimits;
    /// let error = Pretrained::read_keras(std::io::Cursor::new(b"\x89HDF\r\n\x1a\n"), LoadLimits::new()).unwrap_err();
    /// assert!(error.to_string().starts_with("the .keras file: expected a .keras file, found HDF5, the older format"));
    /// ```
    pub fn read_keras(reader: impl Read + Seek, limits: LoadLimits) -> Result<Self> {
        Ok(imported(reader, BYTES, &limits)?.pretrained)
    }
}

/// A model as a file has it.
struct Imported {
    pretrained: Pretrained,
    compiled: Compiled,
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let place = || path.display().to_string();
    let io = |source| Error::Io { place: place(), source };
    // Checked before opening, because opening a named pipe blocks until another process writes to it.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(Error::Keras { place: place(), fault: KerasFault::NotAFile });
    }
    Ok(BufReader::new(File::open(path).map_err(io)?))
}

/// - place: what errors call the file
fn imported(reader: impl Read + Seek, place: &str, limits: &LoadLimits) -> Result<Imported> {
    let refused = |refused: Refused| match refused {
        Refused::Io(source) => Error::Io { place: place.to_owned(), source },
        Refused::Fault(fault) => Error::Keras { place: place.to_owned(), fault },
    };
    let fault = |fault| refused(Refused::Fault(fault));
    let mut archive = Archive::open(reader).map_err(refused)?;
    let config = config(&archive.config().map_err(refused)?).map_err(fault)?;
    let part = Part::read(&config, "").map_err(fault)?;
    let compiled = Compiled::read(config.get("compile_config"), &part.output_names);
    let checked = Builder::assemble(part).map_err(fault)?;
    check(&checked.network, &checked.shapes, place, limits)?;
    let needed = checked.file_bytes();
    let weights = archive.weights(needed).map_err(refused)?;
    // Each weight is in the file, so that what it is read to takes no more than that.
    let (expected, found) = (checked.weights_len().saturating_mul(size_of::<f32>() as u64), weights.len() as u64);
    if found < expected {
        let problem = format!("has {found} bytes, expected at least {expected} for the weights of the model");
        return Err(fault(KerasFault::Entry { name: "model.weights.h5", problem }));
    }
    let weights = Weights::new(weights).and_then(|weights| checked.weights(&weights)).map_err(fault)?;
    let Checked { network, .. } = checked;
    Ok(Imported { pretrained: Pretrained::with_weights(network, weights, fresh_seed()), compiled })
}

/// The description of a model.
fn config(bytes: &[u8]) -> std::result::Result<Map<String, Value>, KerasFault> {
    let problem = |error: serde_json::Error| format!("is no JSON object ({error})");
    serde_json::from_slice(bytes).map_err(|error| KerasFault::Entry { name: "config.json", problem: problem(error) })
}

/// # Errors
/// If the network takes more than is allowed, or cannot be.
fn check(network: &Network, shapes: &[Vec<Shape>], place: &str, limits: &LoadLimits) -> Result<()> {
    let too_much = |fault| Error::ModelFile { place: place.to_owned(), fault };
    limits.check_layers(network, shapes).map_err(too_much)?;
    let plan = Plan::new(network, Wanted::OfParameters).map_err(|error| Error::Keras {
        place: place.to_owned(),
        fault: KerasFault::Graph(format!("makes a model that cannot be: {error}")),
    })?;
    limits.check_plan(&plan, None).map_err(too_much)
}

impl Imported {
    fn compiled(self) -> Result<Model> {
        let Self { pretrained, compiled } = self;
        let heads = Plan::new(pretrained.network(), Wanted::OfParameters)?.heads;
        let objectives: Vec<Objective> = heads
            .iter()
            .enumerate()
            .map(|(index, head)| {
                let fitting = Objective::fitting(head.function, head.shape);
                compiled.objective(index, fitting, |loss| {
                    loss.check(head.function).is_ok() && loss.check_shape(head.shape).is_ok()
                })
            })
            .collect();
        pretrained.compile_with(compiled.optimizer.unwrap_or_else(|| Adam::default().into()), objectives)
    }
}
