//! Decides what a layer of Keras is among ours: the names of its arguments are those of ours, so its description becomes
//! the JSON of a layer, without what we lack and has no effect.

use super::functions::{activation, constraint, initializer, regularizer};
use crate::layers::Layer;
use serde_json::{Map, Value, json};

/// Arguments that change neither what a layer gives nor how it is trained here.
const WITHOUT_EFFECT: [&str; 10] = [
    "name",
    // It is set where a layer has weights.
    "trainable",
    "dtype",
    "seed",
    "unroll",
    "synchronized",
    "renorm_clipping",
    "renorm_momentum",
    "moving_mean_initializer",
    "moving_variance_initializer",
];

/// Arguments that ours have not, and the one value at which they do nothing.
const OFF: [(&str, Value); 7] = [
    ("renorm", Value::Bool(false)),
    ("rms_scaling", Value::Bool(false)),
    ("zero_output_for_mask", Value::Bool(false)),
    ("quantization_config", Value::Null),
    ("noise_shape", Value::Null),
    ("lora_rank", Value::Null),
    ("lora_alpha", Value::Null),
];

/// A layer as it is described.
pub(super) struct Read {
    pub(super) layer: Layer,
    /// The axis that it works along, with the batch as axis 0, where ours always works along the last.
    pub(super) axis: Option<i64>,
}

/// The layer of this description.
///
/// - object: with `class_name`, `config`, and what else Keras writes of it
///
/// # Errors
/// Why there is none, in a sentence without its subject.
pub(super) fn read(object: &Map<String, Value>) -> Result<Read, String> {
    let class = class_of(object);
    check_class(class, object)?;
    let none = Map::new();
    let config = object.get("config").and_then(Value::as_object).unwrap_or(&none);
    check_dtype(config.get("dtype"))?;
    let (mut ours, mut axis) = (Map::new(), None);
    for (key, value) in config {
        if let Some(value) = argument(class, key, value)? {
            ours.insert(key.clone(), value);
        }
    }
    if has_axis(class) {
        axis = ours.remove("axis").and_then(|axis| axis.as_i64());
    }
    if class == "Bidirectional" {
        check_directions(config)?;
    }
    let class = match class {
        "Softmax" => {
            ours.insert("activation".into(), json!("softmax"));
            "Activation"
        }
        other => other,
    };
    let mut whole = Map::new();
    whole.insert(class.to_owned(), Value::Object(ours));
    let mut layer: Layer = serde_path_to_error::deserialize(Value::Object(whole)).map_err(|error| {
        let path = error.path().to_string();
        let argument = path.strip_prefix(class).unwrap_or(&path).trim_start_matches('.');
        let of = if argument.is_empty() { String::new() } else { format!(" in the argument {argument:?}") };
        format!("cannot be read{of} ({})", error.inner())
    })?;
    if let (Some(Value::Bool(false)), Some(trainable)) = (config.get("trainable"), layer.trainable_mut()) {
        *trainable = false;
    }
    Ok(Read { layer, axis })
}

/// Its class, as it is called.
pub(super) fn class_of(object: &Map<String, Value>) -> &str {
    object.get("class_name").and_then(Value::as_str).unwrap_or_default()
}

/// # Errors
/// If a layer of this class is not read.
fn check_class(class: &str, object: &Map<String, Value>) -> Result<(), String> {
    if class == "Lambda" {
        return Err(
            "holds a function in Python, which is never run: use layers, or write the function as a custom layer"
                .into(),
        );
    }
    let registered = object.get("registered_name").and_then(Value::as_str).filter(|name| name.contains('>'));
    if let Some(name) = registered {
        return Err(format!("is the custom object {name:?}, whose code is never run: write it as a custom layer"));
    }
    let module = object.get("module").and_then(Value::as_str).unwrap_or("keras.layers");
    let is_own = module == "keras" || module.starts_with("keras.");
    if !is_own {
        return Err(format!("is a custom object of {module:?}, whose code is never run: write it as a custom layer"));
    }
    let mut classes = [Layer::KINDS, &["Softmax"]].concat();
    if classes.contains(&class) {
        return Ok(());
    }
    classes.sort_unstable();
    Err(format!("is a class that is not supported: use {}", classes.join(", ")))
}

/// # Errors
/// If it computes in other numbers than ours.
fn check_dtype(dtype: Option<&Value>) -> Result<(), String> {
    let name = match dtype {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(policy)) => policy.get("config").and_then(|config| config.get("name")),
        other => other,
    };
    match name.and_then(Value::as_str) {
        Some("float32") => Ok(()),
        other => Err(format!(
            "has the dtype {:?}, expected \"float32\": build the model under `keras.config.set_dtype_policy(\"float32\")`, and set \
             its weights",
            other.unwrap_or("of another form")
        )),
    }
}

/// Whether ours works along the last axis where Keras' has an argument for it.
fn has_axis(class: &str) -> bool {
    matches!(class, "Concatenate" | "Softmax" | "GroupNormalization")
}

/// An argument as ours have it; `None` if it has no effect.
fn argument(class: &str, key: &str, value: &Value) -> Result<Option<Value>, String> {
    if WITHOUT_EFFECT.contains(&key) {
        return Ok(None);
    }
    if let Some((_, off)) = OFF.iter().find(|(name, _)| *name == key) {
        return if value == off { Ok(None) } else { Err(format!("has {key} {value}, expected {off}")) };
    }
    let in_argument = |problem: String| format!("has {key} {problem}");
    let is_one = matches!(key, "kernel_size" | "strides" | "dilation_rate" | "pool_size") && class.ends_with("1D");
    Ok(match (key, value) {
        ("data_format", Value::Null) => None,
        ("data_format", Value::String(format)) if format == "channels_last" => None,
        ("data_format", other) => return Err(format!("has data_format {other}, expected \"channels_last\"")),
        ("activation" | "recurrent_activation", _) => Some(activation(value).map_err(in_argument)?),
        (_, _) if key.ends_with("_initializer") => initializer(value),
        (_, _) if key.ends_with("_regularizer") => match regularizer(value).map_err(in_argument)? {
            Value::Null => None,
            other => Some(other),
        },
        (_, _) if key.ends_with("_constraint") => Some(constraint(value).map_err(in_argument)?),
        (_, Value::Array(values)) if is_one && values.len() == 1 => Some(values[0].clone()),
        ("shared_axes", Value::Null) => None,
        ("axis", Value::Null) if class == "Normalization" => Some(json!([])),
        ("mean" | "variance", Value::Object(array)) => {
            array.get("config").and_then(|config| config.get("value")).cloned()
        }
        ("merge_mode", Value::Null) => Some(json!("none")),
        ("layer", Value::Object(inner)) => Some(wrapped(class, inner)?),
        ("backward_layer", _) if class == "Bidirectional" => None,
        ("target_shape", Value::Array(axes)) => Some(target_shape(axes)),
        (_, other) => Some(other.clone()),
    })
}

/// The layer within another, without its name: ours count it as one.
fn wrapped(class: &str, inner: &Map<String, Value>) -> Result<Value, String> {
    let mut inner = inner.clone();
    if let Some(config) = inner.get_mut("config").and_then(Value::as_object_mut).filter(|_| class == "Bidirectional") {
        // As Keras sets it there, which ours does as well.
        config.remove("zero_output_for_mask");
    }
    let inner = &inner;
    let of_inner = |problem: String| format!("has a layer ({}) that {problem}", class_of(inner));
    let Read { layer, axis } = read(inner).map_err(of_inner)?;
    if axis.is_some_and(|axis| axis != -1) {
        return Err(format!("has a layer ({}) with an axis, expected -1", class_of(inner)));
    }
    let name = inner.get("config").and_then(|config| config.get("name")).and_then(Value::as_str).unwrap_or_default();
    let mut value = serde_json::to_value(layer).map_err(|error| format!("cannot be read ({error})"))?;
    // Keras calls the layers of a Bidirectional `forward_` and `backward_`, as ours does with their weights.
    let given = name.strip_prefix("forward_").filter(|_| class == "Bidirectional");
    let is_sound = |name: &&str| {
        name.chars().all(|letter| letter.is_alphanumeric() || "_-.@".contains(letter)) && !name.is_empty()
    };
    if let (Some(name), Some(fields)) =
        (given.filter(is_sound), value.get_mut(class_of(inner)).and_then(Value::as_object_mut))
    {
        fields.insert("name".into(), json!(name));
    }
    Ok(value)
}

/// # Errors
/// If the layer backwards is another than the one forwards.
fn check_directions(config: &Map<String, Value>) -> Result<(), String> {
    let arguments = |key: &str| {
        let object = config.get(key).and_then(Value::as_object)?;
        let mut arguments = object.get("config").and_then(Value::as_object)?.clone();
        let is_drawn = |key: &str| key.ends_with("_initializer") || key == "name" || key == "seed" || key == "dtype";
        arguments.retain(|key, _| !is_drawn(key));
        Some((class_of(object).to_owned(), arguments.remove("go_backwards"), arguments))
    };
    let Some((class, _, backward)) = arguments("backward_layer") else { return Ok(()) };
    match arguments("layer") {
        Some((other, _, forward)) if class == other && forward == backward => Ok(()),
        _ => Err("has a backward_layer of other arguments than its layer, which is not supported".into()),
    }
}

/// A shape, with 0 for a size that its input tells.
fn target_shape(axes: &[Value]) -> Value {
    axes.iter().map(|axis| if axis.as_i64() == Some(-1) { json!(0) } else { axis.clone() }).collect()
}
