//! What every handler shares, and what happens to every request.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value as Json;
use tm_service::Clock;
use tm_types::{Device, Instance, OperationId, Stamp, code};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::attempts::Attempts;
use crate::error::ApiError;
use crate::extract::{Caller, Lang};
use crate::token::{Scope, Tokens};
use crate::world::World;

/// How long a request may take, its body included; a stream counts until its first byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams open at once.
const STREAMS_MAX: usize = 16;
/// Pages and answers load nothing from elsewhere and run no inline script.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
/// Swagger UI styles its elements by itself and has icons as `data:` images.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

/// Asks a service for an operation: id (drawn when none), service, operation, arguments, ttl.
pub(crate) type Ask =
    Box<dyn Fn(Option<OperationId>, &Instance, &str, Json, Duration) -> OperationId + Send + Sync>;

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What every handler shares.
pub(crate) struct App {
    pub(crate) clock: Clock,
    pub(crate) device: Device,
    pub(crate) version: &'static str,
    pub(crate) ask: Ask,
    pub(crate) streams: Arc<Semaphore>,
    world: RwLock<World>,
    changed: watch::Sender<u64>,
    tokens: Tokens,
    reads_need_token: bool,
    attempts: Mutex<Attempts>,
}

pub(crate) type Shared = Arc<App>;

impl App {
    pub(crate) fn new(
        clock: Clock,
        device: Device,
        version: &'static str,
        ask: Ask,
        tokens: Tokens,
        reads_need_token: bool,
    ) -> Shared {
        let started = clock.stamp();
        Arc::new(Self {
            clock,
            device,
            version,
            ask,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            world: RwLock::new(World::new(started)),
            changed: watch::Sender::new(0),
            tokens,
            reads_need_token,
            attempts: Mutex::default(),
        })
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Stamp {
        self.clock.stamp()
    }

    /// Looks at the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world and wakes who waits for that.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|version| *version += 1);
        result
    }

    /// Wakes at every change of the world.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether the caller may do what needs `scope`.
    pub(crate) fn require(&self, caller: Caller, scope: Scope) -> Result<(), ApiError> {
        if self.tokens.is_empty() {
            let cause = code::API_NO_TOKEN_CONFIGURED.plain();
            return Err(ApiError::new(StatusCode::FORBIDDEN, cause));
        }
        match caller.scope {
            None => Err(unauthorized()),
            Some(held) if held < scope => {
                let cause = code::API_FORBIDDEN.with("scope", scope);
                Err(ApiError::new(StatusCode::FORBIDDEN, cause))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_token(&self, token: &str, peer: Option<Peer>) -> Result<Scope, ApiError> {
        let now_ms = self.now().mono_ms;
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = peer.and_then(|peer| attempts.wait_s(peer.0, now_ms)) {
            let cause = code::API_TOO_MANY_ATTEMPTS.with("seconds", seconds);
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, cause);
            return Err(error.retry_after_s(seconds));
        }
        self.tokens.scope_of(token).ok_or_else(|| {
            if let Some(peer) = peer {
                attempts.wrong(peer.0, now_ms);
            }
            unauthorized()
        })
    }
}

/// Finds out who asks. A wrong token is refused even where none is needed: its sender would
/// otherwise believe in it.
pub(crate) async fn authenticate(
    State(app): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header.map(|header| header.to_str().ok().and_then(bearer));
    let mut caller = Caller::default();
    match token {
        Some(token) if !app.tokens.is_empty() => {
            let peer = request.extensions().get::<Peer>().copied();
            match app.check_token(token.unwrap_or(""), peer) {
                Ok(scope) => caller.scope = Some(scope),
                Err(error) => return error.into_response(),
            }
        }
        _ => {}
    }
    if app.reads_need_token && caller.scope.is_none() && !is_open(request.uri().path()) {
        return match app.require(caller, Scope::Read) {
            Err(error) => error.into_response(),
            Ok(()) => unauthorized().into_response(),
        };
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Gives every answer its headers, every error its problem, and every request an end.
pub(crate) async fn present(request: Request, next: Next) -> Response {
    let language = Lang::of(request.uri(), request.headers());
    let path = request.uri().path().to_owned();
    let mut response = timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| {
            ApiError::new(StatusCode::REQUEST_TIMEOUT, code::API_TIMEOUT.plain()).into_response()
        });
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = error.problem(&path, language);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let policy = if path.starts_with("/docs/") {
        DOCS_POLICY
    } else {
        POLICY
    };
    let response_is_ok = response.status().is_success();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    // The files of Swagger UI change with the release only, and are heavy for a mobile link.
    let is_docs_file = path.starts_with("/docs/") && path.contains('.') && response_is_ok;
    let keep = if is_docs_file {
        "max-age=86400"
    } else {
        "no-store"
    };
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(keep));
    response
}

/// What is open to every allowed peer even when reads need a token: liveness, and the
/// description of the API, which holds nothing of this device.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/openapi.json" | "/docs") || path.starts_with("/docs/")
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code::API_UNAUTHORIZED.plain())
}
