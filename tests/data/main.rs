//! Data sets: files, downloads, pictures, tables, parts, augmentation. One program, because linking dozens takes minutes.

mod augment;
mod bad_input_table;
mod dataset;
mod download;
mod idx;
mod mnist;
mod own_pictures;
mod pictures;
mod synthetic;
mod tables;
