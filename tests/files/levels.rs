//! Files stay small, and what they use points down only: each file of the crate may use its own level and those below
//! it, by imports and by the methods that it calls. Inherent methods need no import: an `impl Model` of a higher level
//! may be called from below without a line that shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The levels of ARCHITECTURE.md, from the ground up; a folder counts as the file of its name.
const LEVELS: [&[&str]; 15] = [
    &["clock", "cutting", "error", "fixture", "random", "setters", "shape", "short_floats", "user_object", "wire"],
    &["accounting", "aligned", "data", "distributed", "protect", "simd", "whole_file"],
    &["kernels", "ops"],
    &["program"],
    &["layers"],
    &["plan"],
    &["exec", "loss", "optimizer"],
    &["history", "metrics", "objective", "summary", "train"],
    &["model"],
    &["evaluation", "functional", "membership", "pretrained", "quantized", "sequential", "testing"],
    &["models", "saving"],
    &["keras", "onnx", "predictor", "report", "training"],
    &["callbacks"],
    &["fit", "gan"],
    &["custom", "lib", "prelude", "privacy"],
];

/// Modules of one level that use each other in a circle. There are none, and it stays so.
const CIRCLES: &[&[&str]] = &[];

/// Methods of ours that types of other crates have too: a call of one says nothing.
const COMMON: &[&str] = &[
    "all",
    "append",
    "chain",
    "clear",
    "collect",
    "columns",
    "count",
    "data",
    "end",
    "filter",
    "first",
    "flush",
    "get",
    "get_mut",
    "height",
    "insert",
    "is_empty",
    "iter",
    "join",
    "last",
    "len",
    "limits",
    "lines",
    "load",
    "lock",
    "map",
    "max",
    "mode",
    "push",
    "read",
    "skip",
    "split_at",
    "start",
    "sum",
    "take",
    "update",
    "write_header",
];

/// The most lines of a file.
const MAX_LINES: usize = 400;

fn level(module: &str) -> usize {
    let found = LEVELS.iter().position(|modules| modules.contains(&module));
    found.unwrap_or_else(|| panic!("`{module}` has no level: add it to tests/files/levels.rs and ARCHITECTURE.md"))
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every Rust file below a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn add(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    add(&path, files);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    add(&root().join(folder), &mut files);
    files.sort();
    files
}

#[test]
fn no_file_has_more_than_400_lines() {
    let files: Vec<PathBuf> = ["src", "tests", "examples", "benches", "distributed", "fuzz", "serve"]
        .into_iter()
        .flat_map(rust_files)
        .collect();
    assert!(files.len() > 200, "only {} files were found", files.len());
    for path in files {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines, expected at most {MAX_LINES}: split it by subject",
            path.display()
        );
    }
}

/// A file of the crate.
struct Source {
    path: PathBuf,
    /// The file or folder of `src` that it belongs to.
    module: String,
    /// Its lines without comments and unit tests.
    code: Vec<String>,
}

impl Source {
    fn new(module: &str, text: &str, path: PathBuf) -> Self {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        // Between backticks, errors tell users what to call.
        let code = code.map(|line| line.split('`').step_by(2).collect()).collect();
        Self { module: module.to_owned(), code, path }
    }

    fn level(&self) -> usize {
        level(&self.module)
    }

    /// The modules of the crate that its imports and paths name.
    fn imports(&self) -> Vec<String> {
        // What macros name on their users' side is no import.
        let lines: Vec<String> = self.code.iter().map(|line| line.replace("$crate::", "")).collect();
        let imports = lines.iter().flat_map(|line| line.split("crate::").skip(1));
        let names: Vec<String> = imports.map(|import| name_at(import).to_owned()).collect();
        assert!(!names.contains(&String::new()), "{}: one `use crate::` line for each module", self.path.display());
        names
    }

    /// The functions of its `impl` blocks that are no trait's, each with the block's type.
    fn inherent_functions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut of: Option<(String, String)> = None;
        for line in &self.code {
            let indent = line.len() - line.trim_start().len();
            let text = line.trim_start();
            if let Some((end, kind)) = &of {
                if line == end {
                    of = None;
                } else if let Some(name) = function(text) {
                    found.push((kind.clone(), name.to_owned()));
                }
            } else if text.starts_with("impl") && !text.contains(" for ") && text.ends_with('{') {
                of = Some((format!("{}}}", " ".repeat(indent)), implemented(text).to_owned()));
            }
        }
        found
    }
}

/// Who defines what.
#[derive(Default)]
struct Definitions {
    /// The modules that have a function of this name, whatever it belongs to.
    functions: BTreeMap<String, BTreeSet<String>>,
    /// The names of inherent functions.
    inherent: BTreeSet<String>,
    /// The modules that have this function of this type, in an `impl` block.
    of_type: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Definitions {
    fn new(sources: &[Source]) -> Self {
        let mut all = Self::default();
        for source in sources {
            let module = || source.module.clone();
            for name in source.code.iter().filter_map(|line| function(line.trim_start())) {
                all.functions.entry(name.to_owned()).or_default().insert(module());
            }
            for (kind, name) in source.inherent_functions() {
                all.inherent.insert(name.clone());
                all.of_type.entry((kind, name)).or_default().insert(module());
            }
        }
        all
    }

    /// For each call of an inherent function of another module in a file: its name, and the modules that may have been
    /// meant.
    fn calls(&self, source: &Source) -> Vec<(String, &BTreeSet<String>)> {
        let mut calls = Vec::new();
        for line in &source.code {
            for (dot, _) in line.match_indices('.') {
                let name = name_at(&line[dot + 1..]);
                let is_call = ["(", "::<"].iter().any(|after| line[dot + 1 + name.len()..].starts_with(after));
                if is_call && self.inherent.contains(name) && !COMMON.contains(&name) {
                    calls.push((name.to_owned(), &self.functions[name]));
                }
            }
            for (colons, _) in line.match_indices("::") {
                let kind = line[..colons].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                let name = name_at(&line[colons + 2..]);
                if let Some(modules) = self.of_type.get(&(kind.to_owned(), name.to_owned())) {
                    calls.push((format!("{kind}::{name}"), modules));
                }
            }
        }
        calls.retain(|(_, modules)| !modules.contains(&source.module));
        calls
    }
}

/// Calls of methods that only higher levels define.
fn upward_calls(sources: &[Source]) -> Vec<String> {
    let definitions = Definitions::new(sources);
    let upward = |source: &Source| {
        let calls = definitions.calls(source).into_iter();
        let calls = calls.filter(|(_, modules)| modules.iter().all(|module| level(module) > source.level()));
        let said = calls.map(|(name, modules)| format!("{} calls {name} of {modules:?}", source.path.display()));
        said.collect::<Vec<String>>()
    };
    sources.iter().flat_map(upward).collect()
}

/// The sets of modules of one level that use each other in a circle, by imports or calls.
fn circles(sources: &[Source]) -> BTreeSet<Vec<String>> {
    let definitions = Definitions::new(sources);
    let mut reached: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let only = |modules: &BTreeSet<String>| if modules.len() == 1 { modules.first().cloned() } else { None };
        let called = definitions.calls(source).into_iter().filter_map(|(_, modules)| only(modules));
        let used = source.imports().into_iter().chain(called);
        let used = used.filter(|module| *module != source.module && level(module) == source.level());
        reached.entry(source.module.clone()).or_default().extend(used);
    }
    // As many rounds as there are modules make paths of every length.
    for _ in 0..reached.len() {
        for module in reached.keys().cloned().collect::<Vec<_>>() {
            let further = reached[&module].iter().filter_map(|next| reached.get(next)).flatten().cloned();
            let further: Vec<String> = further.collect();
            reached.get_mut(&module).unwrap().extend(further);
        }
    }
    let mutual = |a: &String, b: &String| reached[a].contains(b) && reached[b].contains(a);
    let circle = |module: &String| reached.keys().filter(|other| mutual(module, other)).cloned().collect();
    reached.keys().map(circle).filter(|circle: &Vec<String>| !circle.is_empty()).collect()
}

/// The name that a text starts with.
fn name_at(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
}

/// The type in `impl<'a> Type<'a> {`.
fn implemented(text: &str) -> &str {
    let text = text.strip_prefix("impl").unwrap();
    let mut depth = 0;
    let start = text.find(|c: char| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0 && c.is_alphabetic()
    });
    let path = text[start.unwrap()..].split(['<', ' ']).next().unwrap();
    path.rsplit("::").next().unwrap()
}

/// The name of the function that a line declares.
fn function(text: &str) -> Option<&str> {
    let (before, after) = text.split_once("fn ")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    before.split_whitespace().all(|word| modifiers.contains(&word)).then(|| name_at(after))
}

/// The crate's files, unit tests left out.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    for path in rust_files("src") {
        let inside = path.strip_prefix(&src).unwrap().to_owned();
        let names: Vec<&str> = inside.iter().map(|name| name.to_str().unwrap().trim_end_matches(".rs")).collect();
        if names.contains(&"tests") {
            continue;
        }
        sources.push(Source::new(names[0], &fs::read_to_string(&path).unwrap(), path));
    }
    sources
}

#[test]
fn no_file_imports_from_a_higher_level() {
    let mut checked = 0;
    for source in sources() {
        for target in source.imports() {
            checked += 1;
            assert!(
                level(&target) <= source.level(),
                "{} (level {}) uses crate::{target} (level {}): imports point down only",
                source.path.display(),
                source.level(),
                level(&target)
            );
        }
    }
    assert!(checked > 100, "only {checked} imports were found: does the test still read the code?");
}

#[test]
fn no_file_calls_a_method_that_a_higher_level_defines() {
    let sources = sources();
    let definitions = Definitions::new(&sources);
    let seen: usize = sources.iter().map(|source| definitions.calls(source).len()).sum();
    assert!(seen > 500, "only {seen} calls were found: does the test still read the code?");
    let found = upward_calls(&sources);
    assert!(
        found.is_empty(),
        "{found:#?}: calls point down only; a method that types of other crates have as well goes into COMMON"
    );
}

#[test]
fn no_modules_of_a_level_use_each_other_in_a_circle() {
    let expected: BTreeSet<Vec<String>> =
        CIRCLES.iter().map(|circle| circle.iter().map(|module| (*module).to_owned()).collect()).collect();
    assert_eq!(circles(&sources()), expected, "found on the left, known on the right");
}

/// What slipped through once: the methods were in `impl` blocks of higher levels, so that no import told of them.
#[test]
fn methods_defined_above_are_seen_without_an_import() {
    let source = |module: &str, text: &str| Source::new(module, text, module.into());
    let saving = "impl<'a> Model {\n    pub(crate) fn write_checkpoint(&self) {}\n}\n";
    let found = |train: &str| upward_calls(&[source("saving", saving), source("train", train)]);
    assert_eq!(found("fn f() {\n    model.write_checkpoint();\n}\n"), ["train calls write_checkpoint of {\"saving\"}"]);
    assert_eq!(found("    Model::write_checkpoint(&model)"), ["train calls Model::write_checkpoint of {\"saving\"}"]);
    assert!(found("// model.write_checkpoint()\nfn write_checkpoint() {}").is_empty());

    let predictor = "impl Model {\n    pub fn into_predictor(self) {}\n}\nuse crate::training::Training;";
    let training = source("training", "model.into_predictor();");
    let found = circles(&[source("predictor", predictor), training, source("onnx", "use crate::predictor::Scratch;")]);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [["predictor", "training"]]);
}
