//! The pooling layers of sequences.

use super::names::name_setter;
use super::sliding::sliding_along;
use super::written::written;
use super::{Describe, Spec, checked};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// Declares a pooling of sequences, which is one of images of one row by a method of the builder.
macro_rules! pooling_layer {
    ($(#[$doc:meta])* $layer:ident, $lower:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $layer {
            /// Steps of the window.
            #[serde(default = "two_steps")]
            pub pool_size: usize,
            /// Steps from one window to the next; `None` is the pool size.
            #[serde(default)]
            pub strides: Option<usize>,
            /// What happens at the ends.
            #[serde(default)]
            pub padding: Padding,
            /// Its name; `None` for one after its type.
            pub name: Option<String>,
        }

        impl $layer {
            /// A pooling over windows of so many steps, side by side, `valid` padding.
            #[must_use]
            pub fn new(pool_size: usize) -> Self {
                Self { pool_size, strides: None, padding: Padding::Valid, name: None }
            }

            /// Sets the steps from one window to the next.
            #[must_use]
            pub fn strides(self, strides: usize) -> Self {
                Self { strides: Some(strides), ..self }
            }

            setters! {
                /// Sets what happens at the ends.
                padding: Padding,
            }

            name_setter!();

            /// The geometry on this input.
            pub(crate) fn window(&self, input: Shape) -> Result<Window2d, String> {
                sliding_along(input, self.pool_size, self.strides.unwrap_or(self.pool_size), self.padding)
            }
        }

        written! { $layer { pool_size, strides, padding; name = None } }

        impl Describe for $layer {
            fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
                let (_, steps) = self.window(inputs[0])?.out;
                checked(Shape::from([steps, inputs[0].channels()])).map(Spec::of_shape)
            }

            fn lower(
                &self,
                builder: &mut Builder,
                inputs: &[Operand],
                _weights: &[WeightId],
            ) -> Result<Operand, String> {
                let y = builder.$lower(inputs[0], self.window(inputs[0].shape)?);
                Ok(Operand { shape: self.spec(&[inputs[0].shape])?.output, ..y })
            }
        }
    };
}

/// Keras' default size of a pooling window.
fn two_steps() -> usize {
    2
}

pooling_layer! {
    /// The maximum of each window of a sequence, as [Keras'
    /// `MaxPooling1D`](https://keras.io/api/layers/pooling_layers/max_pooling1d/).
    ///
    /// - Input shape: (steps, features). Output shape: (new steps, features).
    ///
    /// At `compile`, an input that is no sequence, or is shorter than the window, is an error that names the layer.
    ///
    /// Of equal values in a window the first gets the gradient. Padding never wins.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::array;
    /// let model = Sequential::new([5, 1]).add(MaxPooling1D::new(2)).compile(Adam::default(), MeanSquaredError, [])?;
    /// let pooled = model.predict(&array![[[1.0], [3.0], [2.0], [-1.0], [9.0]]])?;
    /// assert_eq!(pooled, array![[[3.0], [2.0]]].into_dyn());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    MaxPooling1D, max_pool
}

pooling_layer! {
    /// The mean of each window of a sequence, as [Keras'
    /// `AveragePooling1D`](https://keras.io/api/layers/pooling_layers/average_pooling1d/).
    ///
    /// - Input shape: (steps, features). Output shape: (new steps, features).
    ///
    /// At `compile`, an input that is no sequence, or is shorter than the window, is an error that names the layer.
    ///
    /// What padding adds is not counted.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::array;
    /// let layer = AveragePooling1D::new(2).strides(1).padding(Same);
    /// let model = Sequential::new([3, 1]).add(layer).compile(Adam::default(), MeanSquaredError, [])?;
    /// let pooled = model.predict(&array![[[1.0], [3.0], [6.0]]])?;
    /// assert_eq!(pooled, array![[[2.0], [4.5], [6.0]]].into_dyn());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    AveragePooling1D, average_pool
}
