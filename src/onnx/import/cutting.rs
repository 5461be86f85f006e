//! What cuts values, and what puts zeros around them: `Slice`, `Split`, `Gather` and `Pad`.

use super::graph::{Importer, Known};
use super::network::{Added, Arranged};
use super::node::Op;
use super::value::{Order, Sign, Steps, Value, axis_of};
use crate::layers::{Cropping2D, Embedding, Layer, ZeroPadding2D};

impl<'a> Importer<'a> {
    pub(super) fn import_slice(&mut self, op: &Op<'a>) -> Result<(), String> {
        let mut value = self.value(op, 0)?;
        let mut part = |place: usize, name: &'static str| -> Result<Option<Vec<i64>>, String> {
            match self.constant(op, place)? {
                Some(part) => Ok(Some(part.whole()?.to_vec())),
                None => Ok(op.ints(name).map(<[i64]>::to_vec)),
            }
        };
        let starts = part(1, "starts")?.ok_or("lacks starts")?;
        let ends = part(2, "ends")?.ok_or("lacks ends")?;
        let axes = part(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = part(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err("has starts, ends, axes and steps of different lengths".into());
        }
        for (index, axis) in axes.iter().enumerate() {
            let axis = value.axis(*axis)?;
            let (start, end, step) = (starts[index], ends[index], steps[index]);
            if value.is_batch(axis) {
                if (start, step) != (0, 1) || end < i64::from(i32::MAX) {
                    return Err("cuts the batch, which is not supported".into());
                }
                continue;
            }
            let len = value.len(axis) as i64;
            if step == -1 && (start == -1 || start >= len - 1) && end < -len {
                value = reversed(&value, axis)?;
                continue;
            }
            if step != 1 {
                return Err(format!("has the step {step}, which is not supported"));
            }
            let bound = |at: i64| (if at < 0 { at.saturating_add(len) } else { at }).clamp(0, len) as usize;
            let (start, end) = (bound(start), bound(end));
            value = self.part(&value, axis, start, end.saturating_sub(start), &op.node.name)?;
        }
        self.give_value(op, value)
    }

    /// So many places of an axis, from one on.
    fn part(&mut self, value: &Value, axis: usize, start: usize, len: usize, name: &str) -> Result<Value, String> {
        let all = value.len(axis);
        if (start, len) == (0, all) {
            return Ok(value.clone());
        }
        let after =
            all.checked_sub(start + len).filter(|_| len > 0).ok_or_else(|| format!("leaves nothing of axis {axis}"))?;
        self.around(value, axis, Cropping2D::asymmetric((0, 0), (start, after)), name)
    }

    /// A layer of images applied to one axis as their columns.
    fn around(&mut self, value: &Value, axis: usize, layer: impl Into<Layer>, name: &str) -> Result<Value, String> {
        let order = value.natural();
        let place = order.iter().position(|other| *other == axis).ok_or("works along the batch")?;
        let arranged = self.builder.arranged(value, &order)?;
        let len = |lens: &[usize]| lens.iter().product::<usize>();
        let lens = &arranged.lens;
        let image = [len(&lens[..place]), lens[place], len(&lens[place + 1..])];
        let x = self.builder.shaped(arranged.source, &image)?;
        let y = self.builder.add(Added { name, ..Added::plain(layer) }, &[x])?;
        let mut lens = lens.clone();
        lens[place] = self.builder.shape(y).axes()[1];
        let y = Arranged::value(value, y, &order, &lens);
        Ok(Value { sign: value.sign, ..y })
    }

    pub(super) fn import_split(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let axis = value.own_axis(op.int("axis", 0))?;
        let (all, count) = (value.len(axis), op.node.output.len());
        op.int("num_outputs", 0);
        let sizes: Vec<usize> = match self.constant(op, 1)? {
            Some(sizes) => sizes.sizes_of_whole()?,
            None => match op.ints("split") {
                Some(sizes) => sizes.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect(),
                None => {
                    let each = all.div_ceil(count.max(1));
                    (0..count).map(|index| all.saturating_sub(index * each).min(each)).collect()
                }
            },
        };
        let sum = sizes.iter().try_fold(0_usize, |sum, size| sum.checked_add(*size));
        if sizes.len() != count || sum != Some(all) {
            return Err(format!("cuts {all} into {sizes:?} for {count} outputs"));
        }
        let mut start = 0;
        for (place, size) in sizes.into_iter().enumerate() {
            let y = self.part(&value, axis, start, size, "")?;
            start += size;
            self.give(op, place, Known::Value(y))?;
        }
        Ok(())
    }

    /// One place of an axis; or the rows of a table that tokens say.
    pub(super) fn import_gather(&mut self, op: &Op<'a>) -> Result<(), String> {
        if let Known::Constant(_) = self.known(op, 0)? {
            return self.look_up(op);
        }
        let value = self.value(op, 0)?;
        let axis = value.own_axis(op.int("axis", 0))?;
        let index = self.needed(op, 1)?;
        let [place] = index.whole()? else {
            return Err("takes several places of an axis, which is not supported".into());
        };
        let place = axis_of(*place, value.len(axis))?;
        let y = self.part(&value, axis, place, 1, &op.node.name)?;
        let is_kept = !index.dims.is_empty();
        let y = if is_kept { y } else { Value { order: Order::AsWritten, ..y.without(axis) } };
        self.give_value(op, y)
    }

    fn look_up(&mut self, op: &Op<'a>) -> Result<(), String> {
        let table = self.needed(op, 0)?.floats()?;
        let tokens = self.value(op, 1)?;
        let ([rows, features], 0) = (table.shape(), op.int("axis", 0)) else {
            return Err(format!("takes rows of {:?}, expected those of a table (tokens, features)", table.shape()));
        };
        let layer = Embedding::new(*rows, *features);
        let order = tokens.natural();
        let arranged = self.builder.arranged(&tokens, &order)?;
        let x = self.builder.shaped(arranged.source, &[arranged.lens.iter().product()])?;
        let lens = [arranged.lens, vec![*features]].concat();
        let from = op.node.input.first().cloned().into_iter().collect();
        let y =
            self.builder.add(Added { layer: layer.into(), weights: vec![table], name: &op.node.name, from }, &[x])?;
        let wide = tokens.with_one(tokens.rank());
        let order = [order, vec![tokens.rank()]].concat();
        self.give_value(op, Value { order: Order::AsWritten, ..Arranged::value(&wide, y, &order, &lens) })
    }

    pub(super) fn import_pad(&mut self, op: &Op<'a>) -> Result<(), String> {
        let mut value = self.value(op, 0)?;
        let mode = op.text("mode", "constant");
        if mode != "constant" {
            return Err(format!("has the mode {mode:?}, expected zeros around the values"));
        }
        let pads = match self.constant(op, 1)? {
            Some(pads) => pads.whole()?.to_vec(),
            None => op.ints("pads").ok_or("lacks pads")?.to_vec(),
        };
        let filled = self.constant(op, 2)?.map_or(Some(op.float("value", 0.0)), |filled| filled.single());
        if filled != Some(0.0) {
            return Err(format!("puts {filled:?} around the values, expected zeros"));
        }
        let axes = match self.constant(op, 3)? {
            Some(axes) => axes.whole()?.iter().map(|axis| value.axis(*axis)).collect::<Result<Vec<_>, _>>()?,
            None => (0..value.rank()).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(format!("has {} pads for {} axes", pads.len(), axes.len()));
        }
        let mut waiting = Vec::new();
        for (index, axis) in axes.iter().enumerate() {
            let (before, after) = (pads[index], pads[index + axes.len()]);
            if (before, after) == (0, 0) {
                continue;
            }
            value.own_axis(*axis as i64)?;
            let sizes =
                [before, after].map(|pad| usize::try_from(pad).map_err(|_| "cuts values off, which is not supported"));
            let [before, after] = sizes;
            waiting.push((*axis, (before?, after?)));
        }
        let sign = value.sign;
        // Rows and columns of an image are padded at once.
        if let ([(rows, of_rows), (columns, of_columns)], [first, second, _]) = (&waiting[..], &value.natural()[..])
            && (rows, columns) == (first, second)
        {
            let order = value.natural();
            let arranged = self.builder.arranged(&value, &order)?;
            let x = self.builder.shaped(arranged.source, &arranged.lens)?;
            let border = Layer::from(ZeroPadding2D::asymmetric(*of_rows, *of_columns));
            let y = self.builder.add(Added { name: &op.node.name, ..Added::plain(border) }, &[x])?;
            let lens = self.builder.shape(y).axes().to_vec();
            return self.give_value(op, Value { sign, ..Arranged::value(&value, y, &order, &lens) });
        }
        for (axis, border) in waiting {
            value = self.around(&value, axis, ZeroPadding2D::asymmetric((0, 0), border), "")?;
        }
        self.give_value(op, Value { sign: if sign == Sign::NotNegative { sign } else { Sign::Any }, ..value })
    }
}

/// The steps of a sequence in the other order.
fn reversed(value: &Value, axis: usize) -> Result<Value, String> {
    let is_first = value.places(&[axis]).first().is_none_or(|place| *place == 0);
    match value.steps {
        Steps::Reversed if is_first => Ok(Value { steps: Steps::InPlace, ..value.clone() }),
        Steps::Reversed | Steps::InPlace => {
            Err("reverses a sequence that is not given in reverse, which is not supported".into())
        }
    }
}

impl super::tensors::Constant {
    fn sizes_of_whole(&self) -> Result<Vec<usize>, String> {
        self.whole()?.iter().map(|size| usize::try_from(*size).map_err(|_| format!("has the size {size}"))).collect()
    }
}
