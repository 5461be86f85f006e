//! Shows the weights of a model's first layer as pictures, all on one scale.

use super::picture::Picture;
use super::sheet::{Sheet, Tile};
use super::svg::write;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::shape::Shape;
use ndarray::{Array4, ArrayView4, Axis, Ix4};
use std::path::Path;

/// The most filters shown.
const MOST: usize = 64;
/// The most channels of a filter shown.
const MOST_CHANNELS: usize = 3;

impl Model {
    /// Draws the first layer's weights as an SVG file: of a convolution its kernels, of a dense layer on images what
    /// each unit gives a pixel. Blue is negative, white 0, orange positive, on one scale for all. Of more than 64
    /// filters the first 64 are shown, channels side by side, of more than three the first three.
    ///
    /// # Errors
    /// [`Error::Model`] if no layer has weights or the first one that has reads vectors; [`Error::NotWritten`] if the
    /// file cannot be written, then what was there before is still there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("filters.svg");
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(8, (3, 3)).activation(Relu))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// model.plot_filters(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("conv2d: 8 filters of 3 x 3 x 1"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot_filters(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &sheet(self)?.svg())
    }
}

/// The sheet of the first layer's filters.
///
/// # Errors
/// [`Error::Model`] if it has none that are pictures.
pub(super) fn sheet(model: &Model) -> Result<Sheet> {
    let weights = model.get_weights();
    let Some((kernel, parameter)) = weights.first().zip(model.engine.plan.parameters.all.first()) else {
        return Err(Error::Model("has no layer with weights: there are no filters to show".into()));
    };
    let plan = &model.engine.plan;
    let calls = model.network.calls.iter().take_while(|call| call.layer != parameter.layer).count();
    let before: Vec<Shape> = plan.input_shapes().chain(plan.shapes[..calls].iter().map(|shapes| shapes[0])).collect();
    let layer = kernel.name.split('/').next().unwrap_or_default();
    // A kernel of two axes is a dense layer's, one of four a convolution's.
    let filters = match kernel.values.ndim() {
        2 => {
            let image = before.iter().rev().find_map(|shape| match *shape.axes() {
                [height, width, channels] if shape.len() == Some(kernel.values.shape()[0]) => {
                    Some((height, width, channels))
                }
                _ => None,
            });
            // One pixel makes no picture.
            let Some((height, width, channels)) = image.filter(|(height, width, _)| height * width > 1) else {
                return Err(Error::Model(format!(
                    "reads vectors with its first layer, {layer}: filters can be shown of a model on images"
                )));
            };
            let units = kernel.values.shape().last().copied().unwrap_or_default();
            Array4::from_shape_vec((height, width, channels, units), kernel.values.iter().copied().collect()).ok()
        }
        _ => kernel.values.clone().into_dimensionality::<Ix4>().ok(),
    };
    let Some(filters) = filters else {
        let shape = kernel.values.shape();
        return Err(Error::Model(format!(
            "has a first weight, {}, of shape {shape:?}: filters have four axes",
            kernel.name
        )));
    };
    Ok(of_kernel(layer, filters.view()))
}

/// - filters: (height, width, channels, filters)
fn of_kernel(layer: &str, filters: ArrayView4<'_, f32>) -> Sheet {
    let (height, width, channels, count) = filters.dim();
    let largest =
        filters.iter().filter(|weight| weight.is_finite()).fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let shown_channels = channels.min(MOST_CHANNELS);
    let tiles = filters.axis_iter(Axis(3)).take(MOST).enumerate().map(|(index, filter)| Tile {
        pictures: (0..shown_channels)
            .map(|channel| Picture::of_weights(filter.index_axis(Axis(2), channel), largest))
            .collect(),
        lines: vec![index.to_string()],
    });
    let mut note = format!("{layer}: {count} filters of {height} x {width} x {channels}");
    if count > MOST {
        note += &format!(", the first {MOST}");
    }
    if channels > MOST_CHANNELS {
        note += &format!(", {MOST_CHANNELS} channels of each");
    }
    note += &format!(". Blue: negative, to -{largest:.3}; white: 0; orange: positive, to {largest:.3}.");
    let columns = match shown_channels {
        1 => 8,
        2 => 4,
        _ => 3,
    };
    Sheet { title: "First layer's weights".into(), note, tiles: tiles.collect(), columns }
}
