//! The modules of a `state_dict`: its tensors by what is before the last dot of their names.

use crate::saving::weights::Tensors;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A module of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// As in `features.0`; a recurrent layer behind the first of a module is `lstm.l1`.
    pub(super) name: String,
    /// For each of its tensors, by its name in the module, the one in the file.
    pub(super) tensors: BTreeMap<String, String>,
}

/// The counter of a batch normalization, which only one without a momentum reads.
const COUNTER: &str = "num_batches_tracked";

/// All modules, in the order of their names.
pub(super) fn modules(tensors: &Tensors) -> Vec<Found> {
    let mut modules: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for file_name in tensors.keys() {
        let (module, name) = file_name.rsplit_once('.').unwrap_or(("", file_name));
        if name == COUNTER {
            continue;
        }
        let (module, name) = of_recurrent(module, name).unwrap_or_else(|| (module.to_owned(), name.to_owned()));
        modules.entry(module).or_default().insert(name, file_name.clone());
    }
    modules.into_iter().map(|(name, tensors)| Found { name, tensors }).collect()
}

const OF_RECURRENT: [&str; 5] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"];

/// The module and the tensor of a recurrent layer, which is one of those that a module has: as if it were the first.
fn of_recurrent(module: &str, name: &str) -> Option<(String, String)> {
    let tensor = OF_RECURRENT.iter().find(|tensor| name.starts_with(**tensor))?;
    let rest = &name[tensor.len()..];
    if rest.is_empty() {
        // Of a cell, such as `LSTMCell`.
        return Some((module.to_owned(), format!("{tensor}_l0")));
    }
    let rest = rest.strip_prefix("_l")?;
    let (layer, direction) = rest.split_at(rest.find('_').unwrap_or(rest.len()));
    let layer: u16 = layer.parse().ok()?;
    let name = format!("{tensor}_l0{direction}");
    let module = if layer == 0 { module.to_owned() } else { format!("{module}.l{layer}") };
    Some((module, name))
}

/// The name in a file of a module's tensor: the reverse of [`modules`].
pub(super) fn file_name(module: &str, tensor: &str) -> String {
    let of_layer = module.rsplit_once(".l").filter(|(_, layer)| layer.parse::<u16>().is_ok());
    match (of_layer, tensor.split_once("_l0")) {
        (Some((module, layer)), Some((tensor, direction))) => format!("{module}.{tensor}_l{layer}{direction}"),
        _ if module.is_empty() => tensor.to_owned(),
        _ => format!("{module}.{tensor}"),
    }
}

/// The order of two modules, if their names tell it: where they first differ, both have a number behind the same text,
/// as in `features.2` and `features.10`, or `conv1` and `conv2`. A number that is missing comes first.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let ((a, first), (b, second)) = (numbered(a), numbered(b));
                return (a == b).then(|| first.cmp(&second)).filter(|order| order.is_ne());
            }
            (None, None) => return Some(Ordering::Equal),
            // Layers of one recurrent module.
            (None, Some(layer)) => return is_layer(layer).then_some(Ordering::Less),
            (Some(layer), None) => return is_layer(layer).then_some(Ordering::Greater),
        }
    }
}

fn is_layer(part: &str) -> bool {
    matches!(numbered(part), ("l", Some(_)))
}

/// The text before a number at the end, and the number.
fn numbered(part: &str) -> (&str, Option<u64>) {
    let text = part.trim_end_matches(|digit: char| digit.is_ascii_digit());
    match part[text.len()..].parse() {
        Ok(number) => (text.strip_suffix('_').unwrap_or(text), Some(number)),
        Err(_) => (part, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_modules_and_other_names_do_not() {
        for (first, second) in [
            ("features.2", "features.10"),
            ("2", "10"),
            ("conv1", "conv2"),
            ("dense", "dense_1"),
            ("conv2d_2", "conv2d_10"),
            ("layer1.1.conv2", "layer2.0.conv1"),
            ("lstm", "lstm.l1"),
            ("lstm.l1", "lstm.l2"),
        ] {
            assert_eq!(compare(first, second), Some(Ordering::Less), "{first} {second}");
            assert_eq!(compare(second, first), Some(Ordering::Greater), "{second} {first}");
        }
        for (a, b) in [("conv1", "fc1"), ("encoder.0", "decoder.0"), ("1", "01"), ("block", "block.conv"), ("a", "b")] {
            assert_eq!((compare(a, b), compare(b, a)), (None, None), "{a} {b}");
        }
        // Beyond any number it is text.
        assert_eq!(compare("a99999999999999999999", "a1"), None);
    }

    #[test]
    fn layers_of_a_recurrent_module_are_modules() {
        for (file, module, tensor) in [
            ("rnn.weight_ih_l0", "rnn", "weight_ih_l0"),
            ("rnn.bias_hh_l2_reverse", "rnn.l2", "bias_hh_l0_reverse"),
            ("0.weight_hh_l11", "0.l11", "weight_hh_l0"),
        ] {
            let (prefix, name) = file.rsplit_once('.').unwrap();
            assert_eq!(of_recurrent(prefix, name), Some((module.to_owned(), tensor.to_owned())));
            assert_eq!(file_name(module, tensor), file);
        }
        assert_eq!(of_recurrent("cell", "weight_ih"), Some(("cell".into(), "weight_ih_l0".into())));
        assert_eq!((of_recurrent("a", "weight"), of_recurrent("a", "weight_ih_lx")), (None, None));
        assert_eq!(file_name("", "weight"), "weight");
        assert_eq!(file_name("a.l1", "weight"), "a.l1.weight");
    }
}
