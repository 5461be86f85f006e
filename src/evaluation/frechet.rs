//! The Fréchet distance between two sets of vectors, with the eigenvalues that it needs.

use crate::data::first_not_finite;
use crate::error::{Error, Result};
use ndarray::{Array1, Array2, Axis};

/// The most sweeps over a matrix; about six are enough for one of a thousand rows.
const MOST_SWEEPS: usize = 60;

/// The Fréchet distance between the normal distributions that have the means and covariances of two sets of vectors:
/// `|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2))`. Of the features of generated and of real images in a trained
/// network it tells how alike they are in quality and variety ([Heusel et al.,
/// 2017](https://arxiv.org/abs/1706.08500)).
///
/// It depends on the network, and falls as the sets grow, so it says something only beside that of two sets of real
/// images of the same sizes.
///
/// - Both sets: (N, features), with at least two vectors each
///
/// # Errors
/// [`Error::Data`] if the vectors of the two differ in length or have none, there are fewer than two in a set, or a
/// value is NaN or infinite.
///
/// ```
/// use inkstone::evaluation::frechet_distance;
/// use inkstone::ndarray::array;
/// let points = array![[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]];
/// assert!(frechet_distance(&points, &points)?.abs() < 1e-9);
/// // Moved by (3, 4), and spread three times as far: 25 + 2 * (2 / sqrt(3) * (3 - 1))^2.
/// let moved = points.mapv(|x: f32| 3.0 * (x - 1.0)) + &array![[4.0, 5.0]];
/// assert!((frechet_distance(&points, &moved)? - (25.0 + 2.0 * 16.0 / 3.0)).abs() < 1e-5);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn frechet_distance(first: &Array2<f32>, second: &Array2<f32>) -> Result<f64> {
    if first.ncols() != second.ncols() || first.ncols() == 0 {
        let (first, second) = (first.ncols(), second.ncols());
        return Err(Error::Data(format!(
            "both sets must have vectors of one length, at least 1, got {first} and {second}"
        )));
    }
    for set in [first, second] {
        if set.nrows() < 2 {
            return Err(Error::Data(format!("a covariance takes at least 2 vectors, got {}", set.nrows())));
        }
        if let Some((place, value)) = first_not_finite(&set.view()) {
            let place = (place[0], place[1]);
            return Err(Error::Data(format!("vectors must be finite, got {value} at {place:?} (N, features)")));
        }
    }
    let [(mean, covariance), (other_mean, other_covariance)] = [first, second].map(moments);
    let root = square_root(&covariance);
    // It has the eigenvalues of the product, and is symmetric.
    let between = root.dot(&other_covariance).dot(&root);
    let overlap: f64 = eigen(symmetric(between)).0.iter().map(|value| value.max(0.0).sqrt()).sum();
    let apart: f64 = (&mean - &other_mean).mapv(|difference| difference * difference).sum();
    Ok(apart + covariance.diag().sum() + other_covariance.diag().sum() - 2.0 * overlap)
}

/// The mean, (features), and the covariance, (features, features), of vectors, (N, features).
fn moments(vectors: &Array2<f32>) -> (Array1<f64>, Array2<f64>) {
    let count = vectors.nrows() as f64;
    let mut wide = vectors.mapv(f64::from);
    let mean = wide.sum_axis(Axis(0)) / count;
    wide -= &mean;
    let covariance = wide.t().dot(&wide) / (count - 1.0);
    (mean, covariance)
}

/// The mean of a matrix and its transpose.
fn symmetric(matrix: Array2<f64>) -> Array2<f64> {
    (&matrix + &matrix.t()) * 0.5
}

/// The symmetric square root of a covariance.
fn square_root(covariance: &Array2<f64>) -> Array2<f64> {
    let (values, vectors) = eigen(covariance.clone());
    let roots = values.mapv(|value| value.max(0.0).sqrt());
    (&vectors * &roots).dot(&vectors.t())
}

/// The eigenvalues of a symmetric matrix, and its eigenvectors as columns, by Jacobi's method: rotations that clear one
/// element after the other, until what is left beside the diagonal is nothing.
fn eigen(mut matrix: Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let len = matrix.nrows();
    let mut vectors = Array2::eye(len);
    let nothing = f64::EPSILON * f64::EPSILON * matrix.iter().map(|value| value * value).sum::<f64>();
    for _ in 0..MOST_SWEEPS {
        let beside: f64 =
            matrix.indexed_iter().filter(|((row, column), _)| row != column).map(|(_, value)| value * value).sum();
        if beside <= nothing {
            break;
        }
        for row in 0..len {
            for column in row + 1..len {
                rotate(&mut matrix, &mut vectors, row, column);
            }
        }
    }
    (matrix.diag().to_owned(), vectors)
}

/// Clears one element of a symmetric matrix, and its mirror image, by a rotation that the vectors take as well.
fn rotate(matrix: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) {
    let off = matrix[[p, q]];
    if off == 0.0 {
        return;
    }
    let theta = (matrix[[q, q]] - matrix[[p, p]]) / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for other in 0..matrix.nrows() {
        let (a, b) = (matrix[[other, p]], matrix[[other, q]]);
        (matrix[[other, p]], matrix[[other, q]]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
    for other in 0..matrix.nrows() {
        let (a, b) = (matrix[[p, other]], matrix[[q, other]]);
        (matrix[[p, other]], matrix[[q, other]]) = (cosine * a - sine * b, sine * a + cosine * b);
        let (a, b) = (vectors[[other, p]], vectors[[other, q]]);
        (vectors[[other, p]], vectors[[other, q]]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
    (matrix[[p, q]], matrix[[q, p]]) = (0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, normal, stream};
    use ndarray::array;

    fn drawn(rows: usize, columns: usize) -> Array2<f32> {
        let mut random = stream(1, Stream::Dataset);
        Array2::from_shape_simple_fn((rows, columns), || normal(&mut random))
    }

    #[test]
    fn eigenvectors_take_a_matrix_apart() {
        let (_, matrix) = moments(&drawn(30, 17));
        let (values, vectors) = eigen(matrix.clone());
        let again = (&vectors * &values).dot(&vectors.t());
        assert!((&again - &matrix).iter().all(|difference| difference.abs() < 1e-12));
        let of_unit_length = vectors.t().dot(&vectors) - Array2::<f64>::eye(17);
        assert!(of_unit_length.iter().all(|difference| difference.abs() < 1e-12));
        assert!((values.sum() - matrix.diag().sum()).abs() < 1e-12);
    }

    #[test]
    fn a_root_squared_is_the_matrix_though_it_has_no_full_rank() {
        let (_, matrix) = moments(&drawn(5, 12));
        let root = square_root(&matrix);
        assert!((&root.dot(&root) - &matrix).iter().all(|difference| difference.abs() < 1e-10));
    }

    #[test]
    fn the_distance_of_distributions_that_are_turned_is_that_of_the_formula() {
        let first = array![[0.0_f32, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 5.0]];
        let second = array![[1.0_f32, 0.0], [0.0, 2.0], [2.0, 2.5], [4.0, 1.0]];
        // Of 2x2 matrices the trace of the root is known: sqrt(trace + 2 sqrt(determinant)).
        let [(m1, s1), (m2, s2)] = [&first, &second].map(moments);
        let product = s1.dot(&s2);
        let determinant = product[[0, 0]] * product[[1, 1]] - product[[0, 1]] * product[[1, 0]];
        let overlap = (product.diag().sum() + 2.0 * determinant.sqrt()).sqrt();
        let expected = (&m1 - &m2).mapv(|x| x * x).sum() + s1.diag().sum() + s2.diag().sum() - 2.0 * overlap;
        let found = frechet_distance(&first, &second).unwrap();
        assert!((found - expected).abs() < 1e-10, "{found}, expected {expected}");
        assert!((frechet_distance(&second, &first).unwrap() - expected).abs() < 1e-10);
    }

    #[test]
    fn what_has_no_distance_is_refused() {
        let said = |a: &Array2<f32>, b: &Array2<f32>| frechet_distance(a, b).unwrap_err().to_string();
        let whole = drawn(4, 3);
        assert_eq!(said(&whole, &drawn(4, 2)), "both sets must have vectors of one length, at least 1, got 3 and 2");
        assert_eq!(said(&whole, &drawn(1, 3)), "a covariance takes at least 2 vectors, got 1");
        let mut broken = whole.clone();
        broken[[2, 1]] = f32::NAN;
        assert_eq!(said(&broken, &whole), "vectors must be finite, got NaN at (2, 1) (N, features)");
    }
}
