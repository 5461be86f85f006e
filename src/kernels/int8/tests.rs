//! Kernels on bytes give exactly the reference's numbers, on every SIMD level of this machine.

use super::{Int8Kernel, Output, Quantization, Term, band_len, conv, max_pool, quantize, rescale};
use crate::kernels::conv2d::{ConvLayout, SLACK};
use crate::kernels::padding::pad_with;
use crate::ops;
use crate::shape::{Padding, Window2d};
use crate::simd::{all_levels, dispatch};
use ndarray::{Array4, Axis};
use proptest::prelude::*;

/// Numbers without a pattern.
fn noise(place: usize) -> u8 {
    ((place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// A convolution, with what comes out of it.
struct Case {
    layout: ConvLayout,
    kernel: Int8Kernel,
    /// With a border, and bytes of any value behind the images.
    padded: Vec<u8>,
    images: usize,
    zero_point: u8,
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

fn case(size: (usize, usize), channels: usize, filters: usize, pool: usize, padding: Padding) -> Case {
    let (image, images, input_zero, zero_point) = ((size.0 + 5, size.1 + 4), 3, 100, 7);
    let window = Window2d::new(image, size, (1, 1), padding).unwrap();
    let pooling = Window2d::new(window.out, (pool, pool), (pool, pool), Padding::Valid).unwrap();
    let layout = ConvLayout::new(&window, channels, filters, (pool > 1).then_some(&pooling));
    let mut place = 0;
    let mut next = || {
        place += 1;
        noise(place)
    };
    let x = Array4::from_shape_simple_fn((images, image.0, image.1, channels), &mut next);
    let weights = Array4::from_shape_simple_fn((filters, size.0, size.1, channels), || next().cast_signed());
    let turned = weights.view().permuted_axes([1, 2, 3, 0]);
    let biases: Vec<i32> = (0..filters).map(|filter| filter as i32 * 91 - 300).collect();
    let multipliers: Vec<f32> = (0..filters).map(|filter| (filter % 5 + 1) as f32 * 3e-4).collect();
    let zero_biases = weights.outer_iter().zip(&biases);
    let zero_biases = zero_biases
        .map(|(weights, bias)| bias - input_zero * weights.iter().map(|weight| i32::from(*weight)).sum::<i32>());
    let kernel = Int8Kernel::new(&layout, weights.as_slice().unwrap(), &zero_biases.collect::<Vec<_>>(), &multipliers);
    let mut padded = vec![noise(0); images * layout.image_len + SLACK];
    pad_with(input_zero as u8, &window, channels, images, x.as_slice().unwrap(), &mut padded);

    let sums = ops::integer_conv2d(x.view(), input_zero as u8, turned, (1, 1), padding).unwrap();
    let mut floats = Vec::new();
    for sums in sums.outer_iter() {
        for (y, x) in (0..pooling.out.0).flat_map(|y| (0..pooling.out.1).map(move |x| (y, x))) {
            for filter in 0..filters {
                let of_filter = sums.index_axis(Axis(2), filter);
                let under = (0..pool * pool).map(|place| of_filter[[y * pool + place / pool, x * pool + place % pool]]);
                floats.push((under.max().unwrap() + biases[filter]) as f32 * multipliers[filter]);
            }
        }
    }
    let byte = |value: &f32| (value.round_ties_even() + f32::from(zero_point)).clamp(0.0, 255.0) as u8;
    let bytes = floats.iter().map(byte).collect();
    Case { layout, kernel, padded, images, zero_point, floats, bytes }
}

#[test]
fn convolutions_are_the_reference_s_to_the_bit_on_every_level() {
    // Each number of vectors and of pixels of a tile, runs that end within a group, blocks that end within a vector.
    let shapes = [
        ((3, 3), 3, 16, 1, Padding::Same),
        ((3, 3), 1, 32, 2, Padding::Valid),
        ((3, 3), 8, 48, 2, Padding::Same),
        ((1, 1), 13, 64, 1, Padding::Valid),
        ((2, 5), 5, 70, 3, Padding::Same),
        ((1, 3), 4, 100, 2, Padding::Valid),
        ((6, 5), 2, 1, 1, Padding::Valid),
    ];
    for (size, channels, filters, pool, padding) in shapes {
        let Case { layout, kernel, padded, images, zero_point, floats, bytes } =
            case(size, channels, filters, pool, padding);
        assert!(bytes.iter().any(|byte| *byte != 0 && *byte != 255));
        for level in all_levels() {
            let mut band = vec![0; band_len(&layout)];
            // Fewer images, too: tiles that are not whole are others then.
            for images in 1..=images {
                let len = images * layout.outputs() * filters;
                let (mut y, mut y_bytes) = (vec![f32::NAN; len], vec![0; len]);
                dispatch!(level, simd => {
                    let output = Output::Floats { y: &mut y };
                    conv(simd, &layout, &kernel, (images, &padded), &mut band, output);
                    let output = Output::Bytes { y: &mut y_bytes, zero_point };
                    conv(simd, &layout, &kernel, (images, &padded), &mut band, output);
                });
                assert!(y == floats[..len], "{level:?} {size:?} {channels} {filters} {pool}");
                assert!(y_bytes == bytes[..len], "{level:?} {size:?} {channels} {filters} {pool}");
            }
        }
    }
}

#[test]
fn sums_at_their_bounds_are_exact_on_every_level() {
    let window = Window2d::new((1, 1), (1, 1), (1, 1), Padding::Valid).unwrap();
    let layout = ConvLayout::new(&window, 32768, 1, None);
    for (weight, bias) in [(-128, -(1 << 30)), (127, 1 << 30)] {
        let kernel = Int8Kernel::new(&layout, &[weight; 32768], &[bias], &[1.0]);
        let expected = 255 * 32768 * i64::from(weight) + i64::from(bias);
        assert!(i32::try_from(expected).is_ok());
        for level in all_levels() {
            let (mut y, mut band) = ([0.0], vec![0; band_len(&layout)]);
            let x = [255; 32768 + SLACK];
            dispatch!(level, simd => {
                conv(simd, &layout, &kernel, (1, &x), &mut band, Output::Floats { y: &mut y });
            });
            assert_eq!(y, [expected as i32 as f32], "{level:?}");
        }
    }
}

#[test]
fn max_pooling_is_the_reference_s() {
    for (size, strides, padding) in [((2, 2), (2, 2), Padding::Valid), ((3, 2), (2, 1), Padding::Same)] {
        let x = Array4::from_shape_fn((2, 5, 6, 19), |(n, y, x, c)| noise(n * 570 + y * 114 + x * 19 + c));
        let window = Window2d::new((5, 6), size, strides, padding).unwrap();
        let expected = ops::max_pool2d(x.mapv(f32::from).view(), size, strides, padding).unwrap();
        for level in all_levels() {
            let mut y = vec![0; expected.len()];
            dispatch!(level, simd => max_pool(simd, &window, 19, x.as_slice().unwrap(), &mut y));
            assert!(y.iter().map(|y| f32::from(*y)).eq(expected.iter().copied()), "{level:?}");
        }
    }
}

proptest! {
    #[test]
    fn floats_become_the_nearest_bytes(
        x in prop::collection::vec(-300.0_f32..300.0, 1..70), scale in 0.01_f32..2.0, zero_point: u8,
    ) {
        let to = Quantization { scale, zero_point };
        let nearest = |x: &f32| ((x / scale).round_ties_even() + f32::from(zero_point)).clamp(0.0, 255.0) as u8;
        let expected: Vec<u8> = x.iter().map(nearest).collect();
        for level in all_levels() {
            let mut y = vec![0; x.len()];
            dispatch!(level, simd => quantize(simd, to, &x, &mut y));
            prop_assert_eq!(&y, &expected, "{:?}", level);
        }
    }

    #[test]
    fn sums_of_bytes_are_the_nearest_bytes_too(
        pairs in prop::collection::vec((any::<u8>(), any::<u8>()), 1..70), zero_points: [u8; 3], scale in 0.01_f32..2.0,
    ) {
        let to = Quantization { scale: 0.5, zero_point: zero_points[2] };
        let of = |scale, zero_point| Quantization { scale, zero_point };
        let quantizations = [of(scale, zero_points[0]), of(0.25, zero_points[1])];
        let (first, second): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
        let value = |byte: u8, of: Quantization| {
            (f32::from(byte) - f32::from(of.zero_point)) * (f64::from(of.scale) / 0.5) as f32
        };
        let byte = |steps: f32| (steps.round_ties_even() + f32::from(to.zero_point)).clamp(0.0, 255.0) as u8;
        let [of_first, of_second] = quantizations;
        let alone: Vec<u8> = first.iter().map(|x| byte(value(*x, of_first))).collect();
        let both = first.iter().zip(&second).map(|(x, y)| byte(value(*x, of_first) + value(*y, of_second)));
        let both: Vec<u8> = both.collect();
        for level in all_levels() {
            let mut y = vec![0; first.len()];
            let terms = [Term { bytes: &first, quantization: of_first }, Term { bytes: &second, quantization: of_second }];
            dispatch!(level, simd => rescale(simd, terms[0], None, to, &mut y));
            prop_assert_eq!(&y, &alone, "{:?}", level);
            dispatch!(level, simd => rescale(simd, terms[0], Some(terms[1]), to, &mut y));
            prop_assert_eq!(&y, &both, "{:?}", level);
        }
    }
}
