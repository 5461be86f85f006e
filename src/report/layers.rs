//! Draws a network: each call of a layer as a box, and which reads what as lines, from top to bottom.

use super::layers_layout::{Graph, Layout};
use super::svg::{HEADING, LABEL, short, width, write};
use crate::error::Result;
use crate::layers::Source;
use crate::model::Model;
use crate::shape::Shape;
use crate::summary::thousands;
use maud::{Markup, html};
use std::path::Path;

/// At the edges of the drawing.
const MARGIN: f64 = 24.0;
/// The height of the title, and of a line in a box.
const HEAD: f64 = 52.0;
const LINE: f64 = 18.0;
/// Between a box and its words.
const PADDING: f64 = 10.0;
/// The most characters of a line.
const MOST: usize = 40;
const TYPE: &str = "font-family: sans-serif";

impl Model {
    /// Draws the network as an SVG file, as Keras' `plot_model`: for each layer its name, its type with the number of
    /// its parameters, and the shape of its output. Layers with weights are blue, with a dashed frame if none of their
    /// weights is trained; a layer that is called several times is drawn as often.
    ///
    /// # Errors
    /// [`Error::NotWritten`](crate::Error::NotWritten) if the file cannot be written, then what was there before is
    /// still there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("model.svg");
    /// use inkstone::prelude::*;
    /// let input = Input::new([28, 28, 1]);
    /// let x = input.apply(Conv2D::new(8, (3, 3)).padding(Same).activation(Relu));
    /// let y = x.apply(Conv2D::new(8, (3, 3)).padding(Same));
    /// let output = Add::of([&x, &y]).apply(Flatten::new()).apply(Dense::new(10).activation(Softmax));
    /// let model = Functional::new([&input], [&output])
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.plot(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("conv2d_1"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &drawing(self))
    }
}

/// A box of the drawing.
struct Card {
    lines: [String; 3],
    look: Look,
}

/// What a box tells of its layer.
#[derive(Clone, Copy)]
enum Look {
    /// An input.
    Input,
    /// A layer without weights.
    Plain,
    /// A layer of which weights are trained.
    Trained,
    /// A layer whose weights are not trained.
    Frozen,
}

impl Card {
    fn new(name: &str, kind: String, shapes: &[Shape], look: Look) -> Self {
        let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
        Self { lines: [short(name, MOST), kind, short(&shapes.join(", "), MOST)], look }
    }

    fn extent(&self) -> (f64, f64) {
        let widest = self.lines.iter().map(|line| width(line, LABEL)).max().unwrap_or_default();
        (f64::from(widest) + 2.0 * PADDING, 3.0 * LINE + PADDING)
    }
}

/// The boxes of all inputs, then of all calls.
fn cards(model: &Model) -> Vec<Card> {
    let Model { network, engine, .. } = model;
    let names = model.layer_names();
    let mut counts = vec![(0, 0); names.len()];
    for parameter in &engine.plan.parameters.all {
        let (all, trained) = &mut counts[parameter.layer];
        *all += parameter.range.len();
        *trained += if parameter.is_trained() { parameter.range.len() } else { 0 };
    }
    let mut calls = vec![0; names.len()];
    let inputs = network.inputs.iter().enumerate().map(|(index, shape)| {
        let name = if network.inputs.len() == 1 { "input".to_owned() } else { format!("input {index}") };
        Card::new(&name, "Input".to_owned(), &[*shape], Look::Input)
    });
    let layers = network.calls.iter().zip(&engine.plan.shapes).map(|(call, shapes)| {
        let layer = call.layer;
        calls[layer] += 1;
        let name = match calls[layer] {
            1 => names[layer].clone(),
            count => format!("{} (call {count})", names[layer]),
        };
        let kind = short(network.layers[layer].kind(), MOST);
        let (kind, look) = match counts[layer] {
            (0, _) => (kind, Look::Plain),
            (all, 0) => (format!("{kind}, {}", thousands(all)), Look::Frozen),
            (all, _) => (format!("{kind}, {}", thousands(all)), Look::Trained),
        };
        Card::new(&name, kind, shapes, look)
    });
    inputs.chain(layers).collect()
}

/// The drawing as the text of an SVG file.
fn drawing(model: &Model) -> String {
    let network = &model.network;
    let cards = cards(model);
    let node = |source: &Source| match *source {
        Source::Input(index) => index,
        Source::Call(index) | Source::Output { call: index, .. } => network.inputs.len() + index,
    };
    let edges = network.calls.iter().enumerate().flat_map(|(index, call)| {
        let mut reads: Vec<usize> = call.reads.iter().map(node).collect();
        // The states of a layer are one line.
        reads.dedup();
        reads.into_iter().map(move |read| (read, network.inputs.len() + index))
    });
    let graph = Graph { sizes: cards.iter().map(Card::extent).collect(), edges: edges.collect() };
    let Layout { nodes, edges, size } = graph.layout();
    let title = format!("{} layers, {} parameters", network.layers.len(), thousands(model.parameter_count()));
    let wide = (size.0 + 2.0 * MARGIN).max(f64::from(width(&title, HEADING)) + 2.0 * MARGIN).ceil();
    let tall = (HEAD + size.1 + MARGIN).ceil();
    let left = (wide - size.0) / 2.0;
    let moved = |(x, y): (f64, f64)| (x + left, y + HEAD);
    let outputs: Vec<usize> = network.outputs.iter().map(node).collect();
    let content = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(wide) height=(tall) viewBox={ "0 0 " (wide) " " (tall) } style=(TYPE) {
            defs { marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                path d="M0 0 L8 4 L0 8 z" fill="#5B6370" {}
            } }
            rect width=(wide) height=(tall) fill="#FFFFFF" {}
            text x=(MARGIN) y="30" font-size=(HEADING) fill="#1A1A1A" { (title) }
            @for edge in &edges {
                path d=(path(edge, moved)) fill="none" stroke="#5B6370" stroke-width="1.4" marker-end="url(#end)" {}
            }
            @for (index, card) in cards.iter().enumerate() {
                (draw_card(card, moved(nodes[index]), if outputs.contains(&index) { 2.6 } else { 1.2 }))
            }
        }
    };
    content.into_string()
}

/// A box with its words; outputs have a thick frame.
fn draw_card(card: &Card, (x, y): (f64, f64), stroke: f64) -> Markup {
    let (wide, tall) = card.extent();
    let (left, top) = (x - wide / 2.0, y - tall / 2.0);
    let (fill, frame, dashes) = match card.look {
        Look::Input => ("#FBE9DC", "#D55E00", "none"),
        Look::Plain => ("#FFFFFF", "#5B6370", "none"),
        Look::Trained => ("#E3F0F8", "#0072B2", "none"),
        Look::Frozen => ("#E3F0F8", "#0072B2", "5 4"),
    };
    html! {
        rect x=(rounded(left)) y=(rounded(top)) width=(wide) height=(tall) rx="6" fill=(fill) stroke=(frame)
            stroke-width=(stroke) stroke-dasharray=(dashes) {}
        @for (index, line) in card.lines.iter().enumerate() {
            text x=(rounded(x)) y=(rounded(top + LINE * (index as f64 + 1.0) + 1.0)) font-size=(LABEL) text-anchor="middle"
                font-weight=(if index == 0 { "bold" } else { "normal" }) fill=(if index == 0 { "#1A1A1A" } else { "#5B6370" }) {
                (line)
            }
        }
    }
}

/// A line through these places: curves from row to row, and straight beside a row's boxes.
fn path(places: &[(f64, f64)], moved: impl Fn((f64, f64)) -> (f64, f64)) -> String {
    let mut before = moved(places[0]);
    let mut path = format!("M{} {}", rounded(before.0), rounded(before.1));
    for (index, place) in places[1..].iter().enumerate() {
        let (x, y) = moved(*place);
        if index % 2 == 0 {
            let middle = rounded((before.1 + y) / 2.0);
            path += &format!(" C{} {middle} {} {middle} {} {}", rounded(before.0), rounded(x), rounded(x), rounded(y));
        } else {
            path += &format!(" L{} {}", rounded(x), rounded(y));
        }
        before = (x, y);
    }
    path
}

/// A tenth of a pixel is enough.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
