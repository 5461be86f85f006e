//! Decides which algorithm each operation gets: the only place where algorithms are picked.

use super::gradients::Wanted;
use super::parameters::Parameters;
use super::step::{ConvStep, FoldedNorm, ForwardAlgorithm, InputGradient, Placed, Step, WeightGradient};
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::conv2d_backward_small::has_small_windows;
use crate::kernels::conv2d_forward_small::has_tiny_windows;
use crate::kernels::dense_forward::{LEAST_INPUTS, MOST_INPUTS};
use crate::kernels::turned::Turned;
use crate::program::{Conv, Operation, OperationKind, Plain, ValueId, WeightId, WeightPlace};

/// The fewest weights of a kernel whose gradient is summed over a whole batch at once. Fewer take so little of a
/// shard's buffer that another pass over the activations costs as much.
const FEWEST_OVER_BATCH: usize = 4096;

/// The most inputs of a dense layer whose gradients are found as if none were zero: two vectors of AVX-512. Lists of so
/// short rows take longer than the zeros that they leave out.
const NARROW: usize = 32;

/// The least values of a window's row that fill vectors.
const FULL_RUN: usize = 16;

/// The weights, kernels and their biases, whose gradients are summed over a whole batch at once: those of dense layers,
/// whose activations are few, and weights many.
pub(super) fn over_batch(operations: &[Operation], parameters: &Parameters) -> Vec<WeightId> {
    let convs = || {
        operations.iter().filter_map(|operation| match &operation.kind {
            OperationKind::Conv(conv) => Some(conv),
            OperationKind::Plain(_) => None,
        })
    };
    let weights_of = |conv: &Conv| [Some(conv.kernel), conv.bias].into_iter().flatten();
    let mut uses = vec![0_usize; parameters.all.len()];
    convs().for_each(|conv| uses[conv.kernel.0] += 1);
    // A bias of which another operation has a part is summed up where that can add to it.
    let has_part = |weight: WeightId| operations.iter().any(|operation| operation.weights.contains(&weight));
    let is_shared = |conv: &Conv| uses[conv.kernel.0] > 1 || conv.bias.is_some_and(has_part);
    let chosen = convs().filter(|conv| {
        let WeightId(kernel) = conv.kernel;
        let kernel = &parameters.all[kernel];
        is_dense(conv) && kernel.is_trained() && kernel.range.len() >= FEWEST_OVER_BATCH && !is_shared(conv)
    });
    chosen.flat_map(weights_of).collect()
}

/// Whether a convolution is a dense layer: its window is its whole image.
fn is_dense(Conv { window, pool, .. }: &Conv) -> bool {
    window.size == window.image && window.out == (1, 1) && !window.pads() && pool.is_none()
}

/// Whether packing a dense layer's kernel for each step would take longer than it saves.
fn reads_as_stored(layout: &ConvLayout) -> bool {
    (LEAST_INPUTS..=MOST_INPUTS).contains(&layout.window_len())
        && layout.window_len() * layout.filters >= FEWEST_OVER_BATCH
}

/// The tables that rows are looked up in, whose gradients are kept occurrence by occurrence.
pub(super) fn tables(operations: &[Operation], parameters: &Parameters) -> Vec<WeightId> {
    let tables = operations.iter().filter_map(|operation| match &operation.kind {
        OperationKind::Plain(Plain::Lookup(_)) => Some(operation.weights[0]),
        OperationKind::Plain(_) | OperationKind::Conv(_) => None,
    });
    tables.filter(|table| parameters.all[table.0].is_trained()).collect()
}

/// What [`choose`] chooses for.
#[derive(Clone, Copy)]
pub(super) struct Choices<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) parameters: &'a Parameters,
    /// What [`over_batch`] has found.
    pub(super) over_batch: &'a [WeightId],
}

/// The steps for these operations, without a backward pass yet; and the floats of all packed weights.
///
/// - lengths: how many floats of one example each value has; outputs: those of the model
pub(super) fn choose(
    choices: Choices<'_>,
    lengths: &[usize],
    outputs: &[ValueId],
    wanted: Wanted,
) -> (Vec<Placed>, usize) {
    let Choices { operations, parameters, over_batch } = choices;
    let (mut packed_end, mut places_over_batch) = (0, (0..over_batch.len()).peekable());
    let readings = Readings::new(operations, lengths.len(), outputs);
    // Whether a value depends on a parameter that is trained.
    let mut trained = vec![false; lengths.len()];
    let mut place = |operation: &Operation| {
        let Operation { kind, reads, writes, weights } = operation;
        let behind_trained = reads.iter().any(|value| trained[value.0]);
        let step = match kind {
            OperationKind::Conv(conv) => {
                let step = choose_conv(
                    conv,
                    parameters,
                    Surroundings {
                        behind_trained,
                        needs_input_gradient: match wanted {
                            Wanted::OfParameters => behind_trained,
                            Wanted::OfInputs | Wanted::OfInputsAlone => true,
                            Wanted::Nothing => false,
                        },
                        trains: wanted.includes_parameters(),
                        density: density(conv, readings.of[writes.0]),
                        place_over_batch: places_over_batch.next_if(|_| over_batch.contains(&conv.kernel)),
                    },
                    packed_end,
                );
                packed_end = step.packed.end;
                Step::Conv(step)
            }
            OperationKind::Plain(plain) => Step::Plain(plain.clone()),
        };
        let mut weights: Vec<WeightPlace> = weights.iter().map(|id| weight_place(parameters, id)).collect();
        if !wanted.includes_parameters() {
            weights.iter_mut().for_each(|weight| weight.is_trained = false);
        }
        let placed = Placed { step, reads: reads.clone(), writes: *writes, weights, flows: None };
        let ValueId(written) = *writes;
        trained[written] = behind_trained || placed.trains();
        placed
    };
    let steps = operations.iter().map(&mut place).collect();
    (steps, packed_end)
}

/// Which outputs of a convolution have a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Density {
    /// About half of them, or fewer.
    Sparse,
    /// Nearly all.
    Dense,
}

/// How each value is read: `None` if by nobody, otherwise what that leaves of its gradient.
struct Readings {
    of: Vec<Option<Density>>,
}

impl Readings {
    /// - values: how many there are; outputs: those of the model, whose gradients come from the loss
    fn new(operations: &[Operation], values: usize, outputs: &[ValueId]) -> Self {
        let mut of = vec![None; values];
        outputs.iter().for_each(|output| of[output.0] = Some(Density::Dense));
        for Operation { kind, reads, .. } in operations {
            for ValueId(value) in reads {
                of[*value] = match (of[*value], reads_sparsely(kind)) {
                    (None | Some(Density::Sparse), true) => Some(Density::Sparse),
                    (Some(Density::Dense), _) | (_, false) => Some(Density::Dense),
                };
            }
        }
        Self { of }
    }
}

/// A gradient is sparse behind a ReLU and behind a max pooling, fused or not, and where nothing else reads the output.
fn density(conv: &Conv, reading: Option<Density>) -> Density {
    let is_fused = conv.pool.is_some() || conv.activation.is_sparse_behind();
    if is_fused { Density::Sparse } else { reading.unwrap_or(Density::Dense) }
}

/// Whether about half of the gradients that reach an operation's input are zero.
fn reads_sparsely(kind: &OperationKind) -> bool {
    match kind {
        OperationKind::Conv(_) => false,
        OperationKind::Plain(plain) => plain.declare().reads_sparsely(),
    }
}

/// Whether a convolution's windows are small, and of short rows: long ones fill vectors where nearly all outputs have a
/// gradient.
fn suits_small_windows(layout: &ConvLayout, density: Density) -> bool {
    let fills_vectors = matches!(density, Density::Dense) && layout.rows == 1 && layout.run >= FULL_RUN;
    has_small_windows(layout) && !fills_vectors
}

/// Where a weight lies.
fn weight_place(parameters: &Parameters, WeightId(id): &WeightId) -> WeightPlace {
    let parameter = &parameters.all[*id];
    WeightPlace { range: parameter.range.clone(), is_trained: parameter.is_trained() }
}

/// What stands before and behind a convolution.
struct Surroundings {
    /// Whether its input depends on a parameter that is trained.
    behind_trained: bool,
    needs_input_gradient: bool,
    /// Whether gradients of weights are wanted at all.
    trains: bool,
    density: Density,
    /// Its place among those whose weight gradient is summed over a whole batch at once.
    place_over_batch: Option<usize>,
}

fn choose_conv(conv: &Conv, parameters: &Parameters, around: Surroundings, packed_start: usize) -> ConvStep {
    let Conv { window, channels, filters, first_filter, kernel, bias, norm, pool, activation } = conv;
    let layout = ConvLayout::new(window, *channels, *filters, pool.as_ref());
    let is_one_window = layout.windows.len() == 1;
    let forward = if is_dense(conv) && norm.is_none() && reads_as_stored(&layout) {
        ForwardAlgorithm::Stored
    } else if layout.winograd.is_some() {
        ForwardAlgorithm::Winograd
    } else if has_tiny_windows(&layout) {
        ForwardAlgorithm::Tiny
    } else {
        ForwardAlgorithm::Direct
    };
    let parameter = |WeightId(id): WeightId| &parameters.all[id];
    let density = if is_one_window && layout.window_len() <= NARROW { Density::Dense } else { around.density };
    let weight_gradient = if !around.trains || !parameter(*kernel).is_trained() {
        WeightGradient::Nobody
    } else if let Some(place) = around.place_over_batch {
        WeightGradient::OverBatch { place }
    } else if !around.behind_trained && !is_one_window && suits_small_windows(&layout, density) {
        WeightGradient::SmallWindows
    } else {
        match density {
            Density::Sparse => WeightGradient::Lists,
            Density::Dense => match &layout.winograd {
                Some(winograd) if winograd.suits_gradients() => WeightGradient::Winograd,
                Some(_) | None => WeightGradient::Dense,
            },
        }
    };
    let input_gradient = match density {
        Density::Sparse | Density::Dense if !around.needs_input_gradient => InputGradient::Nobody,
        Density::Sparse => InputGradient::Sets,
        Density::Dense => match Turned::where_it_pays(window, *channels, *filters) {
            Some(turned) => InputGradient::Turned(Box::new(turned)),
            None => InputGradient::Dense,
        },
    };
    // Each filter's weights lie behind those of the filter before.
    let part = |weight: WeightId, each: usize| {
        let start = parameter(weight).range.start;
        start + first_filter * each..start + (first_filter + filters) * each
    };
    let packed_forward = match forward {
        ForwardAlgorithm::Stored => 0,
        ForwardAlgorithm::Direct | ForwardAlgorithm::Tiny | ForwardAlgorithm::Winograd => layout.packed_len(),
    };
    let packed_turned = match &input_gradient {
        InputGradient::Turned(turned) => turned.layout.packed_len(),
        InputGradient::Nobody | InputGradient::Sets | InputGradient::Dense => 0,
    };
    ConvStep {
        activation: *activation,
        border: window.pads().then_some((*window, *channels)),
        #[cfg(feature = "onnx")]
        geometry: Box::new(super::step::Geometry { window: *window, channels: *channels, pool: *pool }),
        weights: part(*kernel, layout.window_len()),
        biases: bias.map_or(0..0, |bias| part(bias, 1)),
        packed: packed_start..packed_start + packed_forward + packed_turned,
        forward,
        weight_gradient,
        input_gradient,
        norm: norm.as_ref().map(|folded| {
            let weights = folded.weights.iter().map(|id| weight_place(parameters, id)).collect();
            Box::new(FoldedNorm { norm: folded.norm.clone(), weights })
        }),
        trains_biases: around.trains && bias.is_some_and(|bias| parameter(bias).is_trained()),
        layout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{
        Activation, ActivationFunction, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Network,
    };
    use crate::plan::Plan;
    use crate::shape::{Padding, Shape};
    use ActivationFunction::{Linear, Relu, Sigmoid, Softmax, Tanh};

    /// How the gradients of each convolution and dense layer are found.
    fn algorithms(layers: Vec<Layer>, wanted: Wanted) -> Vec<(WeightGradient, &'static str)> {
        let plan = Plan::new(&Network::chain(Shape::from([16, 16, 16]), layers), wanted).unwrap();
        let convs = plan.steps.iter().filter_map(|placed| placed.step.conv());
        convs
            .map(|conv| {
                let input = match &conv.input_gradient {
                    InputGradient::Nobody => "nobody",
                    InputGradient::Sets => "sets",
                    InputGradient::Dense => "dense",
                    InputGradient::Turned(_) => "turned",
                };
                (conv.weight_gradient, input)
            })
            .collect()
    }

    fn conv(size: usize, function: ActivationFunction) -> Layer {
        Conv2D::new(16, (size, size)).padding(Padding::Same).activation(function).into()
    }

    fn end() -> [Layer; 2] {
        [Flatten::new().into(), Dense::new(10).activation(Softmax).into()]
    }

    #[test]
    fn gradients_are_sparse_behind_relu_and_max_pooling_and_dense_elsewhere() {
        use WeightGradient::{Dense, Lists, OverBatch};
        let pool = || Layer::from(MaxPooling2D::new((2, 2)));
        let overlapping = || Layer::from(MaxPooling2D::new((3, 3)).strides((2, 2)));
        let activation = |function| Layer::from(Activation::new(function));
        let sparse = [
            vec![conv(3, Relu)],
            vec![conv(3, Tanh), pool()],
            vec![conv(3, Linear), overlapping()],
            vec![conv(3, Linear), activation(Relu)],
            vec![conv(3, Tanh), activation(Relu)],
        ];
        let dense = [
            vec![conv(3, Linear)],
            vec![conv(3, Tanh)],
            vec![conv(3, Linear), activation(Sigmoid)],
            vec![conv(3, Linear), activation(Softmax)],
            vec![conv(3, Linear), Dropout::new(0.5).into()],
        ];
        for (middles, expected) in [(sparse, (Lists, "sets")), (dense, (Dense, "turned"))] {
            for middle in middles {
                let layers = [vec![conv(1, Relu)], middle.clone(), end().to_vec()].concat();
                let found = algorithms(layers, Wanted::OfParameters);
                assert_eq!(
                    found,
                    [(WeightGradient::SmallWindows, "nobody"), expected, (OverBatch { place: 0 }, "dense")],
                    "{middle:?}"
                );
            }
        }
    }

    #[test]
    fn input_gradients_are_turned_where_winograd_saves_enough() {
        let second = |conv: Layer| {
            let layers = [vec![self::conv(1, Linear), conv], end().to_vec()].concat();
            algorithms(layers, Wanted::OfParameters)[1].1
        };
        assert_eq!(second(Conv2D::new(32, (3, 3)).into()), "turned");
        assert_eq!(second(Conv2D::new(33, (3, 3)).into()), "dense", "no whole vectors of filters");
        assert_eq!(second(Conv2D::new(32, (3, 3)).strides((2, 2)).into()), "dense");
        assert_eq!(second(Conv2D::new(32, (5, 5)).into()), "dense");
    }

    #[test]
    fn weight_gradients_take_fewer_multiplications_where_there_are_enough_channels_and_filters() {
        use WeightGradient::{Dense, Winograd};
        let second = |channels, filters, size| {
            let first = Conv2D::new(channels, (1, 1)).into();
            let layers = [vec![first, Conv2D::new(filters, (size, size)).into()], end().to_vec()].concat();
            algorithms(layers, Wanted::OfParameters)[1].0
        };
        assert_eq!(second(32, 32, 3), Winograd);
        assert_eq!(second(16, 32, 3), Dense);
        assert_eq!(second(32, 16, 3), Dense);
        assert_eq!(second(32, 33, 3), Dense, "no whole vectors of filters");
        assert_eq!(second(32, 32, 5), Dense);
    }

    #[test]
    fn dense_layers_of_few_inputs_take_no_lists() {
        use WeightGradient::{Dense, Lists};
        for (inputs, expected) in [(2, Dense), (32, Dense), (33, Lists)] {
            let layers = [crate::layers::Dense::new(16).activation(Relu).into(), crate::layers::Dense::new(1).into()];
            let network = Network::chain(Shape::from([inputs]), layers.to_vec());
            let plan = Plan::new(&network, Wanted::OfParameters).unwrap();
            let first = plan.steps.iter().find_map(|placed| placed.step.conv()).unwrap();
            assert_eq!(first.weight_gradient, expected, "{inputs} inputs");
            assert_eq!(first.forward, ForwardAlgorithm::Direct, "{inputs} inputs");
        }
    }

    #[test]
    fn the_first_layer_s_input_gradients_are_found_for_those_who_want_them() {
        let layers = || [vec![conv(3, Tanh)], end().to_vec()].concat();
        assert_eq!(algorithms(layers(), Wanted::OfParameters)[0], (WeightGradient::Dense, "nobody"));
        assert_eq!(algorithms(layers(), Wanted::OfInputs)[0], (WeightGradient::Dense, "turned"));
    }
}
