//! Axes as Keras counts them: the batch is axis 0, negative ones count from the end.

use crate::program::{Builder, Operand};
use crate::shape::Shape;
use serde::{Deserialize, Deserializer};

/// Where an axis lies among those of an example, from 0; or a sentence without its subject that says that there is
/// none.
pub(super) fn place_of(axis: i64, input: Shape) -> Result<usize, String> {
    let rank = input.axes().len() as i64;
    let from_batch = if axis < 0 { axis + rank + 1 } else { axis };
    if (1..=rank).contains(&from_batch) {
        return Ok((from_batch - 1) as usize);
    }
    Err(format!(
        "expects an axis from 1 to {rank}, or from -{rank} to -1, of {input}, got {axis}: axes count from 1, as the \
         batch is axis 0"
    ))
}

/// The same of several axes, in the order in which they lie.
pub(super) fn places_of(axes: &[i64], input: Shape) -> Result<Vec<usize>, String> {
    let mut places = axes.iter().map(|axis| place_of(*axis, input)).collect::<Result<Vec<usize>, String>>()?;
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!("expects each axis of {input} at most once, got {axes:?}"));
    }
    Ok(places)
}

/// Lowers what works on the last axes, and leaves the shape as it is, on these: they change places with the last ones
/// before it, and back behind it.
///
/// - places: from 0, in the order in which they lie
pub(super) fn with_last(
    builder: &mut Builder,
    x: Operand,
    places: &[usize],
    lower: impl FnOnce(&mut Builder, Operand) -> Operand,
) -> Operand {
    let rank = x.shape.axes().len();
    let order: Vec<usize> = (0..rank).filter(|axis| !places.contains(axis)).chain(places.iter().copied()).collect();
    if order.is_sorted() {
        return lower(builder, x);
    }
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(place, axis)| back[*axis] = place);
    let turned = builder.permute(x, &order);
    let y = lower(builder, turned);
    builder.permute(y, &back)
}

/// Reads a list of axes, or Keras' short forms: one axis as a number, and none as null.
pub(super) fn any_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Axes {
        One(i64),
        Several(Vec<i64>),
    }
    if !deserializer.is_human_readable() {
        return Vec::deserialize(deserializer);
    }
    Option::<Axes>::deserialize(deserializer).map(|axes| match axes {
        None => Vec::new(),
        Some(Axes::One(axis)) => vec![axis],
        Some(Axes::Several(axes)) => axes,
    })
}

/// Keras' default: the last axis.
pub(super) fn the_last() -> Vec<i64> {
    vec![-1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_count_from_the_batch_or_from_the_end() {
        let input = Shape::from([4, 5, 6]);
        assert_eq!([1, 3, -1, -3].map(|axis| place_of(axis, input)), [Ok(0), Ok(2), Ok(2), Ok(0)]);
        for axis in [0, 4, -4, i64::MIN, i64::MAX] {
            let error = place_of(axis, input).unwrap_err();
            let expected = format!("expects an axis from 1 to 3, or from -3 to -1, of (4, 5, 6), got {axis}: ");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert_eq!(places_of(&[-1, 1], input), Ok(vec![0, 2]));
        assert_eq!(places_of(&[], input), Ok(vec![]));
        let error = places_of(&[3, -1], input).unwrap_err();
        assert_eq!(error, "expects each axis of (4, 5, 6) at most once, got [3, -1]");
    }
}
