//! Data sets: files, downloads, pictures, tables, parts, augmentation. One program, because linking dozens takes
//! minutes.

#[path = "../common/keras_example.rs"]
mod common_keras_example;

mod augment;
mod bad_input_table;
mod csv;
mod dataset;
mod download;
mod idx;
mod image_targets;
mod listed_pictures;
mod mnist;
mod numpy;
mod own_pictures;
mod picture_folders;
mod picture_metadata;
mod pictures;
mod relatives;
mod sequences;
mod synthetic;
mod tables;
