//! Decides what `fit` prints.

#[cfg(feature = "progress")]
use super::bar::Bar;
use crate::train::{Scoring, Tally};
use crate::training::{Logs, say};

/// How progress is shown.
pub(super) struct Progress {
    /// How many batches an epoch has, if that is known.
    steps: Option<usize>,
    /// Batches of this epoch already processed.
    done: usize,
    /// Batches processed before this `fit` resumed the epoch.
    done_before: usize,
    view: View,
}

enum View {
    Nothing,
    /// A line for each epoch.
    Lines,
    #[cfg(feature = "progress")]
    Bar(Bar),
}

impl Progress {
    pub(super) fn new(verbose: u8, steps: Option<usize>) -> Self {
        let view = match verbose {
            0 => View::Nothing,
            1 => View::bar_or_lines(),
            _ => View::Lines,
        };
        Self { steps, done: 0, done_before: 0, view }
    }

    /// Starts an epoch of which `done` batches are already processed.
    pub(super) fn begin_epoch(&mut self, epoch: usize, epochs: usize, done: usize) {
        (self.done, self.done_before) = (done, done);
        match &mut self.view {
            View::Nothing => {}
            View::Lines => say(&format!("Epoch {}/{epochs}", epoch + 1)),
            #[cfg(feature = "progress")]
            View::Bar(bar) => {
                say(&format!("Epoch {}/{epochs}", epoch + 1));
                bar.begin(self.steps, done);
            }
        }
    }

    #[cfg_attr(not(feature = "progress"), expect(unused_variables, reason = "only a bar shows batches"))]
    pub(super) fn end_batch(&mut self, total: &Tally, scoring: &Scoring) {
        self.done += 1;
        match &mut self.view {
            View::Nothing | View::Lines => {}
            #[cfg(feature = "progress")]
            View::Bar(bar) => bar.show(self.done, total, scoring),
        }
    }

    /// Says where the training was interrupted.
    pub(super) fn interrupt(&mut self, epoch: usize) {
        #[cfg(feature = "progress")]
        if let View::Bar(bar) = &mut self.view {
            bar.abandon();
        }
        if !matches!(self.view, View::Nothing) {
            let of = self.steps.map_or(String::new(), |steps| format!(" of {steps}"));
            say(&format!("Interrupted in epoch {}, after {}{of} steps.", epoch + 1, self.done));
        }
    }

    /// The epoch's last line, as Keras prints it.
    pub(super) fn end_epoch(&mut self, seconds: f64, logs: &Logs) {
        let Self { done, done_before, .. } = *self;
        let steps = self.steps.unwrap_or(done);
        let per_step = seconds * 1e3 / (done - done_before).max(1) as f64;
        match &mut self.view {
            View::Nothing => {}
            View::Lines => say(&format!("{done}/{steps} - {seconds:.2}s - {per_step:.3}ms/step - {logs}")),
            #[cfg(feature = "progress")]
            View::Bar(bar) => bar.end(done, seconds, logs),
        }
    }
}

impl View {
    /// A bar on a terminal that can draw one, if there are bars.
    fn bar_or_lines() -> Self {
        #[cfg(feature = "progress")]
        if Bar::can_be_drawn() {
            return Self::Bar(Bar::default());
        }
        Self::Lines
    }
}
