//! Makes pictures for the page: the first layer's filters, and a drawing as the network sees it.

use inkstone::data::pictures::to_mnist;
use inkstone::ndarray::{Array2, Array4, Axis, Ix4};
use inkstone::prelude::*;
use inkstone::{Error, Result};
use serde::Serialize;

/// One grey picture, row by row.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// # Errors
    /// None where the data set has such an example.
    pub(crate) fn of(dataset: &Dataset, index: usize) -> Result<Self> {
        let images = dataset.select(&[index])?.images();
        let (_, height, width, _) = images.dim();
        Ok(Self { height, width, pixels: images.iter().map(|value| (value * 255.0) as u8).collect() })
    }
}

/// Filters as grey pictures, one after another: 128 is a weight of nothing, light a positive one.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Filters {
    pub(crate) count: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) pixels: Vec<u8>,
}

/// The filters of the first convolution; none if there is no convolution.
pub(crate) fn filters(model: &Model) -> Filters {
    let kernels = model.get_weights().into_iter().map(|weight| weight.values);
    let Some(kernel) = kernels.filter_map(|values| values.into_dimensionality::<Ix4>().ok()).next() else {
        return Filters::default();
    };
    let (height, width, _, count) = kernel.dim();
    let mut pixels = Vec::with_capacity(count * height * width);
    for filter in kernel.axis_iter(Axis(3)) {
        let filter = filter.mean_axis(Axis(2)).expect("a convolution has channels");
        let most = filter.fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        pixels.extend(filter.iter().map(|value| (128.0 + 127.0 * value / most) as u8));
    }
    Filters { count, height, width, pixels }
}

/// A drawing of grey bytes as a model of this input shape sees it, (1, H, W, 1).
///
/// # Errors
/// The crate's if nothing is drawn; `Error::Data` if there are not as many bytes as pixels.
pub(crate) fn as_seen(pixels: &[u8], width: usize, shape: [usize; 2]) -> Result<Array4<u8>> {
    let height = pixels.len().checked_div(width).unwrap_or(0);
    let picture = Array2::from_shape_vec((height, width), pixels.to_vec())
        .map_err(|_| Error::Data(format!("a drawing of {} bytes has no rows of {width} pixels", pixels.len())))?;
    let digit = to_mnist(&picture)?;
    let side = digit.dim();
    // Other sizes than MNIST's take the nearest pixel.
    let seen = Array2::from_shape_fn(shape, |(y, x)| digit[[y * side.0 / shape[0], x * side.1 / shape[1]]]);
    Ok(seen.insert_axis(Axis(0)).insert_axis(Axis(3)))
}
