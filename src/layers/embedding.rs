//! The layer that makes vectors of tokens.

use super::names::name_setter;
use super::weight_settings::{weight, weight_setters};
use super::written::written;
use super::{Constraint, Describe, Initializer, MaskRule, Regularizer, Spec, checked, trained};
use crate::data::MOST_TOKENS;
use crate::program::plain::Lookup;
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::Deserialize;

/// The row of a table for each token, as [Keras'
/// `Embedding`](https://keras.io/api/layers/core_layers/embedding/): words, or other things that have a number, become
/// vectors that are learned.
///
/// - Input shape: (steps), an input of the model that holds tokens: whole numbers from 0 to `input_dim - 1`. Output
///   shape: (steps, output_dim).
/// - Embeddings: (input_dim, output_dim), uniform between -0.05 and 0.05 by default.
///
/// Tokens come as integers or as floats: a `&Array2<u32>` or a `&Array2<f32>`, (N, steps), is an input, and
/// [`Dataset::from_tokens`](crate::Dataset::from_tokens) makes a data set of them. One that is not whole or not in the
/// table is an error that names its place.
///
/// With [`mask_zero`](Self::mask_zero) token 0 is padding: it makes a mask, which [`Masking`](super::Masking) says more
/// of.
///
/// The gradient of a row that no token of a batch names is zero, and costs nothing. The optimizer's step is the dense
/// one of Keras and PyTorch, so momentum, moments, weight decay and regularizers change all rows.
///
/// At `compile`, an input that is no vector, or that another layer computes, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::array;
/// let model = Sequential::new([4])
///     .add(Embedding::new(1000, 8).mask_zero(true))
///     .add(GlobalAveragePooling1D::new())
///     .add(Dense::new(1).activation(Sigmoid))
///     .compile(Adam::default(), BinaryCrossentropy::default(), [])?;
/// assert_eq!(model.parameter_count(), 1000 * 8 + 8 + 1);
/// // Two words, padded in front and behind: the same words, so the same output.
/// let output = model.predict(&array![[0, 0, 7, 12_u32], [7, 12, 0, 0]])?;
/// assert_eq!(output[[0, 0]], output[[1, 0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Embedding {
    /// How many tokens there are: one more than the largest.
    pub input_dim: usize,
    /// The values of the vector of a token.
    pub output_dim: usize,
    /// Whether token 0 is padding, which later layers leave out.
    #[serde(default)]
    pub mask_zero: bool,
    /// Whether training changes the table.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// How the first values of the table are drawn.
    #[serde(default = "uniform")]
    pub embeddings_initializer: Initializer,
    /// What the table adds to the loss, if anything.
    pub embeddings_regularizer: Option<Regularizer>,
    /// What the table is brought to after each step, if anything.
    pub embeddings_constraint: Option<Constraint>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// Keras' default of `embeddings_initializer`.
fn uniform() -> Initializer {
    Initializer::RandomUniform { minval: -0.05, maxval: 0.05 }
}

impl Embedding {
    /// A layer for tokens less than `input_dim`, with a vector of `output_dim` values for each.
    #[must_use]
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        Self {
            input_dim,
            output_dim,
            mask_zero: false,
            trainable: true,
            embeddings_initializer: uniform(),
            embeddings_regularizer: None,
            embeddings_constraint: None,
            name: None,
        }
    }

    setters! {
        /// Sets whether token 0 is padding, which later layers leave out.
        mask_zero: bool,

        /// Sets whether training changes the table.
        trainable: bool,
    }

    weight_setters!("the table": embeddings_initializer, embeddings_regularizer, embeddings_constraint);

    name_setter!();
}

written! {
    Embedding {
        input_dim, output_dim, mask_zero, trainable;
        embeddings_initializer = uniform(),
        embeddings_regularizer = None,
        embeddings_constraint = None,
        name = None,
    }
}

impl Describe for Embedding {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let [steps] = *inputs[0].axes() else {
            return Err(format!(
                "expects a vector of tokens, (steps), got {}: tokens have no axis of features",
                inputs[0]
            ));
        };
        for (name, value) in [("input_dim", self.input_dim), ("output_dim", self.output_dim)] {
            if value == 0 {
                return Err(format!("expects an {name} of at least 1, got 0"));
            }
        }
        if self.input_dim > MOST_TOKENS as usize {
            return Err(format!("expects an input_dim of at most {MOST_TOKENS}, got {}", self.input_dim));
        }
        let output = checked(Shape::from([steps, self.output_dim]))?;
        let table = WeightSpec::zeros("embeddings", vec![self.input_dim, self.output_dim]);
        let spec = Spec { output, weights: vec![weight!(self, table, embeddings)] };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn mask_rule(&self) -> MaskRule {
        if self.mask_zero { MaskRule::Makes } else { MaskRule::Ends }
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let tokens = inputs[0];
        if builder.computes(tokens.value) {
            return Err("expects tokens, which an input of the model gives, got the output of a layer".into());
        }
        let lookup = Lookup { rows: self.input_dim, len: self.output_dim, table: None };
        let output = Shape::from([tokens.shape.axes()[0], self.output_dim]);
        let y = builder.weighted(lookup, &[tokens], weights, output);
        if self.mask_zero {
            let mask = builder.find_mask(tokens, 0.0);
            builder.set_mask(y.value, Some(mask.value));
        }
        Ok(y)
    }
}
