//! Downloads through the public API: a process whose only mirror is a server on this machine with the real files, if
//! `INKSTONE_DATA` has them. What servers can do wrong is tested beside the code.
#![cfg(feature = "download")]

use inkstone::data::mnist;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
#[ignore = "no test of its own: `start` runs it in a process with other variables"]
fn child_that_loads_data() {
    match mnist::load_data() {
        Ok((train, test)) => println!("<<<loaded {} and {}>>>", train.len(), test.len()),
        Err(error) => println!("<<<{error}>>>"),
    }
}

/// A process that loads MNIST from this folder or this mirror.
fn start(folder: &Path, mirror: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "download::child_that_loads_data", "--ignored", "--nocapture"])
        .current_dir(folder)
        .env("INKSTONE_DATA", folder)
        .env("INKSTONE_MIRROR", mirror)
        .env_remove("INKSTONE_OFFLINE")
        // No mirror but this machine is reached, even where there is a network.
        .envs([("http_proxy", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What it said.
fn said(child: Child) -> String {
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let said = output.split_once("<<<").and_then(|(_, rest)| rest.split_once(">>>"));
    said.unwrap_or_else(|| panic!("the child said {output}")).0.to_owned()
}

/// The real files; without them tests say that they are skipped, or fail where they must be there.
fn real_files() -> Option<PathBuf> {
    let folder = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        assert!(std::env::var_os("INKSTONE_REQUIRE_MNIST").is_none(), "INKSTONE_REQUIRE_MNIST is set");
        println!("skipped: set INKSTONE_DATA to the MNIST folder");
    }
    folder
}

/// A server for a folder that waits this long after every 64 KiB.
fn serve(folder: PathBuf, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder) = (stream.unwrap(), folder.clone());
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.find(String::is_empty);
                let name = first.split_whitespace().nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
                let body = fs::read(folder.join(&name)).unwrap_or_else(|_| panic!("asked for {name}"));
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes());
                for part in body.chunks(1 << 16) {
                    if stream.write_all(part).is_err() {
                        return;
                    }
                    thread::sleep(pause);
                }
            });
        }
    });
    address
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const FILES: [&str; 4] = [
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
];

#[test]
fn two_processes_at_once_fetch_mnist_and_a_third_needs_no_network() {
    let Some(real) = real_files() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mirror = serve(real, Duration::ZERO);
    let both = [start(folder.path(), &mirror), start(folder.path(), &mirror)];
    assert_eq!(both.map(said), ["loaded 60000 and 10000", "loaded 60000 and 10000"]);
    assert_eq!(listing(folder.path()), FILES);
    assert_eq!(said(start(folder.path(), "http://127.0.0.1:9")), "loaded 60000 and 10000");
}

#[test]
fn only_what_is_missing_is_fetched() {
    let Some(real) = real_files() else { return };
    let folder = tempfile::tempdir().unwrap();
    for file in &FILES[..3] {
        fs::copy(real.join(file), folder.path().join(file)).unwrap();
    }
    // This server has nothing but the file that is missing: asked for another, it answers nothing.
    let served = tempfile::tempdir().unwrap();
    fs::copy(real.join(FILES[3]), served.path().join(FILES[3])).unwrap();
    let mirror = serve(served.path().to_owned(), Duration::ZERO);
    assert_eq!(said(start(folder.path(), &mirror)), "loaded 60000 and 10000");
}

#[test]
fn a_process_that_is_killed_leaves_nothing_that_is_believed() {
    let Some(real) = real_files() else { return };
    let folder = tempfile::tempdir().unwrap();
    let slow = serve(real.clone(), Duration::from_millis(50));
    let mut child = start(folder.path(), &slow);
    let begun = Instant::now();
    let part = || listing(folder.path()).into_iter().find(|name| name.ends_with(".part"));
    while part().is_none_or(|name| fs::metadata(folder.path().join(name)).is_ok_and(|part| part.len() < 1 << 17)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the download began");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = listing(folder.path());
    assert!(left.len() == 1 && left[0].ends_with(".part"), "{left:?}");
    assert_eq!(said(start(folder.path(), &serve(real, Duration::ZERO))), "loaded 60000 and 10000");
}

#[test]
fn without_a_network_every_mirror_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = said(start(folder.path(), "http://127.0.0.1:9/own/ http://127.0.0.1:9/other"));
    let start = "MNIST: train-images-idx3-ubyte.gz could not be downloaded:\n  \
                 http://127.0.0.1:9/own/train-images-idx3-ubyte.gz: io: ";
    assert!(text.starts_with(start) && text.contains("\n  http://127.0.0.1:9/other/train-images"), "{text}");
    assert!(text.contains("\n  http://ossci-datasets.s3.amazonaws.com/mnist/train-images"), "{text}");
    assert!(listing(folder.path()).is_empty());
}
