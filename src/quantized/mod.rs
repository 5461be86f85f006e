//! A trained model at work on bytes: activations and weights of eight bits, sums of 32. `forms` decides what runs so,
//! `ranges` what bytes stand for, `weights` how kernels become bytes, `program` puts it together and runs it.

mod forms;
mod program;
mod ranges;
mod weights;

pub(crate) use forms::{Forms, Way};
pub(crate) use program::{Program, parameters_read};
pub(crate) use ranges::Range;
pub(crate) use weights::Int8Weights;

use crate::data::{Inputs, TextVectorization};
use crate::error::{Error, Result};
use crate::exec::kernel_of;
use crate::layers::Network;
use crate::model::{
    Model, check_room, check_scratch, check_shapes, check_tokens, shaped_rows, split_outputs, write_outputs,
};
use crate::plan::{Placed, Plan};
use crate::shape::Shape;
use crate::simd::dispatch;
use crate::train::{Decision, Examples, chunk_len};
use ndarray::{Array2, ArrayD};
use program::Room;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A model that predicts with integers of eight bits. [`Model::quantize`] makes it; its file is a quarter the size of
/// the model's.
///
/// Convolutions and dense layers run on bytes: weights are signed, with a scale for each filter; activations are
/// unsigned, with one scale and zero point for each layer, which come from examples; sums have 32 bits, so they are
/// exact. Max pooling, `Add` and ReLU run on bytes where they stand between such layers, and `Dropout` does nothing.
/// All other layers run on floats, as in the model. The last layer gives floats.
///
/// Results are the same bits on every instruction set and for any number of images at a time, but for layers that run
/// on floats. On CPUs with AVX-512 VNNI (Intel from Ice Lake on, AMD from Zen 4 on) a VGG-like network takes half the
/// time of a [`Predictor`](crate::Predictor) (2.0 times as fast on 10,000 images, 2.4 on one; a Zen 5, 2026-11-26); on
/// others about as long or longer.
///
/// It never changes, so threads share it by reference, each with a [`QuantizedScratch`] of its own; clones share its
/// weights.
///
/// ```
/// use inkstone::data::synthetic;
/// use inkstone::prelude::*;
/// let digits = synthetic::digits(256, 1)?;
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(8, (3, 3)).activation(Relu))
///     .add(MaxPooling2D::new((2, 2)))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .seed(1)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit(&digits, FitConfig::new().epochs(2).verbose(0))?;
/// let quantized = model.quantize(&digits)?;
/// let (expected, found) = (model.predict_classes(&digits)?, quantized.predict_classes(&digits)?);
/// let different = expected.iter().zip(&found).filter(|(expected, found)| expected != found).count();
/// assert!(different <= 5, "{different} of 256");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct QuantizedPredictor {
    pub(crate) parts: Arc<Parts>,
    /// What calls have worked in that brought no memory of their own; shared by clones.
    rooms: Arc<Mutex<Vec<Room>>>,
}

/// What a quantized model is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) network: Network,
    /// How outputs become a class.
    pub(crate) decision: Decision,
    /// How tokens are made of texts, if the model was told.
    pub(crate) text: Option<Arc<TextVectorization>>,
    /// Between which bounds each value of the plan lies.
    pub(crate) ranges: Vec<Range>,
    /// For each step of the plan that runs as a convolution of bytes.
    pub(crate) kernels: Vec<Option<Int8Weights>>,
    pub(crate) program: Program,
}

/// The memory that one thread predicts in: [`QuantizedPredictor::scratch`] makes it.
pub struct QuantizedScratch {
    room: Room,
    made_for: Arc<Parts>,
}

impl Model {
    /// A copy of the model that predicts with integers of eight bits.
    ///
    /// - calibration: examples as those that it will predict, a few hundred: how large activations get on them decides
    ///   what bytes stand for. Larger ones are cut off.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no examples, their shape does not fit the model, or a value is NaN or infinite;
    /// [`Error::Model`] if the model gives NaN or infinity for one.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let quantized = model.quantize(&[[-1.0, 0.0], [0.5, 1.0]])?;
    /// let (expected, found) = (model.predict(&[[0.5, -1.0]])?, quantized.predict(&[[0.5, -1.0]])?);
    /// assert!((expected[[0, 0]] - found[[0, 0]]).abs() < 0.01);
    /// let error = model.quantize(&[[0.0; 2]; 0]).unwrap_err();
    /// assert_eq!(error.to_string(), "expected at least one example to calibrate with, got none");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn quantize<'a>(&self, calibration: impl Into<Inputs<'a>>) -> Result<QuantizedPredictor> {
        let inputs = calibration.into();
        check_shapes(&self.engine.plan, &inputs)?;
        if inputs.len() == 0 {
            return Err(Error::Data("expected at least one example to calibrate with, got none".into()));
        }
        let inputs = inputs.checked()?;
        check_tokens(&self.engine.plan, &inputs)?;
        let inference = self.engine.clone().into_inference();
        let ranges = ranges::calibrate(&inference, &Examples::of_images(&inputs))?;
        let (plan, flat) = (inference.plan, &self.engine.weights.flat);
        let quantize = |(placed, way): (&Placed, &Way)| match way {
            Way::Conv(_) => {
                let input = ranges[placed.reads[0].0].scale();
                placed.step.conv().map(|conv| Int8Weights::new(kernel_of(conv, flat), input))
            }
            Way::MaxPool | Way::Copy | Way::Rescale | Way::Floats => None,
        };
        let kernels: Vec<_> = plan.steps.iter().zip(&Forms::new(&plan).ways).map(quantize).collect();
        let program = Program::new(plan, &ranges, &kernels, flat);
        let (network, text) = (self.network.clone(), self.text.clone());
        let parts = Parts { network, decision: inference.decision, text, ranges, kernels, program };
        Ok(QuantizedPredictor::new(parts))
    }
}

impl QuantizedPredictor {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), rooms: Arc::default() }
    }

    fn plan(&self) -> &Plan {
        &self.parts.program.plan
    }

    /// The shape of one input.
    #[must_use]
    pub fn input_shape(&self) -> Shape {
        self.plan().input()
    }

    /// The shape of one output.
    #[must_use]
    pub fn output_shape(&self) -> Shape {
        self.plan().head().shape
    }

    /// How many values an output has.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.plan().output_len(0)
    }

    /// How tokens are made of texts, as [`Model::text_vectorization`] of the model: files have it too.
    ///
    /// ```
    /// use inkstone::data::TextVectorization;
    /// use inkstone::prelude::*;
    /// let mut words = TextVectorization::new().output_sequence_length(4);
    /// words.adapt(["a good film", "a bad film"])?;
    /// let mut model = Sequential::new([4])
    ///     .add(Embedding::new(words.vocabulary_size(), 8).mask_zero(true))
    ///     .add(GlobalAveragePooling1D::new())
    ///     .add(Dense::new(1).activation(Sigmoid))
    ///     .compile(Adam::default(), BinaryCrossentropy::default(), [])?;
    /// let tokens = words.tokens(["a good film", "a bad film"])?;
    /// model.set_text_vectorization(words);
    /// let quantized = model.quantize(&tokens)?;
    /// let words = quantized.text_vectorization().expect("the model has it");
    /// assert_eq!(words.tokens(["a good film", "a bad film"])?, tokens);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn text_vectorization(&self) -> Option<&TextVectorization> {
        self.parts.text.as_deref()
    }

    /// Memory to predict in, for one thread at a time.
    #[must_use]
    pub fn scratch(&self) -> QuantizedScratch {
        let room = self.parts.program.room(chunk_len(self.plan()));
        QuantizedScratch { room, made_for: Arc::clone(&self.parts) }
    }

    /// As [`Model::predict`]: images, (N, H, W, C), or a table, (N, F), to (N, and the output's shape).
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape does not fit the model, or a value is NaN or infinite; [`Error::Model`] if
    /// the model has several outputs.
    pub fn predict<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<ArrayD<f32>> {
        self.predict_rows(images).map(|rows| shaped_rows(self.plan(), rows))
    }

    /// As [`Model::predict_rows`]: (N, values of the output).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_rows<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Array2<f32>> {
        let outputs = self.plan().heads.len();
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
        self.predict_values(inputs.into()).map(|values| split_outputs(self.plan(), &values))
    }

    /// The class of each example, as [`Model::predict_classes`].
    ///
    /// # Errors
    /// As [`Model::predict_classes`].
    pub fn predict_classes<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Vec<usize>> {
        let decision = self.parts.decision;
        decision.check()?;
        let rows = self.predict_rows(images)?;
        Ok(rows.rows().into_iter().map(|row| decision.class(row.as_slice().expect(IN_ORDER))).collect())
    }

    /// Writes what [`predict`](Self::predict) returns, and allocates nothing, unless images are an array that is not in
    /// memory order.
    ///
    /// - out: (N, values of all outputs): image by image, of several outputs one after the other
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and [`Error::Data`] if `out` has another length, or the scratch was made by
    /// another predictor. Then nothing is written.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let quantized = model.quantize(&[[-1.0, 1.0]])?;
    /// let (mut scratch, mut out) = (quantized.scratch(), [0.0; 3]);
    /// quantized.predict_into(&[[0.5, 0.5]], &mut scratch, &mut out)?;
    /// assert_eq!(out[..], quantized.predict_rows(&[[0.5, 0.5]])?.into_raw_vec_and_offset().0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_into<'a>(
        &self,
        images: impl Into<Inputs<'a>>,
        scratch: &mut QuantizedScratch,
        out: &mut [f32],
    ) -> Result<()> {
        let images = images.into();
        check_shapes(self.plan(), &images)?;
        check_room(images.len(), images.len() * self.plan().outputs_len(), out.len())?;
        check_scratch(&scratch.made_for, &self.parts)?;
        let images = images.checked()?;
        check_tokens(self.plan(), &images)?;
        self.write(&Examples::of_images(&images), &mut scratch.room, out);
        Ok(())
    }

    /// (N, values of all outputs, one output after the other).
    fn predict_values(&self, images: Inputs<'_>) -> Result<Array2<f32>> {
        check_shapes(self.plan(), &images)?;
        let mut outputs = Array2::zeros((images.len(), self.plan().outputs_len()));
        let images = images.checked()?;
        check_tokens(self.plan(), &images)?;
        let mut room = self.take_room(outputs.nrows());
        self.write(&Examples::of_images(&images), &mut room, outputs.as_slice_mut().expect(IN_ORDER));
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).push(room);
        Ok(outputs)
    }

    /// What an earlier call has worked in, if it has room for so many examples, or for a chunk.
    fn take_room(&self, examples: usize) -> Room {
        let images = chunk_len(self.plan()).min(examples.max(1));
        let waiting = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let waiting = waiting.filter(|room| room.workspace.max_images >= images);
        waiting.unwrap_or_else(|| self.parts.program.room(images))
    }

    /// - out: (N, values of all outputs)
    fn write(&self, examples: &Examples<'_>, room: &mut Room, out: &mut [f32]) {
        let (program, plan) = (&self.parts.program, self.plan());
        let all = plan.outputs_len();
        for start in (0..examples.len()).step_by(room.workspace.max_images) {
            let places = start..(start + room.workspace.max_images).min(examples.len());
            let images = places.len();
            dispatch!(program.level, simd => {
                examples.write(simd, places, plan, &mut room.workspace);
                program.forward(simd, room, images);
            });
            for (index, head) in plan.heads.iter().enumerate() {
                let len = plan.output_len(index);
                let outputs = &mut room.workspace.output_mut(head)[..images * len];
                head.function.apply(outputs, len);
                write_outputs(plan, index, outputs, &mut out[start * all..]);
            }
        }
    }
}

/// What a new array is.
const IN_ORDER: &str = "a new array is in memory order";

impl fmt::Debug for QuantizedPredictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantizedPredictor")
            .field("input", &self.input_shape())
            .field("classes", &self.classes())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for QuantizedScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantizedScratch").finish_non_exhaustive()
    }
}
