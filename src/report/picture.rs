//! Decides how numbers become pixels: images as they are, weights in two colours; and how pixels get into a drawing.

use super::svg::{BLUE, ORANGE};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ndarray::{ArrayView2, ArrayView3};
use plotters::style::RGBColor;
use png::{BitDepth, ColorType, Encoder};

/// A small picture, to be shown `width` x `height` pixels large.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    /// A PNG file as an address that holds it.
    pub(super) address: String,
}

/// How long a picture's longer side becomes, about.
const SIDE: usize = 84;

impl Picture {
    /// An image: (H, W, C), in colour if it has three channels, otherwise its first channel in grey, from `black` to
    /// `white`.
    pub(super) fn of_image(image: ArrayView3<'_, f32>, (black, white): (f32, f32)) -> Self {
        let (height, width, channels) = image.dim();
        let range = (white - black).max(f32::MIN_POSITIVE);
        Self::new(height, width, |y, x| {
            let value =
                |channel: usize| (((image[[y, x, channel]] - black) / range).clamp(0.0, 1.0) * 255.0).round() as u8;
            if channels == 3 { [value(0), value(1), value(2)] } else { [value(0); 3] }
        })
    }

    /// Weights: (H, W); `-largest` is blue, 0 white, `largest` orange.
    pub(super) fn of_weights(weights: ArrayView2<'_, f32>, largest: f32) -> Self {
        let (height, width) = weights.dim();
        Self::new(height, width, |y, x| diverging(weights[[y, x]] / largest.max(f32::MIN_POSITIVE)))
    }

    /// Pixels, each enlarged to a square, so that every viewer shows them sharp.
    fn new(height: usize, width: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let scale = (SIDE / height.max(width)).max(1);
        let (tall, wide) = (height * scale, width * scale);
        let pixels: Vec<u8> = (0..tall * wide).flat_map(|at| pixel(at / wide / scale, at % wide / scale)).collect();
        Self { width: wide, height: tall, address: format!("data:image/png;base64,{}", png(tall, wide, &pixels)) }
    }
}

/// Blue for -1, white for 0, orange for 1.
fn diverging(value: f32) -> [u8; 3] {
    let RGBColor(red, green, blue) = if value < 0.0 { BLUE } else { ORANGE };
    let strength = if value.is_finite() { value.abs().min(1.0) } else { 0.0 };
    [red, green, blue].map(|channel| (255.0 - (255.0 - f32::from(channel)) * strength).round() as u8)
}

/// A PNG file of RGB pixels, in base64.
fn png(height: usize, width: usize, pixels: &[u8]) -> String {
    let mut file = Vec::new();
    let side = |len: usize| u32::try_from(len).expect("a picture is small");
    let mut encoder = Encoder::new(&mut file, side(width), side(height));
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.expect("writing into memory cannot fail");
    BASE64_STANDARD.encode(file)
}

#[cfg(test)]
mod tests {
    use super::diverging;

    #[test]
    fn signs_have_colours_of_their_own_and_zero_is_white() {
        assert_eq!([-1.0, 0.0, 1.0].map(diverging), [[0, 0x72, 0xB2], [255; 3], [0xD5, 0x5E, 0]]);
        assert_eq!(diverging(f32::NAN), [255; 3]);
    }
}
