//! Makes a network with weights a model: those that it has are kept, those of new layers are drawn.

use super::Pretrained;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::model::{Model, Weight, store};
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::plan::{Plan, Wanted};
use crate::train::initial_weights_of;

impl Pretrained {
    /// Makes it a model, as [`Functional::compile`](crate::Functional::compile): with the weights that it has, moving
    /// averages included, and fresh ones of layers that were added. The optimizer starts anew, and no epochs count.
    ///
    /// # Errors
    /// As [`Functional::compile`](crate::Functional::compile), and [`Error::Layer`] for a layer of a user's own type
    /// that was frozen and has weights to train.
    pub fn compile(
        self,
        optimizer: impl Into<Optimizer>,
        loss: impl Into<Loss>,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<Model> {
        let objective = Objective::new(loss).metrics(metrics);
        let objectives = vec![objective; self.network.outputs.len()];
        self.compile_with(optimizer, objectives)
    }

    /// As [`compile`](Self::compile), with an [`Objective`] for each output, in their order.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), and [`Error::Model`] unless there is one for each output.
    pub fn compile_with(
        self,
        optimizer: impl Into<Optimizer>,
        objectives: impl IntoIterator<Item = Objective>,
    ) -> Result<Model> {
        let Self { network, weights, seed, frozen, fault } = self;
        if let Some(fault) = fault {
            return Err(Error::Model(fault));
        }
        let plan = Plan::new(&network, Wanted::OfParameters)?;
        if let Some(parameter) = plan.parameters.trained().find(|parameter| frozen[parameter.layer]) {
            let problem = format!(
                "cannot be frozen: its type decides that {} is trained; declare it `LayerWeight::frozen`, or leave the layer unfrozen",
                parameter.name
            );
            return Err(network.layers[parameter.layer].fault(parameter.layer, problem));
        }
        let mut values = initial_weights_of(&plan, seed, |layer| weights[layer].is_none());
        let learned: Vec<bool> = weights.iter().map(Option::is_some).collect();
        let places = plan.parameters.all.iter().filter(|parameter| learned[parameter.layer]);
        let kept: Vec<Weight> = weights.into_iter().flatten().flatten().collect();
        store(places, &kept, &mut values.flat);
        let objectives: Vec<Objective> = objectives.into_iter().collect();
        Model::of_plan(plan, values, network, seed, optimizer.into(), &objectives)
    }
}
