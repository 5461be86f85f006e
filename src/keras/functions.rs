//! Decides what Keras' descriptions of functions and of what goes with weights are among ours.

use crate::layers::{ActivationFunction, Constraint, Initializer, Regularizer};
use serde_json::{Map, Value, json};

/// An activation function.
pub(super) fn activation(value: &Value) -> Result<Value, String> {
    let name = match value {
        Value::Null => json!("linear"),
        Value::Object(object) => match (object.get("module").and_then(Value::as_str), object.get("config")) {
            (Some("builtins"), Some(Value::String(name))) => json!(name),
            _ => return Err(unsupported(value, "a function of a custom object, or a layer")),
        },
        other => other.clone(),
    };
    match serde_json::from_value::<ActivationFunction>(name.clone()) {
        Ok(_) => Ok(name),
        Err(_) => Err(unsupported(&name, "none of our functions")),
    }
}

/// An initializer, which has done its work: `None` for one that we lack.
pub(super) fn initializer(value: &Value) -> Option<Value> {
    let named = match value {
        Value::String(name) => json!(snake_case(name)),
        Value::Object(object) => with_name(object, &["seed", "input_axes", "output_axes"]),
        _ => return None,
    };
    serde_json::from_value::<Initializer>(named.clone()).is_ok().then_some(named)
}

pub(super) fn regularizer(value: &Value) -> Result<Value, String> {
    let found = match value {
        Value::Object(object) if matches!(class(object), "L1" | "L2" | "L1L2") => object.get("config").cloned(),
        Value::Object(_) => None,
        other => Some(other.clone()),
    };
    let found = found.filter(|found| serde_json::from_value::<Option<Regularizer>>(found.clone()).is_ok());
    found.ok_or_else(|| unsupported(value, "expected L1, L2 or L1L2"))
}

pub(super) fn constraint(value: &Value) -> Result<Value, String> {
    let found = match value {
        Value::Object(object) => {
            let mut named = with_name(object, &[]);
            for fields in named.as_object_mut().into_iter().flat_map(Map::values_mut) {
                if let Some(axis) = fields.get_mut("axis").filter(|axis| axis.is_number()) {
                    *axis = json!([axis.clone()]);
                }
            }
            named
        }
        other => other.clone(),
    };
    match serde_json::from_value::<Option<Constraint>>(found.clone()) {
        Ok(_) => Ok(found),
        Err(_) => Err(unsupported(value, "expected MaxNorm, MinMaxNorm, NonNeg or UnitNorm")),
    }
}

fn unsupported(value: &Value, expected: &str) -> String {
    let class = value.as_object().map(class).filter(|class| !class.is_empty());
    let name = class.map_or_else(|| value.to_string().chars().take(100).collect(), |class| format!("{class:?}"));
    format!("{name}, which is not supported: {expected}")
}

fn class(object: &Map<String, Value>) -> &str {
    object.get("class_name").and_then(Value::as_str).unwrap_or_default()
}

/// An object with a class and arguments as ours are written: the name alone if there are none.
fn with_name(object: &Map<String, Value>, without: &[&str]) -> Value {
    let name = snake_case(class(object));
    let mut arguments = object.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    arguments.retain(|key, _| !without.contains(&&key[..]));
    if arguments.is_empty() {
        return json!(name);
    }
    let mut named = Map::new();
    named.insert(name, Value::Object(arguments));
    Value::Object(named)
}

/// Keras' name for the first layer of a class, and the form of other names: `GlorotUniform` is `glorot_uniform`.
pub(super) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut name = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let is_after_small = index > 0 && letters[index - 1].is_ascii_lowercase();
        let is_before_small = index > 0 && letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (is_after_small || is_before_small) && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_names_that_keras_gives_them() {
        let names = [
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("ELU", "elu"),
            ("LSTM", "lstm"),
            ("SimpleRNN", "simple_rnn"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("TimeDistributed", "time_distributed"),
            ("GlorotUniform", "glorot_uniform"),
        ];
        for (class, name) in names {
            assert_eq!(snake_case(class), name);
        }
    }
}
