//! The arguments of `fit`: what they stand for, in bits, and what is printed.

use inkstone::callbacks::LambdaCallback;
use inkstone::prelude::*;
use inkstone::{History, Model, Scores};
use ndarray::{Array4, Axis};
use std::process::Command;

fn model() -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(8).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(4).activation(Softmax))
        .seed(1)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Images whose classes come one after the other, so that it matters which are held back.
fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 4, 4, 1), |(n, y, x, _)| ((n * 31 + y * 7 + x * (n % 5)) % 256) as f32 / 255.0)
}

fn labels(count: usize) -> Vec<usize> {
    (0..count).map(|n| n * 4 / count).collect()
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().batch_size(8).verbose(0)
}

/// What a training leaves behind, without its times.
type Trace = (Vec<(Scores, Option<Scores>)>, Vec<inkstone::Weight>);

fn trace(history: History, model: &Model) -> Trace {
    let scores = history.epochs.into_iter().map(|epoch| (epoch.training, epoch.validation)).collect();
    (scores, model.get_weights())
}

#[test]
fn epochs_are_numbered_from_the_initial_one_up_to_epochs() {
    let (x, y) = (images(24), labels(24));
    let mut numbers = Vec::new();
    let watch = LambdaCallback::new().on_epoch_begin(|epoch, _| {
        numbers.push(epoch);
        Ok(())
    });
    let mut later = model();
    let history = later.fit((&x, &y), quiet().initial_epoch(3).epochs(5).callback(watch)).unwrap();
    assert_eq!(numbers, [3, 4]);
    let mut plain = model();
    let expected = plain.fit((&x, &y), quiet().epochs(2)).unwrap();
    assert_eq!(trace(history, &later), trace(expected, &plain), "numbers change nothing else");
}

#[test]
fn an_initial_epoch_behind_the_last_trains_nothing() {
    for initial_epoch in [2, 7] {
        let mut fitted = model();
        let history = fitted.fit((&images(8), &labels(8)), quiet().initial_epoch(initial_epoch).epochs(2)).unwrap();
        assert!(history.epochs.is_empty());
        assert_eq!(fitted.get_weights(), model().get_weights());
    }
}

#[test]
fn a_validation_split_holds_back_the_last_examples_before_any_shuffling() {
    let (x, y) = (images(41), labels(41));
    // Keras rounds what is trained on down: 41 * 0.7 = 28.7.
    let (first, rest) = x.view().split_at(Axis(0), 28);
    let (first, rest) = (first.to_owned(), rest.to_owned());
    let mut split = model();
    let history = split.fit((&x, &y), quiet().epochs(3).validation_split(0.3)).unwrap();
    let mut parted = model();
    let (first_y, rest_y) = (y[..28].to_vec(), y[28..].to_vec());
    let config = quiet().epochs(3).validation_data((&rest, &rest_y));
    let expected = parted.fit((&first, &first_y), config).unwrap();
    assert_eq!(trace(history, &split), trace(expected, &parted));
}

#[test]
fn a_validation_split_takes_the_weights_of_what_it_holds_back() {
    let (x, y) = (images(40), labels(40));
    let weights: Vec<f32> = (0..40).map(|n| (n % 7) as f32 * 0.25).collect();
    let mut split = model();
    let history = split.fit((&x, &y), quiet().epochs(2).validation_split(0.25).sample_weight(&weights)).unwrap();
    let rest = x.slice_axis(Axis(0), (30..).into()).to_owned();
    let expected = split.evaluate((&rest, &y[30..].to_vec(), &weights[30..])).unwrap();
    assert_eq!(history.epochs[1].validation, Some(expected.clone()));
    assert_ne!(split.evaluate((&rest, &y[30..].to_vec())).unwrap().loss, expected.loss);
}

#[test]
fn nothing_is_split_off_where_there_are_validation_data() {
    let (x, y) = (images(40), labels(40));
    let (other, other_y) = (images(5), labels(5));
    let validated = || quiet().validation_data((&other, &other_y));
    let fit = |config: FitConfig<'_>| {
        let mut model = model();
        let history = model.fit((&x, &y), config).unwrap();
        trace(history, &model)
    };
    assert_eq!(fit(validated().validation_split(0.5)), fit(validated()));
}

#[test]
fn weights_of_classes_are_the_weights_of_examples_they_stand_for() {
    let (x, y) = (images(40), labels(40));
    let (other, other_y) = (images(9), labels(9));
    let of_class = [1.0, 0.25, 3.0, 0.0];
    let weights: Vec<f32> = y.iter().map(|class| of_class[*class]).collect();
    let validated = || quiet().validation_data((&other, &other_y));
    let fit = |config: FitConfig<'_>| {
        let mut model = model();
        let history = model.fit((&x, &y), config.epochs(3)).unwrap();
        let validation = model.evaluate((&other, &other_y)).unwrap();
        assert_eq!(history.epochs[2].validation, Some(validation), "validation data are not weighted");
        trace(history, &model)
    };
    let by_class = fit(validated().class_weight([(3, 0.0), (1, 0.25), (2, 3.0)]));
    assert_eq!(by_class, fit(validated().sample_weight(&weights)));
    assert_ne!(by_class, fit(validated()), "weights make a difference");
}

#[test]
fn weights_of_classes_hold_for_one_hot_rows_and_single_outputs() {
    let (x, y) = (images(40), labels(40));
    let one_hot = inkstone::data::to_categorical(&y, 4).unwrap();
    let by_row = {
        let mut model = Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(Dense::new(4).activation(Softmax))
            .seed(1)
            .compile(Adam::new(0.01), CategoricalCrossentropy::default(), [])
            .unwrap();
        model.fit((&x, &one_hot), quiet().class_weight([(2, 5.0)])).unwrap();
        let mut weighted = Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(Dense::new(4).activation(Softmax))
            .seed(1)
            .compile(Adam::new(0.01), CategoricalCrossentropy::default(), [])
            .unwrap();
        let weights: Vec<f32> = y.iter().map(|class| if *class == 2 { 5.0 } else { 1.0 }).collect();
        weighted.fit((&x, &one_hot), quiet().sample_weight(&weights)).unwrap();
        (model.get_weights(), weighted.get_weights())
    };
    assert_eq!(by_row.0, by_row.1);

    let single = || {
        Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(Dense::new(1).activation(Sigmoid))
            .seed(1)
            .compile(Adam::new(0.01), BinaryCrossentropy::default(), [])
            .unwrap()
    };
    let y: Vec<usize> = (0..40).map(|n| n % 2).collect();
    let weights: Vec<f32> = y.iter().map(|class| if *class == 1 { 5.0 } else { 1.0 }).collect();
    let (mut by_class, mut by_example) = (single(), single());
    by_class.fit((&x, &y), quiet().class_weight([(1, 5.0)])).unwrap();
    by_example.fit((&x, &y), quiet().sample_weight(&weights)).unwrap();
    assert_eq!(by_class.get_weights(), by_example.get_weights());
}

/// Two epochs of three steps with validation.
fn print(verbose: u8) -> History {
    let (x, y) = (images(24), labels(24));
    let (other, other_y) = (images(5), labels(5));
    let config = quiet().epochs(2).validation_data((&other, &other_y)).verbose(verbose);
    model().fit((&x, &y), config).unwrap()
}

/// Trainings that give reason for a note, and those that give none.
fn trainings_with_notes(verbose: u8) {
    let (y, sorted) = ((0..40).map(|n| n % 4).collect::<Vec<_>>(), (0..40).map(|n| n / 20).collect::<Vec<_>>());
    let scaled = images(40);
    let bytes = scaled.mapv(|value| (value * 255.0).round());
    for (x, y, split) in [(&scaled, &y, 0.25), (&bytes, &y, 0.0), (&scaled, &sorted, 0.25), (&scaled, &sorted, 0.5)] {
        model().fit((x, y), quiet().validation_split(split).verbose(verbose)).unwrap();
    }
}

#[test]
#[ignore = "no test of its own: `printed` runs it in a process whose output is a pipe"]
fn child_that_prints() {
    let verbose = std::env::var("INKSTONE_TEST_VERBOSE").unwrap().parse().unwrap();
    println!("<<<");
    match std::env::var("INKSTONE_TEST_NOTES") {
        Ok(_) => trainings_with_notes(verbose),
        Err(_) => drop(print(verbose)),
    }
    println!(">>>");
}

/// What `fit` prints into a pipe, with or without its notes.
fn child(verbose: u8, notes: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "fit::child_that_prints", "--ignored", "--nocapture"]);
    command.env("INKSTONE_TEST_VERBOSE", verbose.to_string());
    command.envs(notes.map(|notes| ("INKSTONE_TEST_NOTES", notes)));
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let said = output.split_once("<<<\n").and_then(|(_, rest)| rest.split_once(">>>"));
    said.unwrap_or_else(|| panic!("the child said {output}")).0.to_owned()
}

fn printed(verbose: u8) -> String {
    child(verbose, None).lines().filter(|line| !line.starts_with("Note: ")).map(|line| line.to_owned() + "\n").collect()
}

/// A terminal that cannot draw a bar, as in an editor or a job of a build server, gets the lines that a pipe gets.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_without_abilities_gets_lines() {
    let exe = std::env::current_exe().unwrap();
    for term in [Some("dumb"), None] {
        // `script`, of util-linux, runs a program on a terminal.
        let mut command = Command::new("script");
        let child = format!("{} --exact fit::child_that_prints --ignored --nocapture", exe.display());
        command.args(["--quiet", "--return", "--command", &child, "/dev/null"]).env("INKSTONE_TEST_VERBOSE", "1");
        command.env_remove("TERM").envs(term.map(|term| ("TERM", term)));
        let Ok(output) = command.output() else { return eprintln!("NOT RUN: there is no `script`") };
        let said = String::from_utf8(output.stdout).unwrap().replace('\r', "");
        let scores: Vec<&str> = said.lines().filter(|line| line.starts_with("3/3 - ")).collect();
        assert_eq!(scores.len(), 2, "{term:?}: {said}");
        assert!(scores.iter().all(|line| line.contains(" - loss: ")), "{term:?}: {said}");
    }
}

#[test]
fn what_makes_a_training_slow_or_bad_is_noted_once() {
    assert_eq!(child(0, Some("")), "");
    let text = child(2, Some(""));
    let (debugging, others): (Vec<_>, Vec<_>) =
        text.lines().filter(|line| line.starts_with("Note: ")).partition(|line| line.contains("for debugging"));
    // This test is compiled as the crate is.
    assert_eq!(debugging.len(), if cfg!(debug_assertions) { 4 } else { 0 });
    let expected = [
        "Note: the images are whole numbers up to 255 as floats, which are not scaled: divide them by 255, or give them as \
         bytes (u8), which the model scales.",
        "Note: the validation split takes the last 10 examples, so that the model is validated on none of class 0. If \
         the data are sorted, shuffle them first.",
        "Note: the validation split takes the last 20 examples, so that the model is trained on no example of class 1, and is \
         validated on none of class 0. If the data are sorted, shuffle them first.",
    ];
    assert_eq!(others, expected);
}

#[test]
fn faults_of_validation_data_are_told_from_those_of_the_others() {
    let (x, y) = (images(24), labels(24));
    let mut nan = images(5);
    nan[[1, 2, 3, 0]] = f32::NAN;
    let (few, wrong) = (labels(4), [0, 1, 2, 9, 0]);
    let refused = |config: FitConfig<'_>| model().fit((&x, &y), config).unwrap_err().to_string();
    let start = "in the validation data: ";
    for (x, y) in [(&nan, &labels(5)[..]), (&images(5), &few[..]), (&images(5), &wrong[..])] {
        let alone = model().evaluate((x, y)).unwrap_err().to_string();
        assert_eq!(refused(quiet().validation_data((x, y))), format!("{start}{alone}"));
    }
}

#[test]
fn nothing_is_printed_where_nothing_is_wanted() {
    assert_eq!(printed(0), "");
}

#[test]
fn a_pipe_gets_plain_lines_for_each_epoch() {
    let history = print(0);
    for verbose in [1, 2] {
        let text = printed(verbose);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[2]), (4, "Epoch 1/2", "Epoch 2/2"), "{text}");
        for (line, epoch) in [lines[1], lines[3]].into_iter().zip(&history.epochs) {
            let [steps, seconds, per_step, scores @ ..] = &line.split(" - ").collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            assert_eq!(*steps, "3/3");
            assert!(seconds.strip_suffix('s').is_some_and(|seconds| seconds.parse::<f64>().is_ok()), "{line}");
            assert!(per_step.strip_suffix("ms/step").is_some_and(|time| time.parse::<f64>().is_ok()), "{line}");
            let validation = epoch.validation.as_ref().unwrap();
            let expected = [
                format!("accuracy: {:.4}", epoch.training.accuracy().unwrap()),
                format!("loss: {:.4}", epoch.training.loss),
                format!("val_accuracy: {:.4}", validation.accuracy().unwrap()),
                format!("val_loss: {:.4}", validation.loss),
            ];
            assert_eq!(scores, expected);
        }
    }
}
