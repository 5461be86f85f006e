//! Many requests: what is too much is told so, memory stays flat, and a stop loses nothing.

mod common;

use common::{Server, digits};
use inkstone::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// Numbers as nested lists.
fn body(examples: usize) -> String {
    let row = format!("[{}]", vec!["[0.5]"; 28].join(","));
    let image = format!("[{}]", vec![row; 28].join(","));
    format!("{{\"instances\":[{}]}}", vec![image; examples].join(","))
}

/// A model that takes long.
fn slow() -> inkstone::Model {
    let described = Sequential::new([28, 28, 1])
        .add(Conv2D::new(64, (5, 5)).activation(Relu))
        .add(Conv2D::new(64, (5, 5)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax));
    described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap()
}

#[test]
fn what_is_too_much_is_answered_429_with_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    slow().save(folder.path().join("slow.safetensors")).unwrap();
    let server = Server::of(folder.path(), &["--threads", "1", "--max-queue", "2"]);
    let (body, refused, answered) = (body(64), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let agent = agent();
                for _ in 0..4 {
                    let response = agent.post(server.at("/v1/models/slow:predict")).send(&body).unwrap();
                    match response.status().as_u16() {
                        200 => answered.fetch_add(1, Ordering::Relaxed),
                        429 => {
                            assert_eq!(response.headers()["retry-after"], "1");
                            refused.fetch_add(1, Ordering::Relaxed)
                        }
                        other => panic!("{other}"),
                    };
                }
            });
        }
    });
    assert!(refused.load(Ordering::Relaxed) > 0 && answered.load(Ordering::Relaxed) > 2);
    assert_eq!(agent().post(server.at("/v1/models/slow:predict")).send(&body).unwrap().status().as_u16(), 200);
}

#[test]
fn what_waits_is_predicted_together() {
    let folder = tempfile::tempdir().unwrap();
    slow().save(folder.path().join("slow.safetensors")).unwrap();
    let server = Server::of(folder.path(), &["--threads", "1"]);
    let body = body(1);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let agent = agent();
                for _ in 0..8 {
                    let response = agent.post(server.at("/v1/models/slow:predict")).send(&body).unwrap();
                    assert_eq!(response.status().as_u16(), 200);
                }
            });
        }
    });
    let metrics = agent().get(server.at("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let number = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let (batches, examples) = (number("inkstone_batch_examples_count"), number("inkstone_batch_examples_sum"));
    assert!(examples == 128.0 && batches < 128.0, "{examples} examples in {batches} batches");
}

/// What the process has in memory, in KiB.
#[cfg(target_os = "linux")]
fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_over_a_hundred_thousand_requests() {
    let folder = tempfile::tempdir().unwrap();
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    let server = Server::of(folder.path(), &[]);
    let (body, wrong) = (body(1), "{\"instances\":[[1,2],[3]]}");
    let round = |requests: usize| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (body, server) = (&body, &server);
                scope.spawn(move || {
                    let agent = agent();
                    for request in 0..requests / 8 {
                        // Some are wrong, some ask for what there is not, each another one.
                        let (path, body) = match (request + thread) % 10 {
                            0 => (format!("/v1/models/none{thread}-{request}:predict"), wrong),
                            1 => ("/v1/models/digits:predict".to_owned(), wrong),
                            _ => ("/v1/models/digits:predict".to_owned(), &body[..]),
                        };
                        agent.post(server.at(&path)).send(body).unwrap().body_mut().read_to_string().unwrap();
                    }
                });
            }
        });
        resident(&server)
    };
    let first = round(20_000);
    let last = round(80_000);
    assert!(last < first + 4096, "{first} KiB after 20,000 requests, {last} KiB after 100,000");
}

#[cfg(unix)]
#[test]
fn a_stop_answers_what_was_asked_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    let mut server = Server::of(folder.path(), &["--grace", "10"]);
    let address = server.address().to_owned();
    // A request whose body is on its way, and a connection that waits for its next one.
    use std::io::{Read, Write};
    let body = body(1);
    let mut asking = std::net::TcpStream::connect(&address).unwrap();
    write!(asking, "POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())
        .unwrap();
    asking.write_all(&body.as_bytes()[..100]).unwrap();
    let idle = std::net::TcpStream::connect(&address).unwrap();
    let metrics = || agent().get(server.at("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    server.wait_for("both connections", || metrics().contains("\ninkstone_connections 3"));
    server.terminate();
    server.wait_for_log("told to stop");
    asking.write_all(&body.as_bytes()[100..]).unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(server.wait_for_end().success());
    assert!(std::net::TcpStream::connect(&address).is_err());
    drop(idle);
}
