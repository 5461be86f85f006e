//! Serializes the state of a training as a metadata entry and tensors, and validates them when they are read.
//!
//! ```json
//! {"step": 1200, "momentum_product": 4607182418800017408, "position": {"epoch": 3, ...}, "callbacks": [...]}
//! ```
//!
//! Nadam's product of momenta is stored as bits. The optimizer's state for the weight `dense/kernel` is a tensor such
//! as `optimizer/velocity/dense/kernel`; weights that the first callback keeps are `callbacks/0/dense/kernel`; the
//! epoch's scores so far are `training/scores`: the sum of losses, then those of the metrics, as `F64`; the states of
//! stateful layers within an epoch are `training/states`, example by example, as `F64` too.

use super::weights::{Stored, Wanted};
use crate::error::ModelFault;
use crate::model::{CallbackState, Model, Ongoing, Position, Weight, named, store};
use crate::optimizer::Optimizer;
use crate::plan::Parameter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Prefixes of the tensors that are not weights of the model. No layer has such a name.
pub(super) const FOLDERS: [&str; 3] = ["optimizer/", "callbacks/", "training/"];

/// The tensor of the epoch's scores.
const SCORES: &str = "training/scores";

/// The tensor of the states of stateful layers.
const STATES: &str = "training/states";

/// How long the rows of numbers are that a training has within an epoch.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The scores of the epoch.
    pub(super) sums: usize,
    /// The states of an example.
    pub(super) states: usize,
}

/// More steps than any training takes; adding one cannot overflow.
const MAX_STEPS: u64 = 1 << 53;

/// The state of a training as the metadata has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Training {
    step: u64,
    momentum_product: u64,
    position: Option<Position>,
    callbacks: Vec<Callback>,
}

/// The state of a callback.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    callback: String,
    values: BTreeMap<String, Value>,
    /// Whether its state includes weights.
    weights: bool,
}

impl Training {
    /// The state of a model's training, and its tensors.
    pub(super) fn of(model: &Model, callbacks: &[CallbackState]) -> (Self, Vec<Stored>) {
        let Model { state, ongoing, engine, .. } = model;
        let mut tensors = Vec::new();
        for (buffer, flat) in state.named() {
            tensors.extend(
                named(engine.plan.parameters.trained(), flat)
                    .into_iter()
                    .map(|weight| below(&buffer_folder(buffer), weight)),
            );
        }
        for (index, state) in callbacks.iter().enumerate() {
            tensors.extend(state.weights.iter().flatten().map(|weight| below(&callback_folder(index), weight.clone())));
        }
        if let Some(position) = ongoing.position.filter(|position| in_an_epoch(*position)) {
            tensors.push(Stored::Sums(SCORES, ongoing.total.sums().into()));
            let len = engine.plan.carried_len();
            if len > 0 {
                let states = engine.states.of(position.batch_size, len).into_iter().map(f64::from);
                tensors.push(Stored::Sums(STATES, states.collect()));
            }
        }
        let remembered = callbacks.iter().map(|state| Callback {
            callback: state.callback.clone(),
            values: state.values.clone(),
            weights: state.weights.is_some(),
        });
        let momentum_product = state.momentum_product.to_bits();
        let training =
            Self { step: state.step, momentum_product, position: ongoing.position, callbacks: remembered.collect() };
        (training, tensors)
    }

    /// Parses the entry and rejects impossible values.
    pub(super) fn read(text: &RawValue) -> Result<Self, ModelFault> {
        let training: Self =
            serde_json::from_str(text.get()).map_err(|error| ModelFault::Metadata(error.to_string()))?;
        let product = f64::from_bits(training.momentum_product);
        let nonsense = if training.step >= MAX_STEPS {
            Some("more steps than there can be")
        } else if !(0.0..=1.0).contains(&product) {
            Some("a product of momenta that is not from 0 to 1")
        } else {
            training.position.and_then(|position| position.nonsense(training.step))
        };
        nonsense.map_or(Ok(training), |nonsense| Err(ModelFault::Metadata(nonsense.into())))
    }

    /// The tensors that the file must have.
    ///
    /// - rows: how long the rows of an epoch are
    pub(super) fn wanted(
        &self,
        parameters: &[Parameter],
        trained: &[Parameter],
        optimizer: &Optimizer,
        rows: Rows,
    ) -> Vec<Wanted> {
        let buffers = optimizer.kept().map(buffer_folder);
        let callbacks = self.callbacks.iter().enumerate().filter(|(_, state)| state.weights);
        let mut wanted: Vec<Wanted> = buffers.flat_map(|folder| Wanted::all(&folder, trained)).collect();
        let folders = callbacks.map(|(index, _)| callback_folder(index));
        wanted.extend(folders.flat_map(|folder| Wanted::all(&folder, parameters)));
        if let Some(position) = self.position.filter(|position| in_an_epoch(*position)) {
            wanted.push(Wanted::sums(SCORES, rows.sums));
            if rows.states > 0 {
                wanted.push(Wanted::sums(STATES, rows.states.saturating_mul(position.batch_size)));
            }
        }
        wanted
    }

    /// Checks the numbers in the tensors of sums, whose shapes have been checked.
    ///
    /// - states: how many values the states of an example have
    pub(super) fn check_sums(&self, states: usize, sums: impl Fn(&str) -> Vec<f64>) -> Result<(), ModelFault> {
        if !self.position.is_some_and(in_an_epoch) {
            return Ok(());
        }
        let fault = |name: &str, (index, value): (usize, f64)| {
            Err(ModelFault::NotFinite { name: name.to_owned(), index, value: value as f32 })
        };
        // A step whose loss is no number is never taken; sums of metrics may be infinite.
        let bad = |(index, sum): &(usize, f64)| sum.is_nan() || *index == 0 && sum.is_infinite();
        if let Some(found) = sums(SCORES).into_iter().enumerate().find(bad) {
            return fault(SCORES, found);
        }
        if states == 0 {
            return Ok(());
        }
        // They are `f32` again.
        let bad = |(_, state): &(usize, f64)| !(*state as f32).is_finite();
        sums(STATES).into_iter().enumerate().find(bad).map_or(Ok(()), |found| fault(STATES, found))
    }

    /// Restores this state into a model. The file's tensors have been checked.
    ///
    /// - weights: those of a folder, in the order of the parameters; sums: those of a tensor
    pub(super) fn restore(
        self,
        model: &mut Model,
        weights: impl Fn(&str) -> Result<Vec<Weight>, ModelFault>,
        sums: impl Fn(&str) -> Vec<f64>,
    ) -> Result<(), ModelFault> {
        let Model { state, engine, ongoing, .. } = model;
        (state.step, state.momentum_product) = (self.step, f64::from_bits(self.momentum_product));
        for (buffer, flat) in state.named_mut() {
            store(engine.plan.parameters.trained(), &weights(&buffer_folder(buffer))?, flat);
        }
        let Ongoing { position, total, callbacks, .. } = ongoing;
        *position = self.position;
        if let Some(Position { batches, batch_size, examples, .. }) = self.position.filter(|place| in_an_epoch(*place))
        {
            total.set_sums(batches.saturating_mul(batch_size).min(examples), &sums(SCORES));
            if !engine.plan.carried.is_empty() {
                let states: Vec<f32> = sums(STATES).into_iter().map(|state| state as f32).collect();
                engine.states.set(batch_size, states);
            }
        }
        for (index, Callback { callback: name, values, weights: has_weights }) in self.callbacks.into_iter().enumerate()
        {
            let weights = has_weights.then(|| weights(&callback_folder(index))).transpose()?;
            callbacks.push(CallbackState { callback: name, values, weights });
        }
        Ok(())
    }
}

fn in_an_epoch(position: Position) -> bool {
    position.batches > 0
}

fn buffer_folder(buffer: &str) -> String {
    format!("optimizer/{buffer}/")
}

fn callback_folder(index: usize) -> String {
    format!("callbacks/{index}/")
}

fn below(folder: &str, weight: Weight) -> Stored {
    Stored::Floats(Weight { name: format!("{folder}{}", weight.name), ..weight })
}
