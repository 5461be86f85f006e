//! Reads digits off pictures: `cargo run --release --features image --example predict -- model.safetensors digit.png
//! ...`
//!
//! `mnist_cnn` and its siblings train models to use here, and save them; any model on images of 28x28 in grey with ten
//! classes and a softmax will do. A picture may have any size, and be dark on light or light on dark.

use clap::Parser;
use inkstone::data::pictures;
use inkstone::{Error, Model, Predictor};
use ndarray::{ArrayView1, ArrayView2};
use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reads digits off pictures.
#[derive(Parser)]
struct Arguments {
    /// A file that `Model::save` wrote.
    model: PathBuf,
    /// PNG files, each of one digit.
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
}

const SIDE: usize = 28;
const CLASSES: usize = 10;
/// The longest bar, in characters.
const BAR: usize = 24;

fn main() -> ExitCode {
    let Arguments { model, pictures } = Arguments::parse();
    let predictor = match load(&model) {
        Ok(predictor) => predictor,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let style = Style::of_terminal();
    let mut status = ExitCode::SUCCESS;
    for picture in &pictures {
        match predict(&predictor, picture, style) {
            // A pipe that nobody reads any more is no reason to go on.
            Ok(card) if writeln!(io::stdout(), "{card}").is_err() => break,
            Ok(_) => {}
            Err(error) => {
                eprintln!("error: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// The model, if it is one for pictures of digits.
fn load(path: &Path) -> inkstone::Result<Predictor> {
    let predictor = Model::load(path)?.into_predictor();
    let (input, classes) = (predictor.input_shape().to_string(), predictor.classes());
    if input != format!("({SIDE}, {SIDE}, 1)") || classes != CLASSES {
        return Err(Error::Data(format!(
            "{}: expected a model of images of ({SIDE}, {SIDE}, 1) and {CLASSES} classes, found one of {input} and {classes}: \
             give one that was trained on MNIST",
            path.display()
        )));
    }
    Ok(predictor)
}

/// What the model sees in a picture, ready to be printed.
fn predict(predictor: &Predictor, path: &Path, style: Style) -> inkstone::Result<String> {
    let image = pictures::read_digit(path)?;
    let probabilities = predictor.predict_rows(&image)?;
    let sum = probabilities.sum();
    if (sum - 1.0).abs() > 1e-3 || probabilities.iter().any(|probability| *probability < 0.0) {
        return Err(Error::Data(format!(
            "{}: expected probabilities that sum to 1, the model gave {probabilities}: give one that ends with Softmax",
            path.display()
        )));
    }
    let image = image.into_shape_with_order((SIDE, SIDE)).expect("a digit in MNIST's form");
    Ok(card(path, image.view(), probabilities.row(0), style))
}

/// How the terminal is written to.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Greys of the terminal's 256 colours, two pixels a character.
    Colours,
    /// Shaded blocks alone, two pixels a character.
    Plain,
}

impl Style {
    /// Colours on a terminal, unless they are [unwanted](https://no-color.org).
    fn of_terminal() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if io::stdout().is_terminal() && !unwanted && !dumb { Self::Colours } else { Self::Plain }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// A picture with its digit and probabilities beside it.
///
/// - image: (28, 28); probabilities: (10)
fn card(path: &Path, image: ArrayView2<'_, u8>, probabilities: ArrayView1<'_, f32>, style: Style) -> String {
    let best = (0..CLASSES).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap_or(0);
    let left = match style {
        Style::Colours => greys(image),
        Style::Plain => blocks(image),
    };
    let verdict = format!("{best}  ({:.1} %)", probabilities[best] * 100.0);
    let mut right = vec![style.paint("2", &path.display().to_string()), style.paint("1", &verdict), String::new()];
    right.extend((0..CLASSES).map(|digit| {
        let row = format!("{digit} {} {:5.1} %", bar(probabilities[digit]), probabilities[digit] * 100.0);
        let code = if digit == best { "1;32" } else { "2" };
        style.paint(code, &row)
    }));
    let above = (left.len() - right.len()) / 2;
    let mut card = String::new();
    for (row, line) in left.iter().enumerate() {
        let beside = row.checked_sub(above).and_then(|row| right.get(row)).map_or("", String::as_str);
        let _ = writeln!(card, "{}", format!("{line}   {beside}").trim_end());
    }
    card
}

/// A probability in eighths of a character.
fn bar(probability: f32) -> String {
    let eighths = (probability * (BAR * 8) as f32).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{:<BAR$}", "█".repeat(eighths / 8) + rest)
}

/// Two rows of pixels in a line: the upper half of a block over the other's background.
fn greys(image: ArrayView2<'_, u8>) -> Vec<String> {
    // The greys of the 256 colours are 232 to 255.
    let grey = |value: u8| 232 + u16::from(value) * 23 / 255;
    let line = |row: usize| {
        let mut line = String::new();
        for (upper, lower) in image.row(row).iter().zip(image.row(row + 1)) {
            let _ = write!(line, "\x1b[38;5;{};48;5;{}m▀", grey(*upper), grey(*lower));
        }
        line + "\x1b[0m"
    };
    (0..SIDE).step_by(2).map(line).collect()
}

/// A frame with two rows of pixels in a line, by how much ink they have together.
fn blocks(image: ArrayView2<'_, u8>) -> Vec<String> {
    let shade = |value: u16| [' ', '░', '▒', '▓', '█'][usize::from(value * 9 / 510).div_ceil(2).min(4)];
    let line = |row: usize| {
        let pairs = image.row(row).into_iter().zip(image.row(row + 1));
        let line: String = pairs.map(|(upper, lower)| shade(u16::from(*upper) + u16::from(*lower))).collect();
        format!("│{line}│")
    };
    let edge = "─".repeat(SIDE);
    let lines = (0..SIDE).step_by(2).map(line);
    [format!("┌{edge}┐")].into_iter().chain(lines).chain([format!("└{edge}┘")]).collect()
}
