//! Models at work: training, callbacks, losses, optimizers, scores, predictions, and what is said of bad
//! input. One program, because linking dozens takes minutes.

#[path = "../../src/exec/tests/cases.rs"]
mod cases;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/custom_layers.rs"]
mod common_custom_layers;
#[path = "../common/keras_example.rs"]
mod common_keras_example;

mod activations;
mod bad_input;
mod bad_targets;
mod callback_checks;
mod callbacks;
mod custom_layers;
mod custom_losses;
mod custom_metrics;
mod determinism;
mod endings;
mod evaluation;
mod fit;
mod frozen;
mod gan;
mod gradient_checks;
mod gradients;
mod graphs;
mod image_targets;
mod initializers;
mod keras_layers;
mod logs;
mod long_sums;
mod losses;
mod masking;
mod masks_of_keras;
mod moving_statistics;
mod names;
mod networks;
mod networks_of_pytorch;
mod ops_fixtures;
mod optimizers;
mod passes;
mod predictions;
mod predictor;
mod privacy;
mod quantized;
mod recurrent;
mod recurrent_fixtures;
mod regularized;
mod regularizer_faults;
mod resume;
mod resume_killed;
mod schedules;
mod small;
mod stateful;
mod stateful_pieces;
mod states;
mod tensor;
mod threads;
mod threads_of_sequences;
mod tokens;
mod training_step;
mod variational;
