//! Packs all kernels, in parallel.

use crate::exec::cut_packing;
use crate::plan::{ConvStep, Placed};
use std::ops::Range;

/// The most packed weights of several steps that are one job: fewer are packed sooner than another thread wakes.
const ONE_JOB: usize = 1 << 14;

/// Whether so many packed weights of a plan are one job.
pub(super) fn packs_in_one_job(packed_len: usize) -> bool {
    packed_len <= ONE_JOB
}

/// Packs the kernels of these steps.
///
/// - packed: the part of these steps, which lie in it one after the other
/// - pack: packs some filters of a step into their part
pub(super) fn pack_steps(
    steps: &[Placed],
    packed: &mut [f32],
    pack: &(impl Fn(&ConvStep, Range<usize>, &mut [f32]) + Sync),
) {
    match steps {
        [] => {}
        [placed] => {
            if let Some(conv) = placed.step.conv() {
                pack_step(conv, 0..conv.layout.filters, packed, pack);
            }
        }
        _ => {
            let (left, right) = steps.split_at(steps.len() / 2);
            let middle = left.iter().filter_map(|placed| placed.step.conv()).map(|conv| conv.packed.len()).sum();
            let is_one_job = packs_in_one_job(packed.len());
            let (packed_left, packed_right) = packed.split_at_mut(middle);
            if is_one_job {
                pack_steps(left, packed_left, pack);
                pack_steps(right, packed_right, pack);
            } else {
                rayon::join(|| pack_steps(left, packed_left, pack), || pack_steps(right, packed_right, pack));
            }
        }
    }
}

/// Packs some filters of a step.
fn pack_step(
    conv: &ConvStep,
    filters: Range<usize>,
    packed: &mut [f32],
    pack: &(impl Fn(&ConvStep, Range<usize>, &mut [f32]) + Sync),
) {
    let Some(middle) = cut_packing(conv, &filters) else { return pack(conv, filters, packed) };
    let len = conv.layout.packed_start(middle) - conv.layout.packed_start(filters.start);
    let (before, after) = packed.split_at_mut(len);
    rayon::join(
        || pack_step(conv, filters.start..middle, before, pack),
        || pack_step(conv, middle..filters.end, after, pack),
    );
}
