//! What several metrics share: the likeliest outputs, and ratios.

/// The indices of the `k` largest values, largest first, and of equals the first first.
pub(super) fn top(values: &[f32], k: usize) -> impl Iterator<Item = usize> {
    let best = |after: Option<usize>| {
        let behind =
            |i: &usize| after.is_none_or(|last| values[*i] < values[last] || (values[*i] == values[last] && *i > last));
        let candidates = (0..values.len()).filter(behind);
        candidates.reduce(|best, i| if values[i] > values[best] { i } else { best })
    };
    std::iter::successors(best(None), move |last| best(Some(*last))).take(k)
}

/// A sum divided by how many were added up; 0 of nothing, as Keras has it.
pub(super) fn ratio(sum: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { sum / of }
}
