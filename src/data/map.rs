//! Applies a function to every image of a data set.

use super::Dataset;
use super::inputs::nouns;
use crate::error::{Error, Result};
use crate::shape::Shape;
use ndarray::{Array3, Array4, ArrayView3, Axis};
use rayon::prelude::*;

impl Dataset {
    /// Applies `function` to each image, (H, W, C), as the model sees it, and keeps the labels. It runs in parallel,
    /// once for each image; the results are stored as floats.
    ///
    /// # Errors
    /// [`Error::Data`] if the results are not all of one shape without a zero, or one holds a NaN or infinity.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((3, 2, 2, 1)), vec![0, 1, 2])?;
    /// let inverted = dataset.map(|image| image.mapv(|value| 1.0 - value))?;
    /// assert!(inverted.images().iter().all(|value| *value == 1.0));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn map(&self, function: impl Fn(ArrayView3<'_, f32>) -> Array3<f32> + Sync) -> Result<Self> {
        let apply = |example: usize| {
            let one = self.range_of(example..example + 1).images();
            function(one.index_axis(Axis(0), 0))
        };
        let [noun, plural] = nouns(self.shape());
        let (height, width, channels) = apply(0).dim();
        let len = Shape::from([height, width, channels]).len().and_then(|len| len.checked_mul(self.len()));
        let Some(len) = len else {
            return Err(Error::Data(format!(
                "`map` must give {plural} with at least one value on every axis, got ({height}, {width}, {channels})"
            )));
        };
        let mut pixels = vec![0.0; len];
        let fault = pixels
            .par_chunks_mut(height * width * channels)
            .enumerate()
            .filter_map(|(example, out)| {
                let image = apply(example);
                if image.dim() != (height, width, channels) {
                    return Some((example, image.dim()));
                }
                out.iter_mut().zip(&image).for_each(|(out, value)| *out = *value);
                None
            })
            .min_by_key(|(example, _)| *example);
        if let Some((example, (other_height, other_width, other_channels))) = fault {
            return Err(Error::Data(format!(
                "`map` must give {plural} of one shape, got ({height}, {width}, {channels}) for {noun} 0 and \
                 ({other_height}, {other_width}, {other_channels}) for {noun} {example}"
            )));
        }
        let images = Array4::from_shape_vec((self.len(), height, width, channels), pixels)
            .map_err(|error| Error::Data(error.to_string()))?;
        self.with_inputs(images)
    }
}
