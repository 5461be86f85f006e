//! Functions of each value with numbers of their own along some axes.

use super::{Declare, Lengths};
use crate::shape::MAX_RANK;

/// Which values have which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerAxis {
    /// The axes of an example; those that there are not are 1, in front.
    pub(crate) axes: [usize; MAX_RANK],
    /// Those of the numbers: 1 where all values share one.
    pub(crate) numbers: [usize; MAX_RANK],
}

/// Negative values multiplied by a weight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LeakBySlope(pub(crate) PerAxis);

/// Each value less its mean, by its deviation; or the reverse.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Normalize {
    pub(crate) of: PerAxis,
    pub(crate) numbers: Numbers,
    pub(crate) direction: Direction,
}

/// Where means and deviations come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Numbers {
    Given {
        means: Vec<f32>,
        deviations: Vec<f32>,
    },
    /// Two weights: the means, and the variances.
    Weights,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To mean 0 and deviation 1.
    Forth,
    /// Back to the means and deviations.
    Back,
}

impl PerAxis {
    /// - axes: of an example; numbers: as many, 1 where all values share one
    pub(crate) fn new(axes: &[usize], numbers: &[usize]) -> Self {
        let in_front = |all: &[usize]| {
            let mut axes = [1; MAX_RANK];
            axes[MAX_RANK - all.len()..].copy_from_slice(all);
            axes
        };
        Self { axes: in_front(axes), numbers: in_front(numbers) }
    }

    /// The same with the last axes made one, where values along them share numbers.
    pub(crate) fn with_few_rows(mut self) -> Self {
        for _ in 1..MAX_RANK {
            if let ([.., before, last], [.., 1, 1]) = (&mut self.axes, self.numbers) {
                *last *= *before;
                *before = 1;
                self.axes[..MAX_RANK - 1].rotate_right(1);
                self.numbers[..MAX_RANK - 1].rotate_right(1);
            }
        }
        self
    }
}

impl Normalize {
    /// What values are divided by: as in Keras no less than 1e-7.
    #[inline(always)]
    pub(crate) fn deviation(variance: f32) -> f32 {
        let deviation = variance.sqrt();
        if deviation < 1e-7 { 1e-7 } else { deviation }
    }
}

impl Declare for LeakBySlope {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

impl Declare for Normalize {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_axes_that_share_numbers_become_one() {
        let few = |axes: &[usize], numbers: &[usize]| {
            let PerAxis { axes, numbers } = PerAxis::new(axes, numbers).with_few_rows();
            (axes, numbers)
        };
        assert_eq!(few(&[2, 3, 4], &[1, 1, 4]), ([1, 2, 3, 4], [1, 1, 1, 4]));
        assert_eq!(few(&[2, 3, 4], &[2, 1, 1]), ([1, 1, 2, 12], [1, 1, 2, 1]));
        assert_eq!(few(&[5, 2, 3, 4], &[1, 2, 1, 1]), ([1, 5, 2, 12], [1, 1, 2, 1]));
        assert_eq!(few(&[2, 3, 4], &[1, 1, 1]), ([1, 1, 1, 24], [1; 4]));
        assert_eq!(few(&[7], &[7]), ([1, 1, 1, 7], [1, 1, 1, 7]));
    }
}
