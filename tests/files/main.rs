//! What goes between programs: model files, checkpoints, ONNX, reports; and the rules of the sources. One program,
//! because linking dozens takes minutes.

#[path = "../../src/exec/tests/cases.rs"]
mod cases;
#[path = "../common/custom_layers.rs"]
mod common_custom_layers;
#[cfg(feature = "plot")]
#[path = "../common/drawn.rs"]
mod common_drawn;
#[path = "../common/model_file.rs"]
mod common_model_file;
#[cfg(feature = "onnx")]
#[path = "../common/onnx_cases.rs"]
mod common_onnx_cases;
#[cfg(any(feature = "keras", feature = "onnx"))]
#[path = "../common/peer_values.rs"]
mod common_peer_values;
#[path = "../common/python.rs"]
mod common_python;
#[path = "../common/unknown_fields.rs"]
mod common_unknown_fields;

mod checkpoint_files;
mod configuration;
mod crash;
mod custom_layers;
mod damage;
mod disk;
mod each_layer;
mod formats;
mod fuzz_data;
mod fuzz_seeds;
mod hostile;
#[cfg(feature = "keras")]
mod keras_import;
mod layer_names;
mod levels;
mod limits;
mod network_plots;
mod onnx;
#[cfg(feature = "onnx")]
mod onnx_import;
mod onnx_networks;
mod onnx_quantized;
mod plots;
mod python;
mod quantized;
mod report;
mod report_in_chromium;
mod saving;
mod tensorboard;
mod torch_weights;
mod weights;
