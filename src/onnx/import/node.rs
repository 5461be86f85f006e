//! Reads what a node says of itself.

use super::super::message::{Attribute, Node, Tensor};
use std::cell::RefCell;

/// A node, with what has been asked of its attributes.
pub(super) struct Op<'a> {
    pub(super) node: &'a Node,
    pub(super) opset: i64,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Op<'a> {
    pub(super) fn new(node: &'a Node, opset: i64) -> Self {
        Self { node, opset, asked: RefCell::default() }
    }

    /// What the node is called, or else what it gives.
    pub(super) fn title(node: &Node) -> String {
        let output = node.output.first().cloned().unwrap_or_default();
        if node.name.is_empty() { output } else { node.name.clone() }
    }

    fn find(&self, name: &'static str) -> Option<&'a Attribute> {
        self.asked.borrow_mut().push(name);
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// # Errors
    /// A sentence that names an attribute that nobody has asked for.
    pub(super) fn check_attributes(&self) -> Result<(), String> {
        let asked = self.asked.borrow();
        match self.node.attribute.iter().find(|attribute| !asked.contains(&&attribute.name[..])) {
            None => Ok(()),
            Some(attribute) => Err(format!("has the attribute {:?}, which is not supported", attribute.name)),
        }
    }

    pub(super) fn int(&self, name: &'static str, default: i64) -> i64 {
        self.find(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn optional_int(&self, name: &'static str) -> Option<i64> {
        self.find(name).map(|attribute| attribute.i.unwrap_or_default())
    }

    pub(super) fn float(&self, name: &'static str, default: f32) -> f32 {
        self.find(name).and_then(|attribute| attribute.f).unwrap_or(default)
    }

    pub(super) fn optional_float(&self, name: &'static str) -> Option<f32> {
        self.find(name).map(|attribute| attribute.f.unwrap_or_default())
    }

    pub(super) fn ints(&self, name: &'static str) -> Option<&'a [i64]> {
        self.find(name).map(|attribute| &attribute.ints[..])
    }

    pub(super) fn floats(&self, name: &'static str) -> &'a [f32] {
        self.find(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn tensor(&self, name: &'static str) -> Option<&'a Tensor> {
        self.find(name).and_then(|attribute| attribute.t.as_ref())
    }

    pub(super) fn text(&self, name: &'static str, default: &'static str) -> String {
        let text = self.find(name).and_then(|attribute| attribute.s.as_deref());
        text.map_or_else(|| default.to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    }

    pub(super) fn texts(&self, name: &'static str) -> Vec<String> {
        let texts = self.find(name).map_or(&[][..], |attribute| &attribute.strings);
        texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// Sizes, such as strides: as many as an image has axes, each at least `least`.
    pub(super) fn sizes(
        &self,
        name: &'static str,
        default: usize,
        count: usize,
        least: usize,
    ) -> Result<Vec<usize>, String> {
        let Some(ints) = self.ints(name) else { return Ok(vec![default; count]) };
        let sizes: Vec<usize> = ints.iter().filter_map(|int| usize::try_from(*int).ok()).collect();
        if sizes.len() != count || ints.len() != count || sizes.iter().any(|size| *size < least || *size > 1 << 28) {
            return Err(format!("has {name} {ints:?}, expected {count} numbers of at least {least}"));
        }
        Ok(sizes)
    }

    /// The name of an input; `None` if it is left out.
    pub(super) fn input(&self, place: usize) -> Option<&'a str> {
        self.node.input.get(place).map(|name| &name[..]).filter(|name| !name.is_empty())
    }

    /// The name of an output; `None` if it is left out.
    pub(super) fn output(&self, place: usize) -> Option<&'a str> {
        self.node.output.get(place).map(|name| &name[..]).filter(|name| !name.is_empty())
    }
}
