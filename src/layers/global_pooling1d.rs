//! The layers that make one step of all steps of a sequence.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, sequence};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// Declares a pooling over all steps, which is one of images of one row by a method of the builder.
macro_rules! global_pooling_layer {
    ($(#[$doc:meta])* $layer:ident, $lower:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $layer {
            /// Whether the output is a sequence of one step; otherwise it is a vector.
            pub keepdims: bool,
            /// Its name; `None` for one after its type.
            pub name: Option<String>,
        }

        impl $layer {
            /// A pooling whose output is a vector.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets whether the output is a sequence of one step.
            #[must_use]
            pub fn keepdims(self, keepdims: bool) -> Self {
                Self { keepdims, ..self }
            }

            name_setter!();
        }

        written! { $layer { keepdims; name = None } }

        impl Describe for $layer {
            fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
                let (_, features) = sequence(inputs[0])?;
                Ok(Spec::of_shape(if self.keepdims { Shape::from([1, features]) } else { Shape::from([features]) }))
            }

            /// It pools a window as long as the sequence.
            fn lower(
                &self,
                builder: &mut Builder,
                inputs: &[Operand],
                _weights: &[WeightId],
            ) -> Result<Operand, String> {
                let (steps, _) = sequence(inputs[0].shape)?;
                let window = Window2d::new((1, steps), (1, steps), (1, 1), Padding::Valid)?;
                Ok(Operand { shape: self.spec(&[inputs[0].shape])?.output, ..builder.$lower(inputs[0], window) })
            }
        }
    };
}

global_pooling_layer! {
    /// The mean of each feature over all steps, or over those that a [`Masking`](super::Masking) before it counts, as
    /// [Keras' `GlobalAveragePooling1D`](https://keras.io/api/layers/pooling_layers/global_average_pooling1d/).
    ///
    /// - Input shape: (steps, features). Output shape: (features), or with [`keepdims`](Self::keepdims) (1, features).
    ///
    /// At `compile`, an input that is no sequence is an error that names the layer.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::array;
    /// let model =
    ///     Sequential::new([2, 2]).add(GlobalAveragePooling1D::new()).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict(&array![[[1.0, 8.0], [3.0, 4.0]]])?, array![[2.0, 6.0]].into_dyn());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    GlobalAveragePooling1D, mean_of_steps
}

global_pooling_layer! {
    /// The maximum of each feature over all steps, as [Keras'
    /// `GlobalMaxPooling1D`](https://keras.io/api/layers/pooling_layers/global_max_pooling1d/).
    ///
    /// - Input shape: (steps, features). Output shape: (features), or with [`keepdims`](Self::keepdims) (1, features).
    ///
    /// At `compile`, an input that is no sequence is an error that names the layer.
    ///
    /// Of equal values the first gets the gradient.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::array;
    /// let model = Sequential::new([2, 2]).add(GlobalMaxPooling1D::new()).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict(&array![[[1.0, 8.0], [3.0, 4.0]]])?, array![[3.0, 8.0]].into_dyn());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    GlobalMaxPooling1D, max_pool
}
