//! The kernels for dense gradients against the readable reference in `ops`, on every SIMD level of this machine. Whole
//! models reach them in `train/tests.rs`; here are the shapes at their edges.

use super::conv2d::{ConvLayout, SLACK};
use super::conv2d_input_gradient_dense::{COPIED_WEIGHTS, Factors, input_gradients_dense};
use super::conv2d_weight_gradient_dense::{lost_len, weight_gradients_dense};
use super::padding::{crop, pad};
use super::turned::Turned;
use super::winograd::weight_gradients_winograd;
use crate::ops;
use crate::shape::{Padding, Window2d};
use crate::simd::{Level, all_levels, dispatch};
use ndarray::Array4;

/// A convolution with an input, a kernel and a gradient of its output; and the gradients that `ops` finds.
struct Case {
    window: Window2d,
    channels: usize,
    filters: usize,
    images: usize,
    x: Array4<f32>,
    /// (filters, kernel height, kernel width, channels), and slack.
    weights: Vec<f32>,
    dy: Array4<f32>,
    dx: Vec<f32>,
    dw: Vec<f32>,
}

impl Case {
    fn new(window: Window2d, padding: Padding, channels: usize, filters: usize, images: usize) -> Self {
        let value = |seed: usize| ((seed * 2_654_435_761) >> 7) as u16 as f32 / 32768.0 - 1.0;
        let of_shape = |shape: (usize, usize, usize, usize), salt: usize| {
            let place = |(a, b, c, d)| ((a * shape.1 + b) * shape.2 + c) * shape.3 + d;
            Array4::from_shape_fn(shape, |at| value(place(at) + salt))
        };
        let x = of_shape((images, window.image.0, window.image.1, channels), 1);
        let kernel = of_shape((window.size.0, window.size.1, channels, filters), 77);
        let dy = of_shape((images, window.out.0, window.out.1, filters), 555);
        let back = ops::conv2d_backward(x.view(), kernel.view(), dy.view(), window.strides, padding).unwrap();
        let filters_first = |kernel: Array4<f32>| kernel.permuted_axes([3, 0, 1, 2]).iter().copied().collect();
        let mut weights: Vec<f32> = filters_first(kernel);
        // Nothing behind the kernel may count, be it what it may.
        weights.resize(weights.len() + SLACK, f32::NAN);
        let (dx, dw) = (back.dx.iter().copied().collect(), filters_first(back.dw));
        Self { window, channels, filters, images, x, weights, dy, dx, dw }
    }

    fn layout(&self) -> ConvLayout {
        ConvLayout::new(&self.window, self.channels, self.filters, None)
    }

    fn kernel_len(&self) -> usize {
        self.weights.len() - SLACK
    }

    /// The input with its border, and slack.
    fn padded(&self) -> Vec<f32> {
        let mut x = vec![f32::NAN; self.images * self.layout().image_len + SLACK];
        pad(&self.window, self.channels, self.images, self.x.as_slice().unwrap(), &mut x);
        x
    }

    fn weight_gradients(&self, level: Level) -> Vec<f32> {
        let (layout, x) = (self.layout(), self.padded());
        let mut dw = vec![0.0; self.weights.len()];
        let dy = self.dy.as_slice().unwrap();
        let mut lost = vec![f32::NAN; lost_len(&layout, self.images)];
        // In two parts, as where images are large.
        for images in [0..self.images / 2, self.images / 2..self.images] {
            dispatch!(level, simd => weight_gradients_dense(simd, &layout, images, &x, dy, &mut lost, &mut dw));
        }
        assert!(dw[self.kernel_len()..].iter().all(|slack| *slack == 0.0), "{level:?}: slack is left as it is");
        dw.truncate(self.kernel_len());
        dw
    }

    /// The same in fewer multiplications, where that suits the shapes.
    fn weight_gradients_winograd(&self, level: Level) -> Option<Vec<f32>> {
        let (layout, x) = (self.layout(), self.padded());
        let winograd = layout.winograd.as_ref()?;
        let mut scratch = vec![f32::NAN; winograd.gradient_scratch_len()];
        let mut dw = vec![0.0; self.kernel_len()];
        let dy = self.dy.as_slice().unwrap();
        dispatch!(level, simd => weight_gradients_winograd(simd, &layout, winograd, &x, dy, &mut scratch, &mut dw));
        Some(dw)
    }

    fn input_gradients(&self, level: Level) -> Vec<f32> {
        let layout = self.layout();
        let factors = Factors { dy: self.dy.as_slice().unwrap(), weights: &self.weights };
        let mut copied = vec![f32::NAN; COPIED_WEIGHTS];
        let mut padded = vec![0.0; self.images * layout.image_len + SLACK];
        dispatch!(level, simd => input_gradients_dense(simd, &layout, factors, &mut copied, &mut padded));
        let mut dx = vec![0.0; self.dx.len()];
        crop(&self.window, self.channels, self.images, &padded, &mut dx);
        dx
    }

    fn turned(&self, level: Level) -> Option<Vec<f32>> {
        let turned = Turned::new(&self.window, self.channels, self.filters)?;
        let mut packed = vec![0.0; turned.layout.packed_len()];
        let mut bordered = vec![f32::NAN; turned.bordered_len(self.images)];
        let mut scratch = vec![f32::NAN; turned.layout.scratch_len(self.images)];
        let mut found = vec![f32::NAN; turned.gradients_len(self.images)];
        let (weights, dy) = (&self.weights[..self.kernel_len()], self.dy.as_slice().unwrap());
        dispatch!(level, simd => {
            turned.pack(simd, weights, &mut packed);
            turned.convolve(simd, dy, &packed, &mut bordered, &mut scratch, &mut found);
        });
        let mut dx = vec![f32::NAN; self.dx.len()];
        turned.for_each_part(&found, |at, part| dx[at..][..part.len()].copy_from_slice(part));
        Some(dx)
    }
}

/// Fails unless `|a - b| <= 1e-5 * (the largest |b|)`: values are sums of at most a few hundred products below 1.
fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (index, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-5 * largest, "{what}[{index}]: {a}, expected {b}");
    }
}

#[test]
fn gradients_that_are_dense_agree_with_the_reference() {
    use Padding::{Same, Valid};
    // Image, kernel, strides, padding, channels, filters, images.
    let shapes = [
        // Dense layers, of few and many images.
        ((1, 1), (1, 1), (1, 1), Valid, 1, 1, 1),
        ((1, 1), (1, 1), (1, 1), Valid, 70, 10, 7),
        ((1, 1), (1, 1), (1, 1), Valid, 33, 300, 40),
        // Filters about a tile: overlapping tiles, tiles of four and of one.
        ((5, 4), (3, 3), (1, 1), Valid, 16, 3, 3),
        ((5, 4), (3, 3), (1, 1), Valid, 16, 5, 3),
        ((5, 4), (3, 3), (1, 1), Same, 5, 9, 2),
        ((5, 4), (1, 1), (1, 1), Valid, 15, 17, 2),
        // Rows of one to three vectors and more, one to four rows.
        ((6, 7), (2, 2), (1, 1), Same, 3, 8, 3),
        ((6, 7), (2, 3), (1, 1), Same, 17, 4, 3),
        ((6, 7), (4, 1), (1, 1), Same, 48, 6, 3),
        ((7, 6), (5, 5), (1, 1), Same, 9, 8, 2),
        // Strides, smaller and larger than the window.
        ((9, 8), (3, 3), (2, 2), Same, 7, 12, 3),
        ((9, 8), (2, 1), (3, 2), Valid, 33, 5, 4),
        // Tiles of 2x2 and 3x3 outputs in the turned convolution, with and without a border.
        ((6, 6), (3, 3), (1, 1), Same, 16, 32, 3),
        ((8, 8), (3, 3), (1, 1), Valid, 32, 16, 3),
        // Such tiles that overlap; one alone; and more of them than a short sum has terms.
        ((7, 7), (3, 3), (1, 1), Same, 32, 48, 3),
        ((8, 5), (3, 3), (1, 1), Same, 16, 16, 2),
        ((5, 4), (3, 3), (1, 1), Valid, 16, 16, 5),
        ((5, 5), (3, 3), (1, 1), Valid, 48, 16, 1),
        ((26, 26), (3, 3), (1, 1), Same, 16, 16, 13),
        // Windows of 2x2, and of 4x4 and 6x6 with strides, where 2x2 pixels are taken together: the same tiles,
        // side by side and overlapping, with borders of none, one and two, and images that end within such pixels.
        ((6, 6), (2, 2), (1, 1), Same, 16, 32, 3),
        ((9, 7), (2, 2), (1, 1), Valid, 32, 16, 3),
        ((14, 14), (4, 4), (2, 2), Same, 32, 64, 2),
        ((15, 13), (4, 4), (2, 2), Valid, 16, 32, 3),
        ((13, 12), (4, 4), (2, 2), Same, 16, 16, 5),
        ((11, 12), (6, 6), (2, 2), Same, 16, 16, 2),
        ((16, 14), (6, 6), (2, 2), Valid, 16, 32, 2),
        // Turned with strides, but not by tiles.
        ((9, 7), (4, 2), (2, 2), Same, 5, 9, 2),
        ((6, 6), (2, 4), (2, 2), Valid, 3, 17, 2),
    ];
    for (image, size, strides, padding, channels, filters, images) in shapes {
        let window = Window2d::new(image, size, strides, padding).unwrap();
        let case = Case::new(window, padding, channels, filters, images);
        for level in all_levels() {
            let what = format!("{level:?}, {image:?} {size:?} {strides:?} {padding:?}, {channels} to {filters}");
            assert_close(&format!("{what}: dw"), &case.weight_gradients(level), &case.dw);
            let dw = case.weight_gradients_winograd(level);
            let (rows, columns) = window.out;
            let has_tiles = [((2, 2), (1, 1)), ((3, 3), (1, 1)), ((4, 4), (2, 2)), ((6, 6), (2, 2))];
            let suits = has_tiles.contains(&(size, strides)) && channels % 16 == 0 && filters % 16 == 0;
            assert_eq!(dw.is_some(), suits && rows.min(columns) > 1, "{what}: tiles");
            dw.iter().for_each(|dw| assert_close(&format!("{what}: dw, Winograd"), dw, &case.dw));
            assert_close(&format!("{what}: dx"), &case.input_gradients(level), &case.dx);
            match case.turned(level) {
                Some(dx) => assert_close(&format!("{what}: dx, turned"), &dx, &case.dx),
                None => assert!(
                    strides != (1, 1) && (strides != (2, 2) || size.0 % 2 + size.1 % 2 > 0),
                    "{what}: only strides keep a convolution from being turned"
                ),
            }
        }
    }
}

/// Their blocks' sums are added with what the additions lost.
#[test]
fn dense_weight_gradients_over_many_pixels_lose_no_digits() {
    let window = Window2d::new((400, 300), (1, 1), (1, 1), Padding::Valid).unwrap();
    let layout = ConvLayout::new(&window, 1, 2, None);
    let (x, dy) = (vec![0.3_f32; 400 * 300 + SLACK], vec![1.0; 400 * 300 * 2]);
    let exact = f64::from(0.3_f32) * 120_000.0;
    for level in all_levels() {
        let (mut lost, mut dw) = (vec![f32::NAN; lost_len(&layout, 1)], vec![0.0; 2 + SLACK]);
        dispatch!(level, simd => weight_gradients_dense(simd, &layout, 0..1, &x, &dy, &mut lost, &mut dw));
        for sum in &dw[..2] {
            assert!((f64::from(*sum) / exact - 1.0).abs() < 2e-6, "{level:?}: {sum}, expected {exact}");
        }
    }
}
