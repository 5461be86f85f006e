//! Decides what is on the page, and in which order.

use super::sheet::Sheet;
use super::tables::{classification, duration, epochs, score, seconds, settings, summary};
use super::{confusion, curves, mistakes, reliability};
use crate::evaluation::EvaluationReport;
use crate::history::History;
use crate::metrics::Scores;
use crate::model::Model;
use crate::summary::thousands;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// All that a page shows.
pub(super) struct Page<'a> {
    pub(super) model: &'a Model,
    pub(super) title: &'a str,
    pub(super) history: Option<&'a History>,
    pub(super) evaluated: Option<Evaluated>,
    pub(super) filters: Option<Sheet>,
    pub(super) films: Vec<Sheet>,
}

/// What a model made of the test examples.
pub(super) struct Evaluated {
    pub(super) examples: usize,
    pub(super) scores: Scores,
    /// For a model that chooses one of several classes.
    pub(super) report: Option<EvaluationReport>,
    /// How many mistakes are wanted.
    pub(super) mistakes: usize,
    /// The mistakes' pictures, if there are mistakes and pictures.
    pub(super) sheet: Option<Sheet>,
}

/// The page.
pub(super) fn page(content: &Page<'_>) -> Markup {
    let Page { model, title, history, evaluated, filters, films } = content;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                // An address without content, so that no browser asks a server for an icon.
                link rel="icon" href="data:,";
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header { h1 { (title) } (headline(model, *history, evaluated.as_ref())) }
                main {
                    @if let Some(history) = history { (training(history)) }
                    @if let Some(evaluated) = evaluated { (evaluation(evaluated)) }
                    @for (place, film) in films.iter().enumerate() { (pictures(&format!("film-{}", place + 1), film)) }
                    @if let Some(filters) = filters { (pictures("filters", filters)) }
                    section id="summary" { h2 { "Model" } (summary(model)) }
                    section id="settings" { h2 { "Settings" } (settings(model, *history)) }
                }
            }
        }
    }
}

/// A section of pictures.
fn pictures(id: &str, sheet: &Sheet) -> Markup {
    html! {
        section id=(id) {
            h2 { (sheet.title) }
            p { (sheet.note) }
            (sheet.html())
        }
    }
}

/// The numbers that one looks for first.
fn headline(model: &Model, history: Option<&History>, evaluated: Option<&Evaluated>) -> Markup {
    let card = |name: &str, value: &str| html! { div { dt { (name) } dd { (value) } } };
    html! {
        dl id="headline" {
            @if let Some(Evaluated { scores, examples, .. }) = evaluated {
                @for (name, value) in scores.named() { (card(&format!("test {}", name.replace('_', " ")), &score(&value))) }
                (card("test examples", &thousands(*examples)))
            }
            @if let Some(history) = history {
                (card("epochs", &history.epochs.len().to_string()))
                (card("training time", &duration(seconds(history))))
            }
            (card("parameters", &thousands(model.parameter_count())))
        }
    }
}

fn training(history: &History) -> Markup {
    html! {
        section id="curves" {
            h2 { "Training" }
            div class="figures" { @for curve in curves::curves(history) { (drawing(&curve.title(), &curve.svg())) } }
            details open { summary { "Every epoch" } (epochs(history)) }
        }
    }
}

fn evaluation(evaluated: &Evaluated) -> Markup {
    let Evaluated { report, mistakes: wanted, sheet, .. } = evaluated;
    let Some(report) = report else {
        return html! {
            section id="classes" {
                h2 { "Classes" }
                p { "This model does not choose one of several classes, so there are no scores class by class." }
            }
        };
    };
    let listed = report.mistakes(*wanted);
    html! {
        section id="classes" {
            h2 { "Classes" }
            p {
                "Accuracy " (format!("{:.4}", report.accuracy())) ", log loss " (score(&report.log_loss()))
                ", expected calibration error " (score(&report.calibration().expected_error)) "."
            }
            (classification(report))
        }
        section id="confusion" {
            h2 { "Confusion matrix" }
            div class="figures" { (drawing("Confusion matrix", &confusion::svg(report.confusion_matrix().counts(), report.names()))) }
        }
        section id="mistakes" {
            h2 { "Most confident mistakes" }
            p { (mistakes::note(report, listed.len())) }
            @match sheet {
                Some(sheet) => (sheet.html()),
                None => ul { @for mistake in listed { li { (mistake) } } },
            }
        }
        section id="calibration" {
            h2 { "Calibration" }
            p {
                "Bars: how often the examples of a bin were right. Circles: how sure the model was of them. A circle above its bar: "
                "too sure."
            }
            div class="figures" { (drawing("Calibration", &reliability::svg(report.calibration()))) }
        }
    }
}

/// A drawing inside the page, where it needs no name space.
fn drawing(name: &str, svg: &str) -> Markup {
    let inside = svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    html! { figure role="img" aria-label=(name) { (PreEscaped(inside)) } }
}
