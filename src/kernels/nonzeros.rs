//! Decides what the weight gradients of a convolution have to look at: the outputs with a gradient, grouped by filter.
//!
//! Behind a 2x2 max pooling three of four convolution outputs get no gradient, and ReLU takes it from about half of the
//! rest. Skipping zeros is exact, and these lists make it cheap.

use super::conv2d::ConvLayout;
use std::ops::Range;

/// A convolution output with a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Nonzero {
    /// Where the output's window starts in the chunk's input.
    pub(crate) window: u32,
    /// The gradient of the loss with respect to the output.
    pub(crate) gradient: f32,
}

/// For each filter of a convolution, the outputs of some images with a gradient, in the order of images and windows.
#[derive(Debug, Default)]
pub(crate) struct Nonzeros {
    /// `capacity` places for each filter.
    places: Vec<Nonzero>,
    /// How many of them are taken.
    counts: Vec<u32>,
    capacity: usize,
}

/// How many images the weight gradients take at a time. Many make long lists, which pays for changing from one filter's
/// weights to the next's; few leave the input in the first-level cache. On the Keras example an epoch took as long with
/// 50 KB of input as with 70, and up to 3 % longer with 30 (one core of a Zen 5, whose cache has 48).
pub(crate) fn images_at_once(layout: &ConvLayout, max_images: usize) -> usize {
    const FLOATS: usize = 50 * 1024 / size_of::<f32>();
    (FLOATS / layout.image_len).clamp(1, max_images.max(1))
}

/// The room that a convolution's lists need for the images that are taken at once: places, and filters.
pub(crate) fn room(layout: &ConvLayout, max_images: usize) -> (usize, usize) {
    (layout.filters * layout.outputs() * images_at_once(layout, max_images), layout.filters)
}

impl Nonzeros {
    /// Lists of any number of filters up to `filters`, with so many places together: see [`room`].
    pub(crate) fn with_room(places: usize, filters: usize) -> Self {
        Self { places: vec![Nonzero::default(); places], counts: vec![0; filters], capacity: 0 }
    }

    /// Fills the lists with the outputs of these images of a chunk.
    ///
    /// - dy: (images of the chunk, outputs, filters)
    /// - winners: the same shape, which of the pooled windows won; not read without pooling
    pub(crate) fn collect(&mut self, layout: &ConvLayout, images: Range<usize>, dy: &[f32], winners: &[u32]) {
        let (filters, outputs) = (layout.filters, layout.outputs());
        self.capacity = outputs * images.len();
        self.counts[..filters].fill(0);
        for image in images {
            let base = (image * layout.image_len) as u32;
            for (output, windows) in layout.windows.chunks_exact(layout.pool).enumerate() {
                let start = (image * outputs + output) * filters;
                let dy = &dy[start..][..filters];
                let lists = self.places.chunks_exact_mut(self.capacity).zip(&mut self.counts);
                if layout.pool == 1 {
                    for (gradient, list) in dy.iter().zip(lists) {
                        push(list, base + windows[0], *gradient);
                    }
                } else {
                    for ((gradient, winner), list) in dy.iter().zip(&winners[start..][..filters]).zip(lists) {
                        push(list, base + windows[*winner as usize], *gradient);
                    }
                }
            }
        }
    }

    /// One filter's list.
    pub(crate) fn of(&self, filter: usize) -> &[Nonzero] {
        &self.places[filter * self.capacity..][..self.counts[filter] as usize]
    }
}

/// Writes always and counts only what is not zero: no branch to mispredict.
#[inline(always)]
fn push((list, count): (&mut [Nonzero], &mut u32), window: u32, gradient: f32) {
    list[*count as usize] = Nonzero { window, gradient };
    *count += u32::from(gradient != 0.0);
}
