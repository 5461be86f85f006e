//! Sums over rows, column by column, with the sums in registers: a kernel is called for as many columns as fill some
//! vectors, and goes down all rows.

use crate::simd::{Simd, SimdBase};

/// The vectors of a row whose sums are in registers at a time. Sums in memory would let each row wait for the one
/// before it, and what it reads with it: from main memory that took four times as long.
pub(super) const VECTORS: usize = 4;

/// Runs a kernel over the columns of rows, as many vectors at a time as are left up to [`VECTORS`]; returns those that
/// fill no vector.
macro_rules! in_columns {
    ($simd:ident, $row:expr, |$vectors:ident, $columns:ident| $kernel:block) => {{
        let (row, lanes, mut done) = ($row, $simd::f32s::LEN, 0);
        while done + $crate::kernels::columns::VECTORS * lanes <= row {
            const $vectors: usize = $crate::kernels::columns::VECTORS;
            let $columns = done..done + $crate::kernels::columns::VECTORS * lanes;
            $kernel
            done += $crate::kernels::columns::VECTORS * lanes;
        }
        while done + lanes <= row {
            const $vectors: usize = 1;
            let $columns = done..done + lanes;
            $kernel
            done += lanes;
        }
        done..row
    }};
}
pub(super) use in_columns;

#[inline(always)]
pub(super) fn load<S: Simd, const V: usize>(simd: S, values: &[f32]) -> [S::f32s; V] {
    let lanes = S::f32s::LEN;
    let mut vectors = [S::f32s::splat(simd, 0.0); V];
    for v in 0..V {
        vectors[v] = S::f32s::from_slice(simd, &values[v * lanes..][..lanes]);
    }
    vectors
}

#[inline(always)]
pub(super) fn store<S: Simd, const V: usize>(vectors: [S::f32s; V], values: &mut [f32]) {
    let lanes = S::f32s::LEN;
    for v in 0..V {
        vectors[v].store_slice(&mut values[v * lanes..][..lanes]);
    }
}
