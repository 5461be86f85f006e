//! The layers that make one value of several, value by value.

use super::names::name_setter;
use super::written::written;
use super::{Arity, Describe, MaskRule, Spec, checked};
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
                merged_shape(inputs).map(Spec::of_shape)
            }

            fn mask_rule(&self) -> MaskRule {
                MaskRule::Merges
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

/// The shape of two values together: axes count from the last, and those of size 1 or that are missing are repeated.
/// `None` if another differs.
fn broadcast(left: Shape, right: Shape) -> Option<Shape> {
    let rank = left.axes().len().max(right.axes().len());
    let axis = |shape: Shape, from_last: usize| shape.axes().iter().rev().nth(from_last).copied().unwrap_or(1);
    let axes = (0..rank).rev().map(|from_last| match (axis(left, from_last), axis(right, from_last)) {
        (left, right) if left == right => Some(left),
        (1, other) | (other, 1) => Some(other),
        _ => None,
    });
    Shape::new(&axes.collect::<Option<Vec<usize>>>()?)
}

/// The shape of all inputs together.
fn merged_shape(inputs: &[Shape]) -> Result<Shape, String> {
    let mut merged = inputs[0];
    for (index, input) in inputs.iter().enumerate().skip(1) {
        // Only now it is looked for which of those before it differs: there may be very many.
        let differing = || inputs[..index].iter().copied().find(|other| broadcast(*other, *input).is_none());
        merged = broadcast(merged, *input).ok_or_else(|| {
            format!(
                "expects inputs of one shape, or that differ in axes of size 1 alone, got {} and {input}: bring them to one \
                 shape with a layer before it, such as a `Conv2D` of 1 x 1 or a `Dense`",
                differing().unwrap_or(merged)
            )
        })?;
    }
    checked(merged)
}

/// One input after the other.
fn fold(builder: &mut Builder, inputs: &[Operand], function: MergeFunction) -> Operand {
    let (first, others) = (inputs[0], &inputs[1..]);
    others.iter().fold(first, |merged, input| {
        let shape = broadcast(merged.shape, input.shape).unwrap_or(merged.shape);
        let [left, right] = [merged, *input].map(|operand| builder.broadcast(operand, shape));
        builder.merge(function, left, right)
    })
}

merging_layer! {
    /// The sum of its inputs, value by value, as [Keras' `Add`](https://keras.io/api/layers/merging_layers/add/): what
    /// a residual network joins its branches with.
    ///
    /// - Input shapes: two or more of one shape, or with axes of size 1, which are repeated; missing axes are in front.
    ///   Output shape: the largest of each axis.
    ///
    /// At `compile`, inputs that differ in other axes are an error that names the layer.
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
    /// - Input shapes: two of one shape, or with axes of size 1, which are repeated; missing axes are in front. Output
    ///   shape: the largest of each axis.
    ///
    /// At `compile`, other than two inputs, or inputs that differ in other axes, are an error that names the layer.
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
    /// - Input shapes: two or more of one shape, or with axes of size 1, which are repeated; missing axes are in front.
    ///   Output shape: the largest of each axis.
    ///
    /// At `compile`, inputs that differ in other axes are an error that names the layer.
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
    ///
    /// A squeeze-and-excitation block ([Hu et al., 2018](https://arxiv.org/abs/1709.01507)) multiplies each channel by
    /// a factor that it makes of the means of all channels:
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// fn excited(x: &Node, channels: usize) -> Node {
    ///     let means = x.apply(GlobalAveragePooling2D::new());
    ///     let squeezed = means.apply(Dense::new(channels / 4).activation(Relu));
    ///     // (channels) is multiplied as (1, 1, channels).
    ///     Multiply::of([x, &squeezed.apply(Dense::new(channels).activation(Sigmoid))])
    /// }
    /// let input = Input::new([8, 8, 3]);
    /// let x = input.apply(Conv2D::new(16, (3, 3)).activation(Relu));
    /// let output = excited(&x, 16).apply(GlobalAveragePooling2D::new()).apply(Dense::new(2).activation(Softmax));
    /// let model = Functional::new([&input], [&output])
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// assert!(model.summary().to_string().contains("(None, 6, 6, 16)"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    Multiply, Arity::Several, |builder, inputs| fold(builder, inputs, MergeFunction::Product)
}

merging_layer! {
    /// The mean of its inputs, value by value, as [Keras'
    /// `Average`](https://keras.io/api/layers/merging_layers/average/).
    ///
    /// - Input shapes: two or more of one shape, or with axes of size 1, which are repeated; missing axes are in front.
    ///   Output shape: the largest of each axis.
    ///
    /// At `compile`, inputs that differ in other axes are an error that names the layer.
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
    /// - Input shapes: two or more of one shape, or with axes of size 1, which are repeated; missing axes are in front.
    ///   Output shape: the largest of each axis.
    ///
    /// At `compile`, inputs that differ in other axes are an error that names the layer.
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
    /// - Input shapes: two or more of one shape, or with axes of size 1, which are repeated; missing axes are in front.
    ///   Output shape: the largest of each axis.
    ///
    /// At `compile`, inputs that differ in other axes are an error that names the layer.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_merged_by_the_rule_of_keras() {
        let merged = |shapes: &[&[usize]]| {
            let shapes: Vec<Shape> = shapes.iter().map(|axes| Shape::new(axes).unwrap()).collect();
            merged_shape(&shapes).map(|shape| shape.axes().to_vec())
        };
        assert_eq!(merged(&[&[4, 5, 6], &[1, 1, 6]]).unwrap(), [4, 5, 6]);
        assert_eq!(merged(&[&[6], &[4, 5, 6]]).unwrap(), [4, 5, 6]);
        assert_eq!(merged(&[&[4, 1], &[1, 3], &[1]]).unwrap(), [4, 3]);
        assert_eq!(merged(&[&[2, 1, 3, 1], &[5, 1, 7]]).unwrap(), [2, 5, 3, 7]);
        let error = merged(&[&[4, 5], &[1, 5], &[4]]).unwrap_err();
        let expected = "expects inputs of one shape, or that differ in axes of size 1 alone, got (4, 5) and (4): bring";
        assert!(error.starts_with(expected), "{error}");
        let error = merged(&[&[1 << 20, 1], &[1 << 20]]).unwrap_err();
        assert!(error.starts_with("has an output of (1048576, 1048576): each tensor must have"), "{error}");
    }
}
