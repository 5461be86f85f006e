//! The table of a network that is no chain, as Keras prints it.

use inkstone::prelude::*;

/// Keras 3.12 prints these rows of this network, the second input's further down.
#[test]
fn a_graph_has_keras_table_with_what_each_layer_reads() {
    let (image, row) = (Input::new([28, 28, 1]), Input::new([10]));
    let x = image.apply(Conv2D::new(16, (3, 3)).padding(Same).activation(Relu));
    let y = x.apply(Conv2D::new(16, (3, 3)).padding(Same));
    let x = Add::of([&x, &y]).apply(GlobalAveragePooling2D::new());
    let twin = Shared::new(Dense::new(16));
    let left = x.apply(&twin);
    let right = row.apply(Dense::new(16).name("quite_a_long_name_for_a_layer_of_this_kind")).apply(&twin);
    let output = Concatenate::of([&left, &right, &x]).apply(Dense::new(10).activation(Softmax));
    let described = Functional::new([&image, &row], [&output]);
    let model = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
    let expected = r#"Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ input_layer         │ (None, 28, 28, 1) │          0 │ -                 │
│ (InputLayer)        │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ input_layer_1       │ (None, 10)        │          0 │ -                 │
│ (InputLayer)        │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ conv2d (Conv2D)     │ (None, 28, 28,    │        160 │ input_layer[0][0] │
│                     │ 16)               │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ conv2d_1 (Conv2D)   │ (None, 28, 28,    │      2,320 │ conv2d[0][0]      │
│                     │ 16)               │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ add (Add)           │ (None, 28, 28,    │          0 │ conv2d[0][0],     │
│                     │ 16)               │            │ conv2d_1[0][0]    │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ global_average_poo… │ (None, 16)        │          0 │ add[0][0]         │
│ (GlobalAveragePool… │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense (Dense)       │ (None, 16)        │        272 │ global_average_p… │
│                     │                   │            │ quite_a_long_nam… │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ quite_a_long_name_… │ (None, 16)        │        176 │ input_layer_1[0]… │
│ (Dense)             │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ concatenate         │ (None, 48)        │          0 │ dense[0][0],      │
│ (Concatenate)       │                   │            │ dense[1][0],      │
│                     │                   │            │ global_average_p… │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense_1 (Dense)     │ (None, 10)        │        490 │ concatenate[0][0] │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 3,418 (13.35 KB)
 Trainable params: 3,418 (13.35 KB)
 Non-trainable params: 0 (0.00 B)"#;
    assert_eq!(model.summary().to_string(), expected);
}
