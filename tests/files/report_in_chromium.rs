//! The page and the drawings in a real browser: nothing is missing, cut off or on top of something else, on a wide
//! screen, on a phone, in the dark.
//!
//! `INKSTONE_CHROMIUM` names the browser, otherwise `chromium` is looked for. Without one nothing is tested, which is
//! said on stderr; with `INKSTONE_REQUIRE_CHROMIUM=1` that is a failure.
#![cfg(feature = "plot")]

use inkstone::data::synthetic;
use inkstone::ndarray::{Array2, Array4};
use inkstone::prelude::*;
use inkstone::{Epoch, EvaluationReport, History, Metric, Scores, report};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The browser, if there is one.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("INKSTONE_CHROMIUM").map(PathBuf::from);
    let on_path = || {
        let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
        let files = ["chromium", "chromium-browser", "google-chrome"];
        files.iter().flat_map(|file| folders.iter().map(move |folder| folder.join(file))).find(|path| path.is_file())
    };
    let found = named.or_else(on_path);
    if found.is_none() {
        let required = std::env::var("INKSTONE_REQUIRE_CHROMIUM").is_ok_and(|value| value == "1");
        assert!(!required, "INKSTONE_REQUIRE_CHROMIUM=1, and there is no Chromium: set INKSTONE_CHROMIUM to one");
        eprintln!("NOT TESTED in a browser: there is no `chromium` on the path, and INKSTONE_CHROMIUM is not set");
    }
    found
}

/// Opens a page without a window. The console must stay empty.
fn open(browser: &Path, page: &Path, arguments: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(arguments);
    let output = command.arg(format!("file://{}", page.display())).output().expect("the browser starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:#?}");
    output
}

/// What `measure.js` finds on a page: its lines.
fn measured(browser: &Path, page: &Path, arguments: &[&str]) -> Vec<String> {
    let content = std::fs::read_to_string(page).unwrap();
    let (start, end) = content.rsplit_once("</body>").unwrap();
    let copy = page.with_extension("measured.html");
    std::fs::write(&copy, format!("{start}<script>{}</script></body>{end}", include_str!("../common/measure.js")))
        .unwrap();
    let mut all = vec!["--dump-dom"];
    all.extend_from_slice(arguments);
    let dom = String::from_utf8(open(browser, &copy, &all).stdout).unwrap();
    let (_, found) = dom.split_once("<pre id=\"measured\">").expect("the script has run");
    found.split("</pre>").next().unwrap().lines().map(str::to_owned).collect()
}

/// Fails if words are cut off or overlap, or the page is wider than the screen.
#[track_caller]
fn check_words(found: &[String]) {
    let faults: Vec<&String> =
        found.iter().filter(|line| line.starts_with("clipped") || line.starts_with("overlapping")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let page = found.iter().find_map(|line| line.strip_prefix("page ")).unwrap();
    let (content, screen) = page.split_once(' ').unwrap();
    assert_eq!(content, screen, "the page is as wide as the screen");
}

/// The colours of a screenshot, with how often each is there.
fn colors(file: &Path) -> BTreeMap<[u8; 3], usize> {
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let mut colors = BTreeMap::new();
    for pixel in pixels.chunks_exact(info.color_type.samples()) {
        *colors.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
    }
    colors
}

#[test]
fn the_page_opens_on_every_screen() {
    let Some(browser) = browser() else { return };
    let (train, test) = (synthetic::digits(300, 1).unwrap(), synthetic::digits(200, 2).unwrap());
    let layers = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax))
        .seed(1);
    let mut model = layers.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let history = model.fit(&train, FitConfig::new().epochs(2).validation_data(&test).verbose(0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    report::write(&page, &model, &history, &test).unwrap();
    for window in ["--window-size=1280,900", "--window-size=500,900"] {
        let found = measured(&browser, &page, &[window]);
        check_words(&found);
        for part in ["curves", "classes", "confusion", "mistakes", "calibration", "filters", "summary", "settings"] {
            let start = format!("size section {part} ");
            let size = found.iter().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {part}"));
            let sides: Vec<usize> = size.split(' ').map(|side| side.parse().unwrap()).collect();
            assert!(sides[0] > 400 && sides[1] > 100, "{part}: {sides:?} in {window}");
        }
        assert_eq!(found.iter().filter(|line| line.starts_with("size svg")).count(), 4);
    }
    for (dark, paper) in [
        ("--blink-settings=preferredColorScheme=1", [255; 3]),
        ("--blink-settings=preferredColorScheme=0", [0x14, 0x17, 0x1B]),
    ] {
        let file = folder.path().join("screen.png");
        open(&browser, &page, &[dark, "--window-size=1280,4000", &format!("--screenshot={}", file.display())]);
        let colors = colors(&file);
        let all: usize = colors.values().sum();
        let background = colors.get(&paper).copied().unwrap_or_default();
        assert!(background > all / 2 && background < all - all / 20, "{background} of {all} pixels are {paper:?}");
        assert!(colors.len() > 100, "the page has {} colours", colors.len());
    }
}

#[test]
fn the_check_sees_words_that_are_cut_off_or_overlap() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("faults.html");
    let words = |x: i32, y: i32, words: &str| format!("<text x=\"{x}\" y=\"{y}\">{words}</text>");
    let drawing = [words(10, 20, "one"), words(20, 22, "two"), words(80, 60, "three"), words(10, 80, "four")].concat();
    let svg = format!("<svg width=\"100\" height=\"100\">{drawing}</svg><p style=\"width: 2000px\">wide</p>");
    std::fs::write(&page, format!("<!DOCTYPE html><html><body>{svg}</body></html>")).unwrap();
    let found = measured(&browser, &page, &["--window-size=800,600"]);
    let faults: Vec<&String> =
        found.iter().filter(|line| !line.starts_with("size") && !line.starts_with("page")).collect();
    assert_eq!(faults, ["clipped three", "overlapping one | two"]);
    assert!(found.iter().any(|line| line == "page 2008 800"), "{found:?}");
}

/// A report on `classes` classes with names of this length.
fn awkward_report(classes: usize, letters: usize) -> EvaluationReport {
    let labels: Vec<usize> = (0..16 * classes).map(|example| example % classes).collect();
    let probabilities = Array2::from_shape_fn((labels.len(), classes), |(example, class)| {
        let predicted = if example % 5 == 4 { (example * 7 + 3) % classes } else { labels[example] };
        let sure = 0.5 + 0.5 * (example as f32 / labels.len() as f32);
        if class == predicted { sure } else { (1.0 - sure) / (classes - 1) as f32 }
    });
    let name =
        |class: usize| if letters == 0 { class.to_string() } else { "WM".repeat(letters / 2) + &class.to_string() };
    EvaluationReport::new(&labels, probabilities.view()).unwrap().class_names((0..classes).map(name)).unwrap()
}

fn awkward_history(epochs: usize, largest: f64) -> History {
    let scores = |epoch: usize, of: f64| {
        let accuracy = 1.0 - 0.3 * of / (epoch + 1) as f64;
        Scores::new(largest * of / (epoch + 1) as f64, vec![(Metric::Accuracy, accuracy)])
    };
    let epoch = |epoch| Epoch {
        training: scores(epoch, 1.0),
        validation: Some(scores(epoch, 0.7)),
        learning_rate: 0.001 / (epoch + 1) as f32,
        seconds: 1.0,
        logged: Vec::new(),
    };
    History { epochs: (0..epochs).map(epoch).collect() }
}

#[test]
fn no_word_of_a_drawing_is_cut_off_or_hidden() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawing.svg");
    let mut page = "<!DOCTYPE html><html><body style=\"width: 6000px\">".to_owned();
    let mut add = |written: inkstone::Result<()>| {
        written.unwrap();
        writeln!(page, "{}", std::fs::read_to_string(&file).unwrap()).unwrap();
    };
    for (epochs, largest) in [(1, 1.0), (3, 0.4), (12, 30.0), (45, 1e5), (1000, 1e-7), (7, 3e20)] {
        add(awkward_history(epochs, largest).plot(&file));
    }
    for (classes, letters) in
        [(2, 0), (2, 30), (4, 4), (10, 0), (10, 12), (26, 0), (26, 30), (40, 3), (100, 0), (100, 8), (300, 0)]
    {
        let report = awkward_report(classes, letters);
        add(report.confusion_matrix().plot(&file));
        add(report.calibration().plot(&file));
    }
    for (classes, letters, channels) in [(2, 0, 1), (10, 30, 3)] {
        let report = awkward_report(classes, letters);
        let images = Array4::from_shape_fn((16 * classes, 9, 30, channels), |(n, y, x, _)| ((n + y * x) % 256) as u8);
        add(report.plot_mistakes(&file, &images, 20));
    }
    for (size, channels) in [((3, 3), 1), ((5, 2), 3), ((1, 1), 7)] {
        let layers =
            Sequential::new([8, 8, channels]).add(Conv2D::new(70, size)).add(Flatten::new()).add(Dense::new(1));
        add(layers.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap().plot_filters(&file));
    }
    page += "</body></html>";
    let all = folder.path().join("all.html");
    std::fs::write(&all, page).unwrap();
    let found = measured(&browser, &all, &["--window-size=6100,900"]);
    check_words(&found);
    assert_eq!(found.iter().filter(|line| line.starts_with("size svg")).count(), 6 + 22 + 2 + 3);
}
