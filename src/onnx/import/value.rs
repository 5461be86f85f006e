//! A value of the graph, and where it lies in ours. The axes that ONNX speaks of are products of axes in memory, so that
//! transposing, flattening, splitting and dropping axes only changes what is said of a value, and moves nothing.

use super::tensors::{BATCH, product};
use crate::layers::Source;

/// An axis as ONNX has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// The examples, which our layers do not name.
    Batch,
    /// The product of these axes in memory, the most significant first; of none it has the size 1.
    Of(Vec<usize>),
}

/// Which of an image's axes came first where the value was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// (N, C, ...), as ONNX' operators of images have it: ours has the channels last.
    ChannelsFirst,
    /// The order in memory is that of the axes.
    AsWritten,
}

/// What is known of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    NotNegative,
    Any,
}

/// The order of a sequence's steps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steps {
    InPlace,
    /// From the last to the first.
    Reversed,
}

/// A value of the graph that the model computes.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) source: Source,
    /// The sizes of the axes in memory, the batch left out, those of size 1 too.
    pub(super) dims: Vec<usize>,
    pub(super) axes: Vec<Axis>,
    pub(super) order: Order,
    pub(super) sign: Sign,
    pub(super) steps: Steps,
}

impl Value {
    /// What a layer gives.
    ///
    /// - lens: the sizes of the axes in memory; places: for each axis of ONNX' its place among them, or none for the batch
    pub(super) fn new(source: Source, lens: &[usize], places: &[Option<usize>], order: Order) -> Self {
        let moved = |place: usize| lens[..place].iter().filter(|len| **len != 1).count();
        let axis = |place: &Option<usize>| match *place {
            None => Axis::Batch,
            Some(place) if lens[place] == 1 => Axis::Of(Vec::new()),
            Some(place) => Axis::Of(vec![moved(place)]),
        };
        Self {
            source,
            dims: lens.iter().copied().filter(|len| *len != 1).collect(),
            axes: places.iter().map(axis).collect(),
            order,
            sign: Sign::Any,
            steps: Steps::InPlace,
        }
    }

    pub(super) fn rank(&self) -> usize {
        self.axes.len()
    }

    /// The size of an axis; 1 for that of the batch.
    pub(super) fn len(&self, axis: usize) -> usize {
        match &self.axes[axis] {
            Axis::Batch => 1,
            Axis::Of(places) => places.iter().map(|place| self.dims[*place]).product(),
        }
    }

    pub(super) fn is_batch(&self, axis: usize) -> bool {
        self.axes[axis] == Axis::Batch
    }

    pub(super) fn batch(&self) -> usize {
        self.axes.iter().position(|axis| *axis == Axis::Batch).unwrap_or(0)
    }

    /// An axis as an attribute counts it, negative from the last.
    pub(super) fn axis(&self, axis: i64) -> Result<usize, String> {
        axis_of(axis, self.rank())
    }

    /// The same of an axis that is not the batch's.
    pub(super) fn own_axis(&self, axis: i64) -> Result<usize, String> {
        let axis = self.axis(axis)?;
        if self.is_batch(axis) {
            return Err(format!("works along axis {axis}, that of the batch: examples must not depend on each other"));
        }
        Ok(axis)
    }

    /// The axes but that of the batch, in the order in which they lie in memory as far as they do.
    pub(super) fn natural(&self) -> Vec<usize> {
        let own = (0..self.rank()).filter(|axis| !self.is_batch(*axis));
        if self.order == Order::ChannelsFirst && self.rank() > 2 && self.batch() == 0 {
            return (2..self.rank()).chain([1]).collect();
        }
        let mut last = 0;
        let mut keyed: Vec<(usize, usize)> = own
            .map(|axis| {
                if let Axis::Of(places) = &self.axes[axis] {
                    last = places.iter().min().copied().unwrap_or(last);
                }
                (last, axis)
            })
            .collect();
        keyed.sort_by_key(|(place, _)| *place);
        keyed.into_iter().map(|(_, axis)| axis).collect()
    }

    /// The axes of this order in memory, one after the other.
    pub(super) fn places(&self, order: &[usize]) -> Vec<usize> {
        let places = order.iter().flat_map(|axis| match &self.axes[*axis] {
            Axis::Batch => &[][..],
            Axis::Of(places) => places,
        });
        places.copied().collect()
    }

    /// The same value with its axes in this order.
    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let axes = order.iter().map(|axis| self.axes[*axis].clone()).collect();
        let is_same = order.iter().copied().eq(0..order.len());
        Self { axes, order: if is_same { self.order } else { Order::AsWritten }, ..self.clone() }
    }

    /// The same value without an axis of size 1, or with another one.
    pub(super) fn without(&self, axis: usize) -> Self {
        let mut value = self.clone();
        value.axes.remove(axis);
        value
    }

    pub(super) fn with_one(&self, axis: usize) -> Self {
        let mut value = self.clone();
        value.axes.insert(axis, Axis::Of(Vec::new()));
        value
    }

    /// The same value in another shape, where each example keeps its own values.
    ///
    /// - batch: how many examples the graph was made for, if that is fixed
    pub(super) fn reshaped(&self, target: &[i64], batch: Option<i64>, zero: Zero) -> Result<Self, String> {
        let place = self.batch();
        let lens = |axes: std::ops::Range<usize>| axes.map(|axis| self.len(axis)).product::<usize>();
        let (before, behind) = (lens(0..place), lens(place + 1..self.rank()));
        let fits = |at: usize| {
            self.resolved(target, at, batch, zero)
                .filter(|sizes| product(&sizes[..at]) == Some(before) && product(&sizes[at + 1..]) == Some(behind))
        };
        let found = (0..target.len()).find_map(|at| fits(at).map(|sizes| (at, sizes)));
        let (at, sizes) = found.ok_or_else(|| {
            let target: Vec<String> = target.iter().map(|dim| if *dim == BATCH { "N".into() } else { dim.to_string() }).collect();
            format!(
                "gives ({}) of ({}), where N is the batch: each example must keep its own values, and the batch must be an axis",
                target.join(", "),
                self.shown()
            )
        })?;
        let pieces = Pieces::cut(self, &sizes, at).ok_or("cuts axes where our order of values has no place for it")?;
        Ok(Self {
            order: if sizes.len() == self.rank() && self.axes == pieces.1 { self.order } else { Order::AsWritten },
            dims: pieces.0,
            axes: pieces.1,
            ..self.clone()
        })
    }

    /// The sizes of a target shape if the batch is at this place in it, with 1 there.
    fn resolved(&self, target: &[i64], at: usize, batch: Option<i64>, zero: Zero) -> Option<Vec<usize>> {
        let is_kept = |axis: usize, dim: i64| dim == 0 && zero == Zero::KeepsSize && axis < self.rank();
        let is_batch = match target[at] {
            BATCH | -1 => true,
            dim if is_kept(at, dim) => self.is_batch(at),
            dim => Some(dim) == batch,
        };
        let rest = target.iter().enumerate().map(|(axis, dim)| match *dim {
            _ if axis == at => Some(Some(1)),
            -1 => Some(None),
            dim if is_kept(axis, dim) => (!self.is_batch(axis)).then(|| Some(self.len(axis))),
            dim => usize::try_from(dim).ok().filter(|dim| *dim > 0).map(Some),
        });
        let sizes: Vec<Option<usize>> = rest.collect::<Option<_>>()?;
        let known = sizes.iter().flatten().try_fold(1_usize, |len, size| len.checked_mul(*size))?;
        let all: usize = self.dims.iter().product();
        let free = sizes.iter().filter(|size| size.is_none()).count();
        let is_sound = is_batch && free <= usize::from(target[at] != -1) && all.is_multiple_of(known);
        is_sound.then(|| sizes.iter().map(|size| size.unwrap_or(all / known)).collect())
    }

    /// Its shape, for errors.
    pub(super) fn shown(&self) -> String {
        let len = |axis: usize| if self.is_batch(axis) { "N".to_owned() } else { self.len(axis).to_string() };
        (0..self.rank()).map(len).collect::<Vec<_>>().join(", ")
    }
}

/// An axis as an attribute counts it, negative from the last.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let from_first = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_first.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < rank);
    found.ok_or_else(|| format!("names the axis {axis}, of a value of {rank} axes"))
}

/// What a 0 in a shape means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    KeepsSize,
    IsZero,
}

/// Axes in memory, cut where a shape needs it.
struct Pieces {
    sizes: Vec<usize>,
    /// For each axis in memory its pieces.
    of_axes: Vec<Vec<usize>>,
}

impl Pieces {
    /// The sizes in memory and the axes of a value in another shape, whose batch is at this place; `None` if an axis is cut
    /// where it has no divisor.
    fn cut(value: &Value, sizes: &[usize], batch: usize) -> Option<(Vec<usize>, Vec<Axis>)> {
        let mut pieces =
            Self { sizes: value.dims.clone(), of_axes: (0..value.dims.len()).map(|axis| vec![axis]).collect() };
        let all: Vec<usize> = (0..value.rank()).collect();
        let mut waiting: Vec<usize> = value.places(&all);
        waiting.reverse();
        let mut axes = Vec::new();
        for (place, size) in sizes.iter().enumerate() {
            if place == batch {
                axes.push(Axis::Batch);
                continue;
            }
            let (mut len, mut of) = (1, Vec::new());
            while len < *size {
                let piece = waiting.pop()?;
                if !size.is_multiple_of(len) {
                    return None;
                }
                let needed = size / len;
                let found = pieces.sizes[piece];
                if found > needed {
                    if !found.is_multiple_of(needed) {
                        return None;
                    }
                    waiting.push(pieces.split(piece, needed));
                } else if !needed.is_multiple_of(found) {
                    return None;
                }
                len *= pieces.sizes[piece];
                of.push(piece);
            }
            axes.push(Axis::Of(of));
        }
        let order: Vec<usize> = pieces.of_axes.concat();
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, piece)| places[*piece] = place);
        let moved = |axis: Axis| match axis {
            Axis::Batch => Axis::Batch,
            Axis::Of(of) => Axis::Of(of.into_iter().map(|piece| places[piece]).collect()),
        };
        Some((order.iter().map(|piece| pieces.sizes[*piece]).collect(), axes.into_iter().map(moved).collect()))
    }

    /// Cuts a piece in two, of which the first has this size, and gives the second.
    fn split(&mut self, piece: usize, size: usize) -> usize {
        let second = self.sizes.len();
        self.sizes.push(self.sizes[piece] / size);
        self.sizes[piece] = size;
        for axis in &mut self.of_axes {
            if let Some(place) = axis.iter().position(|other| *other == piece) {
                axis.insert(place + 1, second);
            }
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Value {
        // (N, C, H, W) of 3, 4 and 5, whose channels lie last.
        Value::new(Source::Input(0), &[4, 5, 3], &[None, Some(2), Some(0), Some(1)], Order::ChannelsFirst)
    }

    #[test]
    fn flattening_and_splitting_again_moves_nothing() {
        let flat = image().reshaped(&[-1, 60], None, Zero::KeepsSize).unwrap();
        assert_eq!(flat.axes, [Axis::Batch, Axis::Of(vec![2, 0, 1])]);
        let image = flat.reshaped(&[0, 3, 4, -1], None, Zero::KeepsSize).unwrap();
        assert_eq!(image.axes, super::tests::image().axes);
        let turned = image.transposed(&[0, 2, 3, 1]).transposed(&[0, 3, 1, 2]);
        assert_eq!(turned.axes, image.axes);
    }

    #[test]
    fn axes_are_cut_where_a_shape_needs_it() {
        let cut = image().reshaped(&[BATCH, 3, 2, 2, 5], None, Zero::KeepsSize).unwrap();
        assert_eq!(cut.dims, [2, 2, 5, 3]);
        assert_eq!(cut.places(&[1, 2, 3, 4]), [3, 0, 1, 2]);
        let joined = cut.reshaped(&[1, 6, 10], Some(1), Zero::KeepsSize).unwrap();
        assert_eq!(joined.axes, [Axis::Batch, Axis::Of(vec![3, 0]), Axis::Of(vec![1, 2])]);
    }

    #[test]
    fn values_must_stay_with_their_example() {
        for target in [&[60, -1][..], &[-1, 30], &[2, 30], &[0, 7, -1], &[], &[-1, -1], &[-7, 60]] {
            assert!(image().reshaped(target, Some(3), Zero::KeepsSize).is_err(), "{target:?}");
        }
        assert!(image().reshaped(&[3, 60], Some(3), Zero::KeepsSize).is_ok());
        assert!(image().reshaped(&[3, 0, 20], Some(3), Zero::IsZero).is_err());
    }
}
