//! Moves the pixels of an image: one map for shift, rotation, zoom, shear and elastic distortion, and bilinear
//! sampling.

use super::{Augment, Elastic};
use crate::random::normal;
use crate::shape::Shape;
use rand::{Rng, RngExt};

/// Corners of the elastic grid on an axis of this length: a cubic spline looks at one before and two behind.
fn corners(len: usize, spacing: f64) -> usize {
    ((len - 1) as f64 / spacing) as usize + 4
}

/// Floats of an elastic field: two displacements for each corner of the finest grid, and a row of them.
pub(super) fn field_len(height: usize, width: usize) -> usize {
    let finest = *super::SPACING.start();
    2 * corners(width, finest) * (corners(height, finest) + 1)
}

/// Fills an image with samples of the old one, both (H, W, C).
///
/// - field: at least [`field_len`] floats
pub(super) fn warp(
    augment: &Augment,
    shape: Shape,
    random: &mut impl Rng,
    old: &[f32],
    field: &mut [f32],
    image: &mut [f32],
) {
    let (height, width, channels) = shape.as_image();
    let map = Affine::draw(augment, height, width, random);
    let mut elastic = Field::draw(&augment.elastic, height, width, random, field);
    for (y, row) in image.chunks_exact_mut(width * channels).enumerate() {
        elastic.enter_row(y);
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (move_y, move_x) = elastic.at(x);
            let (from_y, from_x) = map.apply(y as f32 + move_y, x as f32 + move_x);
            sample(old, (height, width, channels), from_y, from_x, pixel);
        }
    }
}

/// The pixel at a place between four of the old ones; outside the edge repeats.
fn sample(old: &[f32], (height, width, channels): (usize, usize, usize), y: f32, x: f32, pixel: &mut [f32]) {
    let (top, below, weight_y) = between(y, height);
    let (left, right, weight_x) = between(x, width);
    let at = |y: usize, x: usize| &old[(y * width + x) * channels..][..channels];
    let corners = at(top, left).iter().zip(at(top, right)).zip(at(below, left)).zip(at(below, right));
    for (value, (((top_left, top_right), left), right)) in pixel.iter_mut().zip(corners) {
        let upper = top_left + (top_right - top_left) * weight_x;
        let lower = left + (right - left) * weight_x;
        *value = upper + (lower - upper) * weight_y;
    }
}

/// The two indices around a place, and how far it is from the first to the second.
fn between(place: f32, len: usize) -> (usize, usize, f32) {
    let place = place.clamp(0.0, (len - 1) as f32);
    let first = place as usize;
    (first, (first + 1).min(len - 1), place - first as f32)
}

/// A linear map around the middle of the image, and a shift.
struct Affine {
    matrix: [[f32; 2]; 2],
    middle: (f32, f32),
    from: (f32, f32),
}

impl Affine {
    fn draw(augment: &Augment, height: usize, width: usize, random: &mut impl Rng) -> Self {
        let mut up_to = |limit: f64| ((random.random::<f64>() * 2.0 - 1.0) * limit) as f32;
        let shift = (up_to(augment.shift), up_to(augment.shift));
        let (sin, cos) = up_to(augment.rotate).to_radians().sin_cos();
        let (zoom_y, zoom_x) = (1.0 / (1.0 + up_to(augment.zoom)), 1.0 / (1.0 + up_to(augment.zoom)));
        let slant = up_to(augment.shear).to_radians().tan();
        let middle = ((height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0);
        Self {
            // From new to old: back through rotation, then slant, then zoom.
            matrix: [[zoom_y * cos, zoom_y * sin], [zoom_x * (slant * cos - sin), zoom_x * (slant * sin + cos)]],
            middle: (middle.0 + shift.0, middle.1 + shift.1),
            from: middle,
        }
    }

    /// Where a pixel of the new image comes from.
    fn apply(&self, y: f32, x: f32) -> (f32, f32) {
        let (y, x) = (y - self.middle.0, x - self.middle.1);
        let [of_y, of_x] = self.matrix;
        (self.from.0 + of_y[0] * y + of_y[1] * x, self.from.1 + of_x[0] * y + of_x[1] * x)
    }
}

/// Displacements between the corners of a grid, by uniform cubic splines.
struct Field<'a> {
    spacing: f32,
    columns: usize,
    /// (rows, columns, 2); empty without distortion.
    corners: &'a [f32],
    /// (columns, 2): the corners' rows around the current row, put together.
    row: &'a mut [f32],
}

impl<'a> Field<'a> {
    fn draw(elastic: &Elastic, height: usize, width: usize, random: &mut impl Rng, field: &'a mut [f32]) -> Self {
        if elastic.deviation == 0.0 {
            return Self { spacing: 1.0, columns: 0, corners: &[], row: &mut [] };
        }
        let (rows, columns) = (corners(height, elastic.spacing), corners(width, elastic.spacing));
        let (row, rest) = field.split_at_mut(2 * columns);
        let corners = &mut rest[..2 * rows * columns];
        corners.iter_mut().for_each(|corner| *corner = elastic.deviation as f32 * normal(random));
        Self { spacing: elastic.spacing as f32, columns, corners, row }
    }

    fn enter_row(&mut self, y: usize) {
        if self.corners.is_empty() {
            return;
        }
        let (first, weights) = spline(y as f32 / self.spacing);
        self.row.fill(0.0);
        let rows = self.corners.chunks_exact(2 * self.columns).skip(first);
        for (corners, weight) in rows.zip(weights) {
            self.row.iter_mut().zip(corners).for_each(|(sum, corner)| *sum += weight * corner);
        }
    }

    /// The displacement of a pixel of the current row: (y, x).
    fn at(&self, x: usize) -> (f32, f32) {
        if self.corners.is_empty() {
            return (0.0, 0.0);
        }
        let (first, weights) = spline(x as f32 / self.spacing);
        let corners = self.row.chunks_exact(2).skip(first);
        corners
            .zip(weights)
            .fold((0.0, 0.0), |(y, x), (corner, weight)| (y + weight * corner[0], x + weight * corner[1]))
    }
}

/// The first of the four corners around a place, counted in spacings, and their weights.
fn spline(place: f32) -> (usize, [f32; 4]) {
    let first = place as usize;
    let t = place - first as f32;
    let (t2, t3) = (t * t, t * t * t);
    let weights = [1.0 - 3.0 * t + 3.0 * t2 - t3, 4.0 - 6.0 * t2 + 3.0 * t3, 1.0 + 3.0 * t + 3.0 * t2 - 3.0 * t3, t3];
    (first, weights.map(|weight| weight / 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn splines_weigh_four_corners_with_one_in_all() {
        for place in [0.0, 0.25, 0.999, 3.5, 13.0] {
            let (first, weights) = spline(place);
            assert_eq!(first, place as usize);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6 && weights.iter().all(|weight| *weight >= 0.0));
        }
    }

    #[test]
    fn a_quarter_turn_is_a_quarter_turn() {
        let map = Affine { matrix: [[0.0, 1.0], [-1.0, 0.0]], middle: (1.0, 1.0), from: (1.0, 1.0) };
        let (old, mut new) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [0.0; 9]);
        for (place, pixel) in new.chunks_exact_mut(1).enumerate() {
            let (y, x) = map.apply((place / 3) as f32, (place % 3) as f32);
            sample(&old, (3, 3, 1), y, x, pixel);
        }
        assert_eq!(new, [3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]);
    }

    #[test]
    fn places_outside_repeat_the_edge_and_those_between_are_mixed() {
        let mut pixel = [0.0];
        for (y, x, expected) in [(-5.0, -5.0, 1.0), (0.5, 0.5, 2.5), (9.0, 0.0, 3.0), (f32::MAX, f32::MAX, 4.0)] {
            sample(&[1.0, 2.0, 3.0, 4.0], (2, 2, 1), y, x, &mut pixel);
            assert_eq!(pixel, [expected]);
        }
    }

    #[test]
    fn every_spacing_and_size_stays_within_its_field() {
        for (height, width) in [(1, 1), (1, 9), (28, 28), (5, 64)] {
            for spacing in [2.0, 2.5, 8.0, 1e6] {
                let mut field = vec![0.0; field_len(height, width)];
                let elastic = Elastic { deviation: 1.0, spacing };
                let mut random = stream(1, Stream::Augment { step: 0, example: 0 });
                let mut field = Field::draw(&elastic, height, width, &mut random, &mut field);
                field.enter_row(height - 1);
                let (y, x) = field.at(width - 1);
                assert!(y != 0.0 && x != 0.0 && y.abs() < 9.0 && x.abs() < 9.0, "{height} {width} {spacing}");
            }
        }
    }
}
