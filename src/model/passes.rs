//! The parts of a training step, for training loops of one's own.

mod flat;

use super::{Model, Weight, check_tokens, named, shaped, store};
use crate::data::{Inputs, Targets, first_not_finite};
use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::plan::Wanted;
use crate::train::{Draws, Examples, HeadGradient, KeptPass, Moments, PassGradients, Side};
use ndarray::{Array2, ArrayD};

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops, normalizations take the batch's moments, and what a backward pass needs is kept. Moving
    /// statistics take the moments up with the first step after the pass's [`backward`](Model::backward).
    Training,
    /// Predicting: dropout does nothing, and there is no backward pass.
    Inference,
}

/// A forward pass: what the model gave, and all that a backward pass needs. [`Model::forward`] makes it.
///
/// It keeps the weights of its moment: a backward pass is one through those, whatever happens to the model meanwhile.
#[derive(Debug)]
pub struct ForwardPass {
    kept: KeptPass,
    outputs: Vec<ArrayD<f32>>,
}

/// The gradient of a number with respect to the outputs of a model: what [`Model::backward`] begins with.
///
/// An array of an output's shape (a vector of them for several outputs) becomes one, and so does what
/// [`Model::compute_loss`] returns.
#[derive(Clone, Debug)]
pub struct OutputGradients {
    values: Vec<ArrayD<f32>>,
    of: Side,
}

/// What a backward pass finds: [`Model::backward`] returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Of every trained weight, in the order of the layers, as [`Model::gradients`] returns them.
    pub weights: Vec<Weight>,
    /// Of each input: (N, and its shape).
    pub inputs: Vec<ArrayD<f32>>,
}

impl ForwardPass {
    /// What the model gave at its first output: (N, and the output's shape).
    #[must_use]
    pub fn output(&self) -> &ArrayD<f32> {
        &self.outputs[0]
    }

    /// What the model gave at each output.
    #[must_use]
    pub fn outputs(&self) -> &[ArrayD<f32>] {
        &self.outputs
    }
}

impl Gradients {
    /// Adds the weights' gradients of another backward pass of the same model, so that both go into one step: of the
    /// real and the generated examples that a discriminator sees, or of parts of a batch that is too large for memory.
    /// Those of inputs stay as they are.
    ///
    /// Each part's gradients are of its mean loss: of parts of one batch give `backward` the gradients of its share.
    ///
    /// # Errors
    /// [`Error::Data`] if they are of other weights, by number, name or shape; then nothing is added.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::Mode;
    /// use inkstone::ndarray::array;
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError, [])?;
    /// let gradients = |x: [f32; 2]| model.backward(model.forward(&[x], Mode::Training)?, array![[1.0_f32]]);
    /// let mut sum = gradients([3.0, 5.0])?;
    /// sum.accumulate(&gradients([10.0, 20.0])?)?;
    /// assert_eq!(sum.weights[0].values.as_slice().unwrap(), [13.0, 25.0]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn accumulate(&mut self, other: &Self) -> Result<()> {
        let place = |weights: &[Weight]| {
            let of = |weight: &Weight| format!("{} {:?}", weight.name, weight.values.shape());
            weights.iter().map(of).collect::<Vec<_>>().join(", ")
        };
        let same =
            |(own, other): (&Weight, &Weight)| own.name == other.name && own.values.shape() == other.values.shape();
        if self.weights.len() != other.weights.len() || !self.weights.iter().zip(&other.weights).all(same) {
            return Err(Error::Data(format!(
                "expected gradients of the same weights, {}, got those of {}: add gradients of one model alone",
                place(&self.weights),
                place(&other.weights)
            )));
        }
        self.weights.iter_mut().zip(&other.weights).for_each(|(own, other)| own.values += &other.values);
        Ok(())
    }
}

impl From<Vec<ArrayD<f32>>> for OutputGradients {
    fn from(values: Vec<ArrayD<f32>>) -> Self {
        Self { values, of: Side::Output }
    }
}

impl From<ArrayD<f32>> for OutputGradients {
    fn from(values: ArrayD<f32>) -> Self {
        vec![values].into()
    }
}

impl From<Array2<f32>> for OutputGradients {
    fn from(values: Array2<f32>) -> Self {
        values.into_dyn().into()
    }
}

/// The parts of a step. This loop gives the bits of [`fit`](Model::fit) without shuffling; only of batches of more than
/// 8192 examples (fewer where dense layers are very wide) `fit` adds the gradients up in another order:
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::Mode;
/// let x = [[0.0, 0.1], [1.0, 0.9], [0.2, 1.0], [0.8, 0.0]];
/// let y = [0, 1, 1, 0];
/// let described = || Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(Dense::new(2).activation(Softmax)).seed(7);
/// let compiled = || described().compile(Adam::new(0.05), SparseCategoricalCrossentropy::default(), []);
///
/// let mut model = compiled()?;
/// for _epoch in 0..20 {
///     for batch in [0..2, 2..4] {
///         let pass = model.forward(&x[batch.clone()], Mode::Training)?;
///         let (scores, d_outputs) = model.compute_loss(&pass, &y[batch])?;
///         assert!(scores.loss < 2.0);
///         let gradients = model.backward(pass, d_outputs)?;
///         model.apply_gradients(&gradients.weights)?;
///     }
/// }
///
/// let mut fitted = compiled()?;
/// fitted.fit((&x, &y), FitConfig::new().epochs(20).batch_size(2).shuffle(false).verbose(0))?;
/// assert_eq!(model.get_weights(), fitted.get_weights());
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// Two models are trained against each other with the gradient of an input: what reaches the discriminator's input is
/// the gradient of the generator's output.
impl Model {
    /// Runs the forward pass on a batch. In training, dropout draws as in the next step of [`fit`](Self::fit), and the
    /// pass keeps the values of all layers for all examples.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::Mode;
    /// let model = Sequential::new([2]).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError, [])?;
    /// let pass = model.forward(&[[1.0, 2.0]], Mode::Inference)?;
    /// assert_eq!(*pass.output(), model.predict(&[[1.0, 2.0]])?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn forward<'a>(&self, inputs: impl Into<Inputs<'a>>, mode: Mode) -> Result<ForwardPass> {
        let wanted = match mode {
            Mode::Training => Wanted::OfInputs,
            Mode::Inference => Wanted::Nothing,
        };
        self.forward_for(wanted, inputs.into())
    }

    /// - wanted: what its backward pass is to find
    fn forward_for(&self, wanted: Wanted, inputs: Inputs<'_>) -> Result<ForwardPass> {
        self.check_shapes(&inputs)?;
        let inputs = inputs.checked()?;
        check_tokens(&self.engine.plan, &inputs)?;
        let draws = Draws { seed: self.seed, step: self.state.step };
        let examples = Examples::of_images(&inputs);
        let kept = self
            .engine
            .crew_of_pass(examples.len())
            .run(|| self.engine.forward_pass(&self.network, &examples, 0..examples.len(), wanted, draws))?;
        let heads = self.engine.plan.heads.iter().enumerate();
        let shaped = heads.map(|(index, head)| shaped(self.engine.output_of(&kept, index), kept.examples, head.shape));
        let outputs = shaped.collect();
        Ok(ForwardPass { kept, outputs })
    }

    /// The scores of a pass, and the gradient of its mean loss with respect to the outputs, as [`fit`](Self::fit) finds
    /// it: a cross-entropy's with respect to what a last softmax or sigmoid is applied to.
    ///
    /// # Errors
    /// [`Error::Data`] if the targets do not fit the model, there is not one for each example of the pass, or the pass
    /// has no examples or is one of another model.
    pub fn compute_loss<'a>(
        &self,
        pass: &ForwardPass,
        targets: impl Into<Targets<'a>>,
    ) -> Result<(Scores, OutputGradients)> {
        let targets = targets.into();
        self.check_pass(&pass.kept)?;
        self.check_target_shapes(&targets)?;
        let examples = pass.kept.examples;
        if examples == 0 {
            return Err(Error::Data("the pass has no examples, expected at least one for a mean loss".into()));
        }
        if let Some(found) = targets.lens().find(|found| *found != examples) {
            return Err(Error::Data(format!("the pass has {examples} examples, got targets for {found}")));
        }
        let targets = targets.checked()?;
        self.engine.scoring.check_targets(targets.as_slice())?;
        let (tally, gradients) = self.engine.loss_of_pass(&pass.kept, &Examples::of_targets(&targets, examples));
        let heads = gradients.into_iter().zip(&self.engine.plan.heads);
        let values = heads.map(|(values, head)| shaped(values, examples, head.shape)).collect();
        Ok((tally.scores(&self.engine.scoring), OutputGradients { values, of: Side::Logits }))
    }

    /// Runs the backward pass: the gradients of every trained weight and of the inputs, from that of the outputs. What
    /// [`compute_loss`](Self::compute_loss) returned is the gradient of all of the loss, so that those of weights have
    /// what regularizers add; a gradient of the outputs that is given as an array has nothing added. The model keeps the
    /// memory of up to four passes of a kind that have gone backward for those that come.
    ///
    /// # Errors
    /// [`Error::Data`] if the pass was one for inference or of another model, or a gradient has not its output's shape
    /// or is NaN or infinite.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::Mode;
    /// use inkstone::ndarray::array;
    /// let mut model = Sequential::new([2]).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError, [])?;
    /// let kernel = model.get_weight("dense/kernel")?.values;
    /// let pass = model.forward(&[[3.0, 5.0]], Mode::Training)?;
    /// // The gradients of the output itself.
    /// let gradients = model.backward(pass, array![[1.0_f32]])?;
    /// assert_eq!(gradients.weights[0].values.as_slice().unwrap(), [3.0, 5.0]);
    /// assert_eq!(gradients.inputs[0].as_slice(), kernel.as_slice());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn backward(&self, pass: ForwardPass, gradients: impl Into<OutputGradients>) -> Result<Gradients> {
        let OutputGradients { values, of } = gradients.into();
        let ForwardPass { kept, outputs } = pass;
        self.check_pass(&kept)?;
        if kept.wanted == Wanted::Nothing {
            return Err(Error::Data("the pass was one for inference: call `forward` with `Mode::Training`".into()));
        }
        if values.len() != outputs.len() {
            let (expected, found) = (outputs.len(), values.len());
            return Err(Error::Data(format!("the pass has {expected} outputs, got the gradients of {found}")));
        }
        for (gradient, output) in values.iter().zip(&outputs) {
            if gradient.shape() != output.shape() {
                let (expected, found) = (output.shape(), gradient.shape());
                return Err(Error::Data(format!(
                    "a gradient must have its output's shape, {expected:?}, got {found:?}"
                )));
            }
            if let Some((place, value)) = first_not_finite(&gradient.view()) {
                return Err(Error::Data(format!("gradients must be finite, got {value} at {place:?}")));
            }
        }
        let values: Vec<_> = values.iter().map(|values| values.as_standard_layout()).collect();
        let in_order = |values| HeadGradient { values, of };
        let heads: Vec<HeadGradient<'_>> =
            values.iter().map(|values| in_order(values.as_slice().expect("in the standard layout"))).collect();
        let examples = kept.examples;
        let mut found = PassGradients::default();
        let crew = self.engine.crew_of_pass(examples);
        crew.run(|| self.engine.backward_pass(kept, &heads, Moments::TakenUp, &mut found));
        let plan = &self.engine.plan;
        let inputs = found.inputs.into_iter().zip(plan.input_shapes());
        Ok(Gradients {
            weights: named(plan.parameters.trained(), &found.parameters),
            inputs: inputs.map(|(values, shape)| shaped(values, examples, shape)).collect(),
        })
    }

    /// # Errors
    /// [`Error::Data`] if a pass is one of another model.
    fn check_pass(&self, pass: &KeptPass) -> Result<()> {
        if self.engine.made(pass) {
            return Ok(());
        }
        Err(Error::Data("the pass was made by another model: give it to the model whose `forward` returned it".into()))
    }

    /// Takes one step of the optimizer with these gradients, one for each trained weight, in the order of the layers:
    /// as [`backward`](Self::backward) and [`gradients`](Self::gradients) return them.
    ///
    /// # Errors
    /// [`Error::Data`] if they are not those of the trained weights, by number, name and shape, or one is NaN or
    /// infinite; then no step is taken.
    pub fn apply_gradients(&mut self, gradients: &[Weight]) -> Result<()> {
        let Self { engine, optimizer, state, .. } = self;
        let expected = engine.plan.parameters.trained().count();
        if gradients.len() != expected {
            let found = gradients.len();
            return Err(Error::Data(format!("the model trains {expected} weights, got {found} gradients")));
        }
        for (parameter, gradient) in engine.plan.parameters.trained().zip(gradients) {
            if parameter.name != gradient.name || gradient.values.shape() != parameter.shape {
                return Err(Error::Data(format!(
                    "expected the gradient of {} of shape {:?}, got that of {} of shape {:?}",
                    parameter.name,
                    parameter.shape,
                    gradient.name,
                    gradient.values.shape()
                )));
            }
            if let Some((_, value)) = first_not_finite(&gradient.values.view()) {
                return Err(Error::Data(format!("gradients must be finite, got {value} in that of {}", gradient.name)));
            }
        }
        let mut flat = vec![0.0; engine.plan.parameters.trained_len];
        store(engine.plan.parameters.trained(), gradients, &mut flat);
        engine.crew_of_update().run(|| engine.update_with(&flat, optimizer, state));
        Ok(())
    }
}
