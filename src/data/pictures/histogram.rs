//! How many pixels have each value.

/// How many of these there are of each value.
pub(super) fn counts(values: impl Iterator<Item = u8>) -> [usize; 256] {
    let mut counts = [0; 256];
    values.for_each(|value| counts[usize::from(value)] += 1);
    counts
}

/// The value in the middle of a histogram.
pub(super) fn median(counts: &[usize]) -> u8 {
    let half = counts.iter().sum::<usize>() / 2;
    let mut sum = 0;
    counts
        .iter()
        .position(|count| {
            sum += count;
            sum > half
        })
        .unwrap_or(0) as u8
}
