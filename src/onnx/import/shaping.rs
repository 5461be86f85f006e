//! What changes how axes are named and cut, and moves no values: `Transpose`, `Reshape`, `Flatten`, `Squeeze` and
//! `Unsqueeze`; and `Expand`, which repeats them.

use super::graph::Importer;
use super::network::{Added, Arranged};
use super::node::Op;
use super::tensors::BATCH;
use super::value::{Order, Value, Zero, axis_of};
use crate::layers::RepeatVector;

impl<'a> Importer<'a> {
    pub(super) fn shaping(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let y = match &op.node.op_type[..] {
            "Transpose" => transposed(op, &value)?,
            "Reshape" => {
                let target = match self.constant(op, 1)? {
                    Some(target) => target.whole()?.to_vec(),
                    None => op.ints("shape").ok_or("lacks a shape")?.to_vec(),
                };
                let zero = if op.int("allowzero", 0) == 1 { Zero::IsZero } else { Zero::KeepsSize };
                if target.len() > MOST_AXES {
                    return Err(format!("gives {} axes", target.len()));
                }
                value.reshaped(&target, self.batch, zero)?
            }
            "Flatten" => {
                let axis = op.int("axis", 1);
                let axis = if axis == value.rank() as i64 { value.rank() } else { value.axis(axis)? };
                if value.batch() != 0 || axis == 0 || (1..axis).any(|axis| value.len(axis) != 1) {
                    return Err(format!(
                        "puts ({}) together before axis {axis}, which moves values between examples",
                        value.shown()
                    ));
                }
                value.reshaped(&[BATCH, -1], self.batch, Zero::KeepsSize)?
            }
            "Squeeze" => self.squeezed(op, value)?,
            "Unsqueeze" => {
                let axes = self.axes(op)?.ok_or("lacks axes")?;
                let rank = value.rank() + axes.len();
                if rank > MOST_AXES {
                    return Err(format!("gives {rank} axes"));
                }
                let mut places: Vec<usize> = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?;
                places.sort_unstable();
                let is_unique = places.windows(2).all(|pair| pair[0] != pair[1]);
                let given = value.order;
                let y = places.into_iter().fold(value, |value, place| value.with_one(place));
                if !is_unique {
                    return Err(format!("names an axis twice among {axes:?}"));
                }
                Value {
                    order: if given == Order::ChannelsFirst && y.rank() == 4 { given } else { Order::AsWritten },
                    ..y
                }
            }
            _ => self.expanded(op, &value)?,
        };
        self.give_value(op, y)
    }

    /// The axes of a node, an attribute up to opset 12 and an input from 13 on.
    pub(super) fn axes(&mut self, op: &Op<'a>) -> Result<Option<Vec<i64>>, String> {
        match self.constant(op, 1)? {
            Some(axes) => Ok(Some(axes.whole()?.to_vec())),
            None => Ok(op.ints("axes").map(<[i64]>::to_vec)),
        }
    }

    fn squeezed(&mut self, op: &Op<'a>, value: Value) -> Result<Value, String> {
        let all = || (0..value.rank()).filter(|axis| !value.is_batch(*axis) && value.len(*axis) == 1).collect();
        let axes = self.axes(op)?;
        let mut places: Vec<usize> = match axes {
            None => all(),
            Some(axes) => axes.iter().map(|axis| value.own_axis(*axis)).collect::<Result<_, _>>()?,
        };
        places.sort_unstable_by(|left, right| right.cmp(left));
        places.dedup();
        if let Some(place) = places.iter().find(|place| value.len(**place) != 1) {
            return Err(format!("takes away axis {place} of ({}), which is larger than 1", value.shown()));
        }
        let y = places.iter().fold(value, |value, place| value.without(*place));
        Ok(Value { order: if places.is_empty() { y.order } else { Order::AsWritten }, ..y })
    }

    /// A value repeated along one axis of size 1, which comes first in memory.
    fn expanded(&mut self, op: &Op<'a>, value: &Value) -> Result<Value, String> {
        let target = self.needed(op, 1)?.whole()?.to_vec();
        if target.len() > MOST_AXES {
            return Err(format!("gives {} axes", target.len()));
        }
        let value = (value.rank()..target.len()).fold(value.clone(), |value, _| value.with_one(0));
        let in_front = value.rank() - target.len();
        let mut repeated = Vec::new();
        for (axis, size) in (in_front..).zip(&target) {
            if value.is_batch(axis) {
                if ![BATCH, 1].contains(size) && Some(*size) != self.batch {
                    return Err("repeats the batch, which is not supported".into());
                }
            } else if *size != 1 && *size != value.len(axis) as i64 {
                repeated.push((axis, usize::try_from(*size).map_err(|_| format!("has the shape {target:?}"))?));
            }
        }
        match repeated[..] {
            [] => Ok(value),
            [(axis, size)] if value.len(axis) == 1 => {
                let natural = value.natural();
                let others: Vec<usize> = natural.into_iter().filter(|other| *other != axis).collect();
                let arranged = self.builder.arranged(&value, &others)?;
                let x = self.builder.shaped(arranged.source, &[arranged.lens.iter().product()])?;
                let y =
                    self.builder.add(Added { name: &op.node.name, ..Added::plain(RepeatVector::new(size)) }, &[x])?;
                let (order, lens) = ([vec![axis], others].concat(), [vec![size], arranged.lens].concat());
                Ok(Value { order: Order::AsWritten, ..Arranged::value(&value, y, &order, &lens) })
            }
            _ => Err(format!("repeats ({}) as {target:?}, where one axis of size 1 is supported", value.shown())),
        }
    }
}

/// The most axes that a value of the graph may have.
const MOST_AXES: usize = 16;

fn transposed(op: &Op<'_>, value: &Value) -> Result<Value, String> {
    let order: Vec<i64> = op.ints("perm").map_or_else(|| (0..value.rank() as i64).rev().collect(), <[i64]>::to_vec);
    let order: Vec<usize> = order.iter().map(|axis| value.axis(*axis)).collect::<Result<_, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..value.rank()) {
        return Err(format!("has the perm {order:?}, expected each axis of ({}) once", value.shown()));
    }
    let y = value.transposed(&order);
    // Channels that are put first where they lie last are an image again.
    let rank = y.rank();
    let channels_first: Vec<usize> = [0, rank.saturating_sub(1)].into_iter().chain(1..rank.saturating_sub(1)).collect();
    let is_image = rank > 2 && value.order == Order::AsWritten && y.batch() == 0 && order == channels_first;
    let lies_last = is_image && value.natural() == (1..rank).collect::<Vec<_>>();
    Ok(Value { order: if lies_last { Order::ChannelsFirst } else { y.order }, ..y })
}
