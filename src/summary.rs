//! The table that describes a model, as Keras prints it.

use crate::layers::{Call, Network, Source};
use crate::plan::{Plan, layer_names};
use crate::shape::Shape;
use std::fmt;

/// What [`Model::summary`](crate::Model::summary) returns; `{}` prints Keras' table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    form: Form,
    rows: Vec<Row>,
    /// How many parameters are trained, and how many are not.
    trained: usize,
    others: usize,
}

/// Keras has a table for chains, and one for all other networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Sequential,
    Functional,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// Its name and its type.
    layer: [String; 2],
    shape: String,
    parameters: String,
    /// What its calls read, as in `conv2d[0][0]`: the layer, which of its calls, which output of that. Only rows of
    /// graphs are printed with it.
    connected: String,
}

/// A column's heading and its inner width, as Keras prints them.
type Column = (&'static str, usize);

const SEQUENTIAL: [Column; 3] = [("Layer (type)", 31), ("Output Shape", 22), ("Param #", 13)];
const FUNCTIONAL: [Column; 4] = [("Layer (type)", 19), ("Output Shape", 17), ("Param #", 10), ("Connected to", 17)];

/// The only column whose cells are numbers.
const PARAMETERS: usize = 2;

impl Summary {
    pub(crate) fn new(network: &Network, plan: &Plan) -> Self {
        let form = if network.is_chain() { Form::Sequential } else { Form::Functional };
        let names = layer_names(&network.layers);
        let mut parameters = vec![0; names.len()];
        plan.parameters.all.iter().for_each(|parameter| parameters[parameter.layer] += parameter.range.len());
        // A layer that is called twice has one row, with the shape of its first output.
        let mut shapes = vec![None; names.len()];
        let mut connected = vec![Vec::new(); names.len()];
        let mut outputs: Vec<String> = Vec::new();
        let mut calls = vec![0; names.len()];
        for (Call { layer, reads }, of_outputs) in network.calls.iter().zip(&plan.shapes) {
            shapes[*layer].get_or_insert(of_outputs);
            connected[*layer].extend(reads.iter().map(|source| match *source {
                Source::Input(index) => format!("{}[0][0]", input_name(index)),
                Source::Call(index) => format!("{}[0]", outputs[index]),
                Source::Output { call, place } => format!("{}[{place}]", outputs[call]),
            }));
            outputs.push(format!("{}[{}]", names[*layer], calls[*layer]));
            calls[*layer] += 1;
        }
        let layers = network.layers.iter().enumerate().map(|(index, layer)| Row {
            layer: [names[index].clone(), format!("({})", layer.kind())],
            shape: shapes[index].map_or_else(String::new, |shapes| of_outputs(shapes)),
            parameters: thousands(parameters[index]),
            connected: connected[index].join(", "),
        });
        let inputs = network.inputs.iter().enumerate().map(|(index, shape)| Row {
            layer: [input_name(index), "(InputLayer)".to_owned()],
            shape: batched(shape),
            parameters: thousands(0),
            connected: "-".to_owned(),
        });
        let rows = match form {
            Form::Sequential => layers.collect(),
            Form::Functional => inputs.chain(layers).collect(),
        };
        let trained = plan.parameters.trained().map(|parameter| parameter.range.len()).sum();
        Self { form, rows, trained, others: plan.parameter_count() - trained }
    }

    fn table_columns(&self) -> &'static [Column] {
        match self.form {
            Form::Sequential => &SEQUENTIAL,
            Form::Functional => &FUNCTIONAL,
        }
    }

    /// The lines of each cell of a row.
    fn lines(&self, row: &Row) -> Vec<Vec<String>> {
        let Row { layer, shape, parameters, connected } = row;
        let cells = match self.form {
            Form::Sequential => vec![vec![layer.join(" ")], vec![shape.clone()], vec![parameters.clone()]],
            Form::Functional => {
                let words = |text: &str| text.split(' ').map(str::to_owned).collect();
                vec![layer.to_vec(), words(shape), words(parameters), words(connected)]
            }
        };
        cells.into_iter().zip(self.table_columns()).map(|(words, (_, width))| wrapped(words, *width)).collect()
    }
}

/// What a summary calls an input.
fn input_name(index: usize) -> String {
    if index == 0 { "input_layer".to_owned() } else { format!("input_layer_{index}") }
}

/// The shape of a batch.
fn batched(shape: &Shape) -> String {
    format!("(None, {}", &shape.to_string()[1..])
}

/// The shape of a batch of a layer's output, or those of its outputs.
fn of_outputs(shapes: &[Shape]) -> String {
    match shapes {
        [shape] => batched(shape),
        _ => format!("[{}]", shapes.iter().map(batched).collect::<Vec<String>>().join(", ")),
    }
}

#[cfg(feature = "plot")]
impl Summary {
    /// Whether it tells what each layer reads: a chain's does not.
    pub(crate) fn is_graph(&self) -> bool {
        match self.form {
            Form::Sequential => false,
            Form::Functional => true,
        }
    }

    /// The cells of each row: layer, output shape, parameters, what the layer reads.
    pub(crate) fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        let cells = |row: &Row| {
            let Row { layer, shape, parameters, connected } = row.clone();
            [layer.join(" "), shape, parameters, connected]
        };
        self.rows.iter().map(cells)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.table_columns();
        let rule = |line: char, ends: [char; 3]| {
            let [left, middle, right] = ends;
            let parts: Vec<String> = columns.iter().map(|(_, width)| line.to_string().repeat(width + 2)).collect();
            format!("{left}{}{right}", parts.join(&middle.to_string()))
        };
        let line = |bar: char, cells: &[&str]| {
            let cells = cells.iter().zip(columns).enumerate().map(|(index, (cell, (_, width)))| match index {
                PARAMETERS => format!(" {cell:>width$} {bar}"),
                _ => format!(" {cell:<width$} {bar}"),
            });
            format!("{bar}{}", cells.collect::<String>())
        };
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
        let name = match self.form {
            Form::Sequential => "sequential",
            Form::Functional => "functional",
        };
        writeln!(f, "Model: \"{name}\"")?;
        writeln!(f, "{}", rule('━', ['┏', '┳', '┓']))?;
        writeln!(f, "{}", line('┃', &headings))?;
        writeln!(f, "{}", rule('━', ['┡', '╇', '┩']))?;
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", rule('─', ['├', '┼', '┤']))?;
            }
            let cells = self.lines(row);
            for place in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let cells: Vec<&str> = cells.iter().map(|lines| lines.get(place).map_or("", String::as_str)).collect();
                writeln!(f, "{}", line('│', &cells))?;
            }
        }
        writeln!(f, "{}", rule('─', ['└', '┴', '┘']))?;
        let count = |count: usize| format!("{} ({})", thousands(count), memory_size(count * size_of::<f32>()));
        writeln!(f, " Total params: {}", count(self.trained + self.others))?;
        writeln!(f, " Trainable params: {}", count(self.trained))?;
        write!(f, " Non-trainable params: {}", count(self.others))
    }
}

/// Words in lines of at most this many characters.
fn wrapped(words: Vec<String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = shortened(word, width);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => *line = format!("{line} {word}"),
            _ => lines.push(word),
        }
    }
    lines
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
