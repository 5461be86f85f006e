//! Decides what of a model's `compile_config` is taken: what ours have, with all its arguments. The rest is as for a model
//! that was never compiled.

use super::description::text;
use super::functions::snake_case;
use crate::loss::Loss;
use crate::metrics::{Auc, BinaryAccuracy, Metric, Precision, Recall, TopKCategoricalAccuracy};
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use serde_json::{Map, Value, json};

/// The losses that are read, with Keras' names for each.
const LOSSES: [(&str, &[&str]); 7] = [
    ("SparseCategoricalCrossentropy", &["sparse_categorical_crossentropy"]),
    ("CategoricalCrossentropy", &["categorical_crossentropy"]),
    ("BinaryCrossentropy", &["binary_crossentropy", "bce"]),
    ("MeanSquaredError", &["mean_squared_error", "mse"]),
    ("MeanAbsoluteError", &["mean_absolute_error", "mae"]),
    ("Huber", &["huber", "huber_loss"]),
    ("KlDivergence", &["kl_divergence", "kld", "kullback_leibler_divergence", "kldivergence"]),
];

/// What a model was compiled with, as far as ours have it.
pub(super) struct Compiled {
    pub(super) optimizer: Option<Optimizer>,
    /// For each output its loss, if ours.
    pub(super) losses: Vec<Option<Loss>>,
    weights: Vec<f32>,
    metrics: Vec<Vec<Metric>>,
}

impl Compiled {
    /// - names: of the outputs
    pub(super) fn read(config: Option<&Value>, names: &[String]) -> Self {
        let none = Map::new();
        let config = config.and_then(Value::as_object).unwrap_or(&none);
        let of_each = |key: &str| each(config.get(key), names);
        let losses = of_each("loss").into_iter().map(|value| value.and_then(loss)).collect();
        let weights = of_each("loss_weights").into_iter();
        let weights = weights.map(|value| value.and_then(Value::as_f64).map_or(1.0, |weight| weight as f32)).collect();
        let metrics = match config.get("metrics") {
            Some(Value::Array(all)) if names.len() == 1 && !all.iter().any(Value::is_array) => {
                vec![metrics(config.get("metrics"))]
            }
            _ => of_each("metrics").into_iter().map(metrics).collect(),
        };
        Self { optimizer: config.get("optimizer").and_then(optimizer), losses, weights, metrics }
    }

    /// What an output is trained for.
    ///
    /// - fitting: what it is trained for if its loss is none of ours
    /// - is_sound: whether it can be trained for a loss
    pub(super) fn objective(&self, output: usize, fitting: Objective, is_sound: impl Fn(&Loss) -> bool) -> Objective {
        let loss = self.losses.get(output).cloned().flatten();
        match loss.filter(is_sound) {
            Some(loss) => Objective::new(loss).weight(self.weights[output]).metrics(self.metrics[output].clone()),
            None => fitting,
        }
    }
}

/// For each output what is said of it: in a list, by its name, or of all.
fn each<'a>(value: Option<&'a Value>, names: &[String]) -> Vec<Option<&'a Value>> {
    match value {
        Some(Value::Array(values)) if values.len() == names.len() => values.iter().map(Some).collect(),
        Some(Value::Object(values)) if !values.contains_key("class_name") => {
            names.iter().map(|name| values.get(name)).collect()
        }
        other => vec![other.filter(|value| !value.is_array()); names.len()],
    }
}

/// What is described by its class, or by its name alone, with its arguments.
fn named(value: &Value) -> Option<(&str, Map<String, Value>)> {
    match value {
        Value::String(name) => Some((name, Map::new())),
        Value::Object(object) => match (text(object.get("class_name")), object.get("config")?) {
            ("function", Value::String(name)) => Some((name, Map::new())),
            (class, Value::Object(config)) => {
                let mut config = config.clone();
                config.retain(|key, value| !(key == "name" || key == "dtype" || value.is_null()));
                Some((class, config))
            }
            _ => None,
        },
        _ => None,
    }
}

fn loss(value: &Value) -> Option<Loss> {
    let (name, mut config) = named(value)?;
    let is_called =
        |(class, names): &&(&str, &[&str])| *class == name || names.contains(&name) || snake_case(name) == names[0];
    let (class, _) = LOSSES.iter().find(is_called)?;
    let reduction = config.remove("reduction");
    if reduction.is_some_and(|reduction| reduction != "sum_over_batch_size")
        || config.remove("axis").is_some_and(|axis| axis != -1)
    {
        return None;
    }
    let whole = match *class {
        "MeanSquaredError" | "MeanAbsoluteError" if config.is_empty() => json!({ *class: null }),
        "KlDivergence" if config.is_empty() => json!({ *class: null }),
        "Huber" => json!({ *class: with_defaults(config, &[("delta", json!(1.0))]) }),
        _ => {
            json!({ *class: with_defaults(config, &[("from_logits", json!(false)), ("label_smoothing", json!(0.0))]) })
        }
    };
    serde_json::from_value(whole).ok()
}

fn with_defaults(mut config: Map<String, Value>, defaults: &[(&str, Value)]) -> Map<String, Value> {
    for (key, value) in defaults {
        config.entry(*key).or_insert_with(|| value.clone());
    }
    config
}

/// The metrics of one output; those that ours have not are left out.
fn metrics(value: Option<&Value>) -> Vec<Metric> {
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(metric).collect(),
        Some(one) => metric(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn metric(value: &Value) -> Option<Metric> {
    let (name, config) = named(value)?;
    let number = |key: &str| config.get(key).and_then(Value::as_f64);
    let is_plain = config.is_empty();
    Some(match (&snake_case(name)[..], is_plain) {
        ("accuracy" | "acc" | "sparse_categorical_accuracy" | "categorical_accuracy", true) => Metric::Accuracy,
        ("mean_squared_error" | "mse", true) => Metric::MeanSquaredError,
        ("mean_absolute_error" | "mae", true) => Metric::MeanAbsoluteError,
        ("binary_accuracy", _) => {
            Metric::BinaryAccuracy(BinaryAccuracy { threshold: number("threshold").unwrap_or(0.5) as f32 })
        }
        ("top_k_categorical_accuracy" | "sparse_top_k_categorical_accuracy", _) => {
            Metric::TopKCategoricalAccuracy(TopKCategoricalAccuracy { k: number("k").unwrap_or(5.0) as usize })
        }
        ("precision", true) => Metric::Precision(Precision::new()),
        ("recall", true) => Metric::Recall(Recall::new()),
        ("auc", _) if is_default_auc(&config) => Metric::Auc(Auc::new()),
        _ => return None,
    })
}

/// Whether an area under the curve has the arguments that ours always has.
fn is_default_auc(config: &Map<String, Value>) -> bool {
    config.iter().all(|(key, value)| match &key[..] {
        "num_thresholds" => *value == 200,
        "curve" => value == "ROC",
        "summation_method" => value == "interpolation",
        "multi_label" | "from_logits" => *value == false,
        _ => false,
    })
}

fn optimizer(value: &Value) -> Option<Optimizer> {
    let (name, mut config) = named(value)?;
    let algorithm = match &name.to_lowercase()[..] {
        "adam" | "adamw" => "Adam",
        "sgd" => "Sgd",
        "rmsprop" => "RmsProp",
        "adagrad" => "Adagrad",
        "nadam" => "Nadam",
        "lion" => "Lion",
        _ => return None,
    };
    let rate = config.remove("learning_rate")?;
    let rate = match &rate {
        Value::Number(_) => json!({ "Constant": rate }),
        other => {
            let (class, mut config) = named(other)?;
            // Keras' default, which leaves nothing out.
            config.retain(|key, value| !(key == "warmup_steps" && *value == 0));
            let config = match class {
                "CosineDecay" => with_defaults(config, &[("warmup_target", Value::Null), ("warmup_steps", json!(0))]),
                _ => config,
            };
            json!({ class: config })
        }
    };
    config.insert("learning_rate".into(), rate);
    let mut whole = Map::new();
    let shared = [
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "weight_decay",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
    ];
    for key in shared {
        whole.insert(key.into(), config.remove(key).unwrap_or_default());
    }
    whole.retain(|key, value| !(value.is_null() && key.starts_with("use_")));
    let whole_defaults = [("use_ema", json!(false)), ("ema_momentum", json!(0.99))];
    if whole["ema_momentum"].is_null() {
        whole.remove("ema_momentum");
    }
    let mut whole = with_defaults(whole, &whole_defaults);
    whole.insert("algorithm".into(), json!({ algorithm: config }));
    let optimizer: Optimizer = serde_json::from_value(Value::Object(whole)).ok()?;
    optimizer.check().is_ok().then_some(optimizer)
}
