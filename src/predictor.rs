//! A trained model at work: weights and the forward pass, shared by any number of threads.

mod stream;

pub use stream::Stream;

use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::exec::Workspace;
use crate::model::{
    Model, check_room, check_scratch, check_shapes, check_tokens, shaped_rows, split_outputs, write_outputs,
};
use crate::plan::Plan;
use crate::shape::Shape;
use crate::train::{Examples, Inference};
use ndarray::{Array2, ArrayD};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A model that only predicts. [`Model::into_predictor`] makes it.
///
/// It never changes, so threads share it by reference; clones share its weights. Each works on its own thread, in a
/// [`Scratch`] of its own, and with that and an output kept from call to call, a call allocates nothing and takes no
/// lock. The calls that return arrays, as [`predict`](Self::predict), keep such memory themselves, as much as threads
/// have worked in at one time, behind a lock that is held while it is taken out and put back, and allocate the result.
/// Predictions are [`Model::predict`]'s to the bit.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let predictor = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?
///     .into_predictor();
/// let image = Array4::<f32>::zeros((1, 28, 28, 1));
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut scratch = predictor.scratch();
///             let mut probabilities = [0.0; 10];
///             predictor.predict_into(&image, &mut scratch, &mut probabilities).unwrap();
///             assert_eq!(probabilities, [0.1; 10]);
///         });
///     }
/// });
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Predictor {
    inference: Inference,
}

/// The memory that one thread predicts in: [`Predictor::scratch`] makes it.
pub struct Scratch {
    workspace: Workspace,
    made_for: Arc<Plan>,
}

impl Model {
    /// Drops everything that only training needs: optimizer, gradients, and the weights' copy that steps
    /// change.
    #[must_use]
    pub fn into_predictor(self) -> Predictor {
        Predictor { inference: self.engine.into_inference() }
    }
}

impl Predictor {
    /// Loads a model for predicting alone, from a file that [`Model::save`] wrote.
    ///
    /// # Errors
    /// As [`Model::load`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// model.save(&path)?;
    /// let predictor = Predictor::load(&path)?;
    /// assert_eq!(predictor.predict(&[[0.5, 2.0]])?, model.predict(&[[0.5, 2.0]])?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Model::load(path).map(Model::into_predictor)
    }

    /// Loads a model for predicting alone, from an encrypted file that [`Model::save_encrypted`] wrote.
    ///
    /// # Errors
    /// As [`Model::load_encrypted`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::protect::Identities;
    /// let path = tempfile::tempdir().unwrap().keep().join("model.age");
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// let secret = Identities::generate();
    /// model.save_encrypted(&path, &secret.recipients()?)?;
    /// let predictor = Predictor::load_encrypted(&path, &secret)?;
    /// assert_eq!(predictor.predict(&[[0.5, 2.0]])?, model.predict(&[[0.5, 2.0]])?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[cfg(feature = "protect")]
    pub fn load_encrypted(path: impl AsRef<Path>, identities: &crate::protect::Identities) -> Result<Self> {
        Model::load_encrypted(path, identities).map(Model::into_predictor)
    }

    /// Loads a model for predicting alone that one of these keys has signed.
    ///
    /// # Errors
    /// As [`Model::load_verified`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::protect::{self, SigningKey, TrustedKeys, Validity};
    /// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// model.save(&path)?;
    /// let key = SigningKey::generate()?;
    /// protect::sign_file(&path, &key, Validity::forever())?;
    /// let predictor = Predictor::load_verified(&path, &TrustedKeys::from_pem(&key.public_key_pem())?)?;
    /// assert_eq!(predictor.predict(&[[0.5, 2.0]])?, model.predict(&[[0.5, 2.0]])?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[cfg(feature = "protect")]
    pub fn load_verified(path: impl AsRef<Path>, trusted: &crate::protect::TrustedKeys) -> Result<Self> {
        Model::load_verified(path, trusted).map(Model::into_predictor)
    }

    /// A predictor out of the bytes of a file that [`Model::save`] wrote, as `include_bytes!` has them.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Model::from_bytes(bytes).map(Model::into_predictor)
    }

    /// The shape of one input.
    #[must_use]
    pub fn input_shape(&self) -> Shape {
        self.inference.plan.input()
    }

    /// The shape of one output.
    #[must_use]
    pub fn output_shape(&self) -> Shape {
        self.inference.plan.head().shape
    }

    /// How many values an output has.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.inference.plan.output_len(0)
    }

    /// Memory to predict in, for one thread at a time.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch { workspace: self.inference.workspace(), made_for: Arc::clone(&self.inference.plan) }
    }

    /// As [`Model::predict`]: images, (N, H, W, C), or a table, (N, F), to (N, and the output's shape).
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape does not fit the model, or a value is NaN or infinite; [`Error::Model`] if
    /// the model has several outputs.
    pub fn predict<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<ArrayD<f32>> {
        self.predict_rows(images).map(|rows| shaped_rows(&self.inference.plan, rows))
    }

    /// As [`Model::predict_rows`]: (N, values of the output).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_rows<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Array2<f32>> {
        let outputs = self.inference.plan.heads.len();
        if outputs > 1 {
            return Err(Error::Model(format!(
                "has {outputs} outputs: call `predict_all`, which returns those of each"
            )));
        }
        self.predict_values(images.into())
    }

    /// As [`Model::predict_all`]: what the model gives at each output.
    ///
    /// # Errors
    /// [`Error::Data`] as [`predict`](Self::predict).
    pub fn predict_all<'a>(&self, inputs: impl Into<Inputs<'a>>) -> Result<Vec<ArrayD<f32>>> {
        self.predict_values(inputs.into()).map(|values| split_outputs(&self.inference.plan, &values))
    }

    /// (N, values of all outputs, one output after the other).
    fn predict_values(&self, images: Inputs<'_>) -> Result<Array2<f32>> {
        check_shapes(&self.inference.plan, &images)?;
        let count = images.len();
        let mut outputs = Array2::zeros((count, self.inference.plan.outputs_len()));
        let out = outputs.as_slice_mut().expect("a new array is in memory order");
        let images = images.checked()?;
        check_tokens(&self.inference.plan, &images)?;
        let mut workspace = self.inference.take_workspace(count);
        self.write(&Examples::of_images(&images), &mut workspace, out);
        self.inference.put_back(workspace);
        Ok(outputs)
    }

    /// Writes what [`predict`](Self::predict) returns, and allocates nothing, unless images are an array that is not in
    /// memory order.
    ///
    /// - out: (N, values of all outputs): image by image, of several outputs one after the other
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and [`Error::Data`] if `out` has another length, or the scratch was made by
    /// another predictor. Then nothing is written.
    pub fn predict_into<'a>(
        &self,
        images: impl Into<Inputs<'a>>,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<()> {
        let images = images.into();
        self.check(&images, images.len() * self.inference.plan.outputs_len(), out.len(), scratch)?;
        let images = images.checked()?;
        check_tokens(&self.inference.plan, &images)?;
        self.write(&Examples::of_images(&images), &mut scratch.workspace, out);
        Ok(())
    }

    /// The class of each example, as [`Model::predict_classes`].
    ///
    /// # Errors
    /// As [`Model::predict_classes`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let classes = model.into_predictor().predict_classes(&Array4::<f32>::zeros((5, 1, 1, 2)))?;
    /// assert_eq!(classes, [0; 5]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_classes<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Vec<usize>> {
        let images = images.into();
        check_shapes(&self.inference.plan, &images)?;
        self.inference.decision.check()?;
        let mut classes = vec![0; images.len()];
        let images = images.checked()?;
        check_tokens(&self.inference.plan, &images)?;
        let mut workspace = self.inference.take_workspace(classes.len());
        self.write_classes(&Examples::of_images(&images), &mut workspace, &mut classes);
        self.inference.put_back(workspace);
        Ok(classes)
    }

    /// Writes what [`predict_classes`](Self::predict_classes) returns, without allocating.
    ///
    /// - out: (N)
    ///
    /// # Errors
    /// As [`predict_into`](Self::predict_into) and [`predict_classes`](Self::predict_classes).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let points = Array4::from_shape_fn((5, 1, 1, 2), |(n, _, _, f)| (n * 2 + f) as f32);
    /// let expected = model.predict_classes(&points)?;
    /// let predictor = model.into_predictor();
    /// let mut classes = [0; 5];
    /// predictor.predict_classes_into(&points, &mut predictor.scratch(), &mut classes)?;
    /// assert_eq!(classes[..], expected);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_classes_into<'a>(
        &self,
        images: impl Into<Inputs<'a>>,
        scratch: &mut Scratch,
        out: &mut [usize],
    ) -> Result<()> {
        let images = images.into();
        self.inference.decision.check()?;
        self.check(&images, images.len(), out.len(), scratch)?;
        let images = images.checked()?;
        check_tokens(&self.inference.plan, &images)?;
        self.write_classes(&Examples::of_images(&images), &mut scratch.workspace, out);
        Ok(())
    }

    fn check(&self, images: &Inputs<'_>, expected: usize, found: usize, scratch: &Scratch) -> Result<()> {
        check_shapes(&self.inference.plan, images)?;
        check_room(images.len(), expected, found)?;
        check_scratch(&scratch.made_for, &self.inference.plan)
    }

    /// - out: (N)
    fn write_classes(&self, examples: &Examples<'_>, workspace: &mut Workspace, out: &mut [usize]) {
        let decision = self.inference.decision;
        let mut out = out.iter_mut();
        self.inference.run(examples, workspace, |_, _, outputs| {
            let rows = outputs.chunks_exact(self.classes());
            rows.zip(&mut out).for_each(|(row, class)| *class = decision.class(row));
        });
    }

    /// - out: (N, values of all outputs)
    fn write(&self, examples: &Examples<'_>, workspace: &mut Workspace, out: &mut [f32]) {
        let plan = &self.inference.plan;
        let all = plan.outputs_len();
        self.inference.run(examples, workspace, |first, head, outputs| {
            write_outputs(plan, head, outputs, &mut out[first * all..]);
        });
    }
}

impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor")
            .field("input", &self.input_shape())
            .field("classes", &self.classes())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}
