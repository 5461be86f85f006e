//! Plain HTTP through a proxy, as curl does it: `GET http://...`. The HTTP client takes CONNECT for everything, which
//! many proxies, Squid's default among them, allow to port 443 alone.

use super::{Attempt, Fault, MAX_REDIRECTS, Patience, USER_AGENT};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, Cursor, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

/// The most bytes of an answer's head.
const MAX_HEAD: usize = 64 << 10;
/// The most fields in it.
const MAX_FIELDS: usize = 100;

/// A good answer.
pub(super) struct Answer {
    /// How long the body is, if that is announced.
    pub(super) length: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

/// The proxy that the environment names for this address, if it is one for plain HTTP.
pub(super) fn proxy_for(url: &str) -> Option<Proxy> {
    let uri: Uri = url.parse().ok()?;
    let proxy = Proxy::try_from_env()?;
    let serves = matches!(proxy.protocol(), ProxyProtocol::Http) && uri.scheme_str() == Some("http");
    (serves && !proxy.is_no_proxy(&uri)).then_some(proxy)
}

/// Requests a URL through a proxy, and follows redirects.
pub(super) fn get(proxy: &Proxy, url: &str, patience: Patience) -> Attempt<Answer> {
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        match ask(proxy, &url, patience)? {
            Asked::Answer(answer) => return Ok(answer),
            Asked::Redirect(to) => url = to,
        }
    }
    Err(mirror("the server redirects again and again"))
}

enum Asked {
    Answer(Answer),
    Redirect(String),
}

fn ask(proxy: &Proxy, url: &str, patience: Patience) -> Attempt<Asked> {
    let uri: Uri = url.parse().map_err(|error| mirror(format!("the address makes no sense ({error})")))?;
    let Some(authority) = uri.authority().map(|authority| authority.as_str()) else {
        return Err(mirror("the address has no server"));
    };
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = format!("GET http://{host}{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n");
    request += &format!("User-Agent: {USER_AGENT}\r\n");
    if let Some(user) = user {
        request += &format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(percent_decoded(user)));
    }
    if let Some(user) = proxy.username() {
        let secret = format!("{user}:{}", proxy.password().unwrap_or_default());
        request += &format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(secret));
    }
    let mut stream = connect(proxy, patience).map_err(broken)?;
    stream.write_all(format!("{request}\r\n").as_bytes()).map_err(broken)?;
    let mut stream = Timed { stream, until: Instant::now() + patience.body };
    let (head, rest) = read_head(&mut stream)?;
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    answer
        .parse(&head)
        .map_err(|error| mirror(format!("the proxy answered with something else than HTTP ({error})")))?;
    let field = |name: &str| {
        let found = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| std::str::from_utf8(field.value).ok()).map(str::trim)
    };
    match (answer.code.unwrap_or_default(), field("location")) {
        (200, _) if field("transfer-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) => {
            Err(mirror("the proxy sends the file in chunks, which HTTP/1.0 does not have: use another proxy or mirror"))
        }
        (200, _) => {
            let length = field("content-length").and_then(|length| length.parse().ok());
            // A proxy may keep the connection open.
            let body = Cursor::new(rest).chain(stream).take(length.unwrap_or(u64::MAX));
            Ok(Asked::Answer(Answer { length, body: Box::new(body) }))
        }
        (301 | 302 | 303 | 307 | 308, Some(to)) => redirect(authority, to).map(Asked::Redirect),
        (407, _) => Err(mirror(
            "the proxy wants a user name and password: put them into HTTP_PROXY, as http://user:password@host",
        )),
        (status, _) => Err(mirror(format!("the server answered {status}"))),
    }
}

/// Where an answer sends to. On the same server, its user stays the same.
fn redirect(authority: &str, to: &str) -> Attempt<String> {
    if to.starts_with("http://") {
        Ok(to.to_owned())
    } else if to.starts_with('/') && !to.starts_with("//") {
        Ok(format!("http://{authority}{to}"))
    } else if to.starts_with("https://") {
        Err(mirror(super::NO_TLS))
    } else {
        Err(mirror("the server redirects to an address that makes no sense"))
    }
}

fn connect(proxy: &Proxy, patience: Patience) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the proxy's name was not found");
    // An IPv6 address has brackets in a URL, and none as the name of a host.
    let host = proxy.host().trim_start_matches('[').trim_end_matches(']');
    for address in (host, proxy.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience.connect) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience.answer))?;
                stream.set_write_timeout(Some(patience.answer))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection with a deadline, which a server cannot extend by sending slowly.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.until.saturating_duration_since(Instant::now()) == Duration::ZERO {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.read(buffer)
    }
}

/// The head of an answer, and what of the body came with it.
fn read_head(stream: &mut impl Read) -> Attempt<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(mirror("the answer broke off in its head")),
            Ok(count) => head.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
        if let Some(end) = head.windows(END.len()).position(|bytes| bytes == END) {
            let rest = head.split_off(end + END.len());
            return Ok((head, rest));
        }
        if head.len() > MAX_HEAD {
            return Err(mirror(format!(
                "expected a head of at most {MAX_HEAD} bytes, the answer's goes on after them"
            )));
        }
    }
}

/// A user name and password of a URL, in which `%40` stands for `@`.
fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let (mut decoded, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(hex);
        decoded.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    decoded
}

fn mirror(reason: impl Into<String>) -> Fault {
    Fault::Mirror(reason.into())
}

fn broken(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => mirror("no answer of the proxy in time"),
        _ => mirror(format!("the proxy did not answer ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    const SHORT: Patience = Patience {
        connect: Duration::from_secs(5),
        answer: Duration::from_millis(300),
        body: Duration::from_millis(900),
    };

    /// A proxy that allows no CONNECT, and answers each other request with the next of these; what it is asked.
    fn proxy(answers: &'static [&'static str]) -> (Proxy, Receiver<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://ann:secret@{}", listener.local_addr().unwrap());
        let (asked, requests) = channel();
        thread::spawn(move || {
            for (stream, answer) in listener.incoming().zip(answers) {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let answer = if request[0].starts_with("CONNECT") { "HTTP/1.1 403 Forbidden\r\n\r\n" } else { answer };
                asked.send(request).unwrap();
                let _ = stream.write_all(answer.as_bytes());
                if answer.ends_with("...") {
                    thread::sleep(Duration::from_secs(2));
                }
            }
        });
        (Proxy::new(&address).unwrap(), requests)
    }

    fn read(answer: Answer) -> io::Result<String> {
        let mut text = String::new();
        let mut body = answer.body;
        body.read_to_string(&mut text)?;
        Ok(text)
    }

    fn refusal(answers: &'static [&'static str]) -> String {
        match get(&proxy(answers).0, "http://mirror.example/a.gz", SHORT) {
            Err(Fault::Mirror(reason)) => reason,
            Err(Fault::Folder(error)) => panic!("{error}"),
            Ok(answer) => panic!("{:?}", read(answer)),
        }
    }

    #[test]
    fn the_whole_address_is_asked_for_and_redirects_are_followed() {
        let (proxy, requests) = proxy(&[
            "HTTP/1.1 302 Found\r\nLocation: /b.gz\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\ncontent",
        ]);
        let answer = get(&proxy, "http://ben:o%74h%40r%@mirror.example:81/a.gz?x=1", SHORT).ok().unwrap();
        assert_eq!(answer.length, Some(7));
        assert_eq!(read(answer).unwrap(), "content");
        let first = requests.recv().unwrap();
        assert_eq!(first[0], "GET http://mirror.example:81/a.gz?x=1 HTTP/1.0");
        assert!(first.contains(&"Host: mirror.example:81".to_owned()), "{first:?}");
        assert!(first.contains(&format!("Authorization: Basic {}", BASE64_STANDARD.encode("ben:oth@r%"))), "{first:?}");
        let secret = BASE64_STANDARD.encode("ann:secret");
        assert!(first.contains(&format!("Proxy-Authorization: Basic {secret}")), "{first:?}");
        let second = requests.recv().unwrap();
        assert_eq!(second[0], "GET http://mirror.example:81/b.gz HTTP/1.0");
        assert_eq!(second[1..], first[1..], "the same users");
    }

    #[test]
    fn answers_that_are_not_good_are_told() {
        let circle = "HTTP/1.0 301 Moved\r\nLocation: http://mirror.example/a.gz\r\n\r\n";
        for (answer, reason) in [
            ("HTTP/1.0 404 Not Found\r\n\r\n", "the server answered 404"),
            ("HTTP/1.0 407 No\r\n\r\n", "the proxy wants a user name and password"),
            ("HTTP/1.0 302 Found\r\nLocation: https://mirror.example/a.gz\r\n\r\n", "it leads to an https address"),
            (
                "HTTP/1.0 302 Found\r\nLocation: ftp://mirror.example/\r\n\r\n",
                "the server redirects to an address that makes",
            ),
            ("SSH-2.0-OpenSSH\r\n\r\n", "the proxy answered with something else than HTTP"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                "the proxy sends the file in chunks",
            ),
            ("HTTP/1.0 200", "the answer broke off in its head"),
            ("HTTP/1.0 200 OK\r\n...", "no answer of the proxy in time"),
        ] {
            let found = refusal(Box::leak(Box::new([answer])));
            assert!(found.starts_with(reason), "{answer}: {found}");
        }
        assert_eq!(refusal(Box::leak(Box::new([circle; 6]))), "the server redirects again and again");
    }

    #[test]
    fn a_body_that_stops_is_given_up() {
        let (proxy, _requests) = proxy(&["HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nsome..."]);
        let answer = get(&proxy, "http://mirror.example/a.gz", SHORT).ok().unwrap();
        assert!(matches!(read(answer).unwrap_err().kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    }

    #[test]
    fn a_proxy_may_have_an_address_of_version_6() {
        // A machine may have none.
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_head(&mut stream).ok().unwrap();
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\ncontent");
        });
        let proxy = Proxy::new(&format!("http://[::1]:{port}")).unwrap();
        assert_eq!(read(get(&proxy, "http://mirror.example/a.gz", SHORT).ok().unwrap()).unwrap(), "content");
    }

    #[test]
    fn a_proxy_that_is_not_there_is_told() {
        let nobody = Proxy::new("http://127.0.0.1:9").unwrap();
        let Err(Fault::Mirror(reason)) = get(&nobody, "http://mirror.example/a.gz", SHORT) else { panic!("answered") };
        assert!(reason.starts_with("the proxy did not answer"), "{reason}");
    }
}
