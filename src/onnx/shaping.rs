//! Decides which ONNX operators the layers become that change where values are, or how many pixels there are.

use super::graph::{Layout, Operator, Value};
use super::layers::Call;
use super::message::{Attribute, Tensor};
use crate::layers::{Cropping2D, Interpolation, Permute, UpSampling2D};

impl Call<'_> {
    /// The values in the shape of the output, rows first, channels last.
    pub(super) fn reshape(self, x: &Value) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        // The batch stays as it is.
        let shape: Vec<i64> = [0].into_iter().chain(self.output.axes().iter().map(|axis| *axis as i64)).collect();
        let shape = Tensor::of_integers(&format!("{}/shape", self.name), &shape);
        let layout = Layout::of(self.output);
        self.builder.push(self.name, Operator::new("Reshape").with_weights([shape]), &[&x], layout)
    }

    /// What is left between two borders.
    pub(super) fn crop(self, x: &Value, layer: &Cropping2D) -> Value {
        let axes = match x.layout {
            Layout::ChannelsFirst => [2, 3],
            Layout::ChannelsLast | Layout::Plain { .. } => [1, 2],
        };
        let ((top, _), (left, _)) = layer.cropping;
        let (height, width, _) = self.output.as_image();
        let of = |part: &str, values: [usize; 2]| {
            Tensor::of_integers(&format!("{}/{part}", self.name), &values.map(|value| value as i64))
        };
        let bounds = [of("starts", [top, left]), of("ends", [top + height, left + width]), of("axes", axes)];
        self.builder.push(self.name, Operator::new("Slice").with_weights(bounds), &[x], x.layout)
    }

    /// Axes in another order; the batch stays first.
    pub(super) fn permute(self, x: &Value, layer: &Permute) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        // ONNX Runtime, as of 1.20, takes any `Transpose` of two axes in front of a dense layer for one that turns
        // them.
        if layer.dims.is_sorted() {
            return x;
        }
        let order = [0].into_iter().chain(layer.dims.iter().copied());
        let operator = Operator::new("Transpose").with_attributes([Attribute::ints("perm", order)]);
        self.builder.push(self.name, operator, &[&x], Layout::of(self.output))
    }

    /// A vector made a sequence of one step, and that repeated.
    pub(super) fn repeat_vector(self, x: &Value) -> Value {
        let [steps, features] = *self.output.axes() else { unreachable!("it gives a sequence") };
        let integers = |part: &str, values: &[i64]| Tensor::of_integers(&format!("{}/{part}", self.name), values);
        let layout = Layout::of(self.output);
        let step = Operator::new("Reshape").with_weights([integers("step_shape", &[0, 1, features as i64])]);
        let repeated = Operator::new("Expand").with_weights([integers("shape", &[1, steps as i64, features as i64])]);
        let step = self.builder.push(format!("{}/step", self.name), step, &[x], layout);
        self.builder.push(self.name, repeated, &[&step], layout)
    }

    pub(super) fn up_sample(mut self, x: &Value, layer: &UpSampling2D) -> Value {
        let (rows, columns) = layer.size;
        let scales = Tensor::of_floats(&format!("{}/scales", self.name), &[1.0, 1.0, rows as f32, columns as f32]);
        // A part of the input, which no mode that we write looks at.
        let roi = Tensor::of_floats(&format!("{}/roi", self.name), &[]);
        let attributes = match layer.interpolation {
            Interpolation::Nearest => {
                [("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")]
            }
            Interpolation::Bilinear => {
                [("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"), ("nearest_mode", "floor")]
            }
        };
        let attributes = attributes.map(|(name, value)| Attribute::text(name, value));
        self.on_channels_first(x, Operator::new("Resize").with_weights([roi, scales]).with_attributes(attributes))
    }
}
