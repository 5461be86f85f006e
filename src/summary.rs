//! The table that describes a model, as Keras prints it.

use crate::layers::Network;
use crate::plan::{Plan, layer_names};
use std::fmt;

/// What [`Model::summary`](crate::Model::summary) returns; `{}` prints Keras' table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What Keras calls the model.
    kind: &'static str,
    rows: Vec<Row>,
    /// How many parameters are trained, and how many are not.
    trained: usize,
    others: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    layer: String,
    shape: String,
    parameters: String,
}

/// The inner widths of Keras' columns.
const WIDTHS: [usize; 3] = [31, 22, 13];

impl Summary {
    pub(crate) fn new(network: &Network, plan: &Plan) -> Self {
        let parameters = |layer: usize| {
            plan.parameters.all.iter().filter(|p| p.layer == layer).map(|p| p.range.len()).sum::<usize>()
        };
        let layers = &network.layers;
        // A layer that is called twice has one row, with the shape of its first output.
        let mut shapes = vec![None; layers.len()];
        network
            .calls
            .iter()
            .zip(&plan.shapes)
            .rev()
            .for_each(|(call, shape)| shapes[call.layer] = Some(shape.to_string()));
        let shape =
            |layer: usize| shapes[layer].as_ref().map_or_else(String::new, |shape| format!("(None, {}", &shape[1..]));
        let rows = layers.iter().zip(layer_names(layers)).enumerate();
        let rows = rows.map(|(index, (layer, name))| Row {
            layer: shortened(format!("{name} ({})", layer.kind()), WIDTHS[0]),
            shape: shape(index),
            parameters: thousands(parameters(index)),
        });
        let trained = plan.parameters.trained().map(|parameter| parameter.range.len()).sum();
        let kind = if network.is_chain() { "sequential" } else { "functional" };
        Self { kind, rows: rows.collect(), trained, others: plan.parameter_count() - trained }
    }
}

#[cfg(feature = "plot")]
impl Summary {
    /// The cells of each row: layer, output shape, parameters.
    pub(crate) fn rows(&self) -> impl Iterator<Item = [&str; 3]> {
        self.rows.iter().map(|row| [row.layer.as_str(), &row.shape, &row.parameters])
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = |line: char, ends: [char; 3]| {
            let [left, middle, right] = ends;
            let parts = WIDTHS.map(|width| line.to_string().repeat(width + 2));
            format!("{left}{}{right}", parts.join(&middle.to_string()))
        };
        let cells = |bar: char, layer: &str, shape: &str, parameters: &str| {
            let [first, second, third] = WIDTHS;
            format!("{bar} {layer:<first$} {bar} {shape:<second$} {bar} {parameters:>third$} {bar}")
        };
        writeln!(f, "Model: \"{}\"", self.kind)?;
        writeln!(f, "{}", rule('━', ['┏', '┳', '┓']))?;
        writeln!(f, "{}", cells('┃', "Layer (type)", "Output Shape", "Param #"))?;
        writeln!(f, "{}", rule('━', ['┡', '╇', '┩']))?;
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", rule('─', ['├', '┼', '┤']))?;
            }
            writeln!(f, "{}", cells('│', &row.layer, &row.shape, &row.parameters))?;
        }
        writeln!(f, "{}", rule('─', ['└', '┴', '┘']))?;
        let count = |count: usize| format!("{} ({})", thousands(count), memory_size(count * size_of::<f32>()));
        writeln!(f, " Total params: {}", count(self.trained + self.others))?;
        writeln!(f, " Trainable params: {}", count(self.trained))?;
        write!(f, " Non-trainable params: {}", count(self.others))
    }
}

/// A text that fits a column.
fn shortened(text: String, width: usize) -> String {
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

/// A number of bytes in Keras' units.
pub(crate) fn memory_size(bytes: usize) -> String {
    let units = ["B", "KB", "MB", "GB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    format!("{size:.2} {}", units[unit])
}

/// A number with a comma after every three digits.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::{memory_size, thousands};

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        let written = [0, 1023, 1024, 373_288, 5 << 20, 3 << 30].map(memory_size);
        assert_eq!(written, ["0.00 B", "1023.00 B", "1.00 KB", "364.54 KB", "5.00 MB", "3.00 GB"]);
    }

    #[test]
    fn commas_stand_after_every_three_digits() {
        let written = [0, 12, 999, 1000, 93_322, 1_000_000].map(thousands);
        assert_eq!(written, ["0", "12", "999", "1,000", "93,322", "1,000,000"]);
    }
}
