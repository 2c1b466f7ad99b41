//! A whole cabinet in this process, asked over HTTP as a user would.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tm::demo::{Arguments, Demo};
use tm_service::Clock;
use tm_service::session::{Options, Outgoing, Qos, Session, SessionEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most any story waits for one thing. Far more than it takes: these machines are slow at times.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Cabinet {
    pub(crate) demo: Demo,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Cabinet {
    /// Starts a cabinet with further variables, each `NAME=VALUE`.
    pub(crate) async fn start(variables: &[&str]) -> Self {
        Self {
            demo: Demo::start(arguments(variables)).await.unwrap(),
        }
    }

    /// The same, with something that happens to the hardware.
    pub(crate) async fn start_with(script: &str, variables: &[&str]) -> Self {
        let arguments = Arguments {
            script: Some(script.to_owned()),
            ..arguments(variables)
        };
        Self {
            demo: Demo::start(arguments).await.unwrap(),
        }
    }

    /// The same by a clock of the story's own.
    pub(crate) async fn start_by(clock: Clock, variables: &[&str]) -> Self {
        Self {
            demo: Demo::start_by(clock, arguments(variables)).await.unwrap(),
        }
    }

    /// The same with the files of an earlier cabinet.
    pub(crate) async fn start_again(clock: Clock, data: &Path, variables: &[&str]) -> Self {
        let arguments = Arguments {
            data: Some(data.to_owned()),
            ..arguments(variables)
        };
        Self {
            demo: Demo::start_by(clock, arguments).await.unwrap(),
        }
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.demo.page).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: cabinet\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            body: unchunk(head, body),
            head: head.to_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", "").await
    }

    /// Asks until the answer is as wished, and gives it back.
    pub(crate) async fn until(&self, path: &str, wished: impl Fn(&Json) -> bool) -> Json {
        let began = Instant::now();
        loop {
            let answer = self.get(path).await;
            let json: Json = serde_json::from_str(&answer.body).unwrap_or_default();
            if answer.status == 200 && wished(&json) {
                return json;
            }
            assert!(
                began.elapsed() < DEADLINE,
                "{path} stays {} {}",
                answer.status,
                answer.body
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the cloud side has received what is wished.
    pub(crate) async fn until_cloud(
        &self,
        what: &str,
        wished: impl Fn(&tm::demo::Received) -> bool,
    ) {
        let began = Instant::now();
        while !self.demo.cloud.with(&wished) {
            assert!(
                began.elapsed() < DEADLINE,
                "the cloud side never saw {what}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many batches the cloud broker has acknowledged.
    pub(crate) async fn batches(&self) -> u64 {
        let uplink = self
            .until("/api/v1/uplink", |uplink| uplink["batches_acked"].is_u64())
            .await;
        uplink["batches_acked"].as_u64().unwrap()
    }

    /// Of a source's polls at the cloud side, run and number in order.
    pub(crate) fn polls(&self, source: &str) -> Vec<(String, u64)> {
        let of_source = |cloud: &tm::demo::Received| {
            let polls = cloud.polls.keys().filter(|(of, ..)| of == source);
            polls
                .map(|(_, run, n)| (run.clone(), *n))
                .collect::<Vec<_>>()
        };
        let mut polls = self.demo.cloud.with(of_source);
        polls.sort_unstable();
        polls
    }

    /// Waits until the cloud side has more than `count` polls of a source.
    pub(crate) async fn until_polls(&self, source: &str, count: usize) {
        let has_more = |cloud: &tm::demo::Received| {
            cloud.polls.keys().filter(|(of, ..)| of == source).count() > count
        };
        self.until_cloud(source, has_more).await;
    }

    /// Nothing that a source measured in its only run is missing at the cloud side.
    pub(crate) fn assert_no_gap(&self, source: &str) {
        let polls = self.polls(source);
        assert!(
            polls.iter().all(|(run, _)| *run == polls[0].0),
            "{source} was not restarted"
        );
        let numbers: Vec<u64> = polls.iter().map(|(_, n)| *n).collect();
        assert!(
            numbers.iter().copied().eq(0..numbers.len() as u64),
            "a gap in {source}: {numbers:?}"
        );
    }

    /// Publishes at the local broker as a foreign client, and waits for the acknowledgements.
    pub(crate) async fn publish(&self, topic: &str, payloads: &[String]) {
        let mut session = Session::open(Options::new("foreign", self.demo.bus.parse().unwrap()));
        while !matches!(next(&mut session).await, SessionEvent::Up { .. }) {}
        for (token, payload) in (0..).zip(payloads) {
            let message = Outgoing {
                token,
                topic: topic.to_owned(),
                payload: payload.clone().into(),
                qos: Qos::AtLeastOnce,
                retain: false,
            };
            session.feed(message).unwrap();
            while !matches!(next(&mut session).await, SessionEvent::Acked(acked) if acked == token)
            {
            }
        }
    }
}

fn arguments(variables: &[&str]) -> Arguments {
    Arguments {
        port: 18_100,
        variables: variables
            .iter()
            .map(|&variable| variable.to_owned())
            .collect(),
        ..Arguments::default()
    }
}

async fn next(session: &mut Session) -> SessionEvent {
    tokio::time::timeout(DEADLINE, session.next())
        .await
        .unwrap()
}

/// The body without its chunk lines, if it has them.
fn unchunk(head: &str, body: &str) -> String {
    if !head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&tail[..size]);
        rest = tail[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}
