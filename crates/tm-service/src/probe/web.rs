//! The plain-HTTP page that a portal cannot help answering.

use std::fmt::Write;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::counted::{Bytes, Counted};
use super::{Finding, Wrong};

/// Most bytes read of an answer: head and the start of the body.
const MOST: usize = 4096;
/// Longest URL told, characters.
const LONGEST_URL: usize = 200;

/// A plain-HTTP URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Page<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    authority: &'a str,
    path: &'a str,
}

impl<'a> Page<'a> {
    /// `http://host[:port][/path]`; `None` for anything else.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok()?)
            }
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_clean = url.bytes().all(|byte| byte.is_ascii_graphic());
        (is_clean && !host.is_empty() && !host.contains('@')).then_some(Self {
            host,
            port,
            authority,
            path,
        })
    }
}

/// Asks for the page on an open connection.
pub(super) async fn look<S>(stream: S, page: &Page<'_>, body: &str, bytes: &Bytes) -> Finding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = Counted::new(stream, bytes, MOST);
    let Page {
        authority, path, ..
    } = page;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return Finding::Wrong(Wrong::Closed);
    }
    let mut answer = Vec::new();
    let mut is_cut = false;
    while !is_whole(&answer) {
        match stream.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => {
                is_cut = true;
                break;
            }
        }
    }
    match Answer::parse(&answer) {
        Some(answer) => answer.judge(page, body),
        None if answer.is_empty() => Finding::Wrong(Wrong::Closed),
        None if is_cut || !answer.starts_with(b"HTTP/") => Finding::Wrong(Wrong::Garbage),
        None => Finding::Wrong(Wrong::Closed),
    }
}

/// Whether nothing more is to be waited for: not every server closes when it was asked to.
fn is_whole(answer: &[u8]) -> bool {
    let Some(answer) = Answer::parse(answer) else {
        return false;
    };
    let is_empty = matches!(answer.status, 204 | 304 | 300..=399);
    is_empty
        || answer
            .length
            .is_some_and(|length| answer.body.len() >= length)
}

struct Answer<'a> {
    status: u16,
    location: Option<String>,
    length: Option<usize>,
    is_chunked: bool,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Head and what is there of the body; `None` while the head is not whole, or is none.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let header = |name: &str| {
            let found = headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        Some(Self {
            status,
            location: header("location").map(str::to_owned),
            length: header("content-length").and_then(|text| text.parse().ok()),
            is_chunked: header("transfer-encoding").is_some(),
            body: &bytes[end + 4..],
        })
    }

    fn judge(&self, page: &Page<'_>, expected: &str) -> Finding {
        let own = format!("http://{}{}", page.authority, page.path);
        let portal = |url: &str| Finding::Wrong(Wrong::Portal(told_url(url)));
        match self.status {
            // The same host asks for HTTPS: that is its owner's will, no portal's.
            300..=399 => match &self.location {
                Some(url) if is_same_host(url, page) => Finding::Good,
                Some(url) if url.starts_with('/') => {
                    portal(&format!("http://{}{url}", page.authority))
                }
                Some(url) => portal(url),
                None => portal(&own),
            },
            204 if expected.is_empty() => Finding::Good,
            200 if self.has_body(expected) => Finding::Good,
            // RFC 6585, section 6: Network Authentication Required.
            511 => portal(&own),
            // The page's own server is in trouble; that says nothing of the way there.
            500..=599 => Finding::Wrong(Wrong::Garbage),
            _ => portal(&own),
        }
    }

    fn has_body(&self, expected: &str) -> bool {
        let mut body = self.body;
        if self.is_chunked {
            // Only the first chunk matters: its size in hexadecimal, then itself.
            let end = body.windows(2).position(|window| window == b"\r\n");
            let (size, rest) = body.split_at(end.unwrap_or(0));
            let size = std::str::from_utf8(size).ok();
            let size = size
                .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok());
            let rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
            body = &rest[..size.unwrap_or(0).min(rest.len())];
        }
        body.trim_ascii() == expected.trim().as_bytes()
    }
}

fn is_same_host(url: &str, page: &Page<'_>) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.split(':').next().unwrap_or("");
    host.eq_ignore_ascii_case(page.host)
}

/// The URL without user, query and fragment, which may hold a subscriber's number.
fn told_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or("");
    let Some((scheme, rest)) = url.split_once("://") else {
        return printable(url, LONGEST_URL);
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or("");
    let mut told = String::new();
    // Writing to a String never fails.
    let _ = write!(told, "{scheme}://{host}{path}");
    printable(&told, LONGEST_URL)
}

/// The text without control characters, cut to so many characters.
pub(super) fn printable(text: &str, most: usize) -> String {
    text.chars()
        .filter(|sign| !sign.is_control())
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(answer: &str, expected: &str) -> String {
        let page = Page::parse("http://check.net/c").unwrap();
        match Answer::parse(answer.as_bytes()).map(|answer| answer.judge(&page, expected)) {
            Some(Finding::Good) => "good".to_owned(),
            Some(Finding::Wrong(Wrong::Portal(url))) => url,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_judged() {
        let long = format!("http://p.ua/{}", "a".repeat(300));
        let far = format!("HTTP/1.1 302 F\r\nlocation: {long}\r\n\r\n");
        for (answer, body, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", "", "good"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", "good"),
            ("HTTP/1.0 200 OK\r\n\r\nonline\n", "online", "good"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "",
                "good",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nonline\r\n0\r\n\r\n",
                "online",
                "good",
            ),
            (
                "HTTP/1.1 301 M\r\nLocation: https://check.net/c\r\n\r\n",
                "",
                "good",
            ),
            ("HTTP/1.1 200 OK\r\n\r\n<html>pay", "", "http://check.net/c"),
            (
                "HTTP/1.1 204 No Content\r\n\r\n",
                "online",
                "http://check.net/c",
            ),
            (
                "HTTP/1.1 302 F\r\nLocation: http://me:pw@pay.ua/x?msisdn=380#t\r\n\r\n",
                "",
                "http://pay.ua/x",
            ),
            (
                "HTTP/1.1 302 F\r\nLocation: /login?a=b\r\n\r\n",
                "",
                "http://check.net/login",
            ),
            ("HTTP/1.1 302 F\r\n\r\n", "", "http://check.net/c"),
            ("HTTP/1.1 511 A\r\n\r\n", "", "http://check.net/c"),
            ("HTTP/1.1 403 F\r\n\r\nbalance", "", "http://check.net/c"),
            ("HTTP/1.1 503 S\r\n\r\n", "", "Some(Wrong(Garbage))"),
            ("HTTP/1.1 204", "", "None"),
            ("SSH-2.0\r\n\r\n", "", "None"),
            ("HTTP/1.1 abc d\r\n\r\n", "", "None"),
            (&far, "", &long[..LONGEST_URL]),
        ] {
            assert_eq!(judge(answer, body), expected, "{answer}");
        }
    }

    #[test]
    fn pages_are_read() {
        for (url, expected) in [
            ("http://check.net/a?b", Some(("check.net", 80))),
            ("http://check.net", Some(("check.net", 80))),
            ("http://127.0.0.1:8080/", Some(("127.0.0.1", 8080))),
            ("http://[::1]:81/", Some(("::1", 81))),
            ("https://check.net/", None),
            ("http://me@check.net/", None),
            ("http:///", None),
            ("http://a\r\nb/", None),
            ("http://a:x/", None),
        ] {
            let page = Page::parse(url);
            assert_eq!(page.map(|page| (page.host, page.port)), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn hostile_servers_end() {
        let page = Page::parse("http://check.net/c").unwrap();
        let endless_head = b"HTTP/1.1 200 OK\r\nX: y".repeat(1000);
        let endless_body = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'a'; 100_000]].concat();
        for (sent, expected) in [
            (b"".as_slice(), Wrong::Closed),
            (b"HTTP/1.1 20", Wrong::Closed),
            (&vec![0xff; 100_000], Wrong::Garbage),
            (&endless_head, Wrong::Garbage),
            (
                &endless_body,
                Wrong::Portal("http://check.net/c".to_owned()),
            ),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let bytes = Bytes::default();
            let looking = async {
                // Dropped at the end of the block: the server sees us go.
                let stream = ours;
                look(stream, &page, "", &bytes).await
            };
            let serving = async {
                let _ = theirs.write_all(sent).await;
                drop(theirs);
            };
            let (finding, ()) = tokio::join!(looking, serving);
            assert_eq!(finding, Finding::Wrong(expected));
            assert!(bytes.total().1 <= MOST as u64 + 1024);
        }
    }
}
