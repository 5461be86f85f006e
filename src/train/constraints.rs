//! Brings weights within their constraints, after each step of the optimizer.

use crate::kernels::constraint::{NormBounds, bound_norms, clear_negative};
use crate::plan::{Parameter, Parameters};
use crate::program::{Constraint, StoredOrder};
use crate::simd::{Level, dispatch};
use std::ops::Range;

/// The constraints of all weights that are trained and have one.
#[derive(Clone, Debug)]
pub(super) struct Constraints(Vec<Constrained>);

/// The constraint of one weight.
#[derive(Clone, Debug)]
struct Constrained {
    /// Its place in the flat buffer.
    range: Range<usize>,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// No value is negative.
    NonNeg,
    /// Norms are within bounds: those of the members of each group. Both are axes in memory: how long they are, and how
    /// far their values are apart.
    Norms { bounds: NormBounds, groups: Vec<(usize, usize)>, members: Vec<(usize, usize)> },
}

impl Constraints {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let constrained = |parameter: &Parameter| {
            let constraint = parameter.options.constraint.as_ref()?;
            Some(Constrained { range: parameter.range.clone(), rule: Rule::new(constraint, parameter) })
        };
        Self(parameters.trained().filter_map(constrained).collect())
    }

    /// - weights: all that are trained, laid out as the plan says
    pub(super) fn apply(&self, level: Level, weights: &mut [f32]) {
        for Constrained { range, rule } in &self.0 {
            let weights = &mut weights[range.clone()];
            match rule {
                Rule::NonNeg => dispatch!(level, simd => clear_negative(simd, weights)),
                Rule::Norms { bounds, groups, members } => {
                    dispatch!(level, simd => bound_norms(simd, *bounds, groups, members, weights));
                }
            }
        }
    }
}

impl Rule {
    fn new(constraint: &Constraint, parameter: &Parameter) -> Self {
        let bounds = match *constraint {
            Constraint::NonNeg => return Self::NonNeg,
            Constraint::MaxNorm { max_value, .. } => NormBounds { min: 0.0, max: max_value, rate: 1.0 },
            Constraint::UnitNorm { .. } => NormBounds { min: 1.0, max: 1.0, rate: 1.0 },
            Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
                NormBounds { min: min_value, max: max_value, rate }
            }
        };
        let axes = parameter.shape.len();
        // Keras' axes in the order in which they lie in memory.
        let mut order: Vec<usize> = (0..axes).collect();
        match parameter.stored {
            StoredOrder::AsShaped => {}
            StoredOrder::LastAxisFirst => order.rotate_right(1),
        }
        let (mut groups, mut members) = (Vec::new(), Vec::new());
        let mut stride = parameter.range.len();
        for axis in order {
            let len = parameter.shape[axis];
            stride /= len;
            let of_axis = if constraint.axes().contains(&axis) { &mut members } else { &mut groups };
            match of_axis.last_mut() {
                // What follows the last axis without a gap lengthens it.
                Some((outer, outer_stride)) if *outer_stride == stride * len => {
                    (*outer, *outer_stride) = (*outer * len, stride);
                }
                Some(_) | None => of_axis.push((len, stride)),
            }
        }
        Self::Norms { bounds, groups, members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2D, Dense, Layer, Network};
    use crate::plan::{Plan, Wanted};
    use crate::shape::Shape;
    use crate::simd::all_levels;

    /// A layer's plan, its only constraint, and weights that are all different.
    fn constrained(input: Shape, layer: impl Into<Layer>) -> (Plan, Constraints, Vec<f32>) {
        let plan = Plan::new(&Network::chain(input, vec![layer.into()]), Wanted::OfParameters).unwrap();
        let constraints = Constraints::new(&plan.parameters);
        assert_eq!(constraints.0.len(), 1);
        let number = |index: usize| (index * 37 % 101) as f32 / 101.0 - 0.4;
        let weights = (0..plan.parameters.trained_len).map(number).collect();
        (plan, constraints, weights)
    }

    /// The norms over some axes by their definition, out of a kernel as it lies in memory.
    fn norms(shape: &[usize], axes: &[usize], stored: &[f32]) -> std::collections::BTreeMap<Vec<usize>, f32> {
        let mut squares = std::collections::BTreeMap::<Vec<usize>, f32>::new();
        let (outputs, inputs) = (shape[shape.len() - 1], stored.len() / shape[shape.len() - 1]);
        for output in 0..outputs {
            for input in 0..inputs {
                let mut index = vec![output];
                let mut rest = input;
                for axis in shape[..shape.len() - 1].iter().rev() {
                    index.insert(0, rest % axis);
                    rest /= axis;
                }
                let kept = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| index[axis]).collect();
                *squares.entry(kept).or_default() += stored[output * inputs + input].powi(2);
            }
        }
        squares.into_iter().map(|(group, squares)| (group, squares.sqrt())).collect()
    }

    #[test]
    fn every_set_of_axes_has_its_norms() {
        let shape = [3, 2, 4, 5];
        for subset in 1..16_usize {
            let axes: Vec<usize> = (0..4).filter(|axis| subset & (1 << axis) != 0).collect();
            let conv = Conv2D::new(5, (3, 2)).kernel_constraint(Constraint::unit_norm().axis(axes.clone()));
            let (plan, constraints, weights) = constrained([6, 6, 4].into(), conv);
            for level in all_levels() {
                let mut bounded = weights.clone();
                constraints.apply(level, &mut bounded);
                let kernel = &bounded[plan.parameters.all[0].range.clone()];
                for (group, norm) in norms(&shape, &axes, kernel) {
                    assert!((norm - 1.0).abs() < 1e-5, "{level:?}, axes {axes:?}, group {group:?}: {norm}");
                }
            }
        }
    }

    #[test]
    fn long_rows_are_one_run() {
        let dense = Dense::new(3).kernel_constraint(Constraint::max_norm(2.0));
        let (_, constraints, _) = constrained([20_000].into(), dense);
        let Rule::Norms { groups, members, .. } = &constraints.0[0].rule else { panic!("{constraints:?}") };
        assert_eq!((&groups[..], &members[..]), (&[(3, 20_000)][..], &[(20_000, 1)][..]));
    }
}
