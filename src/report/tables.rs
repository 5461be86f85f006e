//! The page's tables: settings, summary, epochs, and scores class by class.

use crate::evaluation::{ClassScores, EvaluationReport};
use crate::history::History;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::summary::{memory_size, thousands};
use maud::{Markup, html};
use std::fmt::Debug;

/// What the model was trained with.
pub(super) fn settings(model: &Model, history: Option<&History>) -> Markup {
    let optimizer = optimizer(&model.optimizer);
    let loss = described(&model.loss());
    let metrics: Vec<String> = model.metrics().iter().map(|metric| metric.name().to_string()).collect();
    html! {
        div class="wide" { table class="settings" {
            tr { th { "Optimizer" } td { (optimizer) } }
            tr { th { "Loss" } td { (loss) } }
            @if !metrics.is_empty() { tr { th { "Metrics" } td { (metrics.join(", ")) } } }
            tr { th { "Seed" } td { (model.seed()) } }
            tr { th { "Input" } td { (model.engine.plan.input()) } }
            tr { th { "Epochs trained" } td { (model.epochs) } }
            tr { th { "Steps taken" } td { (thousands(model.state.step as usize)) } }
            @if let Some(history) = history {
                tr { th { "Time of these epochs" } td { (duration(seconds(history))) } }
            }
            tr { th { "Made with" } td { "Inkstone " (env!("CARGO_PKG_VERSION")) } }
        } }
    }
}

/// The time of all epochs.
pub(super) fn seconds(history: &History) -> f64 {
    history.epochs.iter().map(|epoch| epoch.seconds).sum()
}

/// A time as people say it.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// The algorithm, and those of the options that are set.
fn optimizer(optimizer: &Optimizer) -> String {
    let Optimizer { algorithm, clipnorm, clipvalue, global_clipnorm, weight_decay, .. } = optimizer;
    let Optimizer { use_ema, ema_momentum, ema_overwrite_frequency, .. } = optimizer;
    let numbers = [
        ("clipnorm", *clipnorm),
        ("clipvalue", *clipvalue),
        ("global_clipnorm", *global_clipnorm),
        ("weight_decay", *weight_decay),
        ("ema_momentum", use_ema.then_some(*ema_momentum)),
        ("ema_overwrite_frequency", ema_overwrite_frequency.filter(|_| *use_ema).map(|steps| steps as f32)),
    ];
    let set = numbers.iter().filter_map(|(name, value)| Some(format!(", {name} {}", (*value)?)));
    described(algorithm) + &set.collect::<String>()
}

/// `Adam(Adam { beta_1: 0.9 })`, as our enums of settings print, without saying its name twice.
fn described(setting: &impl Debug) -> String {
    let text = format!("{setting:?}");
    let inner =
        text.split_once('(').and_then(|(name, rest)| rest.strip_suffix(')').filter(|rest| rest.starts_with(name)));
    inner.unwrap_or(&text).to_owned()
}

/// Layers, shapes and parameters.
pub(super) fn summary(model: &Model) -> Markup {
    let summary = model.summary();
    let parameters = model.parameter_count();
    html! {
        div class="wide" { table {
            thead { tr {
                th { "Layer (type)" } th { "Output shape" } th class="number" { "Parameters" }
                @if summary.is_graph() { th { "Connected to" } }
            } }
            tbody {
                @for [layer, shape, parameters, connected] in summary.rows() {
                    tr {
                        td { (layer) } td { (shape) } td class="number" { (parameters) }
                        @if summary.is_graph() { td { (connected) } }
                    }
                }
            }
            tfoot { tr {
                td colspan="2" { "Trainable parameters (" (memory_size(parameters * size_of::<f32>())) ")" }
                td class="number" { (thousands(parameters)) }
                @if summary.is_graph() { td {} }
            } }
        } }
    }
}

/// All of the history's numbers.
pub(super) fn epochs(history: &History) -> Markup {
    let names = history.names();
    let columns: Vec<Vec<f64>> = names.iter().map(|name| history.get(name).unwrap_or_default()).collect();
    html! {
        div class="wide" { table {
            thead { tr {
                th class="number" { "epoch" }
                @for name in &names { th class="number" { (name) } }
                th class="number" { "seconds" }
            } }
            tbody {
                @for (index, epoch) in history.epochs.iter().enumerate() {
                    tr {
                        td class="number" { (index + 1) }
                        @for column in &columns { td class="number" { (column.get(index).map_or_else(String::new, score)) } }
                        td class="number" { (format!("{:.1}", epoch.seconds)) }
                    }
                }
            }
        } }
    }
}

/// A score with four decimals, or in full where that would be zero.
pub(super) fn score(value: &f64) -> String {
    if *value != 0.0 && value.abs() < 1e-2 { format!("{value:.2e}") } else { format!("{value:.4}") }
}

/// Scores class by class, laid out as scikit-learn's report.
pub(super) fn classification(report: &EvaluationReport) -> Markup {
    let row = |name: &str, scores: &ClassScores, auc: Option<f64>| {
        let ClassScores { precision, recall, f1_score, support } = scores;
        html! {
            tr {
                td { (name) }
                @for value in [precision, recall, f1_score] { td class="number" { (format!("{value:.4}")) } }
                td class="number" { (auc.map_or_else(String::new, |auc| format!("{auc:.4}"))) }
                td class="number" { (thousands(*support)) }
            }
        }
    };
    let aucs = &report.roc_auc().per_class;
    html! {
        div class="wide" { table {
            thead { tr {
                th { "Class" }
                @for name in ["Precision", "Recall", "F1 score", "ROC AUC", "Examples"] { th class="number" { (name) } }
            } }
            tbody {
                @for ((name, scores), auc) in report.names().iter().zip(report.classes()).zip(aucs) { (row(name, scores, *auc)) }
            }
            tfoot {
                (row("Macro average", &report.macro_average(), report.roc_auc().macro_average))
                (row("Weighted average", &report.weighted_average(), report.roc_auc().weighted_average))
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::{described, duration, optimizer, score};
    use crate::loss::{Loss, MeanSquaredError};
    use crate::optimizer::{Adam, OptimizerOptions};

    #[test]
    fn settings_say_their_names_once() {
        let plain = optimizer(&Adam::new(0.5).into());
        assert!(plain.starts_with("Adam { learning_rate: Constant(0.5)") && plain.ends_with('}'), "{plain}");
        let with_options = optimizer(&Adam::new(0.5).clipnorm(2.0).weight_decay(0.1));
        assert_eq!(with_options, format!("{plain}, clipnorm 2, weight_decay 0.1"));
        assert_eq!(described(&Loss::from(MeanSquaredError)), "MeanSquaredError");
    }

    #[test]
    fn times_and_scores_have_the_form_that_suits_them() {
        assert_eq!([0.04, 59.2, 61.0, 3720.0].map(duration), ["0.0 s", "59.2 s", "1 min 1 s", "1 h 2 min"]);
        assert_eq!([0.0, 0.98765, 0.001].map(|value| score(&value)), ["0.0000", "0.9877", "1.00e-3"]);
    }
}
