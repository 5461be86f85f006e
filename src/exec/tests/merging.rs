//! Values of different shapes made one shape, for layers that merge them.

use ndarray::{ArrayD, Axis};

/// All values, (N, axes) each, with missing axes behind the batch and axes of size 1 repeated.
pub(super) fn of_one_shape<T: Clone>(reads: &[&ArrayD<T>]) -> Vec<ArrayD<T>> {
    let rank = reads.iter().map(|x| x.ndim()).max().unwrap();
    let all: Vec<ArrayD<T>> = reads.iter().map(|x| with_rank((*x).clone(), rank)).collect();
    let shape: Vec<usize> = (0..rank).map(|axis| all.iter().map(|x| x.shape()[axis]).max().unwrap()).collect();
    all.iter().map(|x| x.broadcast(shape.clone()).unwrap().to_owned()).collect()
}

fn with_rank<T: Clone>(x: ArrayD<T>, rank: usize) -> ArrayD<T> {
    (x.ndim()..rank).fold(x, |x, _| x.insert_axis(Axis(1)))
}

/// The gradient of a value of this shape, of that of what it was repeated to.
pub(super) fn gradient_of_repeated(dy: &ArrayD<f32>, shape: &[usize]) -> ArrayD<f32> {
    let ones = std::iter::repeat_n(&1, dy.ndim() - shape.len());
    let shape: Vec<usize> = shape[..1].iter().chain(ones).chain(&shape[1..]).copied().collect();
    let sum = |dx: ArrayD<f64>, axis: usize| {
        if shape[axis] == dx.shape()[axis] { dx } else { dx.sum_axis(Axis(axis)).insert_axis(Axis(axis)) }
    };
    (0..shape.len()).fold(dy.mapv(f64::from), sum).mapv(|dx| dx as f32)
}
