//! Normalizations: over the batch, over the last axes, and over groups of channels.

use super::convolution::names_of_weights;
use super::graph::Importer;
use super::group_norms::{CHANNELS, CUT, SIZE};
use super::network::Added;
use super::node::Op;
use super::value::Value;
use super::written_out::COUNT;
use crate::layers::{BatchNormalization, GroupNormalization, LayerNormalization};
use ndarray::{ArrayD, IxDyn};

impl<'a> Importer<'a> {
    pub(super) fn batch_norm(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        if op.int("training_mode", 0) == 1 || op.int("spatial", 1) != 1 {
            return Err("normalizes by the moments of the batch itself: export the model for inference".into());
        }
        op.int("is_test", 1);
        if (1..op.node.output.len()).any(|place| self.is_read(op, place)) {
            return Err("gives moments, which is not supported".into());
        }
        let (order, lens) = channels_last(&value, 1)?;
        let weights = (1..5).map(|place| self.weight_row(op, place)).collect::<Result<Vec<_>, _>>()?;
        let layer = BatchNormalization::new().epsilon(op.float("epsilon", 1e-5)).momentum(op.float("momentum", 0.9));
        let added = Added { layer: layer.into(), weights, name: &op.node.name, from: names_of_weights(op) };
        let y = self.same_sizes(&value, &order, &lens, added)?;
        self.give_value(op, y)
    }

    pub(super) fn layer_norm(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        op.int("stash_type", 1);
        let axis = value.own_axis(op.int("axis", -1))?;
        let count = op.optional_int(COUNT).map(|count| usize::try_from(count).unwrap_or_default());
        let end = count.map_or(value.rank(), |count| value.rank().min(axis.saturating_add(count)));
        let own: Vec<usize> = (axis..end).collect();
        if count.is_some() {
            (1..3).try_for_each(|place| self.check_axes_of_weight(op, place, &own, value.rank()))?;
        }
        if own.is_empty() || own.iter().any(|axis| value.is_batch(*axis)) {
            return Err("normalizes over the batch, or nothing, which is not supported".into());
        }
        let others = value.natural().into_iter().filter(|axis| !own.contains(axis));
        let order: Vec<usize> = others.chain(own.iter().copied()).collect();
        let len = |axes: &[usize]| axes.iter().map(|axis| value.len(*axis)).product::<usize>();
        let (in_front, features) = (len(&order[..order.len() - own.len()]), len(&own));
        let lens = match &own[..] {
            [_] => order.iter().map(|axis| value.len(*axis)).collect(),
            _ if in_front == 1 => vec![features],
            _ => vec![in_front, features],
        };
        let (has_scale, has_offset) = (op.input(1).is_some(), op.input(2).is_some());
        let mut weights = Vec::new();
        if has_scale {
            weights.push(self.weight_row(op, 1)?);
        }
        if has_offset {
            weights.push(self.weight_row(op, 2)?);
        }
        let layer = LayerNormalization::new().epsilon(op.float("epsilon", 1e-5)).scale(has_scale).center(has_offset);
        let added = Added { layer: layer.into(), weights, name: &op.node.name, from: names_of_weights(op) };
        let y = self.same_sizes(&value, &order, &lens, added)?;
        self.give_value(op, y)
    }

    /// `InstanceNormalization`, where each channel is a group, and `GroupNormalization`.
    pub(super) fn group_norm(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let written_out = op.optional_int(CHANNELS);
        let place = value.own_axis(written_out.unwrap_or(1))?;
        let (order, lens) = channels_last(&value, place)?;
        let channels = value.len(place);
        let groups = if op.node.op_type == "GroupNormalization" {
            op.int("stash_type", 1);
            let groups = op.int("num_groups", 0);
            let count = usize::try_from(groups).ok().filter(|count| *count > 0 && channels.is_multiple_of(*count));
            Some(count.ok_or_else(|| format!("cuts {channels} channels into {groups} groups"))?)
        } else {
            None
        };
        let (has_scale, has_offset) = match written_out {
            Some(_) => {
                self.check_shape_given(op, &value, channels / groups.unwrap_or(channels))?;
                let is_cut = op.optional_int(CUT).is_some();
                if !is_cut {
                    (1..3).try_for_each(|weight| self.check_axes_of_weight(op, weight, &[place], value.rank()))?;
                }
                (op.input(1).is_some(), op.input(2).is_some())
            }
            None => (true, true),
        };
        let weights = [(1, has_scale), (2, has_offset)].into_iter().filter(|(_, is_there)| *is_there);
        let mut weights = weights.map(|(place, _)| self.weight_row(op, place)).collect::<Result<Vec<_>, _>>()?;
        if let Some(groups) = groups
            && written_out.is_none()
            && op.opset < 21
        {
            // Up to then there was one number for each group.
            weights = weights.iter().map(|weight| repeated(weight, channels / groups)).collect();
        }
        let groups = groups.map_or(-1, |groups| groups as i64);
        let layer = GroupNormalization::new().groups(groups).epsilon(op.float("epsilon", 1e-5));
        let layer = layer.scale(has_scale).center(has_offset);
        let added = Added { layer: layer.into(), weights, name: &op.node.name, from: names_of_weights(op) };
        let y = self.same_sizes(&value, &order, &lens, added)?;
        self.give_value(op, y)
    }

    /// Checks that a normalization which was written out cut its channels into groups of this size, and gave the shape
    /// that it read.
    fn check_shape_given(&mut self, op: &Op<'a>, value: &Value, size: usize) -> Result<(), String> {
        let target = self.needed(op, 3)?.whole()?.to_vec();
        let is_same = |(axis, dim): (usize, &i64)| match *dim {
            _ if value.is_batch(axis) => true,
            -1 => target.iter().enumerate().all(|(other, dim)| *dim != -1 || other == axis || value.is_batch(other)),
            dim => usize::try_from(dim) == Ok(value.len(axis)),
        };
        let is_size = op.optional_int(SIZE).is_none_or(|found| usize::try_from(found) == Ok(size));
        match is_size && target.len() == value.rank() && target.iter().enumerate().all(is_same) {
            true => Ok(()),
            false => {
                Err(format!("normalizes ({}) in parts and gives {target:?}, which is not supported", value.shown()))
            }
        }
    }

    /// Checks that a constant has numbers for these axes alone.
    fn check_axes_of_weight(&mut self, op: &Op<'a>, place: usize, own: &[usize], rank: usize) -> Result<(), String> {
        let Some(constant) = self.constant(op, place)? else { return Ok(()) };
        let sizes = constant.sizes()?;
        let is_other = |(index, size): (usize, &usize)| *size != 1 && !own.contains(&(rank + index - sizes.len()));
        match sizes.len() > rank || sizes.iter().enumerate().any(is_other) {
            true => Err("is a normalization with weights of other axes, which is not supported".into()),
            false => Ok(()),
        }
    }

    /// A constant as a vector.
    fn weight_row(&mut self, op: &Op<'a>, place: usize) -> Result<ArrayD<f32>, String> {
        let values: Vec<f32> = self.needed(op, place)?.floats()?.into_iter().collect();
        Ok(ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).expect("a vector is as long as it is"))
    }
}

/// The order and the sizes of the axes with this one, that of the channels, last: at most four.
fn channels_last(value: &Value, place: usize) -> Result<(Vec<usize>, Vec<usize>), String> {
    if value.rank() < 2 || !value.is_batch(0) {
        return Err(format!("reads ({}), expected (N, channels, ...)", value.shown()));
    }
    let order: Vec<usize> = value.natural().into_iter().filter(|axis| *axis != place).chain([place]).collect();
    let lens: Vec<usize> = order.iter().map(|axis| value.len(*axis)).collect();
    let lens = match &lens[..] {
        [others @ .., channels] if others.len() > 3 => vec![others.iter().product(), *channels],
        _ => lens,
    };
    Ok((order, lens))
}

/// Each value several times.
fn repeated(row: &ArrayD<f32>, times: usize) -> ArrayD<f32> {
    let values: Vec<f32> = row.iter().flat_map(|value| std::iter::repeat_n(*value, times)).collect();
    ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).expect("a vector is as long as it is")
}
