//! Drawings of networks: a box for each call of a layer, a line for each value that one reads.
#![cfg(feature = "plot")]

use crate::common_drawn::{number, shapes, words};
use inkstone::prelude::*;
use roxmltree::Document;

const BLUE: &str = "#0072B2";
const ORANGE: &str = "#D55E00";
const GREY: &str = "#5B6370";

fn drawn(model: &Model) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.svg");
    model.plot(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_network_is_drawn_with_names_types_shapes_and_lines() {
    let (left, right) = (Input::new([8, 8, 1]), Input::new([8, 8, 1]));
    let twin = Shared::new(Conv2D::new(4, (3, 3)).activation(Relu).trainable(false));
    let x = Subtract::of([&left.apply(&twin), &right.apply(&twin)]);
    let output = x.apply(Flatten::new()).apply(Dense::new(1));
    let described = Functional::new([&left, &right], [&output]);
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let text = drawn(&model);
    let svg = Document::parse(&text).unwrap();
    let words = words(&svg);
    let expected = [
        ["input 0", "Input", "(8, 8, 1)"],
        ["input 1", "Input", "(8, 8, 1)"],
        ["conv2d", "Conv2D, 40", "(6, 6, 4)"],
        ["conv2d (call 2)", "Conv2D, 40", "(6, 6, 4)"],
        ["subtract", "Subtract", "(6, 6, 4)"],
        ["flatten", "Flatten", "(144)"],
        ["dense", "Dense, 145", "(1)"],
    ];
    assert_eq!(words[0], "4 layers, 185 parameters");
    assert_eq!(words[1..], *expected.as_flattened());
    let lines = shapes(&svg, "path", GREY).into_iter().filter(|path| path.has_attribute("marker-end")).count();
    assert_eq!(lines, 2 + 2 + 1 + 1);
    let of_weights = shapes(&svg, "rect", BLUE);
    let dashes: Vec<_> = of_weights.iter().map(|rect| rect.attribute("stroke-dasharray").unwrap()).collect();
    assert_eq!(dashes, ["5 4", "5 4", "none"], "frozen layers have dashed frames");
    assert_eq!(shapes(&svg, "rect", ORANGE).len(), 2, "inputs");
    // From top to bottom, in columns where there are two of a kind.
    let tops: Vec<f64> =
        svg.descendants().filter(|node| node.has_attribute("rx")).map(|node| number(&node, "y")).collect();
    assert!(tops[0] == tops[1] && tops[2] == tops[3] && tops[1] < tops[2] && tops[3] < tops[4], "{tops:?}");
    assert!(tops[4] < tops[5] && tops[5] < tops[6], "{tops:?}");
}

#[test]
fn awkward_names_are_cut_and_escaped() {
    let described = Sequential::new([2]).add(Dense::new(2).name("d".repeat(100))).add(Dense::new(1));
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let text = drawn(&model);
    let svg = Document::parse(&text).unwrap();
    let longest = words(&svg).iter().map(|words| words.chars().count()).max().unwrap();
    assert!(longest <= 40, "{longest}");
    let wide = number(&svg.root_element(), "width");
    for rect in svg.descendants().filter(|node| node.has_attribute("rx")) {
        assert!(number(&rect, "x") >= 0.0 && number(&rect, "x") + number(&rect, "width") <= wide);
    }
}
