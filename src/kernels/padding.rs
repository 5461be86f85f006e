//! A border of zeros around images, so that a padded convolution is one without padding on a larger image.

use crate::shape::Window2d;

/// Copies images into the middle of padded ones.
///
/// - x: (images, H, W, channels); padded: (images, padded H, padded W, channels)
pub(crate) fn pad(window: &Window2d, channels: usize, images: usize, x: &[f32], padded: &mut [f32]) {
    pad_with(0.0, window, channels, images, x, padded);
}

/// As [`pad`], with a border of this value.
pub(crate) fn pad_with<T: Copy>(
    border: T,
    window: &Window2d,
    channels: usize,
    images: usize,
    x: &[T],
    padded: &mut [T],
) {
    fill_border(border, window, channels, images, padded);
    for (row, inner) in inner_rows(window, channels, images) {
        padded[inner..][..row.len()].copy_from_slice(&x[row]);
    }
}

/// Gives the border of padded images this value.
fn fill_border<T: Copy>(border: T, window: &Window2d, channels: usize, images: usize, padded: &mut [T]) {
    let ((height, width), (top, left)) = (window.image, window.before);
    let row_len = window.padded.1 * channels;
    let inner = left * channels..(left + width) * channels;
    for image in padded.chunks_exact_mut(window.padded.0 * row_len).take(images) {
        image[..top * row_len].fill(border);
        image[(top + height) * row_len..].fill(border);
        for row in image[top * row_len..(top + height) * row_len].chunks_exact_mut(row_len) {
            row[..inner.start].fill(border);
            row[inner.end..].fill(border);
        }
    }
}

/// The reverse of [`pad`]: cuts the border off.
pub(crate) fn crop(window: &Window2d, channels: usize, images: usize, padded: &[f32], x: &mut [f32]) {
    for (row, inner) in inner_rows(window, channels, images) {
        let len = row.len();
        x[row].copy_from_slice(&padded[inner..][..len]);
    }
}

/// As [`crop`], but adds to what is there.
pub(crate) fn add_cropped(window: &Window2d, channels: usize, images: usize, padded: &[f32], x: &mut [f32]) {
    for (row, inner) in inner_rows(window, channels, images) {
        x[row].iter_mut().zip(&padded[inner..]).for_each(|(x, padded)| *x += padded);
    }
}

/// As [`pad`], but adds to what is there.
pub(crate) fn add_inside(window: &Window2d, channels: usize, images: usize, x: &[f32], padded: &mut [f32]) {
    for (row, inner) in inner_rows(window, channels, images) {
        padded[inner..].iter_mut().zip(&x[row]).for_each(|(padded, x)| *padded += x);
    }
}

/// Each row of the images: its place in x, and where it starts in padded.
fn inner_rows(
    window: &Window2d,
    channels: usize,
    images: usize,
) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> + use<> {
    let ((height, width), (top, left), padded) = (window.image, window.before, window.padded);
    let len = width * channels;
    (0..images * height).map(move |row| {
        let (image, y) = (row / height, row % height);
        (row * len..(row + 1) * len, ((image * padded.0 + top + y) * padded.1 + left) * channels)
    })
}
