//! One question to a name server over UDP (RFC 1035, section 4), and what came back.
//!
//! Written by hand because the system's resolver blocks a thread without a deadline, and does not
//! tell a server that is silent from a name that does not exist.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::counted::Bytes;

/// How long one server is waited for, each time it is asked. Over LTE a name takes 50 to 500 ms.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often every server is asked: UDP loses packets.
const ROUNDS: usize = 2;
/// Datagrams looked at per question: what is not the answer is passed over.
const MOST_DATAGRAMS: usize = 16;
/// Largest answer without EDNS (RFC 1035, section 4.2.1).
const LARGEST: usize = 512;
/// Addresses taken from an answer.
const MOST_ADDRESSES: usize = 8;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

/// What the servers say of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// It has these addresses; never empty.
    Addresses(Vec<IpAddr>),
    /// It does not exist, or has no address.
    NoName,
    /// Nobody answers, or all who do give up (SERVFAIL, REFUSED), as a forwarder does that reaches nobody itself.
    Nobody,
}

/// Asks for a name's IPv4 addresses, then, where it has none, for those of IPv6.
pub(super) async fn resolve(servers: &[SocketAddr], name: &str, bytes: &Bytes) -> Answer {
    match ask_all(servers, name, TYPE_A, bytes).await {
        (Some(server), Answer::NoName) => {
            match ask_all(&[server], name, TYPE_AAAA, bytes).await.1 {
                Answer::Nobody => Answer::NoName,
                answer => answer,
            }
        }
        (_, answer) => answer,
    }
}

async fn ask_all(
    servers: &[SocketAddr],
    name: &str,
    kind: u16,
    bytes: &Bytes,
) -> (Option<SocketAddr>, Answer) {
    let Some(question) = question(name, kind) else {
        return (None, Answer::NoName);
    };
    for _ in 0..ROUNDS {
        for server in servers {
            if let Some(answer) = ask(*server, &question, kind, bytes).await {
                return (Some(*server), answer);
            }
        }
    }
    (None, Answer::Nobody)
}

/// One question to one server; `None` when nothing usable came.
async fn ask(server: SocketAddr, question: &[u8], kind: u16, bytes: &Bytes) -> Option<Answer> {
    let deadline = Instant::now() + PATIENCE;
    let local: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0)).await.ok()?;
    // Connected: datagrams of others do not reach us.
    socket.connect(server).await.ok()?;
    let id = fastrand::u16(..).to_be_bytes();
    // Identifier; recursion desired; one question.
    let mut packet = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(question);
    socket.send(&packet).await.ok()?;
    bytes.sent(packet.len());
    let mut buffer = [0; LARGEST];
    for _ in 0..MOST_DATAGRAMS {
        let received = timeout_at(deadline, socket.recv(&mut buffer)).await;
        let length = received.ok()?.ok()?;
        bytes.received(length);
        if let Some(answer) = read(&buffer[..length], id, question, kind) {
            return answer.ok();
        }
    }
    None
}

/// Name, type and class; `None` when the text cannot be a name.
fn question(name: &str, kind: u16) -> Option<Vec<u8>> {
    let name = name.trim_end_matches('.');
    let mut out = Vec::with_capacity(name.len() + 6);
    for label in name.split('.') {
        if !(1..=63).contains(&label.len()) || !label.is_ascii() {
            return None;
        }
        out.push(u8::try_from(label.len()).ok()?);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    if out.len() > 255 {
        return None;
    }
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    Some(out)
}

/// The server cannot tell: SERVFAIL, REFUSED and the like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct GivesUp;

/// The answer in a datagram; `None` when it is not ours.
fn read(packet: &[u8], id: [u8; 2], question: &[u8], kind: u16) -> Option<Result<Answer, GivesUp>> {
    let (header, rest) = packet.split_first_chunk::<12>()?;
    let [a, b, flags, code, _, questions, count_high, count_low, ..] = *header;
    let is_response = flags & 0x80 != 0;
    // The question comes back as it was sent; some servers change the case of its letters.
    let echoed = rest.get(..question.len())?;
    if [a, b] != id || !is_response || questions != 1 || !echoed.eq_ignore_ascii_case(question) {
        return None;
    }
    match code & 0x0f {
        0 => {}
        3 => return Some(Ok(Answer::NoName)),
        _ => return Some(Err(GivesUp)),
    }
    let mut at = question.len();
    let mut addresses = Vec::new();
    for _ in 0..u16::from_be_bytes([count_high, count_low]) {
        let Some((address, next)) = record(rest, at, kind) else {
            break;
        };
        at = next;
        addresses.extend(address);
        if addresses.len() >= MOST_ADDRESSES {
            break;
        }
    }
    if addresses.is_empty() {
        return Some(Ok(Answer::NoName));
    }
    Some(Ok(Answer::Addresses(addresses)))
}

/// The address in the record at `at`, if it holds one, and where the next begins.
fn record(packet: &[u8], at: usize, kind: u16) -> Option<(Option<IpAddr>, usize)> {
    let at = skip_name(packet, at)?;
    let fixed = packet.get(at..at + 10)?;
    let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    let data = packet.get(at + 10..at + 10 + length)?;
    let is_wanted = fixed[..4] == [kind.to_be_bytes(), CLASS_IN.to_be_bytes()].concat();
    let address = match kind {
        TYPE_A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
    };
    Some((address.filter(|_| is_wanted), at + 10 + length))
}

/// Labels until the empty one, or until a pointer, which is not followed.
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 2] = [7, 9];

    /// A response with a CNAME and two addresses, as a recursive server gives it.
    fn response(code: u8) -> (Vec<u8>, Vec<u8>) {
        let question = question("mqtt.acme.ua", TYPE_A).unwrap();
        let mut packet = vec![ID[0], ID[1], 0x81, 0x80 | code, 0, 1, 0, 3, 0, 0, 0, 0];
        packet.extend_from_slice(&question);
        packet.extend_from_slice(&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'x', 0xc0, 17]);
        for last in [1, 2] {
            packet.extend_from_slice(&[0xc0, 40, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 9, 9, 9, last]);
        }
        (packet, question)
    }

    #[test]
    fn answers_are_read() {
        let (packet, question) = response(0);
        let addresses = vec![[9, 9, 9, 1].into(), [9, 9, 9, 2].into()];
        let read = |packet: &[u8]| read(packet, ID, &question, TYPE_A);
        assert_eq!(read(&packet), Some(Ok(Answer::Addresses(addresses))));
        assert_eq!(read(&response(3).0), Some(Ok(Answer::NoName)));
        assert_eq!(read(&response(2).0), Some(Err(GivesUp)));
        assert_eq!(read(&response(5).0), Some(Err(GivesUp)));
    }

    #[test]
    fn what_is_not_ours_is_passed_over_and_nothing_panics() {
        let (packet, question) = response(0);
        for length in 0..packet.len() {
            let _ = read(&packet[..length], ID, &question, TYPE_A);
        }
        for at in 0..packet.len() {
            for value in [0, 0x3f, 0xc0, 0xff] {
                let mut bad = packet.clone();
                bad[at] = value;
                let _ = read(&bad, ID, &question, TYPE_A);
            }
        }
        assert_eq!(read(&packet, [7, 8], &question, TYPE_A), None);
        let other = super::question("mqtt.acme.com", TYPE_A).unwrap();
        assert_eq!(read(&packet, ID, &other, TYPE_A), None);
    }

    #[test]
    fn a_text_that_is_no_name_is_not_asked_for() {
        for text in ["", "a..b", &"a".repeat(64), &"a.".repeat(200), "шафа.укр"] {
            assert_eq!(question(text, TYPE_A), None, "{text}");
        }
        assert_eq!(question("a.ua.", TYPE_A), question("a.ua", TYPE_A));
    }

    /// Paused time passes at once when nothing else happens: a silent server costs no test time.
    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_given_up() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = silent.local_addr().unwrap();
        let (bytes, since) = (Bytes::default(), Instant::now());
        let answer = resolve(&[server, server, server], "a.test", &bytes).await;
        assert_eq!(answer, Answer::Nobody);
        assert_eq!(since.elapsed().as_secs(), 12);
        assert_eq!(bytes.total(), (6 * 24, 0));
    }

    #[tokio::test]
    async fn garbage_is_given_up() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        let serving = async {
            let mut buffer = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                buffer[0] ^= 1;
                for _ in 0..40 {
                    let _ = socket.send_to(&buffer[..length], from).await;
                }
            }
        };
        let (bytes, servers) = (Bytes::default(), [server]);
        tokio::select! {
            answer = resolve(&servers, "a.test", &bytes) => assert_eq!(answer, Answer::Nobody),
            () = serving => {}
        }
    }
}
