//! Random brightness and contrast: one amount for an image, the same for all its pixels.

use super::Augment;
use crate::shape::Shape;
use rand::{Rng, RngExt};

/// The amounts drawn for one image; `None` for what is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    /// Added to each value.
    brightness: Option<f32>,
    /// The factor of each value's distance from the mean of its channel.
    contrast: Option<f32>,
    /// The limits of the result.
    value_range: Option<(f32, f32)>,
}

impl Tone {
    pub(super) fn draw(augment: &Augment, random: &mut impl Rng) -> Self {
        let mut up_to = |limit: f64| (random.random::<f64>() * 2.0 - 1.0) * limit;
        let (low, high) = augment.value_range.unwrap_or((0.0, 1.0));
        Self {
            brightness: (augment.brightness > 0.0).then(|| (up_to(augment.brightness) * (high - low)) as f32),
            contrast: (augment.contrast > 0.0).then(|| (1.0 + up_to(augment.contrast)) as f32),
            value_range: augment.value_range.map(|(low, high)| (low as f32, high as f32)),
        }
    }

    /// Changes an image, (H, W, C), in place: first its brightness, then its contrast.
    pub(super) fn apply(self, shape: Shape, image: &mut [f32]) {
        if let Some(brightness) = self.brightness {
            image.iter_mut().for_each(|value| *value = self.clip(*value + brightness));
        }
        if let Some(contrast) = self.contrast {
            let (height, width, channels) = shape.as_image();
            for channel in 0..channels {
                let sum: f64 = image.iter().skip(channel).step_by(channels).copied().map(f64::from).sum();
                let mean = (sum / (height * width) as f64) as f32;
                for value in image.iter_mut().skip(channel).step_by(channels) {
                    *value = self.clip((*value - mean) * contrast + mean);
                }
            }
        }
    }

    fn clip(self, value: f32) -> f32 {
        self.value_range.map_or(value, |(low, high)| value.clamp(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Tone = Tone { brightness: None, contrast: None, value_range: None };

    #[test]
    fn contrast_scales_around_each_channels_own_mean() {
        let mut image = [1.0, 10.0, 3.0, 30.0];
        Tone { contrast: Some(0.5), ..NONE }.apply(Shape::from([2, 1, 2]), &mut image);
        assert_eq!(image, [1.5, 15.0, 2.5, 25.0]);
    }

    #[test]
    fn brightness_is_clipped_before_contrast_takes_the_mean() {
        let shape = Shape::from([1, 2, 1]);
        let tone = Tone { brightness: Some(0.5), contrast: Some(2.0), value_range: Some((0.0, 1.0)) };
        let mut image = [0.0, 0.75];
        tone.apply(shape, &mut image);
        // 0.5 and 1 after brightness, so a mean of 0.75.
        assert_eq!(image, [0.25, 1.0]);
        let mut image = [0.0, 0.75];
        Tone { value_range: None, ..tone }.apply(shape, &mut image);
        assert_eq!(image, [0.125, 1.625]);
    }
}
