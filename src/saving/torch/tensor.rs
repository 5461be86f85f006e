//! One tensor of a PyTorch module and the weight of ours that it is: the same numbers in another order of axes.

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};
use std::sync::Arc;

/// A tensor that PyTorch's module has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// Its name in the module, as in `weight`.
    pub(super) name: String,
    /// PyTorch's shape.
    pub(super) shape: Vec<usize>,
    pub(super) of: Of,
}

/// Where its values are here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Of {
    /// In the parameter of this index, as this view of it.
    Parameter(usize, View),
    /// In no weight: all of them are this number.
    Constant(f32),
}

/// PyTorch's view of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) share: Share,
    /// For each axis of PyTorch's tensor, before it is reshaped, ours.
    pub(super) axes: Vec<usize>,
    /// Of such axes: for each of PyTorch's places ours.
    pub(super) places: Vec<(usize, Arc<[usize]>)>,
}

/// Which part of a parameter a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Whole,
    /// A row of it.
    Row(usize),
    /// A summand: written as the whole.
    First,
    /// The other summand: written as zeros.
    Second,
}

impl View {
    /// The whole of a parameter, with its axes in this order.
    pub(super) fn new(axes: impl Into<Vec<usize>>) -> Self {
        Self { share: Share::Whole, axes: axes.into(), places: Vec::new() }
    }

    pub(super) fn share(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// With the places of an axis of PyTorch's tensor in another order, if one is given.
    pub(super) fn places(mut self, axis: usize, places: Option<Arc<[usize]>>) -> Self {
        self.places.extend(places.map(|places| (axis, places)));
        self
    }

    /// PyTorch's tensor of a parameter.
    ///
    /// - shape: PyTorch's
    pub(super) fn read(&self, parameter: ArrayViewD<'_, f32>, shape: &[usize]) -> ArrayD<f32> {
        let part = match self.share {
            Share::Whole | Share::First => parameter,
            Share::Row(row) => parameter.index_axis_move(Axis(0), row),
            Share::Second => return ArrayD::zeros(shape),
        };
        let turned = part.permuted_axes(IxDyn(&self.axes));
        let ordered = self.places.iter().fold(turned.into_owned(), |values, (axis, of)| values.select(Axis(*axis), of));
        let values = ordered.iter().copied().collect();
        ArrayD::from_shape_vec(shape, values).expect("a tensor has as many values as its part of the parameter")
    }

    /// Adds PyTorch's tensor to a parameter that starts at [`NOTHING`].
    pub(super) fn add(&self, tensor: ArrayD<f32>, parameter: &mut ArrayD<f32>) {
        let part = match self.share {
            Share::Whole | Share::First | Share::Second => parameter.view_mut(),
            Share::Row(row) => parameter.index_axis_mut(Axis(0), row),
        };
        let mut part = part.permuted_axes(IxDyn(&self.axes));
        let values = tensor.into_shape_with_order(part.shape().to_vec());
        let values = values.expect("a tensor has as many values as its part of the parameter");
        let values = self.places.iter().fold(values, |values, (axis, of)| values.select(Axis(*axis), &inverse(of)));
        part += &values;
    }
}

/// What any number can be added to without a change of a bit.
pub(super) const NOTHING: f32 = -0.0;

fn inverse(places: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; places.len()];
    places.iter().enumerate().for_each(|(index, place)| inverse[*place] = index);
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;

    #[test]
    fn what_is_read_and_added_is_the_parameter_to_the_bit() {
        let mut values = Array1::from_iter((0..24_u8).map(f32::from));
        values[3] = -0.0;
        let parameter = values.into_shape_with_order(IxDyn(&[2, 12])).unwrap();
        let places: Arc<[usize]> = [3, 0, 5, 1, 2, 4, 11, 6, 7, 10, 8, 9].into();
        let turned = View::new([1, 0]).places(0, Some(places));
        let tensor = turned.read(parameter.view(), &[3, 4, 2]);
        assert_eq!((tensor[[0, 0, 0]].to_bits(), tensor[[0, 1, 1]]), ((-0.0_f32).to_bits(), 12.0));
        let rows = [0, 1].map(|row| View::new([0]).share(Share::Row(row)));
        let sums = [Share::First, Share::Second].map(|share| View::new([0, 1]).share(share));
        for (views, shape) in [(&[turned][..], &[3, 4, 2][..]), (&rows, &[12]), (&sums, &[2, 12])] {
            let mut again = ArrayD::from_elem(parameter.shape(), NOTHING);
            views.iter().for_each(|view| view.add(view.read(parameter.view(), shape), &mut again));
            assert_eq!(again, parameter);
        }
        assert_eq!(rows[1].read(parameter.view(), &[12])[[2]], 14.0);
    }
}
