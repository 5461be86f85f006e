//! Decides where parameters lie: one flat buffer, each tensor on a cache line's start, those that are trained before
//! the others, so that the optimizer works on one run of memory; and of those that are trained the ones first whose
//! gradients every shard of a batch sums up on its own.

use crate::aligned::round_up_to_line;
use crate::error::{Error, Result};
use crate::kernels::conv2d::SLACK;
use crate::layers::{Layer, Network, Source};
use crate::program::{InitialValues, Role, StoredOrder, WeightOptions, WeightSpec};
use crate::shape::MAX_ELEMENTS;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// One weight of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// Keras' name, as in `conv2d_1/kernel`.
    pub(crate) name: String,
    /// The layer's index in the model.
    pub(crate) layer: usize,
    /// Which of the layer's weights it is.
    pub(crate) place: usize,
    /// Its place in the flat buffer.
    pub(crate) range: Range<usize>,
    /// Its shape as users see it: Keras'.
    pub(crate) shape: Vec<usize>,
    /// The order of its axes in the flat buffer.
    pub(crate) stored: StoredOrder,
    /// How its first values are drawn.
    pub(crate) initial: InitialValues,
    /// The values that start at 1, whatever the others are.
    pub(crate) ones: Range<usize>,
    pub(crate) role: Role,
    pub(crate) options: WeightOptions,
}

/// All parameters of a model, in the order of its layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) all: Vec<Parameter>,
    /// Floats of the part that is trained, and of the whole buffer. Each part ends with room for a vector that starts
    /// at its last weight.
    pub(crate) trained_len: usize,
    /// Floats of the part at the start whose gradients are sums of those of a batch's shards. Behind it, up to
    /// `trained_len`, lie the parameters whose gradients are summed over a whole batch at once.
    pub(crate) sharded_len: usize,
    pub(crate) len: usize,
}

impl Parameters {
    /// Those that are trained, in the order of the layers.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter().filter(|parameter| parameter.is_trained())
    }

    /// Whether any adds to the loss.
    pub(crate) fn add_penalties(&self) -> bool {
        self.trained().any(|parameter| parameter.options.regularizer.is_some())
    }
}

/// A part of the flat buffer, in their order.
#[derive(PartialEq)]
enum Part {
    Sharded,
    OverBatch,
    Untrained,
}

/// Lays out the weights that layers have declared: for each layer its weights.
pub(super) fn lay_out(layers: &[Layer], specs: &[Vec<WeightSpec>]) -> Result<Parameters> {
    let names = layer_names(layers);
    let mut all = Vec::new();
    for (layer, specs) in specs.iter().enumerate() {
        for (place, spec) in specs.iter().enumerate() {
            let WeightSpec { ref name, ref shape, stored, initial, ref ones, role, ref options } = *spec;
            let len = spec.len().filter(|len| *len < MAX_ELEMENTS).ok_or_else(|| too_many(layers, layer))?;
            let (name, shape, options) = (format!("{}/{name}", names[layer]), shape.clone(), options.clone());
            let (range, ones) = (0..len, ones.clone());
            all.push(Parameter { name, layer, place, range, shape, stored, initial, ones, role, options });
        }
    }
    let lens = all.iter().map(|parameter| (parameter.layer, round_up_to_line(parameter.range.len())));
    lens.into_iter().try_fold(0, |end, (layer, len)| {
        Some(end + len).filter(|end| *end < MAX_ELEMENTS).ok_or_else(|| too_many(layers, layer))
    })?;
    Ok(Parameters::place(all, |_| false))
}

impl Parameters {
    /// Gives each parameter its place in the flat buffer.
    ///
    /// - is_over_batch: whether the gradient of a trained parameter is summed over a whole batch at once, by its index
    pub(super) fn place(mut all: Vec<Parameter>, is_over_batch: impl Fn(usize) -> bool) -> Self {
        let part_of = |(index, parameter): (usize, &Parameter)| match (parameter.is_trained(), is_over_batch(index)) {
            (true, false) => Part::Sharded,
            (true, true) => Part::OverBatch,
            (false, _) => Part::Untrained,
        };
        let parts: Vec<Part> = all.iter().enumerate().map(part_of).collect();
        let mut end = 0;
        let [sharded_len, trained_len, len] = [Part::Sharded, Part::OverBatch, Part::Untrained].map(|part| {
            for (parameter, _) in all.iter_mut().zip(&parts).filter(|(_, of)| **of == part) {
                parameter.range = end..end + parameter.range.len();
                end = round_up_to_line(parameter.range.end);
            }
            end += SLACK;
            end
        });
        Self { all, sharded_len, trained_len, len }
    }
}

fn too_many(layers: &[Layer], index: usize) -> Error {
    let problem = format!("brings the model to more than {MAX_ELEMENTS} parameters");
    layers[index].fault(index, problem)
}

/// The names that layers were given; Keras' for the others: `conv2d`, `conv2d_1`, and so on.
pub(crate) fn layer_names(layers: &[Layer]) -> Vec<String> {
    let mut names = Names::default();
    let given: Vec<_> = layers.iter().map(Layer::given_name).collect();
    names.taken.extend(given.iter().flatten().map(|name| name.to_string()));
    let named = layers.iter().zip(given);
    named.map(|(layer, given)| given.map_or_else(|| names.unique(&layer.base_name()), Cow::into_owned)).collect()
}

/// Names that have been given.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// How often each base has been asked for.
    counts: HashMap<String, usize>,
}

impl Names {
    /// The base itself, or with the first number behind it that nobody has.
    fn unique(&mut self, base: &str) -> String {
        let count = self.counts.entry(base.to_owned()).or_default();
        loop {
            let name = if *count == 0 { base.to_owned() } else { format!("{base}_{count}") };
            *count += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The names of a network's outputs: those of the layers that give them, from the second of a name on with `_1`, `_2`
/// and so on.
pub(super) fn output_names(network: &Network) -> Vec<String> {
    let layers = layer_names(&network.layers);
    let mut names = Names::default();
    let name = |source: &Source| match *source {
        Source::Input(index) => names.unique(&format!("input_{index}")),
        Source::Call(index) | Source::Output { call: index, .. } => names.unique(&layers[network.calls[index].layer]),
    };
    network.outputs.iter().map(name).collect()
}

impl Parameter {
    pub(crate) fn is_trained(&self) -> bool {
        match self.role {
            Role::Trained => true,
            Role::Frozen | Role::State => false,
        }
    }

    /// Its shape in the flat buffer.
    pub(crate) fn stored_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        match self.stored {
            StoredOrder::AsShaped => {}
            StoredOrder::LastAxisFirst => shape.rotate_right(1),
        }
        shape
    }
}
