//! Normalization within an example: over the values of a layer, a group of channels, or one channel.

use crate::simd::Simd;

/// The sums that are added up side by side.
const LANES: usize = 16;
/// The most terms of one running sum.
const TERMS: usize = 256;

/// Which values have moments together: an example is (blocks, pixels, groups, channels), and each group of each block
/// has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) blocks: usize,
    pub(crate) pixels: usize,
    pub(crate) groups: usize,
    pub(crate) channels: usize,
}

/// The scale and the offset of each position of a pixel, (groups, channels), if there are any.
#[derive(Clone, Copy)]
pub(crate) struct Learned<'a> {
    pub(crate) scale: Option<&'a [f32]>,
    pub(crate) offset: Option<&'a [f32]>,
}

/// The gradients of those, to be added to.
pub(crate) struct LearnedGradients<'a> {
    pub(crate) scale: Option<&'a mut [f32]>,
    pub(crate) offset: Option<&'a mut [f32]>,
}

impl Groups {
    /// Moments of one example: two numbers for each group of each block.
    pub(crate) fn moments(&self) -> usize {
        2 * self.blocks * self.groups
    }

    /// Scales of one pixel.
    pub(crate) fn pixel_len(&self) -> usize {
        self.groups * self.channels
    }

    /// The runs of each group of each block of so many examples: where the first starts, how far it is to the next, and
    /// where the group's scales start.
    fn each(&self, images: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Self { blocks, pixels, groups, channels } = *self;
        let block = pixels * groups * channels;
        (0..images * blocks)
            .flat_map(move |at| (0..groups).map(move |group| (at * block + group * channels, group * channels)))
    }

    /// Where each run of a group starts.
    fn runs(&self, start: usize) -> impl Iterator<Item = usize> + use<> {
        let stride = self.groups * self.channels;
        (0..self.pixels).map(move |pixel| start + pixel * stride)
    }
}

/// `y = (x - mean) / deviation * scale + offset`; keeps the means and the reciprocals of the deviations.
///
/// - x, y: (images, values of one example); kept: (images, moments)
pub(crate) fn local_norm_forward<S: Simd>(
    simd: S,
    of: &Groups,
    images: usize,
    epsilon: f32,
    learned: Learned<'_>,
    (x, y, kept): (&[f32], &mut [f32], &mut [f32]),
) {
    let count = (of.pixels * of.channels) as f64;
    simd.vectorize(
        #[inline(always)]
        || {
            for ((start, first), kept) in of.each(images).zip(kept.chunks_exact_mut(2)) {
                let run = |at: usize| &x[at..at + of.channels];
                let mean = (of.runs(start).map(|at| sum(run(at), run(at), |x, _| x)).sum::<f64>() / count) as f32;
                let squares = |at: usize| sum(run(at), run(at), |x, _| (x - mean) * (x - mean));
                let variance = of.runs(start).map(squares).sum::<f64>() / count;
                let reciprocal = (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32;
                kept.copy_from_slice(&[mean, reciprocal]);
                for at in of.runs(start) {
                    let y = &mut y[at..at + of.channels];
                    y.iter_mut().zip(run(at)).for_each(|(y, x)| *y = (x - mean) * reciprocal);
                    if let Some(scale) = learned.scale {
                        y.iter_mut().zip(&scale[first..]).for_each(|(y, scale)| *y *= scale);
                    }
                    if let Some(offset) = learned.offset {
                        y.iter_mut().zip(&offset[first..]).for_each(|(y, offset)| *y += offset);
                    }
                }
            }
        },
    );
}

/// Turns the gradient of the output into that of the input, in place, and adds to those of scale and offset.
///
/// - x, dy: (images, values of one example); kept: what the forward pass has kept; room: (2, scales of one pixel)
pub(crate) fn local_norm_backward<S: Simd>(
    simd: S,
    of: &Groups,
    images: usize,
    scale: Option<&[f32]>,
    mut gradients: LearnedGradients<'_>,
    (x, kept, dy, room): (&[f32], &[f32], &mut [f32], &mut [f32]),
) {
    let count = (of.pixels * of.channels) as f64;
    // Sums of few runs, which are added to the gradients before they get long.
    let (scale_sums, offset_sums) = room[..2 * of.pixel_len()].split_at_mut(of.pixel_len());
    scale_sums.fill(0.0);
    offset_sums.fill(0.0);
    let mut runs = 0;
    let mut add_up = |scale_sums: &mut [f32], offset_sums: &mut [f32]| {
        for (to, sums) in [(&mut gradients.scale, scale_sums), (&mut gradients.offset, offset_sums)] {
            if let Some(to) = to {
                to.iter_mut().zip(&*sums).for_each(|(to, sum)| *to += sum);
            }
            sums.fill(0.0);
        }
    };
    simd.vectorize(
        #[inline(always)]
        || {
            for ((start, first), kept) in of.each(images).zip(kept.chunks_exact(2)) {
                let [mean, reciprocal] = [kept[0], kept[1]];
                let (mut total, mut product) = (0.0, 0.0);
                for at in of.runs(start) {
                    let (x, dy) = (&x[at..at + of.channels], &mut dy[at..at + of.channels]);
                    let sums = scale_sums[first..].iter_mut().zip(&mut offset_sums[first..]);
                    for ((scale, offset), (x, dy)) in sums.zip(x.iter().zip(&*dy)) {
                        *scale += dy * (x - mean) * reciprocal;
                        *offset += dy;
                    }
                    runs += 1;
                    if runs == TERMS {
                        add_up(scale_sums, offset_sums);
                        runs = 0;
                    }
                    if let Some(scale) = scale {
                        dy.iter_mut().zip(&scale[first..]).for_each(|(dy, scale)| *dy *= scale);
                    }
                    total += sum(dy, dy, |dy, _| dy);
                    product += sum(dy, x, |dy, x| dy * (x - mean));
                }
                let offset = (total / count) as f32;
                let slope = (product / count) as f32 * reciprocal * reciprocal;
                for at in of.runs(start) {
                    let (x, dy) = (&x[at..at + of.channels], &mut dy[at..at + of.channels]);
                    dy.iter_mut().zip(x).for_each(|(dy, x)| *dy = reciprocal * (*dy - offset - slope * (x - mean)));
                }
            }
            add_up(scale_sums, offset_sums);
        },
    );
}

/// The sum of a function of pairs: in lanes of few terms each, whose sums are added in `f64`.
#[inline(always)]
fn sum(left: &[f32], right: &[f32], function: impl Fn(f32, f32) -> f32) -> f64 {
    let mut total = 0.0;
    for (left, right) in left.chunks(LANES * TERMS).zip(right.chunks(LANES * TERMS)) {
        let mut lanes = [0.0_f32; LANES];
        let (left, left_rest) = left.as_chunks::<LANES>();
        let (right, right_rest) = right.as_chunks::<LANES>();
        for (left, right) in left.iter().zip(right) {
            for lane in 0..LANES {
                lanes[lane] += function(left[lane], right[lane]);
            }
        }
        for ((lane, left), right) in lanes.iter_mut().zip(left_rest).zip(right_rest) {
            *lane += function(*left, *right);
        }
        total += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
    }
    total
}
