//! What happens, as it happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;
use tm_types::{Problem, code};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::answers::Unreadable;
use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::Query;
use crate::world::{Item, Position};

/// Silence after which a comment shows that the stream lives; below the 30 s of common proxies.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);
/// What a stream can carry.
const KINDS: [&str; 6] = ["points", "state", "health", "event", "alarm", "operation"];

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// What to send, separated by commas: `points, state, health, event, alarm, operation`;
    /// everything when not given.
    kinds: Option<String>,
}

/// What happens, as it happens (server-sent events)
///
/// Event names are `points`, `state`, `health`, `event`, `alarm` and `operation`; data is the
/// message of the bus as JSON, identities masked. After a break the browser sends
/// `Last-Event-ID` and gets what it missed. A client that is too slow, or away for too long, gets
/// `lagged` with how many messages it missed (null when that is not known) and should ask for the
/// state again. A comment every 15 s shows that the stream lives.
#[utoipa::path(
    get, path = "/api/v1/stream", tag = "series",
    params(
        Wanted,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event seen."),
    ),
    responses(
        (status = 200, description = "The stream; it does not end.", content_type = "text/event-stream", body = String),
        Unreadable,
        (status = 503, description = "`api.busy`: too many streams are open.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream(
    State(app): State<Shared>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, ApiError> {
    let kinds = wanted.kinds.as_deref().map(kinds).transpose()?;
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code::API_BUSY.plain()).retry_after_s(30)
    })?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let end = app.read(|world| world.feed.end());
    // The comment makes proxies and browsers take the answer as begun.
    let hello = Event::default().comment("tm-server").retry(RETRY);
    let (position, ready) = match last.map(str::parse::<Position>) {
        None => (end, vec![hello.id(end.to_string())]),
        // The id stays the client's own until it has what it missed.
        Some(Ok(position)) => (position, vec![hello]),
        Some(Err(())) => (end, vec![hello, lagged(None, end)]),
    };
    let ready = ready.into_iter().map(Ready::Own).collect();
    let client = Client {
        changes: app.changes(),
        app,
        kinds,
        position,
        ready,
        _permit: permit,
    };
    let events = stream::unfold(client, |mut client| async move {
        let event = client.next().await?;
        Some((Ok(event), client))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// Something to be sent: made for this client, or shared with the ring.
enum Ready {
    Own(Event),
    Shared(Arc<Item>),
}

/// One reader of the ring: a position, and what it has fetched but not sent yet, shared with the
/// ring and never more than it held at once.
struct Client {
    app: Shared,
    changes: watch::Receiver<u64>,
    kinds: Option<Vec<&'static str>>,
    position: Position,
    ready: VecDeque<Ready>,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.ready.pop_front() {
                Some(Ready::Own(event)) => return Some(event),
                Some(Ready::Shared(item)) => {
                    let id = item.position(self.position).to_string();
                    return Some(Event::default().event(item.kind).id(id).data(&item.data));
                }
                None => {}
            }
            self.changes.mark_unchanged();
            if !self.fetch() {
                self.changes.changed().await.ok()?;
            }
        }
    }

    /// Takes what is new from the ring; `false` when there is nothing.
    fn fetch(&mut self) -> bool {
        let replay = self.app.read(|world| world.feed.since(self.position));
        if replay.position == self.position {
            return false;
        }
        if replay.missed != Some(0) {
            self.ready
                .push_back(Ready::Own(lagged(replay.missed, replay.position)));
        }
        let wanted = |item: &Arc<Item>| {
            self.kinds
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&item.kind))
        };
        self.ready
            .extend(replay.items.into_iter().filter(wanted).map(Ready::Shared));
        self.position = replay.position;
        true
    }
}

fn lagged(missed: Option<u64>, position: Position) -> Event {
    let data = json!({ "missed": missed }).to_string();
    Event::default()
        .event("lagged")
        .id(position.to_string())
        .data(data)
}

fn kinds(text: &str) -> Result<Vec<&'static str>, ApiError> {
    let known = |name: &str| KINDS.into_iter().find(|kind| *kind == name.trim());
    let kinds: Option<Vec<_>> = text.split(',').map(known).collect();
    kinds.ok_or_else(|| ApiError::bad_field("kinds", &format!("some of {}", KINDS.join(", "))))
}
