//! The products with a recurrent kernel: of states, of gradients, and of both over a whole sequence. They are those of
//! a dense layer, whose kernels they run.

use crate::kernels::conv2d::{ConvLayout, SLACK, blocks};
use crate::kernels::conv2d_forward::products;
use crate::kernels::conv2d_weight_gradient_dense::{add_long_products, lost_len};
use crate::shape::{Padding, Window2d};
use crate::simd::{Simd, SimdBase};

/// The layouts of a product of states with some columns of a recurrent kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Product {
    /// Of states: (examples, units) to (examples, columns).
    forward: ConvLayout,
    /// Of gradients: (examples, columns) to (examples, units).
    backward: ConvLayout,
}

impl Product {
    /// - columns: of the kernel, which has `units` rows
    pub(crate) fn new(units: usize, columns: usize) -> Self {
        let window = Window2d::new((1, 1), (1, 1), (1, 1), Padding::Valid).expect("a window of one pixel fits one");
        let layout = |from: usize, to: usize| ConvLayout::new(&window, from, to, None);
        Self { forward: layout(units, columns), backward: layout(columns, units) }
    }

    /// How many values each example has in a product of states.
    pub(crate) fn gate_values(&self) -> usize {
        self.forward.filters
    }

    /// Floats of the packed kernel, for either direction.
    pub(crate) fn packed_len(&self) -> usize {
        self.forward.packed_len().max(self.backward.packed_len())
    }

    /// Packs the kernel for products of states.
    ///
    /// - weights: (columns, units); biases: (columns), or empty
    pub(crate) fn pack<S: Simd>(&self, simd: S, weights: &[f32], biases: &[f32], packed: &mut [f32]) {
        let packed = &mut packed[..self.forward.packed_len()];
        // The row of biases, where there are none.
        packed.fill(0.0);
        self.forward.pack(simd, weights, biases, packed);
    }

    /// Packs the kernel for products of gradients: the other way round, without biases.
    ///
    /// - weights: (columns, units)
    pub(crate) fn pack_turned<S: Simd>(&self, _simd: S, weights: &[f32], packed: &mut [f32]) {
        let (units, columns) = (self.backward.filters, self.gate_values());
        let mut rest = &mut packed[..self.backward.packed_len()];
        for (first, vectors) in blocks::<S>(units) {
            let lanes = vectors * S::f32s::LEN;
            let (block, after) = rest.split_at_mut((columns + 1) * lanes);
            rest = after;
            let used = lanes.min(units - first);
            let (rows, biases) = block.split_at_mut(columns * lanes);
            biases.fill(0.0);
            for (row, weights) in rows.chunks_exact_mut(lanes).zip(weights.chunks_exact(units)) {
                row[..used].copy_from_slice(&weights[first..][..used]);
                row[used..].fill(0.0);
            }
        }
    }

    /// `z = h * kernel + biases`.
    ///
    /// - h: (examples, units); packed: as [`Self::pack`] makes it; z: (examples, columns)
    pub(crate) fn of_states<S: Simd>(&self, simd: S, h: &[f32], packed: &[f32], z: &mut [f32]) {
        let examples = z.len() / self.gate_values();
        products(simd, &self.forward, h, packed, 0..examples, z);
    }

    /// `dh = dz * turned kernel`.
    ///
    /// - dz: (examples, columns); packed: as [`Self::pack_turned`] makes it; dh: (examples, units)
    pub(crate) fn of_gradients<S: Simd>(&self, simd: S, dz: &[f32], packed: &[f32], dh: &mut [f32]) {
        let examples = dh.len() / self.backward.filters;
        products(simd, &self.backward, dz, packed, 0..examples, dh);
    }

    /// Floats that [`Self::add_weight_gradients`] needs for so many rows.
    pub(crate) fn lost_len(&self, rows: usize) -> usize {
        lost_len(&self.forward, rows)
    }

    /// `dw += dz * h` over some steps.
    ///
    /// - h: (rows, units), and [`SLACK`]; dz: (rows, columns)
    /// - lost: what these sums have lost before, in [`Self::lost_len`] floats
    /// - dw: (columns, units), and [`SLACK`]
    pub(crate) fn add_weight_gradients<S: Simd>(
        &self,
        simd: S,
        h: &[f32],
        dz: &[f32],
        lost: &mut [f32],
        dw: &mut [f32],
    ) {
        let rows = dz.len() / self.gate_values();
        debug_assert!(h.len() >= rows * self.backward.filters + SLACK, "vectors reach past the last row");
        add_long_products(simd, &self.forward, h, dz, lost, dw);
    }
}
