//! `Resize` and the older `Upsample`: images of whole times the size.

use super::graph::Importer;
use super::network::Added;
use super::node::Op;
use super::windows::Axes;
use crate::layers::{Interpolation, UpSampling2D};

impl<'a> Importer<'a> {
    pub(super) fn import_resize(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let image = self.image(&value)?;
        if image.axes != Axes::Two {
            return Err("reads a sequence, expected images".into());
        }
        let is_old = op.node.op_type == "Upsample";
        let mode = op.text("mode", "nearest");
        // The first version, of opset 10, had no attributes of where pixels are.
        let default = if is_old || op.opset == 10 { "asymmetric" } else { "half_pixel" };
        let coordinates = op.text("coordinate_transformation_mode", default);
        let default = if is_old || op.opset == 10 { "floor" } else { "round_prefer_floor" };
        let nearest = op.text("nearest_mode", default);
        op.float("cubic_coeff_a", -0.75);
        op.int("exclude_outside", 0);
        op.float("extrapolation_value", 0.0);
        op.int("antialias", 0);
        op.text("keep_aspect_ratio_policy", "stretch");
        if op.ints("axes").is_some_and(|axes| axes != [0, 1, 2, 3] && axes != [2, 3]) {
            return Err("resizes other axes than height and width".into());
        }
        let (scales, sizes) = match (is_old || op.opset == 10, self.opset_has_roi(op)) {
            (true, _) => (self.constant(op, 1)?, None),
            (false, _) => (self.constant(op, 2)?, self.constant(op, 3)?),
        };
        let of_image = [image.rows, image.columns];
        let factors: Vec<f32> = match (scales.filter(|scales| scales.stored() > 0), sizes) {
            (Some(scales), _) => scales.floats()?.iter().copied().collect(),
            (None, Some(sizes)) => {
                let sizes = sizes.whole()?;
                let own = &sizes[sizes.len().saturating_sub(2)..];
                own.iter().zip(of_image).map(|(size, len)| *size as f32 / len as f32).collect()
            }
            (None, None) => op.floats("scales").to_vec(),
        };
        let (own, others) = match &factors[..] {
            [others @ .., rows, columns] => ([*rows, *columns], others),
            _ => return Err("has no scales for height and width".into()),
        };
        let is_whole = |factor: &f32| factor.fract() == 0.0 && (1.0..=4096.0).contains(factor);
        if !own.iter().all(is_whole) || others.iter().any(|factor| *factor != 1.0) {
            return Err(format!(
                "makes images {own:?} times as large, expected whole numbers, and nothing along other axes"
            ));
        }
        let size = (own[0] as usize, own[1] as usize);
        let is_centred = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"].contains(&&coordinates[..]);
        let rounds = ["round_prefer_floor", "round_prefer_ceil"].contains(&&nearest[..]);
        let at_most_two = size.0 <= 2 && size.1 <= 2 && nearest == "round_prefer_floor";
        let is_asymmetric = coordinates == "asymmetric";
        let interpolation = match &mode[..] {
            "nearest" if is_centred && rounds || is_asymmetric && (nearest == "floor" || at_most_two) => {
                Interpolation::Nearest
            }
            "linear" | "bilinear" if is_centred => Interpolation::Bilinear,
            _ => {
                return Err(format!(
                    "has the mode {mode:?} with {coordinates:?} and {nearest:?}, which is not supported"
                ));
            }
        };
        let x = self.shaped_image(&image)?;
        let layer = UpSampling2D::new(size).interpolation(interpolation);
        let y = self.builder.add(Added { name: &op.node.name, ..Added::plain(layer) }, &[x])?;
        let y = self.value_of_image(&self.image_from(y, image.axes));
        self.give_value(op, super::value::Value { sign: value.sign, ..y })
    }

    /// Whether there is an input for a part of the image, which no mode that is supported reads.
    fn opset_has_roi(&self, op: &Op<'a>) -> bool {
        op.opset > 10
    }
}
