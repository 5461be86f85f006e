//! Tables: rows of features in, classes or values out, without pretending to be images.

use inkstone::prelude::*;
use inkstone::{Error, Inputs, Scores, Targets, Weight};
use ndarray::{Array1, Array2, Array4, ArrayView1, ArrayView2, Axis, array};

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().verbose(0)
}

fn line(outputs: usize) -> Model {
    Sequential::new([2]).add(Dense::new(outputs)).seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

fn classifier() -> Model {
    Sequential::new([2])
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn text<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_form_of_a_table_is_predicted_as_images_of_one_pixel_are() {
    let model = line(3);
    let table: Array2<f32> = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let images = Array4::from_shape_vec((3, 1, 1, 2), table.iter().copied().collect()).unwrap();
    let expected = model.predict(&images).unwrap();
    let rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let listed = rows.to_vec();
    let turned = array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]];
    let dataset = Dataset::from_table(table.clone(), vec![0; 3]).unwrap();
    let view: ArrayView2<'_, f32> = table.view();
    let forms: [Inputs<'_>; 8] = [
        (&table).into(),
        view.into(),
        (&view).into(),
        turned.t().into(),
        (&rows).into(),
        rows[..].into(),
        (&listed).into(),
        (&dataset).into(),
    ];
    for form in forms {
        assert_eq!(model.predict(form.clone()).unwrap(), expected, "{form:?}");
    }
    let predictor = model.into_predictor();
    assert_eq!(predictor.predict(&table).unwrap(), expected);
    let mut out = [0.0; 9];
    predictor.predict_into(&rows, &mut predictor.scratch(), &mut out).unwrap();
    assert_eq!(out[..], expected.iter().copied().collect::<Vec<f32>>());
}

fn trained<'a>(x: &'a Array2<f32>, targets: Targets<'a>) -> Vec<Weight> {
    let mut model = line(1);
    model.fit((x, targets), quiet().epochs(3)).unwrap();
    model.get_weights()
}

fn scores<'a>(x: &'a Array2<f32>, classes: Targets<'a>) -> Scores {
    classifier().evaluate((x, classes)).unwrap()
}

#[test]
fn every_form_of_values_and_classes_trains_alike() {
    let x = array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
    let values = [1.0, 2.0, 3.0];
    let column: Array2<f32> = array![[1.0], [2.0], [3.0]];
    let listed = values.to_vec();
    let vector = Array1::from(values.to_vec());
    let apart = array![1.0, 9.0, 2.0, 9.0, 3.0, 9.0];
    let every_second: ArrayView1<'_, f32> = apart.slice_axis(Axis(0), (..).into());
    let every_second = every_second.slice_axis(Axis(0), ndarray::Slice::from(..).step_by(2));
    let expected = trained(&x, (&column).into());
    let forms: [Targets<'_>; 8] = [
        (&values).into(),
        values[..].into(),
        (&listed).into(),
        (&vector).into(),
        vector.view().into(),
        every_second.into(),
        (&every_second).into(),
        (&[[1.0], [2.0], [3.0]]).into(),
    ];
    for form in forms {
        assert_eq!(trained(&x, form.clone()), expected, "{form:?}");
    }
    let classes: [usize; 3] = [0, 1, 1];
    let listed = classes.to_vec();
    let vector = Array1::from(classes.to_vec());
    let apart = array![0_usize, 9, 1, 9, 1, 9];
    let every_second = apart.slice_axis(Axis(0), ndarray::Slice::from(..).step_by(2));
    let forms: [Targets<'_>; 4] = [(&classes).into(), (&vector).into(), vector.view().into(), every_second.into()];
    for form in forms {
        assert_eq!(scores(&x, form.clone()), scores(&x, (&listed).into()), "{form:?}");
    }
}

#[test]
fn a_table_is_learned_and_validated() {
    // Whether the first feature is the larger one.
    let x = Array2::from_shape_fn((64, 2), |(n, f)| ((n * 7 + f * 13) % 17) as f32 / 17.0);
    let labels: Vec<usize> = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
    let mut model = classifier();
    let config = quiet().epochs(40).validation_data((&x, &labels)).validation_split(0.0);
    let history = model.fit((&x, &labels), config).unwrap();
    assert!(history.get("val_accuracy").unwrap().last().is_some_and(|accuracy| *accuracy > 0.9), "{history:?}");
    assert_eq!(model.predict_classes(&x).unwrap().len(), 64);
    model.train_on_batch(&x, &labels).unwrap();
    let report = model.evaluate_report((&x, &labels)).unwrap();
    assert!(report.accuracy() > 0.9);
}

#[test]
fn errors_on_tables_speak_of_rows_and_features() {
    let mut model = classifier();
    let three: Array2<f32> = Array2::zeros((4, 3));
    let expected = "the model expects rows of 2 features, a table of (N, 2), got rows of 3 features";
    assert_eq!(text(model.predict(&three)), expected);
    assert_eq!(text(model.fit((&three, &[0, 1, 0, 1]), quiet())), expected);
    assert_eq!(text(model.predict(&Array4::<f32>::zeros((4, 1, 1, 3)))), expected);
    let two: Array2<f32> = Array2::zeros((4, 2));
    assert_eq!(
        text(model.evaluate((&two, &[0, 1]))),
        "there must be at least one row and one label for each, got 4 rows and 2 labels"
    );
    assert_eq!(
        text(model.fit((&two, &[0, 1, 0, 1], &[1.0]), quiet())),
        "there must be one sample weight for each example, got 4 examples and 1 weights"
    );
    let mut bad = two.clone();
    bad[[2, 1]] = f32::NAN;
    assert_eq!(text(model.predict(&bad)), "the table's values must be finite, got NaN at (2, 1) (N, F)");
    assert_eq!(
        text(Dataset::from_table(bad, vec![0; 4])),
        "the table's values must be finite, got NaN at (2, 1) (N, F)"
    );
    assert_eq!(
        text(Dataset::from_table(Array2::zeros((0, 3)), vec![])),
        "a table must have at least one row and one feature (N, F), got (0, 3)"
    );
    assert_eq!(
        text(Dataset::from_table(Array2::zeros((3, 0)), vec![0; 3])),
        "a table must have at least one row and one feature (N, F), got (3, 0)"
    );
    assert_eq!(
        text(Dataset::from_table(two.clone(), vec![0; 3])),
        "there must be one label for each row, got 4 rows and 3 labels"
    );
    for values in [Array2::zeros((3, 1)), Array2::zeros((4, 0))] {
        assert_eq!(
            text(Dataset::from_table_and_values(two.clone(), values.clone())),
            format!(
                "there must be a row of at least one value for each row, got 4 rows and values of {:?}",
                values.dim()
            )
        );
    }
    assert_eq!(
        text(Dataset::from_table_and_values(two, vec![0.0, f32::INFINITY, 0.0, 0.0])),
        "targets must be finite, got inf at (1, 0) (N, outputs)"
    );
}

#[test]
fn an_image_for_a_table_and_a_table_for_an_image_are_told_what_to_do() {
    let on_rows = classifier();
    assert_eq!(
        text(on_rows.predict(&Array4::<u8>::zeros((1, 28, 28, 1)))),
        "the model expects rows of 2 features, a table of (N, 2), got images of (28, 28, 1): add `Flatten`, as in \
         `Sequential::new([28, 28, 1]).add(Flatten::new())`"
    );
    let on_images = Sequential::new([28, 28, 1])
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let expected =
        "the model expects images of (28, 28, 1), an array of (N, 28, 28, 1), got a table with rows of 784 features";
    let table = Array2::<f32>::zeros((5, 784));
    assert_eq!(text(on_images.predict(&table)), expected);
    assert_eq!(text(on_images.into_predictor().predict(&table)), expected);
}

#[test]
fn a_data_set_of_a_table_keeps_its_values_through_parts_and_orders() {
    // The value of a row is its feature times ten.
    let table = Array2::from_shape_fn((10, 1), |(n, _)| n as f32);
    let dataset =
        Dataset::from_table_and_values(table, (0..10).map(|n| n as f32 * 10.0).collect::<Vec<f32>>()).unwrap();
    let fits = |part: &Dataset| {
        let values = part.values().unwrap();
        assert_eq!(part.table().nrows(), part.len());
        assert_eq!(part.table() * 10.0, values);
        assert!(part.labels().is_empty() && part.class_counts().is_empty());
        part.iter().for_each(|example| assert_eq!(example.values().unwrap(), &example.features() * 10.0));
    };
    fits(&dataset);
    let shuffled = dataset.shuffle(3);
    assert_ne!(shuffled.values(), dataset.values());
    fits(&shuffled);
    fits(&shuffled.skip(2).unwrap().take(5).unwrap());
    fits(&shuffled.skip(2).unwrap().shuffle(1));
    let (first, second) = shuffled.skip(1).unwrap().split(0.67, 1).unwrap();
    assert_eq!((first.len(), second.len()), (6, 3));
    fits(&first);
    fits(&second);
    fits(&first.concatenate(&second).unwrap());
    shuffled.batch(3).unwrap().for_each(|batch| fits(&batch));
    fits(&shuffled.filter(|example| example.features()[0] > 5.0).unwrap());
    fits(&shuffled.skip(3).unwrap().with_values(shuffled.skip(3).unwrap().table() * 10.0).unwrap());
    let error = text(dataset.take(2).unwrap().split(0.1, 1));
    assert_eq!(error, "0.1 of the examples, rounded, leaves a part empty: there are 2");
}

#[test]
fn a_changed_table_with_a_value_that_is_no_number_is_told_as_a_table() {
    let dataset = Dataset::from_table(array![[1.0, 2.0], [3.0, 4.0]], vec![0, 1]).unwrap();
    let error = text(dataset.map(|row| row.mapv(|value| if value == 4.0 { f32::NAN } else { value })));
    assert_eq!(error, "the table's values must be finite, got NaN at (1, 1) (N, F)");
}

#[test]
fn a_model_is_trained_on_the_values_of_a_data_set() {
    let table = Array2::from_shape_fn((32, 2), |(n, f)| ((n * 5 + f * 3) % 11) as f32 / 11.0);
    let sums: Vec<f32> = table.rows().into_iter().map(|row| row.sum()).collect();
    let dataset = Dataset::from_table_and_values(table.clone(), sums.clone()).unwrap();
    let (mut from_arrays, mut from_dataset) = (line(1), line(1));
    let history = from_dataset.fit(&dataset, quiet().epochs(20).validation_data(&dataset)).unwrap();
    assert_eq!(from_arrays.fit((&table, &sums), quiet().epochs(20)).unwrap().losses(), history.losses());
    assert!(history.losses()[19] < 0.1 * history.losses()[0]);
    // Several labels an example.
    let labels = table.mapv(|value| f32::from(u8::from(value > 0.5)));
    let several = Dataset::from_table_and_values(table, labels).unwrap();
    let mut model = Sequential::new([2])
        .add(Dense::new(2).activation(Sigmoid))
        .seed(1)
        .compile(Adam::new(0.2), BinaryCrossentropy::default(), [BinaryAccuracy::new().into()])
        .unwrap();
    model.fit(&several, quiet().epochs(60)).unwrap();
    assert!(model.evaluate(&several).unwrap().metrics[0].1 > 0.9);
    let error = text(classifier().fit(&dataset, quiet()));
    assert_eq!(error, "targets must have a value for each output, (N, 2), got (32, 1)");
}

#[test]
fn classes_stay_beside_values() {
    let dataset =
        Dataset::from_bytes(Array4::from_shape_fn((6, 1, 1, 1), |(n, ..)| n as u8), (0..6).map(|n| n % 2).collect());
    let dataset = dataset.unwrap().skip(2).unwrap();
    let both = dataset.with_values(vec![2.0, 3.0, 4.0, 5.0]).unwrap().shuffle(5);
    for example in &both {
        let value = example.values().unwrap()[0];
        assert_eq!(example.label(), Some(value as usize % 2));
        assert_eq!(example.image()[[0, 0, 0]], value / 255.0);
    }
    let (first, _) = both.split(0.5, 1).unwrap();
    assert_eq!(first.class_counts(), [1, 1], "the split is by classes");
    let mapped = both.map(|image| image.mapv(|value| value * 255.0)).unwrap();
    assert_eq!(mapped.table(), mapped.values().unwrap());
    assert_eq!(mapped.labels(), both.labels());
}

#[test]
fn what_is_odd_in_a_table_of_values_is_found() {
    let table = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [3.0, 3.0]];
    let odd = Dataset::from_table_and_values(table, vec![0.5, 0.5, 0.7, 0.1]).unwrap().oddities(10);
    assert_eq!((odd.duplicates, odd.contradictions), (vec![(0, 1)], vec![(0, 2)]));
    assert_eq!((odd.empty, odd.missing, odd.out_of_range), (vec![3], vec![], vec![]));
}
