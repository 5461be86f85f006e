//! Two values made one, value by value.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::{Merge, MergeFunction};
use crate::simd::Simd;

impl Run for Merge {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let len = io.images * io.len;
        let ([left, right, _], y) = (io.x, &mut io.y[..len]);
        simd.vectorize(
            #[inline(always)]
            || {
                let values = y.iter_mut().zip(left).zip(right);
                match self.0 {
                    MergeFunction::Sum => values.for_each(|((y, left), right)| *y = left + right),
                    MergeFunction::Difference => values.for_each(|((y, left), right)| *y = left - right),
                    MergeFunction::Product => values.for_each(|((y, left), right)| *y = left * right),
                    // Either way a NaN is handed on, which must reach the loss.
                    MergeFunction::Maximum => values.for_each(|((y, left), right)| {
                        *y = if *left > *right || left.is_nan() { *left } else { *right };
                    }),
                    MergeFunction::Minimum => values.for_each(|((y, left), right)| {
                        *y = if *left < *right || left.is_nan() { *left } else { *right };
                    }),
                }
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let len = io.images * io.len;
        let ([left, right, _], dy, [mut d_left, mut d_right, _]) = (io.x, &mut io.dy[..len], io.dx);
        let (left, right) = (&left[..len], &right[..len]);
        // The gradient of the second input may be made in the memory of the output's.
        simd.vectorize(
            #[inline(always)]
            || {
                let triples = || left.iter().zip(right);
                match self.0 {
                    MergeFunction::Sum => d_left.put(dy.iter()),
                    MergeFunction::Difference => {
                        d_left.put(dy.iter());
                        dy.iter_mut().for_each(|dy| *dy = -*dy);
                    }
                    MergeFunction::Product => {
                        d_left.put_each(dy.iter().zip(right).map(|(dy, right)| dy * right));
                        dy.iter_mut().zip(left).for_each(|(dy, left)| *dy *= left);
                    }
                    MergeFunction::Maximum => {
                        d_left.put_each(dy.iter().zip(triples()).map(|(dy, (left, right))| dy * share(left, right)));
                        dy.iter_mut().zip(triples()).for_each(|(dy, (left, right))| *dy *= share(right, left));
                    }
                    MergeFunction::Minimum => {
                        d_left.put_each(dy.iter().zip(triples()).map(|(dy, (left, right))| dy * share(right, left)));
                        dy.iter_mut().zip(triples()).for_each(|(dy, (left, right))| *dy *= share(left, right));
                    }
                }
                d_right.put(dy.iter());
            },
        );
    }
}

/// How much of the gradient of a maximum goes to the first of two values.
#[inline(always)]
fn share(first: &f32, second: &f32) -> f32 {
    if first > second {
        1.0
    } else if first < second {
        0.0
    } else {
        0.5
    }
}
