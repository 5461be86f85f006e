//! In which order PyTorch has the numbers of each value of a network. PyTorch's images and sequences have their channels
//! first, (C, H, W), ours last, (H, W, C); so a vector that is a flattened image has its numbers in another order there,
//! and so have the weights that read it, or make it.

use crate::error::{Error, Result};
use crate::layers::{Layer, Network, Source};
use crate::shape::Shape;
use std::sync::Arc;

/// How PyTorch orders the numbers of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// As we do.
    Same,
    /// Of an image or a sequence: the last axis comes first.
    ChannelsFirst,
    /// Of a vector: for each of PyTorch's places ours.
    Permuted(Arc<[usize]>),
}

impl Order {
    /// The order of a value of this shape made a vector.
    fn flattened(&self, shape: Shape) -> Self {
        let channels = shape.channels();
        let pixels = shape.axes().iter().product::<usize>() / channels.max(1);
        match self {
            Self::ChannelsFirst if pixels > 1 && channels > 1 => {
                let places = (0..channels).flat_map(|channel| (0..pixels).map(move |pixel| pixel * channels + channel));
                Self::Permuted(places.collect())
            }
            Self::Same | Self::ChannelsFirst => Self::Same,
            Self::Permuted(_) => self.clone(),
        }
    }

    /// The places of a vector; `None` if they are ours.
    pub(super) fn places(&self) -> Option<Arc<[usize]>> {
        match self {
            Self::Same | Self::ChannelsFirst => None,
            Self::Permuted(places) => Some(Arc::clone(places)),
        }
    }
}

/// What a layer does to the order of what it reads.
enum Rule {
    /// The output has the order of the inputs, number by number.
    Keeps,
    /// The same of a layer for whose counterpart in PyTorch a sequence has its channels first.
    KeepsChannels,
    /// It reads and gives channels first.
    Channels,
    /// It reads and gives vectors of any order.
    Any,
    /// It reads and gives vectors in our order.
    Fixed,
    /// It puts vectors one behind the other.
    Joins,
    /// The same numbers in another shape.
    Reshapes,
}

fn rule(layer: &Layer) -> Rule {
    match layer {
        Layer::Conv2D(_)
        | Layer::Conv2DTranspose(_)
        | Layer::DepthwiseConv2D(_)
        | Layer::SeparableConv2D(_)
        | Layer::MaxPooling2D(_)
        | Layer::AveragePooling2D(_)
        | Layer::Conv1D(_)
        | Layer::MaxPooling1D(_)
        | Layer::AveragePooling1D(_)
        | Layer::ZeroPadding2D(_)
        | Layer::Cropping2D(_)
        | Layer::UpSampling2D(_) => Rule::Channels,
        Layer::BatchNormalization(_) | Layer::SpatialDropout2D(_) => Rule::KeepsChannels,
        Layer::LayerNormalization(_)
        | Layer::Activation(_)
        | Layer::ReLU(_)
        | Layer::LeakyReLU(_)
        | Layer::ELU(_)
        | Layer::PReLU(_)
        | Layer::Dropout(_)
        | Layer::GaussianNoise(_)
        | Layer::GaussianDropout(_)
        | Layer::AlphaDropout(_)
        | Layer::Masking(_)
        | Layer::Rescaling(_)
        | Layer::Add(_)
        | Layer::Subtract(_)
        | Layer::Multiply(_)
        | Layer::Average(_)
        | Layer::Maximum(_)
        | Layer::Minimum(_) => Rule::Keeps,
        Layer::Dense(_) => Rule::Any,
        Layer::TimeDistributed(layer) => rule(&layer.layer),
        Layer::Concatenate(_) => Rule::Joins,
        Layer::Flatten(_) | Layer::Reshape(_) => Rule::Reshapes,
        Layer::GlobalAveragePooling2D(_)
        | Layer::GlobalMaxPooling2D(_)
        | Layer::GlobalAveragePooling1D(_)
        | Layer::GlobalMaxPooling1D(_)
        | Layer::Embedding(_)
        | Layer::GroupNormalization(_)
        | Layer::Normalization(_)
        | Layer::Permute(_)
        | Layer::RepeatVector(_)
        | Layer::SimpleRNN(_)
        | Layer::LSTM(_)
        | Layer::GRU(_)
        | Layer::Bidirectional(_)
        | Layer::Custom(_) => Rule::Fixed,
    }
}

/// The order of every value.
pub(super) struct Orders {
    inputs: Vec<Option<Order>>,
    calls: Vec<Vec<Option<Order>>>,
    /// The shapes of the inputs, and of each call's outputs.
    shapes: (Vec<Shape>, Vec<Vec<Shape>>),
    has_changed: bool,
}

impl Orders {
    /// - shapes: of each call's outputs
    ///
    /// # Errors
    /// [`Error::Model`] if a layer reads a vector in an order that it cannot have in PyTorch.
    pub(super) fn new(network: &Network, shapes: Vec<Vec<Shape>>) -> Result<Self> {
        let of_image = |shape: &Shape| (shape.axes().len() > 2).then_some(Order::ChannelsFirst);
        let mut orders = Self {
            inputs: network.inputs.iter().map(of_image).collect(),
            calls: shapes.iter().map(|shapes| shapes.iter().map(of_image).collect()).collect(),
            shapes: (network.inputs.clone(), shapes),
            has_changed: true,
        };
        orders.settle(network)?;
        // What nothing in the network says is as here.
        for index in 0..network.inputs.len() {
            orders.by_default(network, Source::Input(index))?;
        }
        for call in 0..network.calls.len() {
            for place in 0..orders.calls[call].len() {
                let source = if place == 0 { Source::Call(call) } else { Source::Output { call, place } };
                orders.by_default(network, source)?;
            }
        }
        Ok(orders)
    }

    /// The order of a value, and its shape.
    pub(super) fn of(&self, source: &Source) -> (Order, Shape) {
        (self.known(source).unwrap_or(Order::Same), self.shape(source))
    }

    fn known(&self, source: &Source) -> Option<Order> {
        source.find(&self.inputs, &self.calls).cloned().flatten()
    }

    fn shape(&self, source: &Source) -> Shape {
        let (inputs, calls) = &self.shapes;
        *source.find(inputs, calls).expect("a network that was compiled reads values that there are")
    }

    fn rank(&self, source: &Source) -> usize {
        self.shape(source).axes().len()
    }

    fn by_default(&mut self, network: &Network, source: Source) -> Result<()> {
        if self.known(&source).is_some() {
            return Ok(());
        }
        self.suggest(&source, &Order::Same);
        self.settle(network)
    }

    /// Goes through the calls until nothing new is found.
    fn settle(&mut self, network: &Network) -> Result<()> {
        while std::mem::take(&mut self.has_changed) {
            for call in (0..network.calls.len()).chain((0..network.calls.len()).rev()) {
                self.visit(network, call)?;
            }
        }
        Ok(())
    }

    /// Sets an order that is not known yet.
    fn suggest(&mut self, source: &Source, order: &Order) {
        let known = match *source {
            Source::Input(index) => &mut self.inputs[index],
            Source::Call(call) => &mut self.calls[call][0],
            Source::Output { call, place } => &mut self.calls[call][place],
        };
        if known.is_none() {
            *known = Some(order.clone());
            self.has_changed = true;
        }
    }

    /// Sets the order of a vector, which must not be another.
    fn demand(&mut self, network: &Network, call: usize, source: &Source, order: &Order) -> Result<()> {
        self.suggest(source, order);
        if self.known(source).as_ref() == Some(order) {
            return Ok(());
        }
        let layer = network.calls[call].layer;
        Err(network.layers[layer].fault(
            layer,
            "has values of a flattened image which PyTorch orders otherwise than its layer does: no weights of it can be \
             exchanged; put a `Dense` between the image and this layer"
                .into(),
        ))
    }

    fn visit(&mut self, network: &Network, call: usize) -> Result<()> {
        let (reads, output) = (&network.calls[call].reads, Source::Call(call));
        match rule(&network.layers[network.calls[call].layer]) {
            Rule::Keeps => self.keep(network, call),
            Rule::KeepsChannels => {
                if self.rank(&output) == 2 {
                    reads.iter().for_each(|source| self.suggest(source, &Order::ChannelsFirst));
                }
                self.keep(network, call)
            }
            Rule::Channels => {
                reads.iter().chain([&output]).for_each(|source| self.suggest(source, &Order::ChannelsFirst));
                Ok(())
            }
            Rule::Any if self.rank(&output) == 1 => Ok(()),
            Rule::Any => {
                self.suggest(&output, &Order::Same);
                Ok(())
            }
            Rule::Fixed => self.fix(network, call),
            Rule::Joins if self.rank(&output) == 1 => self.join(network, call),
            Rule::Joins => self.keep(network, call),
            Rule::Reshapes => self.reshape(network, call),
        }
    }

    fn keep(&mut self, network: &Network, call: usize) -> Result<()> {
        let output = Source::Call(call);
        let rank = self.rank(&output);
        let (alike, others): (Vec<Source>, Vec<Source>) =
            network.calls[call].reads.iter().partition(|source| self.rank(source) == rank);
        let values: Vec<Source> = alike.into_iter().chain([output]).collect();
        if let Some(order) = values.iter().find_map(|source| self.known(source)) {
            for source in &values {
                match rank {
                    1 => self.demand(network, call, source, &order)?,
                    _ => self.suggest(source, &order),
                }
            }
        }
        // A vector with a number for each channel.
        for source in &others {
            if self.rank(source) == 1 {
                self.demand(network, call, source, &Order::Same)?;
            }
        }
        Ok(())
    }

    fn fix(&mut self, network: &Network, call: usize) -> Result<()> {
        let outputs = (0..self.calls[call].len()).map(|place| match place {
            0 => Source::Call(call),
            place => Source::Output { call, place },
        });
        let values: Vec<Source> = network.calls[call].reads.iter().copied().chain(outputs).collect();
        for (index, source) in values.iter().enumerate() {
            if self.rank(source) == 1 {
                self.demand(network, call, source, &Order::Same)?;
            } else if index >= network.calls[call].reads.len() {
                let read = network.calls[call].reads.first().and_then(|source| self.known(source));
                let keeps = matches!(
                    network.layers[network.calls[call].layer],
                    Layer::GroupNormalization(_) | Layer::Normalization(_) | Layer::Custom(_)
                );
                self.suggest(source, &read.filter(|_| keeps).unwrap_or(Order::Same));
            }
        }
        Ok(())
    }

    fn join(&mut self, network: &Network, call: usize) -> Result<()> {
        let mut places = Vec::new();
        let mut start = 0;
        for source in &network.calls[call].reads {
            let Some(order) = self.known(source) else { return Ok(()) };
            let len = self.shape(source).channels();
            match order.places() {
                Some(of) => places.extend(of.iter().map(|place| start + place)),
                None => places.extend(start..start + len),
            }
            start += len;
        }
        let is_same = places.iter().copied().eq(0..start);
        let order = if is_same { Order::Same } else { Order::Permuted(places.into()) };
        self.demand(network, call, &Source::Call(call), &order)
    }

    fn reshape(&mut self, network: &Network, call: usize) -> Result<()> {
        let (read, output) = (network.calls[call].reads[0], Source::Call(call));
        let (from, to) = (self.shape(&read), self.shape(&output));
        match (self.rank(&read), self.rank(&output)) {
            (1, 1) => self.keep(network, call),
            (_, 1) => match self.known(&read) {
                Some(order) => self.demand(network, call, &output, &order.flattened(from)),
                None => Ok(()),
            },
            (1, _) => match (self.known(&read), self.known(&output)) {
                (_, Some(order)) => self.demand(network, call, &read, &order.flattened(to)),
                (Some(order), None) if order != Order::Same => {
                    self.suggest(&output, &Order::ChannelsFirst);
                    Ok(())
                }
                _ => Ok(()),
            },
            (_, rank) => {
                let Some(order) = self.known(&read) else { return Ok(()) };
                // PyTorch has the numbers in our order on both sides.
                let is_same = order.flattened(from) == Order::Same
                    && (rank == 2 || Order::ChannelsFirst.flattened(to) == Order::Same);
                if is_same {
                    self.suggest(&output, &Order::Same);
                } else if from.channels() != to.channels() {
                    let layer = network.calls[call].layer;
                    let problem = format!(
                        "makes {to} of {from}, which PyTorch does in another order, as it has channels first: no weights \
                         of it can be exchanged"
                    );
                    return Err(network.layers[layer].fault(layer, problem));
                }
                Ok(())
            }
        }
    }
}

/// # Errors
/// [`Error::Model`] if the calls of a layer read or give different orders.
pub(super) fn of_layer(network: &Network, orders: &Orders, layer: usize) -> Result<(Order, Order, Shape)> {
    let calls = network.calls.iter().enumerate().filter(|(_, call)| call.layer == layer);
    let mut ends = calls.map(|(index, call)| {
        let (input, shape) = orders.of(&call.reads[0]);
        (input, orders.of(&Source::Call(index)).0, shape)
    });
    let first = ends.next().ok_or_else(|| Error::Model(format!("never calls layer {layer}")))?;
    let of_vector = |(input, output, _): &(Order, Order, Shape)| (input.places(), output.places());
    if ends.all(|other| of_vector(&other) == of_vector(&first)) {
        return Ok(first);
    }
    let problem = "is called with vectors that PyTorch orders in different ways: no weights of it can be exchanged";
    Err(network.layers[layer].fault(layer, problem.into()))
}
