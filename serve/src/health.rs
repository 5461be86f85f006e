//! Asks a running server whether it is ready: for probes where there is no other program that could ask.

use crate::fault::Start;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each part of the answer, may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most that is read of an answer.
const MAX_LEN: u64 = 16 << 10;

/// # Errors
/// [`Start::Health`] if nobody answers there, or what answers is not ready.
pub(crate) fn check(mut address: SocketAddr) -> Result<(), Start> {
    // A server that listens on all addresses is asked on this machine's own.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    let answer = ask(address).map_err(|error| Start::Health(address, error.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut words = head.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some(version), Some("200")) if version.starts_with("HTTP/") => Ok(()),
        (Some(version), Some(status)) if version.starts_with("HTTP/") => {
            Err(Start::Health(address, format!("it is not ready: {status} {body}")))
        }
        _ => Err(Start::Health(address, "expected an answer of HTTP without TLS, found another one".into())),
    }
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /v2/health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_LEN).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What is said of a server that gives this answer.
    fn said(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let said = check(SocketAddr::from(([0, 0, 0, 0], port))).map_err(|error| error.to_string());
        assert!(server.join().unwrap().starts_with("GET /v2/health/ready HTTP/1.1\r\nHost: 127.0.0.1:"));
        said
    }

    #[test]
    fn a_server_is_ready_if_it_answers_200() {
        assert_eq!(said("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Ok(()));
        let error = said("HTTP/1.1 503 Service Unavailable\r\n\r\nno model").unwrap_err();
        assert!(error.ends_with(": it is not ready: 503 no model"), "{error}");
        let error = said("\x15\x03\x01 200").unwrap_err();
        assert!(error.ends_with(": expected an answer of HTTP without TLS, found another one"), "{error}");
    }

    #[test]
    fn where_nobody_listens_nothing_is_ready() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(check(address).unwrap_err().to_string().starts_with(&address.to_string()));
    }
}
