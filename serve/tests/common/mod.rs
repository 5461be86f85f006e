//! A server for a test: started with a port of its own, killed when it is dropped.
// Each test file is a program, and uses some of this.
#![allow(dead_code)]

use inkstone::prelude::*;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A model for pictures of (28, 28, 1) and ten classes, untrained: what it predicts depends on the seed.
pub(crate) fn digits(seed: u64) -> Model {
    let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax)).seed(seed);
    described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).expect("a model of two layers")
}

/// A server, and what it has logged.
pub(crate) struct Server {
    /// As `http://127.0.0.1:40123`.
    pub(crate) url: String,
    child: Child,
    logs: Arc<Logs>,
}

/// The lines of the standard error.
#[derive(Default)]
struct Logs {
    text: Mutex<String>,
    grown: Condvar,
}

impl Server {
    /// Serves the models that are in a folder, with more arguments, and waits until all of them are loaded.
    pub(crate) fn of(folder: &Path, arguments: &[&str]) -> Self {
        let server = Self::start([folder.as_os_str()].into_iter().chain(arguments.iter().map(OsStr::new)));
        server.wait_until_ready();
        server
    }

    /// Starts a server with these arguments and `--listen 127.0.0.1:0`, and waits until it listens.
    pub(crate) fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_inkstone-serve"))
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .env_remove("INKSTONE_SERVE_LISTEN")
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let logs = Arc::new(Logs::default());
        let (lines, written) = (BufReader::new(child.stderr.take().expect("a pipe")).lines(), logs.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *written.text.lock().unwrap() += &(line + "\n");
                written.grown.notify_all();
            }
        });
        let mut server = Self { url: String::new(), child, logs };
        let line = server.wait_for_log("listening on ");
        server.url = line.rsplit("listening on ").next().expect("an address").trim_end_matches(['"', '}']).to_owned();
        server
    }

    /// Waits until every model is loaded.
    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        self.wait_for("a server that is ready", || ureq::get(self.at("/v2/health/ready")).call().is_ok());
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}:\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a line with this in it was logged, and gives that line.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, part: &str) -> String {
        let text = self.logs.text.lock().unwrap();
        let is_missing = |text: &mut String| !text.lines().any(|line| line.contains(part));
        let (text, _) = self.logs.grown.wait_timeout_while(text, PATIENCE, is_missing).unwrap();
        let line = text.lines().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("expected `{part}` in the logs, found:\n{text}")).to_owned()
    }

    /// An address of this server.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `127.0.0.1:40123`.
    pub(crate) fn address(&self) -> &str {
        self.url.rsplit('/').next().expect("an address")
    }

    /// What was logged so far.
    pub(crate) fn logs(&self) -> String {
        self.logs.text.lock().unwrap().clone()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, as service managers do.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server did not end:\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
