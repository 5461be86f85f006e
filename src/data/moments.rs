//! Computes mean and variance of each channel of examples.

use super::inputs::{Inputs, OrderedImages};
use super::scaling::Normalization;
use crate::error::{Error, Result};

/// The means and variances of the last axis' channels, over all examples and all other axes.
///
/// # Errors
/// [`Error::Data`] if there is not one input, it has no examples, or a value or a result is NaN or infinite.
pub(crate) fn channel_moments(inputs: Inputs<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
    let shapes: Vec<_> = inputs.shapes().collect();
    let [Some(shape)] = shapes[..] else {
        return Err(Error::Data(format!("a normalization adapts to the examples of one input, got {}", shapes.len())));
    };
    if inputs.len() == 0 || shape.len().is_none() {
        return Err(Error::Data(format!(
            "a normalization needs at least one example and one value of each, got {} of {shape}",
            inputs.len()
        )));
    }
    let channels = shape.channels();
    let checked = inputs.checked()?;
    let [mean, variance] = match &checked.as_slice()[0] {
        OrderedImages::Dataset(dataset) => {
            let normalization = Normalization::adapt(dataset);
            [normalization.mean().to_vec(), normalization.variance().to_vec()]
        }
        OrderedImages::Bytes { values, .. } => {
            moments(|| values.iter().map(|byte| f64::from(f32::from(*byte) / 255.0)), channels)
        }
        OrderedImages::Floats { values, .. } => moments(|| values.iter().map(|value| f64::from(*value)), channels),
    };
    if let Some(channel) = variance.iter().position(|variance| !variance.is_finite()) {
        return Err(Error::Data(format!(
            "the variance of channel {channel} is more than an f32 can hold: scale its values down"
        )));
    }
    Ok((mean, variance))
}

/// Means first, then the squares around them.
///
/// - values: (any number, channels)
fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I, channels: usize) -> [Vec<f32>; 2] {
    let mean_of = |value: &dyn Fn(usize, f64) -> f64| {
        let (mut sums, mut count) = (vec![0.0_f64; channels], 0_usize);
        for (index, each) in values().enumerate() {
            let channel = index % channels;
            sums[channel] += value(channel, each);
            count = index + 1;
        }
        let count = (count / channels) as f64;
        sums.into_iter().map(|sum| sum / count).collect::<Vec<f64>>()
    };
    let means = mean_of(&|_, value| value);
    let variances = mean_of(&|channel, value| (value - means[channel]).powi(2));
    [means, variances].map(|all| all.into_iter().map(|value| value as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use ndarray::{Array2, Array4, array};

    #[test]
    fn moments_are_those_of_each_channel_over_all_other_axes() {
        let images = Array4::from_shape_fn((3, 2, 4, 2), |(n, y, x, c)| (n * 3 + y + x * c) as f32);
        let (mean, variance) = channel_moments((&images).into()).unwrap();
        for (channel, values) in images.axis_iter(ndarray::Axis(3)).enumerate() {
            let values = values.mapv(f64::from);
            let expected = values.mean().unwrap();
            assert!((f64::from(mean[channel]) - expected).abs() < 1e-6);
            assert!(
                (f64::from(variance[channel]) - values.mapv(|x| (x - expected).powi(2)).mean().unwrap()).abs() < 1e-5
            );
        }
        // A large mean takes no digits off the variance.
        let (mean, variance) = channel_moments((&array![[1e6_f32], [1e6 + 1.0]]).into()).unwrap();
        assert_eq!((mean[0], variance[0]), (1_000_000.5, 0.25));
    }

    #[test]
    fn bytes_and_data_sets_are_read_as_a_model_sees_them() {
        let bytes = Array4::from_shape_fn((2, 2, 2, 1), |(n, ..)| 255 * n as u8);
        let dataset = Dataset::from_bytes(bytes.clone(), vec![0, 1]).unwrap();
        for inputs in [Inputs::from(&bytes), Inputs::from(&dataset)] {
            assert_eq!(channel_moments(inputs).unwrap(), (vec![0.5], vec![0.25]));
        }
    }

    #[test]
    fn what_has_no_moments_is_refused_with_a_reason() {
        let refused = |table: Array2<f32>| channel_moments((&table).into()).unwrap_err().to_string();
        assert!(refused(Array2::zeros((0, 2))).contains("needs at least one example"));
        assert!(refused(array![[1.0, f32::INFINITY]]).contains("must be finite"));
        assert!(refused(array![[f32::MAX], [f32::MIN]]).contains("the variance of channel 0 is more than an f32"));
        let table = array![[1.0_f32]];
        let error = channel_moments((&table, &table).into()).unwrap_err().to_string();
        assert!(error.contains("one input, got 2"), "{error}");
    }
}
