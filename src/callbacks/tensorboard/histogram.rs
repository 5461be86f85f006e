//! Decides into which buckets numbers fall: 30 of one width from the smallest to the largest, as
//! `tf.summary.histogram` has them.

use super::message::Histogram;

/// As many as TensorFlow takes where nobody asks for another number.
const BUCKETS: usize = 30;

/// The histogram of numbers of which there is at least one; NaN and infinity are left out.
pub(super) fn histogram(values: impl Iterator<Item = f64> + Clone) -> Histogram {
    let values = values.filter(|value| value.is_finite());
    let min = values.clone().fold(f64::INFINITY, f64::min);
    let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let width = (max - min) / BUCKETS as f64;
    let mut bucket = vec![0.0; BUCKETS];
    for value in values.clone() {
        // Where all are equal, the division gives NaN, and TensorFlow takes the last.
        let place = if width > 0.0 { ((value - min) / width) as usize } else { BUCKETS };
        bucket[place.min(BUCKETS - 1)] += 1.0;
    }
    Histogram {
        min,
        max,
        num: bucket.iter().sum(),
        sum: values.clone().sum(),
        sum_squares: values.map(|value| value * value).sum(),
        bucket_limit: (1..=BUCKETS).map(|place| min + width * place as f64).collect(),
        bucket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_one_width_and_the_largest_number_is_in_the_last() {
        let found = histogram([0.0, 1.0, 1.5, 29.9, 30.0].into_iter());
        assert_eq!((found.min, found.max, found.num), (0.0, 30.0, 5.0));
        assert_eq!(found.bucket_limit, (1..=30).map(f64::from).collect::<Vec<_>>());
        assert_eq!((found.bucket[0], found.bucket[1], found.bucket[29]), (1.0, 2.0, 2.0));
        assert_eq!((found.sum, found.sum_squares), (62.4, 1.0 + 2.25 + 29.9 * 29.9 + 900.0));
    }

    #[test]
    fn equal_numbers_are_in_the_last_bucket() {
        let found = histogram([0.5; 7].into_iter());
        assert_eq!((found.min, found.max, found.bucket[29], found.num), (0.5, 0.5, 7.0, 7.0));
        assert_eq!(found.bucket_limit, [0.5; 30]);
    }
}
