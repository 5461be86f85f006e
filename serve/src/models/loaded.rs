//! A model that is served.

use super::card::{self, Card};
use crate::access::{check_rate, per_minute};
use crate::fault::Refusal;
use axum::http::StatusCode;
use governor::DefaultDirectRateLimiter;
use inkstone::ndarray::{Array2, ArrayViewD, IxDyn};
use inkstone::protect::{Access, Licence, Validity};
use inkstone::{Inputs, Model, ModelFault, Predictor, QuantizedPredictor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;

/// A model that is served.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) version: u64,
    predictor: Kind,
    /// Of one example.
    pub(crate) input: Vec<usize>,
    /// Of one example.
    pub(crate) output: Vec<usize>,
    /// Bytes of its file, decrypted.
    pub(crate) size: usize,
    /// The SHA-256 digest of its file, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) parameters: Option<usize>,
    pub(crate) encrypted: bool,
    /// How long the signature of a trusted key is valid, if it has one.
    pub(crate) signed: Option<Validity>,
    pub(crate) licence: Option<Licence>,
    limiter: Option<DefaultDirectRateLimiter>,
    pub(crate) card: Card,
}

enum Kind {
    Floats(Predictor),
    Quantized(QuantizedPredictor),
}

impl Loaded {
    /// Reads a model's file, and tries it out.
    ///
    /// # Errors
    /// Why it cannot be served.
    pub(super) fn read(name: &str, version: u64, path: &Path, access: &Access) -> Result<Self, String> {
        // Whatever a file does, what is served goes on.
        let read = catch_unwind(AssertUnwindSafe(|| Self::read_file(name, version, path, access)));
        read.unwrap_or_else(|_| Err(format!("{}: loading it panicked", path.display())))
    }

    fn read_file(name: &str, version: u64, path: &Path, access: &Access) -> Result<Self, String> {
        let opened = access.read(path).map_err(|error| error.to_string())?;
        let at = |problem: &dyn std::fmt::Display| {
            let text = problem.to_string();
            format!("{}: {}", path.display(), text.strip_prefix("the bytes: ").unwrap_or(&text))
        };
        let mut parameters = None;
        let predictor = match Model::from_bytes(&opened.content) {
            Ok(model) => {
                let inputs = model.input_shapes().len();
                if inputs != 1 || model.output_shapes().len() != 1 {
                    return Err(at(&format_args!(
                        "expected a model of one input and one output, found {inputs} inputs and {} outputs",
                        model.output_shapes().len()
                    )));
                }
                parameters = Some(model.parameter_count());
                Kind::Floats(model.into_predictor())
            }
            Err(inkstone::Error::ModelFile { fault: ModelFault::Quantized, .. }) => {
                Kind::Quantized(QuantizedPredictor::from_bytes(&opened.content).map_err(|error| at(&error))?)
            }
            Err(error) => return Err(at(&error)),
        };
        let (input, output) = match &predictor {
            Kind::Floats(predictor) => (predictor.input_shape(), predictor.output_shape()),
            Kind::Quantized(predictor) => (predictor.input_shape(), predictor.output_shape()),
        };
        let limit = opened.licence.as_ref().and_then(Licence::request_limit);
        let loaded = Self {
            name: name.to_owned(),
            version,
            predictor,
            input: input.axes().to_vec(),
            output: output.axes().to_vec(),
            size: opened.content.len(),
            digest: opened.digest,
            parameters,
            encrypted: opened.encrypted,
            signed: opened.signed.map(|signed| signed.validity),
            limiter: limit.map(per_minute).transpose().map_err(|problem| at(&problem))?,
            licence: opened.licence,
            card: card::beside(path)?,
        };
        // What fails here would fail with the first request.
        loaded.predict(1, &vec![0.0; loaded.input.iter().product()]).map_err(|problem| at(&problem))?;
        Ok(loaded)
    }

    /// How many numbers an example has.
    pub(crate) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// How many numbers the output for an example has.
    pub(crate) fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Predicts.
    ///
    /// - values: of this many examples, one after the other
    ///
    /// # Errors
    /// What is wrong with the values.
    pub(crate) fn predict(&self, examples: usize, values: &[f32]) -> Result<Vec<f32>, String> {
        let shape: Vec<usize> = std::iter::once(examples).chain(self.input.iter().copied()).collect();
        let array = ArrayViewD::from_shape(IxDyn(&shape), values).map_err(|error| error.to_string())?;
        let rank = |error: inkstone::ndarray::ShapeError| error.to_string();
        let rows = match shape.len() {
            2 => self.rows(array.into_dimensionality::<inkstone::ndarray::Ix2>().map_err(rank)?),
            3 => self.rows(array.into_dimensionality::<inkstone::ndarray::Ix3>().map_err(rank)?),
            _ => self.rows(array.into_dimensionality::<inkstone::ndarray::Ix4>().map_err(rank)?),
        };
        let rows = rows.map_err(|error| error.to_string())?;
        if let Some(value) = rows.iter().find(|value| !value.is_finite()) {
            return Err(format!("the model gave {value}"));
        }
        Ok(rows.into_raw_vec_and_offset().0)
    }

    fn rows<'a>(&self, inputs: impl Into<Inputs<'a>>) -> inkstone::Result<Array2<f32>> {
        match &self.predictor {
            Kind::Floats(predictor) => predictor.predict_rows(inputs),
            Kind::Quantized(predictor) => predictor.predict_rows(inputs),
        }
    }

    /// # Errors
    /// [`Refusal`] if its signature or its licence has ended since it was loaded, or there were too many requests for it.
    pub(crate) fn check_terms(&self) -> Result<(), Refusal> {
        let terms = [("signature", self.signed), ("licence", self.licence.as_ref().map(Licence::term))];
        for (what, validity) in terms {
            if validity.and_then(|validity| validity.expires()).is_some_and(|end| SystemTime::now() >= end) {
                let text = format!("the {what} of the model `{}` has expired", self.name);
                return Err(Refusal::new(StatusCode::FORBIDDEN, text));
            }
        }
        self.limiter.as_ref().map_or(Ok(()), |limiter| check_rate(limiter, "the licence of this model"))
    }
}
