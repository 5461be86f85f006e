//! Pictures of a training's course: a row of them for each moment.

use super::picture::Picture;
use super::sheet::{Sheet, Tile};
use crate::data::Dataset;
use ndarray::Axis;

/// The most pictures of a frame that are shown.
const MOST: usize = 10;

/// A film as it goes to the page.
pub(super) fn sheet(title: &str, frames: &[(String, Dataset)]) -> Sheet {
    let tiles = frames.iter().map(|(moment, images)| {
        let shown = images.take(MOST).map_or_else(|_| images.images(), |some| some.images());
        let low = shown.iter().copied().fold(0.0, f32::min);
        let high = shown.iter().copied().fold(0.0, f32::max);
        let range = if low >= 0.0 && high <= 1.0 { (0.0, 1.0) } else { (low, high) };
        let pictures = shown.axis_iter(Axis(0)).map(|image| Picture::of_image(image, range)).collect();
        Tile { pictures, lines: vec![moment.clone()] }
    });
    let note = "A row for each moment, the first one on top.".into();
    Sheet { title: title.to_owned(), note, tiles: tiles.collect(), columns: 1 }
}
