//! Convolutions by the fast Fourier transform.

use std::f64::consts::PI;

/// The convolution of two sequences, with a bound of the sum of its errors, for sequences that are not negative and sum
/// up to 1. What rounding makes negative is zero.
pub(super) fn convolve(first: &[f64], second: &[f64]) -> (Vec<f64>, f64) {
    let len = first.len() + second.len() - 1;
    let size = len.next_power_of_two();
    // The square of a + ib has 2ab as its imaginary part: one transform for both.
    let mut real = vec![0.0; size];
    let mut imaginary = vec![0.0; size];
    real[..first.len()].copy_from_slice(first);
    imaginary[..second.len()].copy_from_slice(second);
    let turns: Vec<(f64, f64)> = (0..size / 2)
        .map(|index| {
            let (sine, cosine) = (-2.0 * PI * index as f64 / size as f64).sin_cos();
            (cosine, sine)
        })
        .collect();
    forward(&mut real, &mut imaginary, &turns);
    for (re, im) in real.iter_mut().zip(&mut imaginary) {
        (*re, *im) = (*re * *re - *im * *im, 2.0 * *re * *im);
    }
    backward(&mut real, &mut imaginary, &turns);
    let scale = 0.5 / size as f64;
    imaginary.truncate(len);
    for value in &mut imaginary {
        *value = (*value * scale).max(0.0);
    }
    // A transform's error is at most about ln(size) roundings of its norm; the norm of a product is at most that of one
    // factor, as the other's transform is at most 1; a sum is at most the root of its length times the norm.
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let levels = f64::from(size.trailing_zeros() + 2);
    let error = 6.0 * f64::EPSILON * levels * (norm(first) + norm(second)) * (len as f64).sqrt();
    (imaginary, error)
}

/// The transform, with its values in the order of reversed bits.
fn forward(real: &mut [f64], imaginary: &mut [f64], turns: &[(f64, f64)]) {
    let mut half = real.len() / 2;
    let mut stride = 1;
    while half > 0 {
        for (real, imaginary) in real.chunks_exact_mut(2 * half).zip(imaginary.chunks_exact_mut(2 * half)) {
            let ((a_re, b_re), (a_im, b_im)) = (real.split_at_mut(half), imaginary.split_at_mut(half));
            for index in 0..half {
                let (cosine, sine) = turns[index * stride];
                let (re, im) = (a_re[index] - b_re[index], a_im[index] - b_im[index]);
                a_re[index] += b_re[index];
                a_im[index] += b_im[index];
                b_re[index] = re * cosine - im * sine;
                b_im[index] = re * sine + im * cosine;
            }
        }
        half /= 2;
        stride *= 2;
    }
}

/// The inverse of [`forward`], times the length.
fn backward(real: &mut [f64], imaginary: &mut [f64], turns: &[(f64, f64)]) {
    let mut half = 1;
    let mut stride = real.len() / 2;
    while half < real.len() {
        for (real, imaginary) in real.chunks_exact_mut(2 * half).zip(imaginary.chunks_exact_mut(2 * half)) {
            let ((a_re, b_re), (a_im, b_im)) = (real.split_at_mut(half), imaginary.split_at_mut(half));
            for index in 0..half {
                let (cosine, sine) = turns[index * stride];
                let re = b_re[index] * cosine + b_im[index] * sine;
                let im = b_im[index] * cosine - b_re[index] * sine;
                b_re[index] = a_re[index] - re;
                b_im[index] = a_im[index] - im;
                a_re[index] += re;
                a_im[index] += im;
            }
        }
        half *= 2;
        stride /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convolution_is_the_sum_of_products_within_its_bound() {
        for (first, second) in [(1, 1), (1, 5), (7, 4), (64, 65), (300, 17)] {
            let sequence = |len: usize, step: usize| {
                let values: Vec<f64> = (0..len).map(|index| ((index * step) % 101) as f64 + 0.5).collect();
                let sum: f64 = values.iter().sum();
                values.into_iter().map(|value| value / sum).collect::<Vec<f64>>()
            };
            let (a, b) = (sequence(first, 37), sequence(second, 53));
            let mut expected = vec![0.0; first + second - 1];
            for (i, x) in a.iter().enumerate() {
                for (j, y) in b.iter().enumerate() {
                    expected[i + j] += x * y;
                }
            }
            let (found, bound) = convolve(&a, &b);
            assert_eq!(found.len(), expected.len());
            let error: f64 = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).sum();
            assert!(error <= bound && bound < 1e-12, "{first}, {second}: {error:e}, at most {bound:e}");
        }
    }

    #[test]
    fn rounding_makes_nothing_negative() {
        let mut sequence = vec![0.0; 1000];
        sequence[0] = 1.0;
        sequence[999] = 1e-30;
        assert!(convolve(&sequence, &sequence).0.iter().all(|value| *value >= 0.0));
    }
}
