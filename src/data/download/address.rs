//! Addresses of files on the network: what of them may be shown.

use std::ops::Range;

/// What stands for a user name and a password where an address is shown.
const HIDDEN: &str = "***";

/// An address as messages and errors show it: without its user name and password.
pub(super) fn shown(url: &str) -> String {
    match user_info(url) {
        Some(range) => format!("{}{HIDDEN}{}", &url[..range.start], &url[range.end..]),
        None => url.to_owned(),
    }
}

/// A text about an address, without the user name and the password of the address.
pub(super) fn without_secret(text: &str, url: &str) -> String {
    user_info(url).map_or_else(|| text.to_owned(), |range| text.replace(&url[range], HIDDEN))
}

/// Where the user name and the password are in an address: between `//` and `@`.
fn user_info(url: &str) -> Option<Range<usize>> {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let authority = &url[start..][..url[start..].find(['/', '?', '#']).unwrap_or(url.len() - start)];
    if let Some(end) = authority.rfind('@') {
        return Some(start..start + end);
    }
    // A password with a slash that should have been written as %2F is no password for the rules of addresses. For
    // people it is.
    let port = authority.rsplit_once(':')?.1;
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    let end = url.rfind('@').filter(|_| !is_port)?;
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_and_passwords_are_not_shown() {
        for (url, expected) in [
            ("http://ann:secret@host:8000/mnist/a.gz", "http://***@host:8000/mnist/a.gz"),
            ("http://secret@host/mnist/a.gz", "http://***@host/mnist/a.gz"),
            ("http://ann:s@cret@host/mnist/a.gz", "http://***@host/mnist/a.gz"),
            ("http://ann:se/cr?et@host/mnist/a.gz", "http://***@host/mnist/a.gz"),
            ("ann:secret@host/mnist/a.gz", "***@host/mnist/a.gz"),
            ("http://ann:secret@[::1]:80/a.gz", "http://***@[::1]:80/a.gz"),
            // Nothing to hide.
            ("http://host:8000/mnist@1.0/a.gz", "http://host:8000/mnist@1.0/a.gz"),
            ("http://[::1]/mnist@1.0/a.gz", "http://[::1]/mnist@1.0/a.gz"),
            ("http://host/a.gz", "http://host/a.gz"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
        let url = "http://ann:secret@host:99999/a.gz";
        assert_eq!(without_secret(&format!("bad uri: {url}"), url), "bad uri: http://***@host:99999/a.gz");
    }
}
