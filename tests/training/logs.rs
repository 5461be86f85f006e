//! The numbers of a training in files and histories, and those that callbacks add to them.

use inkstone::callbacks::{CsvLogger, EarlyStopping, LambdaCallback, Mode, ModelCheckpoint};
use inkstone::prelude::*;
use inkstone::{Error, History, Metric, Model};
use ndarray::Array4;
use std::fs;
use std::time::{Duration, Instant};

fn model_with(metrics: impl IntoIterator<Item = Metric>) -> Model {
    Sequential::new([2, 2, 1])
        .add(Flatten::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), metrics)
        .unwrap()
}

fn model() -> Model {
    model_with([Accuracy])
}

fn dataset() -> Dataset {
    Dataset::from_bytes(Array4::from_elem((8, 2, 2, 1), 7), (0..8).map(|n| n % 2).collect()).unwrap()
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().batch_size(4).verbose(0)
}

#[test]
fn lines_that_are_added_follow_the_header_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let logger = || CsvLogger::new(&path).append(true);
    let train = dataset();
    // With validation data, then without: what is missing is NA. The last line had no end, as that of a crash.
    model().fit(&train, quiet().validation_data(&train).callback(logger())).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end()).unwrap();
    let history = model().fit(&train, quiet().callback(logger())).unwrap();
    let added = format!("0,{},{},NA,NA", history.get("accuracy").unwrap()[0], history.losses()[0]);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}{added}\n"));
    assert!(text.starts_with("epoch,accuracy,loss,val_accuracy,val_loss\n"));
    // Columns in another order, and line ends of Windows.
    fs::write(&path, "epoch,loss,accuracy\r\n").unwrap();
    let history = model().fit(&train, quiet().callback(logger())).unwrap();
    let added = format!("0,{},{}\n", history.losses()[0], history.get("accuracy").unwrap()[0]);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("epoch,loss,accuracy\r\n{added}"));
}

#[test]
fn a_header_without_a_place_for_a_value_is_refused_and_the_file_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let train = dataset();
    let headers =
        ["epoch,accuracy,loss", "epoch;accuracy;loss;val_accuracy;val_loss", "loss,accuracy", "no log at all", "\n"];
    for header in headers {
        fs::write(&path, format!("{header}\n")).unwrap();
        let config = quiet().validation_data(&train).callback(CsvLogger::new(&path).append(true));
        let mut model = model();
        let error = model.fit(&train, config).unwrap_err();
        assert!(matches!(error, Error::Callback(_)));
        let expected = format!(
            "{}: expected a log with the columns epoch,accuracy,loss,val_accuracy,val_loss, found {}: write to another file, or \
             do not append",
            path.display(),
            header.trim_end()
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!((fs::read_to_string(&path).unwrap(), model.steps()), (format!("{header}\n"), 0));
    }
}

#[test]
fn a_separator_that_values_contain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for separator in ['e', '1', '.', '-', '_', '"', '\n'] {
        let config = quiet().callback(CsvLogger::new(folder.path().join("log.csv")).separator(separator));
        let error = model().fit(&dataset(), config).unwrap_err().to_string();
        let expected = "a character that names and numbers do not have, such as , or ;";
        assert_eq!(error, format!("separator must be {expected}, got {separator:?}"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_to_an_open_file_follows_what_is_there() {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsRawFd;
    // As `/dev/stdout` of a program whose output goes to a file, and that has printed something.
    let mut output = tempfile::tempfile().unwrap();
    output.write_all(b"printed before\n").unwrap();
    let path = format!("/proc/self/fd/{}", output.as_raw_fd());
    model().fit(&dataset(), quiet().callback(CsvLogger::new(path))).unwrap();
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("printed before\nepoch,accuracy,loss\n0,"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_log_can_be_added_to_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let reader = std::thread::spawn({
        let path = path.clone();
        move || fs::read_to_string(path).unwrap()
    });
    let backup = BackupAndRestore::new(folder.path().join("backup"));
    let config = quiet().epochs(2).callback(CsvLogger::new(&path).append(true)).backup(backup);
    model().fit(&dataset(), config).unwrap();
    let text = reader.join().unwrap();
    assert_eq!((text.lines().next(), text.lines().count()), (Some("epoch,accuracy,loss"), 3));
}

#[test]
fn a_value_that_a_callback_logs_is_monitored_written_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let values = [0.5, 0.75, 0.25, 0.125];
    // Not in the first epoch: the file has NA there.
    let score = || {
        LambdaCallback::new().logs(["score", "late"]).on_epoch_end(move |epoch, _, training| {
            training.log("score", -1.0)?;
            training.log("score", values[epoch])?;
            if epoch > 0 { training.log("late", 2.0) } else { Ok(()) }
        })
    };
    let stopping = || EarlyStopping::new("score").mode(Mode::Max).patience(2);
    let best = folder.path().join("{score:.2f}.safetensors");
    let best = || ModelCheckpoint::new(&best).monitor("score").mode(Mode::Max).save_best_only(true);
    let config =
        quiet().epochs(9).callback(score()).callback(stopping()).callback(best()).callback(CsvLogger::new(&path));
    let mut trained = model();
    let history = trained.fit(&dataset(), config).unwrap();
    assert_eq!(history.get("score").unwrap(), values);
    assert_eq!(history.get("late").unwrap(), [2.0; 3]);
    assert_eq!(history.names(), ["accuracy", "loss", "score", "late", "learning_rate"]);
    assert_eq!(*trained.history(), history);
    let text = fs::read_to_string(&path).unwrap();
    let column = |index| text.lines().map(|line| line.split(',').nth(index).unwrap()).collect::<Vec<_>>();
    assert_eq!(column(2), ["late", "NA", "2", "2", "2"]);
    assert_eq!(column(4), ["score", "0.5", "0.75", "0.25", "0.125"]);
    assert!(folder.path().join("0.75.safetensors").exists() && !folder.path().join("0.25.safetensors").exists());

    let refusal = |config: FitConfig<'_>| model().fit(&dataset(), config).unwrap_err().to_string();
    // Still told before the first epoch: a typo, and a direction that nobody knows.
    assert_eq!(
        refusal(quiet().callback(score()).callback(EarlyStopping::new("scor"))),
        "the value to monitor must be one of accuracy, loss, score, late, got scor"
    );
    assert_eq!(
        refusal(quiet().callback(score()).callback(EarlyStopping::new("score"))),
        "which way score gets better is not known, as a callback logs it: set the mode to `Mode::Min` or `Mode::Max`"
    );
    // The order matters, and every epoch needs a value.
    assert_eq!(
        refusal(quiet().callback(stopping()).callback(score())),
        "the logs have no score, they have accuracy, loss: a callback that logs it in each epoch must come before"
    );
    let undeclared = || LambdaCallback::new().on_epoch_end(|_, _, training| training.log("scores", 1.0));
    assert_eq!(
        refusal(quiet().callback(undeclared())),
        "a callback logs scores, callbacks have declared none: return the name from its `log_names`"
    );
    for name in ["loss", "epoch", "learning_rate"] {
        assert_eq!(
            refusal(quiet().callback(LambdaCallback::new().logs([name]))),
            format!("a callback declares the name {name:?} for the logs, which they have already: choose another one")
        );
    }
    assert_eq!(
        refusal(quiet().callback(LambdaCallback::new().logs(["a,b"]))),
        "a callback declares the name \"a,b\" for the logs, expected letters, digits and _-./@"
    );
}

#[test]
fn a_history_names_what_it_has_and_is_a_table_and_a_file_of_values() {
    let train = dataset();
    let history = model().fit(&train, quiet().epochs(2).validation_data(&train)).unwrap();
    let error = history.get("val_acc").unwrap_err();
    assert!(matches!(error, Error::Data(_)));
    assert_eq!(
        error.to_string(),
        "the history has no val_acc, it has accuracy, loss, val_accuracy, val_loss, learning_rate"
    );
    assert_eq!(History::default().get("loss").unwrap(), [0.0; 0]);

    let csv = history.to_csv();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0].join(","), "epoch,accuracy,loss,val_accuracy,val_loss,learning_rate,seconds");
    for (epoch, line) in lines[1..].iter().enumerate() {
        assert_eq!(line[0], epoch.to_string());
        for (column, name) in lines[0].iter().enumerate().skip(1).take(5) {
            let expected = if *name == "learning_rate" { 0.1 } else { history.get(name).unwrap()[epoch] };
            assert_eq!(line[column].parse::<f64>().unwrap(), expected, "{name}");
        }
    }
    assert_eq!(lines.len(), 3);

    let table = history.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "epoch  accuracy    loss  val_accuracy  val_loss  learning_rate");
    let row = |epoch: usize| {
        let value = |name| history.get(name).unwrap()[epoch - 1];
        let (accuracy, loss, rate) = (value("accuracy"), value("loss"), value("learning_rate"));
        let (val_accuracy, val_loss) = (value("val_accuracy"), value("val_loss"));
        format!("{epoch:>5}  {accuracy:>8.4}  {loss:.4}  {val_accuracy:>12.4}  {val_loss:>8.4}  {rate:>13.4}")
    };
    assert_eq!(lines[1..], [row(1), row(2)]);
}

#[test]
fn many_metrics_take_no_more_time_than_their_number() {
    let train = dataset();
    let mut model = model_with(vec![Accuracy; 75_000]);
    let start = Instant::now();
    let history = model.fit(&train, quiet()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(history.epochs[0].training.names()[74_999], "accuracy_74999");
}
