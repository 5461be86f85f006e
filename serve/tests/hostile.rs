//! Clients that are slow, broken, or mean: they are told so or cut off, and others do not notice.

mod common;

use common::{Server, digits};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

struct Served {
    server: Server,
    _folder: tempfile::TempDir,
}

fn serve(arguments: &[&str]) -> Served {
    let folder = tempfile::tempdir().unwrap();
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    Served { server: Server::of(folder.path(), arguments), _folder: folder }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// What is answered to these bytes, until the connection is closed.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be closed before all is sent.
        let _ = stream.write_all(bytes);
        answer(&mut stream)
    }

    fn assert_answers(&self) {
        let row = vec!["0.5"; 784].join(",");
        let body =
            format!(r#"{{"inputs":[{{"name":"input_0","shape":[1,28,28,1],"datatype":"FP32","data":[{row}]}}]}}"#);
        let start = Instant::now();
        ureq::post(self.server.at("/v2/models/digits/infer")).send(body).unwrap();
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

/// All that comes until the connection is closed.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the connection was left open"),
        Ok(_) | Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[test]
fn slow_headers_and_bodies_are_cut_off() {
    let served = serve(&["--request-timeout", "1"]);
    // A header that never ends, a body that never comes, and a connection without a word.
    let mut header = served.connect();
    header.write_all(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    let mut body = served.connect();
    body.write_all(b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{").unwrap();
    let mut silent = served.connect();
    served.assert_answers();
    let start = Instant::now();
    assert!(answer(&mut body).starts_with("HTTP/1.1 408 "));
    answer(&mut header);
    answer(&mut silent);
    assert!(start.elapsed() < Duration::from_secs(10));
    served.assert_answers();
}

#[test]
fn many_slow_clients_at_once_stop_nobody() {
    let served = serve(&["--request-timeout", "2", "--max-connections", "200"]);
    let mut slow: Vec<TcpStream> = (0..150).map(|_| served.connect()).collect();
    for round in 0..3 {
        for stream in &mut slow {
            let _ = stream.write_all(if round == 0 { b"POST /" } else { b"x" });
        }
        served.assert_answers();
        std::thread::sleep(Duration::from_millis(300));
    }
    // More than there may be wait, until the slow ones are cut off.
    let more: Vec<TcpStream> = (0..100).map(|_| served.connect()).collect();
    let start = Instant::now();
    ureq::get(served.server.at("/v2/health/live")).call().unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
    drop((slow, more));
}

#[test]
fn bytes_that_are_no_http_are_refused() {
    let served = serve(&[]);
    let mut state = 1_u64;
    for len in [1, 10, 100, 1000, 20_000] {
        let bytes: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let mut stream = served.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = answer(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(40_000));
    assert!(served.send(long.as_bytes()).starts_with("HTTP/1.1 4"));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Header: 1\r\n".repeat(500));
    assert!(served.send(many.as_bytes()).starts_with("HTTP/1.1 431 "));
    served.assert_answers();
}

#[test]
fn bodies_that_are_too_long_or_end_too_soon_are_refused() {
    let served = serve(&["--max-body", "100000"]);
    // Promised, and sent in pieces without a promise.
    let promised = b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\nConnection: close\r\n\r\n";
    let answer = served.send(promised);
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("expected a body of at most 100000 bytes"),
        "{answer}"
    );
    let mut pieces =
        b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        pieces.extend_from_slice(b"4000\r\n");
        pieces.extend_from_slice(&[b' '; 0x4000]);
        pieces.extend_from_slice(b"\r\n");
    }
    assert!(served.send(&pieces).starts_with("HTTP/1.1 413 "));
    let mut stream = served.connect();
    stream.write_all(b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    self::answer(&mut stream);
    served.assert_answers();
}

#[test]
fn what_is_wrong_with_a_request_is_told() {
    let served = serve(&[]);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = |path: &str, body: &[u8]| {
        let mut response = agent.post(served.server.at(path)).send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    let deep = [b'['; 100_000];
    let row = vec!["1"; 784].join(",");
    let wrong_type =
        format!(r#"{{"inputs":[{{"name":"input_0","shape":[1,28,28,1],"datatype":"BF16","data":[{row}]}}]}}"#);
    let wrong_len = wrong_type.replace("BF16", "FP32").replace("[1,28", "[2,28");
    let huge = r#"{"inputs":[{"name":"input_0","shape":[18446744073709551615,28,28,1],"datatype":"FP32","data":[1]}]}"#;
    let predict = "/v1/models/digits:predict";
    let infer = "/v2/models/digits/infer";
    for (path, body, status, expected) in [
        (predict, &b""[..], 400, "EOF"),
        (predict, b"{}", 400, "expected `instances` or `inputs`, found none"),
        (predict, &deep, 400, "expected"),
        (predict, b"{\"instances\":[[1,2],[3]]}", 400, "expected lists of equal lengths"),
        (predict, b"{\"instances\":[1e400]}", 400, "number out of range"),
        (predict, b"{\"instances\":[]}", 400, "expected inputs of the shape (N, 28, 28, 1), got [0]"),
        (predict, b"{\"instances\":[1],\"inputs\":[1]}", 400, "found both"),
        (predict, b"{\"instances\":[1],\"signature_name\":\"other\"}", 400, "`serving_default`"),
        ("/v1/models/digits:explode", b"", 404, "found `:explode`"),
        ("/v1/models/none:predict", b"{}", 404, "there is no model `none`"),
        ("/v1/models/digits/versions/x:predict", b"{}", 404, "expected the number of a version, found `x`"),
        ("/v1/models/digits/versions/7:predict", b"{}", 404, "there is no version 7"),
        ("/v1/models/digits:classify", b"no picture", 415, "expected a whole PNG or JPEG file"),
        ("/v1/models/digits:classify?form=x", b"", 400, "expected the form `mnist` or `whole`, got `x`"),
        (infer, wrong_type.as_bytes(), 400, "unknown variant `BF16`"),
        (infer, wrong_len.as_bytes(), 400, "expected 1568 values for the shape [2, 28, 28, 1], found 784"),
        (infer, huge.as_bytes(), 400, "expected at most 65536 examples in a request, got 18446744073709551615"),
        (infer, b"{\"inputs\":[]}", 400, "expected one input, `input_0`, found 0"),
        ("/v1/models", b"", 405, "this address is not for this method"),
        ("/%00", b"", 404, "there is nothing at this address"),
    ] {
        let (found, text) = ask(path, body);
        assert!(found == status && text.contains(expected), "{path}: {found} {text}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["error"].is_string());
    }
    served.assert_answers();
}

#[test]
fn clients_that_take_no_answer_are_cut_off() {
    let served = serve(&["--request-timeout", "1", "--max-connections", "2"]);
    let row = vec!["1"; 784].join(",");
    let body = format!(
        r#"{{"inputs":[{{"name":"input_0","shape":[4000,28,28,1],"datatype":"FP32","data":[{}]}}]}}"#,
        vec![row; 4000].join(",")
    );
    let ask = |stream: &mut TcpStream| {
        let _ = write!(
            stream,
            "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // More answers than the system keeps for one who does not read.
        let _ = stream.write_all(body.as_bytes());
    };
    let mut silent: Vec<TcpStream> = (0..2).map(|_| served.connect()).collect();
    std::thread::scope(|scope| {
        for stream in &mut silent {
            scope.spawn(|| (0..20).for_each(|_| ask(stream)));
        }
    });
    // There is a slot again.
    served.assert_answers();
}

#[test]
fn uploads_that_are_given_up_take_no_more_memory_than_others() {
    let served = serve(&["--threads", "1"]);
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 6000, 6000);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&vec![9; 6000 * 6000 * 3]).unwrap();
    for _ in 0..12 {
        let mut stream = served.connect();
        write!(
            stream,
            "POST /v1/models/digits:classify HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            picture.len()
        )
        .unwrap();
        stream.write_all(&picture).unwrap();
    }
    served.assert_answers();
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", served.server.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kibibytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        // One picture at a time, decoded and laid out anew; all of them together would take a gigabyte and a half.
        assert!(kibibytes < 600 << 10, "{kibibytes} KiB");
    }
}

#[test]
fn requests_for_which_there_is_no_room_are_told_to_come_again() {
    let served = serve(&["--max-memory", "1048576", "--max-examples", "3"]);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = |examples: usize| {
        let image = format!("[{}]", vec![format!("[{}]", vec!["1"; 28].join(",")); 28].join(","));
        let body = format!("{{\"instances\":[{}]}}", vec![image; examples].join(","));
        let mut response = agent.post(served.server.at("/v1/models/digits:predict")).send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    assert_eq!(ask(3).0, 200);
    assert!(ask(4).1.contains("expected at most 3 examples in a request, got 4"));
    // One takes all there is while its body is on the way; it is refused itself where another is answered just then.
    let slow = std::cell::RefCell::new(Vec::new());
    served.server.wait_for("no room", || {
        let mut stream = served.connect();
        write!(stream, "POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 127000\r\n\r\n{{")
            .unwrap();
        slow.borrow_mut().push(stream);
        std::thread::sleep(Duration::from_millis(50));
        ask(3).0 == 429
    });
    drop(slow);
    served.server.wait_for("room again", || ask(1).0 == 200);
}

#[test]
fn pictures_that_would_take_much_memory_are_refused() {
    let served = serve(&[]);
    // A header that promises 30,000 x 30,000 pixels.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 30_000, 30_000);
    encoder.set_color(png::ColorType::Rgb);
    drop(encoder.write_header().unwrap());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.post(served.server.at("/v1/models/digits:classify")).send(&file[..]).unwrap();
    assert_eq!(response.status().as_u16(), 415, "{}", response.body_mut().read_to_string().unwrap());
    served.assert_answers();
}
