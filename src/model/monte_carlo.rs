//! Predictions with dropout at work: how far what a model says depends on what is dropped.

use super::Model;
use super::predicting::shaped;
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::plan::Wanted;
use crate::train::{Draws, Examples};
use ndarray::ArrayD;

/// How many examples go through the layers at a time: passes keep the values of all layers.
const AT_ONCE: usize = 256;

/// What [`Model::predict_with_dropout`] returns, each (N, and the output's shape).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DropoutPrediction {
    /// The mean of the predictions.
    pub mean: ArrayD<f32>,
    /// Their standard deviation, of a sample: 0 for a single one.
    pub deviation: ArrayD<f32>,
}

impl Model {
    /// The mean and the deviation of so many predictions with dropout as in training, each with masks of its own: a
    /// measure of how sure a model is ([Gal and Ghahramani, 2016](https://arxiv.org/abs/1506.02142)). Noise layers add
    /// their noise, too. The same seed gives the same masks.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`Error::Model`](crate::Error::Model) for a model that normalizes over a batch,
    /// where training is more than dropout; [`Error::Data`](crate::Error::Data) for no samples.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([6, 2])
    ///     .add(LSTM::new(8).dropout(0.2).recurrent_dropout(0.2))
    ///     .add(Dense::new(1))
    ///     .seed(1)
    ///     .compile(Adam::default(), MeanSquaredError, [])?;
    /// let x = inkstone::ndarray::Array3::<f32>::ones((4, 6, 2));
    /// let found = model.predict_with_dropout(&x, 20)?;
    /// assert_eq!(found.mean.shape(), [4, 1]);
    /// assert!(found.deviation.iter().all(|deviation| *deviation > 0.0));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_with_dropout<'a>(&self, inputs: impl Into<Inputs<'a>>, samples: usize) -> Result<DropoutPrediction> {
        let plan = &self.engine.plan;
        if samples == 0 {
            return Err(Error::Data("expected at least 1 sample of predictions with dropout, got 0".into()));
        }
        if plan.heads.len() > 1 {
            let outputs = plan.heads.len();
            return Err(Error::Model(format!("has {outputs} outputs: take one of them with `Functional`")));
        }
        if plan.meetings().next().is_some() {
            let problem = "normalizes over a batch, which in training makes examples depend on each other: \
                           `predict_with_dropout` is for models without `BatchNormalization`, or with frozen ones";
            return Err(Error::Model(problem.into()));
        }
        let inputs = inputs.into();
        self.check_shapes(&inputs)?;
        let inputs = inputs.checked()?;
        let examples = Examples::of_images(&inputs);
        let (count, len) = (examples.len(), plan.output_len(0));
        let (mut means, mut squares) = (vec![0.0_f64; count * len], vec![0.0_f64; count * len]);
        for sample in 0..samples {
            // Steps that no training reaches.
            let draws = Draws { seed: self.seed, step: u64::MAX - sample as u64 };
            for start in (0..count).step_by(AT_ONCE) {
                let places = start..(start + AT_ONCE).min(count);
                let crew = self.engine.crew_of_pass(places.len());
                let pass =
                    || self.engine.forward_pass(&self.network, &examples, places.clone(), Wanted::OfParameters, draws);
                let values = self.engine.output_of(&crew.run(pass)?, 0);
                let sums = means[start * len..].iter_mut().zip(&mut squares[start * len..]);
                for ((mean, square), value) in sums.zip(values) {
                    // Welford's way, which loses no digits.
                    let distance = f64::from(value) - *mean;
                    *mean += distance / (sample + 1) as f64;
                    *square += distance * (f64::from(value) - *mean);
                }
            }
        }
        let divisor = samples.saturating_sub(1).max(1) as f64;
        let shape = plan.head().shape;
        let mean = shaped(means.into_iter().map(|mean| mean as f32).collect(), count, shape);
        let deviations = squares.into_iter().map(|square| (square / divisor).sqrt() as f32);
        Ok(DropoutPrediction { mean, deviation: shaped(deviations.collect(), count, shape) })
    }
}
