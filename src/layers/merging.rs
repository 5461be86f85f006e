//! The layers that make one value of several, value by value.

use super::names::name_setter;
use super::written::written;
use super::{Arity, Describe, Spec, same_shape};
use crate::program::plain::{Affine, MergeFunction};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Declares a merging layer: what its operations make of the inputs is the last argument.
macro_rules! merging_layer {
    ($(#[$doc:meta])* $layer:ident, $arity:expr, $lower:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $layer {
            /// Its name; `None` for one after its type.
            pub name: Option<String>,
        }

        impl $layer {
            #[doc = concat!("The layer; [`", stringify!($layer), "::of`] applies it.")]
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            name_setter!();
        }

        written! { $layer { ; name = None } }

        impl Describe for $layer {
            fn arity(&self) -> Arity {
                $arity
            }

            fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
                same_shape(inputs).map(Spec::of_shape)
            }

            fn lower(
                &self,
                builder: &mut Builder,
                inputs: &[Operand],
                _weights: &[WeightId],
            ) -> Result<Operand, String> {
                let lower: fn(&mut Builder, &[Operand]) -> Operand = $lower;
                Ok(lower(builder, inputs))
            }
        }
    };
}

/// One input after the other.
fn fold(builder: &mut Builder, inputs: &[Operand], function: MergeFunction) -> Operand {
    let (first, others) = (inputs[0], &inputs[1..]);
    others.iter().fold(first, |merged, input| builder.merge(function, merged, *input))
}

merging_layer! {
    /// The sum of its inputs, value by value, as [Keras' `Add`](https://keras.io/api/layers/merging_layers/add/): what a
    /// residual network joins its branches with.
    ///
    /// - Input shapes: two or more of one shape. Output shape: the same.
    ///
    /// At `compile`, inputs of different shapes are an error that names the layer.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let input = Input::new([8]);
    /// let x = input.apply(Dense::new(8).activation(Relu));
    /// let output = Add::of([&input, &x]).apply(Dense::new(1));
    /// let model = Functional::new([&input], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.layer_names(), ["dense", "add", "dense_1"]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Add, Arity::Several, |builder, inputs| fold(builder, inputs, MergeFunction::Sum)
}

merging_layer! {
    /// Its first input less the second, value by value, as [Keras'
    /// `Subtract`](https://keras.io/api/layers/merging_layers/subtract/).
    ///
    /// - Input shapes: two of one shape. Output shape: the same.
    ///
    /// At `compile`, other than two inputs, or inputs of different shapes, are an error that names the layer.
    ///
    /// ```
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let (left, right) = (Input::new([2]), Input::new([2]));
    /// let output = Subtract::of([&left, &right]);
    /// let mut model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict_rows((&array![[5.0, 1.0]], &array![[2.0, 3.0]]))?, array![[3.0, -2.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Subtract, Arity::Two, |builder, inputs| fold(builder, inputs, MergeFunction::Difference)
}

merging_layer! {
    /// The product of its inputs, value by value, as [Keras'
    /// `Multiply`](https://keras.io/api/layers/merging_layers/multiply/).
    ///
    /// - Input shapes: two or more of one shape. Output shape: the same.
    ///
    /// At `compile`, inputs of different shapes are an error that names the layer.
    ///
    /// ```
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let input = Input::new([2]);
    /// let squares = Multiply::of([&input, &input]);
    /// let mut model = Functional::new([&input], [&squares]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict_rows(&array![[5.0, -3.0]])?, array![[25.0, 9.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Multiply, Arity::Several, |builder, inputs| fold(builder, inputs, MergeFunction::Product)
}

merging_layer! {
    /// The mean of its inputs, value by value, as [Keras'
    /// `Average`](https://keras.io/api/layers/merging_layers/average/).
    ///
    /// - Input shapes: two or more of one shape. Output shape: the same.
    ///
    /// At `compile`, inputs of different shapes are an error that names the layer.
    ///
    /// ```
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let (left, right) = (Input::new([2]), Input::new([2]));
    /// let output = Average::of([&left, &right]);
    /// let mut model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict_rows((&array![[5.0, 1.0]], &array![[2.0, 3.0]]))?, array![[3.5, 2.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Average, Arity::Several, |builder, inputs| {
        let sum = fold(builder, inputs, MergeFunction::Sum);
        builder.plain(Affine { scale: 1.0 / inputs.len() as f32, offset: 0.0 }, &[sum], sum.shape)
    }
}

merging_layer! {
    /// The largest of its inputs, value by value, as [Keras'
    /// `Maximum`](https://keras.io/api/layers/merging_layers/maximum/). Where two are equal, each gets half of the
    /// gradient.
    ///
    /// - Input shapes: two or more of one shape. Output shape: the same.
    ///
    /// At `compile`, inputs of different shapes are an error that names the layer.
    ///
    /// ```
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let (left, right) = (Input::new([2]), Input::new([2]));
    /// let output = Maximum::of([&left, &right]);
    /// let mut model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict_rows((&array![[5.0, 1.0]], &array![[2.0, 3.0]]))?, array![[5.0, 3.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Maximum, Arity::Several, |builder, inputs| fold(builder, inputs, MergeFunction::Maximum)
}

merging_layer! {
    /// The smallest of its inputs, value by value, as [Keras'
    /// `Minimum`](https://keras.io/api/layers/merging_layers/minimum/). Where two are equal, each gets half of the
    /// gradient.
    ///
    /// - Input shapes: two or more of one shape. Output shape: the same.
    ///
    /// At `compile`, inputs of different shapes are an error that names the layer.
    ///
    /// ```
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let (left, right) = (Input::new([2]), Input::new([2]));
    /// let output = Minimum::of([&left, &right]);
    /// let mut model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.predict_rows((&array![[5.0, 1.0]], &array![[2.0, 3.0]]))?, array![[2.0, 1.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Minimum, Arity::Several, |builder, inputs| fold(builder, inputs, MergeFunction::Minimum)
}
