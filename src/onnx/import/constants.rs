//! What is computed before the model runs: shapes as exporters write them, and weights in another form.

use super::graph::{Importer, Known};
use super::node::Op;
use super::tensors::{BATCH, Constant, Numbers};
use super::value::{Axis, axis_of};
use ndarray::{ArrayD, IxDyn};
use std::rc::Rc;

/// The most whole numbers of a constant that is computed: those of shapes.
const MOST_COMPUTED: usize = 1024;

impl<'a> Importer<'a> {
    /// Computes a node that reads constants alone; `false` if it is not one.
    pub(super) fn constants(&mut self, op: &Op<'a>) -> Result<bool, String> {
        let operator = &op.node.op_type[..];
        let computed = match operator {
            "Constant" => self.given(op)?,
            "Shape" => self.shape_of_value(op)?,
            "ConstantOfShape" => self.filled(op)?,
            _ => {
                let inputs = (0..op.node.input.len()).filter(|place| op.input(*place).is_some());
                let mut read = Vec::new();
                for place in inputs {
                    let Known::Constant(constant) = self.known(op, place)? else { return Ok(false) };
                    read.push(Rc::clone(constant));
                }
                if read.is_empty() {
                    return Err("reads nothing".into());
                }
                self.copies(read.iter().map(|constant| constant.stored()).sum())?;
                match computed(op, &read)? {
                    Some(constant) => Rc::new(constant),
                    None => return Ok(false),
                }
            }
        };
        self.give(op, 0, Known::Constant(computed))?;
        op.check_attributes()?;
        Ok(true)
    }

    fn given(&mut self, op: &Op<'a>) -> Result<Rc<Constant>, String> {
        if let Some(tensor) = op.tensor("value") {
            return Constant::read(tensor).map(Rc::new);
        }
        let constant = if let Some(int) = op.optional_int("value_int") {
            Constant { dims: Vec::new(), numbers: Numbers::Integers(vec![int]) }
        } else if let Some(ints) = op.ints("value_ints") {
            Constant::integers(ints.to_vec())
        } else if let Some(float) = op.optional_float("value_float") {
            Constant { dims: Vec::new(), numbers: Numbers::Floats(vec![float]) }
        } else {
            let floats = op.floats("value_floats").to_vec();
            Constant { dims: vec![floats.len() as i64], numbers: Numbers::Floats(floats) }
        };
        Ok(Rc::new(constant))
    }

    fn shape_of_value(&mut self, op: &Op<'a>) -> Result<Rc<Constant>, String> {
        let all = match self.known(op, 0)? {
            Known::Value(value) => {
                let size = |axis: usize| if value.axes[axis] == Axis::Batch { BATCH } else { value.len(axis) as i64 };
                (0..value.rank()).map(size).collect()
            }
            Known::Constant(constant) => constant.dims.clone(),
            Known::Unfinished(_) => return Err("reads a part of GELU".into()),
        };
        let bound = |axis: i64| {
            (if axis < 0 { axis.saturating_add(all.len() as i64) } else { axis }).clamp(0, all.len() as i64)
        };
        let (start, end) = (bound(op.int("start", 0)) as usize, bound(op.int("end", i64::MAX)) as usize);
        Ok(Rc::new(Constant::integers(all.get(start..end).unwrap_or(&[]).to_vec())))
    }

    fn filled(&mut self, op: &Op<'a>) -> Result<Rc<Constant>, String> {
        let dims = self.needed(op, 0)?.whole()?.to_vec();
        let value = op.tensor("value").map(Constant::read).transpose()?;
        if let Some(Numbers::Integers(values)) = value.as_ref().map(|value| &value.numbers) {
            let len = dims.iter().try_fold(1_i64, |len, dim| len.checked_mul(*dim));
            let len = len.filter(|len| (0..=MOST_COMPUTED as i64).contains(len)).ok_or("fills too large a shape")?;
            let value = values.first().copied().unwrap_or_default();
            return Ok(Rc::new(Constant { dims, numbers: Numbers::Integers(vec![value; len as usize]) }));
        }
        let value = value.map_or(Some(0.0), |value| value.single()).ok_or("fills with something else than a number")?;
        Ok(Rc::new(Constant { dims, numbers: Numbers::Filled(value) }))
    }
}

/// What an operator makes of constants; `None` if it is none that is computed.
fn computed(op: &Op<'_>, read: &[Rc<Constant>]) -> Result<Option<Constant>, String> {
    let x = &read[0];
    Ok(Some(match &op.node.op_type[..] {
        "Identity" => Constant::clone(x),
        "Cast" => cast(op, x)?,
        "Unsqueeze" | "Squeeze" => with_other_axes(op, read)?,
        "Gather" | "Slice" | "Concat" | "Add" | "Sub" | "Mul" | "Div" | "Reshape" if x.whole().is_ok() => {
            let whole: Vec<&[i64]> = read.iter().map(|constant| constant.whole()).collect::<Result<_, _>>()?;
            if whole.iter().map(|values| values.len()).sum::<usize>() > MOST_COMPUTED {
                return Err("computes more whole numbers than a shape has".into());
            }
            of_whole(op, read, &whole)?
        }
        "Transpose" => {
            let values = x.floats()?;
            let order: Vec<i64> =
                op.ints("perm").map_or_else(|| (0..values.ndim() as i64).rev().collect(), <[i64]>::to_vec);
            let order: Vec<usize> = order.iter().map(|axis| axis_of(*axis, values.ndim())).collect::<Result<_, _>>()?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..values.ndim()) {
                return Err(format!("has the perm {order:?}, expected each axis once"));
            }
            of_floats(&values.permuted_axes(IxDyn(&order)))
        }
        "Reshape" | "Flatten" if x.whole().is_err() => {
            let values = x.floats()?;
            let len = values.len();
            let target = match &op.node.op_type[..] {
                "Flatten" => {
                    let axis = op.int("axis", 1).clamp(0, values.ndim() as i64) as usize;
                    let rows: usize = values.shape()[..axis].iter().product();
                    vec![rows as i64, len.checked_div(rows).unwrap_or(0) as i64]
                }
                _ => read.get(1).ok_or("lacks a shape")?.whole()?.to_vec(),
            };
            let known = target.iter().enumerate().map(|(axis, dim)| match *dim {
                -1 => 1,
                0 => values.shape().get(axis).copied().unwrap_or(0),
                dim => usize::try_from(dim).unwrap_or(0),
            });
            let known: Vec<usize> = known.collect();
            let rest = super::tensors::product(&known).and_then(|known| len.checked_div(known)).unwrap_or(0);
            let sizes: Vec<usize> =
                known.iter().zip(&target).map(|(size, dim)| if *dim == -1 { rest } else { *size }).collect();
            let values: Vec<f32> = values.into_iter().collect();
            let shaped = ArrayD::from_shape_vec(IxDyn(&sizes), values);
            of_floats(&shaped.map_err(|_| format!("gives {len} values the shape {target:?}"))?)
        }
        "Expand" => {
            let dims = read.get(1).ok_or("lacks a shape")?.whole()?.to_vec();
            let value = x.single().ok_or("repeats a constant of several values, which is not supported")?;
            Constant { dims, numbers: Numbers::Filled(value) }
        }
        "Slice" | "Concat" if is_of_zeros(op, read) => {
            // States of zeros, cut for the layers of a stack: only that they are zeros counts.
            Constant { dims: x.dims.clone(), numbers: Numbers::Filled(0.0) }
        }
        _ => return Ok(None),
    }))
}

/// Whether all numbers of the first of these constants, or of all that are joined, are 0.
fn is_of_zeros(op: &Op<'_>, read: &[Rc<Constant>]) -> bool {
    // Where they are cut does not matter.
    for name in ["starts", "ends", "axes"] {
        op.ints(name);
    }
    op.int("axis", 0);
    let joined = if op.node.op_type == "Concat" { read } else { &read[..1] };
    joined.iter().all(|constant| constant.is_zero())
}

fn of_floats(values: &ArrayD<f32>) -> Constant {
    let dims = values.shape().iter().map(|size| *size as i64).collect();
    Constant { dims, numbers: Numbers::Floats(values.iter().copied().collect()) }
}

fn cast(op: &Op<'_>, x: &Constant) -> Result<Constant, String> {
    op.int("saturate", 1);
    op.int("round_mode", 0);
    let numbers = match (op.int("to", 0) as i32, &x.numbers) {
        (super::super::message::INT64 | super::super::message::INT32, Numbers::Floats(values)) => {
            Numbers::Integers(values.iter().map(|value| (*value as i64).max(BATCH + 1)).collect())
        }
        (super::super::message::FLOAT | super::super::message::DOUBLE, Numbers::Integers(values)) => {
            if values.contains(&BATCH) {
                return Err("computes with the size of the batch, which is not supported".into());
            }
            Numbers::Floats(values.iter().map(|value| *value as f32).collect())
        }
        (_, numbers) => numbers.clone(),
    };
    Ok(Constant { dims: x.dims.clone(), numbers })
}

/// Axes of size 1 added or taken away.
fn with_other_axes(op: &Op<'_>, read: &[Rc<Constant>]) -> Result<Constant, String> {
    let x = &read[0];
    let axes = match read.get(1) {
        Some(axes) => Some(axes.whole()?.to_vec()),
        None => op.ints("axes").map(<[i64]>::to_vec),
    };
    let mut dims = x.dims.clone();
    if op.node.op_type == "Squeeze" {
        let all = || (0..dims.len() as i64).filter(|axis| dims[*axis as usize] == 1).collect();
        let mut places: Vec<usize> =
            axes.unwrap_or_else(all).iter().map(|axis| axis_of(*axis, dims.len())).collect::<Result<_, _>>()?;
        places.sort_unstable_by(|left, right| right.cmp(left));
        places.dedup();
        for place in places {
            if dims.remove(place) != 1 {
                return Err(format!("takes away axis {place}, which is larger than 1"));
            }
        }
    } else {
        let axes = axes.ok_or("lacks axes")?;
        let rank = dims.len() + axes.len();
        let mut places: Vec<usize> = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?;
        places.sort_unstable();
        for place in places {
            if place > dims.len() {
                return Err(format!("names an axis twice among {axes:?}"));
            }
            dims.insert(place, 1);
        }
    }
    Ok(Constant { dims, numbers: x.numbers.clone() })
}

/// Arithmetic on shapes: rows of whole numbers.
fn of_whole(op: &Op<'_>, read: &[Rc<Constant>], whole: &[&[i64]]) -> Result<Constant, String> {
    let (x, dims) = (whole[0], &read[0].dims);
    let operator = &op.node.op_type[..];
    let known = |values: &[i64]| !values.contains(&BATCH);
    match operator {
        "Gather" => {
            op.int("axis", 0);
            let indices = whole.get(1).ok_or("lacks indices")?;
            let picked = indices.iter().map(|index| axis_of(*index, x.len()).map(|index| x[index]));
            Ok(Constant { dims: read[1].dims.clone(), numbers: Numbers::Integers(picked.collect::<Result<_, _>>()?) })
        }
        "Concat" => {
            op.int("axis", 0);
            Ok(Constant::integers(whole.concat()))
        }
        "Reshape" => {
            op.int("allowzero", 0);
            let is_row = read.get(1).is_some_and(|shape| shape.stored() == 1);
            let dims = if is_row { vec![x.len() as i64] } else { dims.clone() };
            Ok(Constant { dims, numbers: Numbers::Integers(x.to_vec()) })
        }
        "Slice" => {
            let part = |place: usize, default: i64| {
                whole.get(place).and_then(|values| values.first()).copied().unwrap_or(default)
            };
            let (start, end, step) = (part(1, 0), part(2, i64::MAX), part(4, 1));
            let len = x.len() as i64;
            let bound = |at: i64| (if at < 0 { at.saturating_add(len) } else { at }).clamp(0, len) as usize;
            if step != 1 {
                return Err(format!("takes each {step}th of some whole numbers, which is not supported"));
            }
            Ok(Constant::integers(x.get(bound(start)..bound(end)).unwrap_or(&[]).to_vec()))
        }
        _ => {
            let y = *whole.get(1).ok_or("lacks input 1")?;
            if !known(x) || !known(y) {
                return Err("computes with the size of the batch, which is not supported".into());
            }
            let len = x.len().max(y.len());
            if ![1, len].contains(&x.len()) || ![1, len].contains(&y.len()) {
                return Err("has whole numbers of different shapes".into());
            }
            let at = |values: &[i64], index: usize| values[if values.len() == 1 { 0 } else { index }];
            let value = |index: usize| {
                let (x, y) = (at(x, index), at(y, index));
                let value = match operator {
                    "Add" => x.checked_add(y),
                    "Sub" => x.checked_sub(y),
                    "Mul" => x.checked_mul(y),
                    _ => x.checked_div(y),
                };
                value.filter(|value| *value != BATCH).ok_or("computes whole numbers that are too large")
            };
            let longer = if y.len() > x.len() { &read[1].dims } else { dims };
            Ok(Constant {
                dims: longer.clone(),
                numbers: Numbers::Integers((0..len).map(value).collect::<Result<_, _>>()?),
            })
        }
    }
}
