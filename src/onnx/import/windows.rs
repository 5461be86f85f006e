//! Decides how windows that slide over images or sequences are padded: by the layer's own padding where that is the same,
//! otherwise by a border of zeros in front of it.

use super::graph::Importer;
use super::network::Added;
use super::node::Op;
use super::value::{Order, Value};
use crate::kernels::patches::Dilated;
use crate::layers::{Source, ZeroPadding2D};
use crate::shape::{Padding, Window2d};

/// An image or a sequence; a sequence is an image of one row.
pub(super) struct Image {
    pub(super) source: Source,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) axes: Axes,
}

/// How many axes an image has beside batch and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axes {
    One,
    Two,
}

impl Axes {
    pub(super) fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Rows and columns of what an attribute has for each axis.
    pub(super) fn pair(self, values: &[usize], otherwise: usize) -> (usize, usize) {
        match (self, values) {
            (Self::One, [columns]) => (otherwise, *columns),
            (Self::Two, [rows, columns]) => (*rows, *columns),
            _ => (otherwise, otherwise),
        }
    }
}

/// A window, and how much is put around the image.
pub(super) struct Sliding {
    pub(super) size: (usize, usize),
    pub(super) strides: (usize, usize),
    pub(super) dilation: (usize, usize),
    pub(super) before: (usize, usize),
    pub(super) after: (usize, usize),
}

/// What a layer does at the border, once the image has the border that it does not put there itself.
pub(super) struct Bordered {
    pub(super) image: Image,
    pub(super) padding: Padding,
}

/// Whether the last window may reach over the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    Down,
    Up,
}

impl Sliding {
    /// What a node's attributes say.
    ///
    /// - size: of the window, one for each axis
    pub(super) fn read(op: &Op<'_>, image: &Image, size: &[usize], rounding: Rounding) -> Result<Self, String> {
        let count = image.axes.count();
        let strides = op.sizes("strides", 1, count, 1)?;
        let dilations = op.sizes("dilations", 1, count, 1)?;
        let pads = op.sizes("pads", 0, 2 * count, 0)?;
        let pair = |values: &[usize], otherwise: usize| image.axes.pair(values, otherwise);
        let (size, strides, dilation) = (pair(size, 1), pair(&strides, 1), pair(&dilations, 1));
        let reach =
            Dilated::reach(size, dilation).filter(|reach| size.0 > 0 && reach.0 <= 1 << 28 && reach.1 <= 1 << 28);
        let reach = reach.ok_or_else(|| format!("has a window of {size:?} that reaches too far"))?;
        let of_axes = [(image.rows, reach.0, strides.0), (image.columns, reach.1, strides.1)];
        let automatic = |before: fn(usize) -> usize| {
            let total =
                of_axes.map(|(len, reach, stride)| ((len.div_ceil(stride) - 1) * stride + reach).saturating_sub(len));
            let starts = total.map(before);
            ((starts[0], starts[1]), (total[0] - starts[0], total[1] - starts[1]))
        };
        let (before, mut after) = match &op.text("auto_pad", "NOTSET")[..] {
            "NOTSET" => (pair(&pads[..count], 0), pair(&pads[count..], 0)),
            "VALID" => ((0, 0), (0, 0)),
            "SAME_UPPER" => automatic(|total| total / 2),
            "SAME_LOWER" => automatic(|total| total.div_ceil(2)),
            other => return Err(format!("has the auto_pad {other:?}, which is not supported")),
        };
        if rounding == Rounding::Up {
            let further = |(len, reach, stride): (usize, usize, usize), before: usize, after: usize| {
                let rest = (len + before + after).saturating_sub(reach);
                // A window that starts behind the image does not count.
                let windows = rest.div_ceil(stride);
                let windows = if windows * stride >= len + before { windows.saturating_sub(1) } else { windows };
                after + (windows * stride).saturating_sub(rest)
            };
            after = (further(of_axes[0], before.0, after.0), further(of_axes[1], before.1, after.1));
        }
        Ok(Self { size, strides, dilation, before, after })
    }

    pub(super) fn pads(&self) -> bool {
        (self.before, self.after) != ((0, 0), (0, 0))
    }

    /// Whether `same` puts just this around the image.
    fn is_same(&self, image: &Image) -> bool {
        let reach = Dilated::reach(self.size, self.dilation);
        let window =
            reach.and_then(|reach| Window2d::new((image.rows, image.columns), reach, self.strides, Padding::Same).ok());
        window.is_some_and(|Window2d { before, padded, .. }| {
            let after = (padded.0 - image.rows - before.0, padded.1 - image.columns - before.1);
            (before, after) == (self.before, self.after)
        })
    }
}

/// What may be done about padding that is not the layer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// Zeros may be put around the image, as these are what the operator reads there.
    Only,
    /// The layer's own padding means the same as the operator's, but zeros do not.
    Never,
    /// Both are the same.
    Either,
}

impl<'a> Importer<'a> {
    /// A value as (height, width, channels), or as (steps, channels).
    pub(super) fn image(&mut self, value: &Value) -> Result<Image, String> {
        let axes = match (value.rank(), value.batch()) {
            (3, 0) => Axes::One,
            (4, 0) => Axes::Two,
            _ => {
                return Err(format!(
                    "reads ({}), expected images (N, channels, height, width) or sequences (N, channels, steps)",
                    value.shown()
                ));
            }
        };
        let order: Vec<usize> = (2..value.rank()).chain([1]).collect();
        let arranged = self.builder.arranged(value, &order)?;
        let (rows, columns, channels) = match arranged.lens[..] {
            [steps, channels] => (1, steps, channels),
            [rows, columns, channels] => (rows, columns, channels),
            _ => return Err("reads something else than an image".into()),
        };
        Ok(Image { source: arranged.source, rows, columns, channels, axes })
    }

    /// An image in the shape that layers of its number of axes read.
    pub(super) fn shaped_image(&mut self, image: &Image) -> Result<Source, String> {
        match image.axes {
            Axes::One => self.builder.shaped(image.source, &[image.columns, image.channels]),
            Axes::Two => self.builder.shaped(image.source, &[image.rows, image.columns, image.channels]),
        }
    }

    /// An image, or a sequence, made a value again.
    pub(super) fn value_of_image(&self, image: &Image) -> Value {
        match image.axes {
            Axes::One => {
                let lens = [image.columns, image.channels];
                Value::new(image.source, &lens, &[None, Some(1), Some(0)], Order::ChannelsFirst)
            }
            Axes::Two => {
                let lens = [image.rows, image.columns, image.channels];
                Value::new(image.source, &lens, &[None, Some(2), Some(0), Some(1)], Order::ChannelsFirst)
            }
        }
    }

    /// What a layer gives for an image.
    pub(super) fn image_from(&self, source: Source, axes: Axes) -> Image {
        let (rows, columns, channels) = self.builder.shape(source).as_image();
        Image { source, rows, columns, channels, axes }
    }

    /// Puts a border around an image where the layer's own padding would not be the operator's.
    pub(super) fn bordered(&mut self, image: Image, sliding: &Sliding, zeros: Zeros) -> Result<Bordered, String> {
        if !sliding.pads() {
            return Ok(Bordered { image, padding: Padding::Valid });
        }
        if zeros != Zeros::Only && sliding.is_same(&image) {
            return Ok(Bordered { image, padding: Padding::Same });
        }
        if zeros == Zeros::Never {
            return Err(format!(
                "pads by {:?} and {:?}, which no padding of the layer is, and where zeros would count: put a ReLU before it, or \
                 use padding as `same` has it",
                sliding.before, sliding.after
            ));
        }
        let image = self.with_zeros(&image, sliding.before, sliding.after)?;
        Ok(Bordered { image, padding: Padding::Valid })
    }

    /// An image with so many rows and columns of zeros around it.
    pub(super) fn with_zeros(
        &mut self,
        image: &Image,
        before: (usize, usize),
        after: (usize, usize),
    ) -> Result<Image, String> {
        let x = self.builder.shaped(image.source, &[image.rows, image.columns, image.channels])?;
        let border = ZeroPadding2D::asymmetric((before.0, after.0), (before.1, after.1));
        let source = self.builder.add(Added::plain(border), &[x])?;
        Ok(self.image_from(source, image.axes))
    }
}
