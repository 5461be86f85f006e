//! Finds group normalizations that an exporter has written out: a `Reshape` that cuts the channels into groups, an
//! `InstanceNormalization` or the means and deviations that `written_out` knows, and a `Reshape` back.

use super::super::message::{Attribute, Node};
use super::tensors::Numbers;
use super::written_out::{Finder, Found, Normalized};

/// Which axis has the channels, of an operator that was put together. Its fourth input is the shape that it gives.
pub(super) const CHANNELS: &str = "channels_axis";
/// Says that its weights are for channels that are two axes: groups, and the channels of each.
pub(super) const CUT: &str = "cut_weights";
/// How many channels each group has, where the file says so.
pub(super) const SIZE: &str = "channels_of_group";

/// The most groups that are looked at.
const MOST_GROUPS: usize = 4096;

impl<'a> Finder<'a> {
    /// The one around an `InstanceNormalization` of groups, without weights of its own: channels come first.
    pub(super) fn around_instances(&self, index: usize) -> Option<Found> {
        let node = &self.nodes[index];
        let [x, scale, offset] = &node.input[..] else { return None };
        let (cut, shape) = self.cut(x)?;
        if !(self.is_filled(scale, 1.0) && self.is_filled(offset, 0.0)) {
            return None;
        }
        let epsilon = node.attribute.iter().find(|attribute| attribute.name == "epsilon");
        let attributes = vec![
            Attribute::float("epsilon", epsilon.and_then(|epsilon| epsilon.f).unwrap_or(1e-5)),
            Attribute::int("num_groups", *shape.get(1)?),
            Attribute::int(CHANNELS, 1),
        ];
        self.with_shapes(cut, attributes, vec![index], (index, None, None))
    }

    /// The one around means over all axes but those of the batch and of the groups: channels come last.
    pub(super) fn around_means(&self, found: Normalized<'a>) -> Option<Found> {
        let Normalized { x, axes, epsilon, nodes, last: (last, gamma, beta) } = found;
        let (cut, shape) = self.cut(x)?;
        let rank = shape.len() as i64;
        let [_, .., groups, size] = shape[..] else { return None };
        let axes = axes.into_iter().map(|axis| if axis < 0 { axis.saturating_add(rank) } else { axis });
        let lies_cut = |name: &str| {
            let dims = self.tensors.get(name).map_or(&[][..], |tensor| &tensor.dims);
            dims.iter().rev().skip(2).all(|dim| *dim == 1)
        };
        if !axes.eq((1..rank).filter(|axis| *axis != rank - 2))
            || ![gamma, beta].into_iter().flatten().all(lies_cut)
            || size < 1
        {
            return None;
        }
        let mut attributes = vec![
            Attribute::float("epsilon", epsilon),
            Attribute::int("num_groups", groups),
            Attribute::int(CHANNELS, -1),
            Attribute::int(SIZE, size),
        ];
        if gamma.or(beta).is_some() {
            attributes.push(Attribute::int(CUT, 1));
        }
        self.with_shapes(cut, attributes, nodes, (last, gamma, beta))
    }

    /// With the two changes of shape, and weights behind the second if there were none before.
    fn with_shapes(
        &self,
        cut: usize,
        attribute: Vec<Attribute>,
        mut nodes: Vec<usize>,
        (last, gamma, beta): (usize, Option<&'a str>, Option<&'a str>),
    ) -> Option<Found> {
        let [back] = self.readers.get(self.output(last))?[..] else { return None };
        let [_, shape] = &self.nodes[back].input[..] else { return None };
        if self.nodes[back].op_type != "Reshape" {
            return None;
        }
        nodes.extend([cut, last, back]);
        let (last, gamma, beta) = match gamma.or(beta) {
            Some(_) => (back, gamma, beta),
            None => self.scaled(back, &mut nodes),
        };
        let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let node = Node {
            input: vec![self.nodes[cut].input[0].clone(), named(gamma), named(beta), shape.clone()],
            output: vec![self.output(last).to_owned()],
            name: self.nodes[last].name.clone(),
            op_type: "GroupNormalization".into(),
            attribute,
            ..Node::default()
        };
        Some(Found { nodes, last, node })
    }

    /// The `Reshape` that gives a value, and its shape.
    fn cut(&self, name: &str) -> Option<(usize, Vec<i64>)> {
        let cut = self.giver(name, "Reshape")?;
        let [_, shape] = &self.nodes[cut].input[..] else { return None };
        match self.of_at_most(shape, 8)?.numbers {
            Numbers::Integers(shape) => Some((cut, shape)),
            Numbers::Floats(_) | Numbers::Filled(_) => None,
        }
    }

    /// Whether a constant has this number alone.
    fn is_filled(&self, name: &str, number: f32) -> bool {
        match self.of_at_most(name, MOST_GROUPS).map(|constant| constant.numbers) {
            Some(Numbers::Floats(values)) => values.iter().all(|value| *value == number),
            Some(Numbers::Filled(value)) => value == number,
            Some(Numbers::Integers(_)) | None => false,
        }
    }
}
