//! The progress bar of an epoch, as Keras draws it.

use crate::clock::Instant;
use crate::train::{Scoring, Tally};
use crate::training::{Logs, say};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The least time between two drawings: at one in 50 ms they took 1.4 % of the training time (Keras example,
/// 2026-11-25).
const PAUSE: Duration = Duration::from_millis(150);

/// The bar of one epoch after the other.
#[derive(Default)]
pub(super) struct Bar {
    /// The one that is shown now.
    bar: Option<Shown>,
}

struct Shown {
    bar: ProgressBar,
    /// The text after the bar. It is not the bar's message, because setting message and position would draw twice.
    text: Arc<Mutex<String>>,
    steps: Option<usize>,
    done_before: usize,
    start: Instant,
    drawn: Instant,
}

impl Bar {
    /// Whether standard output is a terminal on which bars show: without `TERM`, or where that is `dumb`, they don't.
    pub(super) fn can_be_drawn() -> bool {
        !ProgressDrawTarget::stdout().is_hidden()
    }

    /// Starts the bar of an epoch of which `done_before` batches are already processed.
    pub(super) fn begin(&mut self, steps: Option<usize>, done_before: usize) {
        let template = match steps {
            Some(steps) => {
                let digits = steps.to_string().len();
                format!("{{pos:>{digits}}}/{{len}} {{bar:20.green/white}} {{text}}")
            }
            None => "{pos}/Unknown {text}".to_owned(),
        };
        let text = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&text);
        let write = move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&shown.lock().unwrap_or_else(PoisonError::into_inner));
        };
        // Keras tells the two parts of the bar apart by their colours alone.
        let style = ProgressStyle::with_template(&template);
        let style = style.map(|style| style.progress_chars("━━─").with_key("text", write));
        let bar =
            ProgressBar::with_draw_target(steps.map(|steps| steps as u64), ProgressDrawTarget::stdout_with_hz(20));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let now = Instant::now();
        self.bar = Some(Shown { bar, text, steps, done_before, start: now, drawn: now });
    }

    /// Shows how far the epoch is, unless that was shown just now.
    pub(super) fn show(&mut self, done: usize, total: &Tally, scoring: &Scoring) {
        let Some(shown) = &mut self.bar else { return };
        if shown.drawn.elapsed() < PAUSE {
            return;
        }
        shown.drawn = Instant::now();
        let seconds = shown.start.elapsed().as_secs_f64();
        let per_step = seconds / (done - shown.done_before).max(1) as f64;
        // Of an epoch whose end nobody knows, the time so far.
        let time = shown.steps.map_or(seconds, |steps| per_step * steps.saturating_sub(done) as f64);
        let mut logs = Logs::default();
        logs.add("", &total.scores(scoring));
        shown.draw(done, format!("{} {} - {logs}", clock(time), step_time(per_step)));
    }

    pub(super) fn end(&mut self, done: usize, seconds: f64, logs: &Logs) {
        let Some(shown) = &self.bar else { return };
        let per_step = seconds / (done - shown.done_before).max(1) as f64;
        shown.draw(done, format!("{} {} - {logs}", clock(seconds), step_time(per_step)));
        self.abandon();
    }

    /// Leaves the bar on the screen as it stands.
    pub(super) fn abandon(&mut self) {
        let Some(shown) = self.bar.take() else { return };
        shown.bar.abandon();
        // The bar ends with spaces up to the terminal's edge, and no line end.
        say("");
    }
}

impl Shown {
    fn draw(&self, done: usize, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
        self.bar.update(|state| state.set_pos(done as u64));
    }
}

/// A time as Keras writes it: `7s`, `1:05`, `2:01:05`.
fn clock(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// A step's time in the unit that suits it.
fn step_time(seconds: f64) -> String {
    if seconds >= 1.0 {
        format!("{seconds:.0}s/step")
    } else if seconds >= 1e-3 {
        format!("{:.0}ms/step", seconds * 1e3)
    } else {
        format!("{:.0}us/step", seconds * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, step_time};

    #[test]
    fn times_are_written_as_keras_writes_them() {
        assert_eq!([0.2, 7.9, 65.0, 7265.0].map(clock), ["0s", "7s", "1:05", "2:01:05"]);
        assert_eq!([2.1, 0.0052, 0.00061].map(step_time), ["2s/step", "5ms/step", "610us/step"]);
    }
}
