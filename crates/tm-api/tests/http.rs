//! The API on a real socket: who is answered, and what becomes of those who misbehave.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;
use tm_api::Config;
use tm_service::config::{Environment, Report, Settings as _};
use tm_service::{Clock, Host};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Far beyond what anything here takes, but for the deadlines under test.
const PATIENCE: Duration = Duration::from_secs(30);

/// An API without a broker; it ends with the test.
struct Api {
    address: SocketAddr,
    _running: JoinSet<()>,
    _directory: TempDir,
}

fn config(variables: &[(&str, &str)]) -> Config {
    let mut environment = Environment::default();
    for (name, value) in variables {
        environment = environment.with(name, value);
    }
    Config::load("TM_API_", &environment, &mut Report::default())
}

fn host(directory: &TempDir) -> Host {
    // Port 9 (discard) is not served: there is no broker, and the API answers all the same.
    Host::for_test(
        "api",
        directory.path(),
        "mqtt://127.0.0.1:9",
        Clock::system(),
    )
    .unwrap()
}

async fn start(variables: &[(&str, &str)]) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let directory = TempDir::new().unwrap();
    let (config, host) = (config(variables), host(&directory));
    let mut running = JoinSet::new();
    running.spawn(async move {
        let error = tm_api::run_on(listener, config, host).await.unwrap_err();
        panic!("the API ended: {error:#}");
    });
    Api {
        address,
        _running: running,
        _directory: directory,
    }
}

impl Api {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the API closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // It may have closed already: what counts is what comes back.
        let _ = stream.write_all(bytes).await;
        read_to_end(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.exchange(
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes(),
        )
        .await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the API closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_is_allowed_is_answered() {
    let api = start(&[]).await;
    let answer = api.get("/api/v1/status").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let body: Json = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["code"], "status.starting");
}

#[tokio::test]
async fn who_is_not_allowed_gets_not_one_byte() {
    for list in ["10.0.0.0/8", "10.0.0.0/8,::1"] {
        let api = start(&[("TM_API_ALLOW_FROM", list)]).await;
        for path in ["/", "/healthz", "/api/v1/status"] {
            assert_eq!(api.get(path).await, "", "{list} {path}");
        }
        // Not even to one who waits to be spoken to.
        assert_eq!(read_to_end(&mut api.connect().await).await, "", "{list}");
    }
}

#[tokio::test]
async fn a_malformed_list_falls_closed() {
    let mut report = Report::default();
    let environment = Environment::default()
        .with("TM_API_ALLOW_FROM", "0.0.0.0/0,everybody")
        .with("TM_API_READS_NEED_TOKEN", "perhaps");
    let config = Config::load("TM_API_", &environment, &mut report);
    assert_eq!(report.findings().len(), 2);
    assert!(config.reads_need_token);
    assert!(config.allow_from.allows("127.0.0.1".parse().unwrap()));
    for peer in ["192.168.1.5", "10.0.0.1", "8.8.8.8"] {
        assert!(!config.allow_from.allows(peer.parse().unwrap()), "{peer}");
    }
}

#[test]
fn the_default_list_is_the_documented_one() {
    assert_eq!(Config::default().allow_from, tm_api::AllowList::default());
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let config = config(&[("TM_API_LISTEN", &address)]);
    let error = timeout(PATIENCE, tm_api::run(config, host(&directory)))
        .await
        .unwrap()
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains(&address) && text.contains("TM_API_LISTEN"),
        "{text}"
    );
    assert!(text.to_lowercase().contains("in use"), "{text}");
}

#[tokio::test]
async fn writes_need_a_token() {
    let write = |token: &str| {
        format!(
            "POST /api/v1/operations HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{token}\
             content-type: application/json\r\ncontent-length: 32\r\n\r\n{{\"service\":\"modem\",\"op\":\"reset\"}}"
        )
    };
    let without = start(&[]).await;
    let answer = without.exchange(write("").as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("api.no_token_configured"),
        "{answer}"
    );
    let seeded = start(&[("TM_API_TOKEN_SEED", "fleet secret")]).await;
    let answer = seeded
        .exchange(write("authorization: Bearer wrong\r\n").as_bytes())
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: Bearer"),
        "{answer}"
    );
    let directory = TempDir::new().unwrap();
    let device = host(&directory).device.id;
    let token = tm_api::derive_token("fleet secret", &device, tm_api::Scope::Operate);
    let answer = seeded
        .exchange(write(&format!("authorization: Bearer {token}\r\n")).as_bytes())
        .await;
    // Without a broker the service cannot be asked: the right is there, the service is not.
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("service.unavailable"),
        "{answer}"
    );
}

#[tokio::test]
async fn garbage_is_closed_and_harms_nobody() {
    let api = start(&[]).await;
    let long_header = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let many_headers = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(2000)
    );
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000));
    let cases: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
        long_path.as_bytes(),
    ];
    for bytes in cases {
        let answer = api.exchange(bytes).await;
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{what:?}: {answer}"
        );
    }
    assert!(api.get("/healthz").await.ends_with("ok\n"));
}

#[tokio::test]
async fn traversal_and_odd_paths_find_nothing() {
    let api = start(&[]).await;
    for path in [
        "/../../etc/passwd",
        "/docs/../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/",
        "/api/v1/modems/",
        "/api/v1/modems/%00",
        "//api/v1/status",
        "/API/V1/STATUS",
    ] {
        let answer = api.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let api = start(&[("TM_API_TOKEN", "secret")]).await;
    let head = "POST /api/v1/operations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\n\
                content-type: application/json\r\nconnection: close\r\n";
    let told = format!("{head}content-length: 100000000\r\n\r\n{{");
    assert!(
        api.exchange(told.as_bytes())
            .await
            .starts_with("HTTP/1.1 413 ")
    );
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(4);
    let untold = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}");
    assert!(
        api.exchange(untold.as_bytes())
            .await
            .starts_with("HTTP/1.1 413 ")
    );
}

/// Slow heads and bodies wait for the real deadlines of 10 s, all at once.
#[tokio::test]
async fn slow_clients_are_cut() {
    let api = start(&[("TM_API_TOKEN", "secret")]).await;
    let begun = Instant::now();
    let silent = async { read_to_end(&mut api.connect().await).await };
    let half_a_head = api.exchange(b"GET / HTTP/1.1\r\nhost: x\r\nx-half:");
    let drip = async {
        let (mut read, mut write) = api.connect().await.into_split();
        let dripping = async {
            while write.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = dripping => {}
            _ = read.read_to_end(&mut answer) => {}
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let half_a_body = api.exchange(
        b"POST /api/v1/operations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\n\
          content-type: application/json\r\ncontent-length: 50\r\n\r\n{\"service\":",
    );
    let all = async { tokio::join!(silent, half_a_head, drip, half_a_body) };
    let (silent, half_a_head, drip, half_a_body) =
        timeout(PATIENCE, all).await.expect("all are cut");
    assert!(
        begun.elapsed() >= Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    for answer in [silent, half_a_head, drip] {
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{answer}"
        );
    }
    assert!(
        half_a_body.starts_with("HTTP/1.1 408 ") && half_a_body.contains("api.timeout"),
        "{half_a_body}"
    );
}

#[tokio::test]
async fn connections_are_counted_and_come_back() {
    let api = start(&[]).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = api.connect().await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 15];
        timeout(PATIENCE, stream.read_exact(&mut first))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        open.push(stream);
    }
    assert_eq!(api.get("/healthz").await, "", "the 65th is closed");
    open.truncate(32);
    let deadline = Instant::now() + PATIENCE;
    while !api.get("/healthz").await.ends_with("ok\n") {
        assert!(Instant::now() < deadline, "a closed connection makes room");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_documented_address_answers_with_its_methods_only() {
    let api = start(&[]).await;
    let document: Json = serde_json::from_str(&tm_api::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        if path.ends_with("/stream") {
            continue;
        }
        let path = path.replace("{id}", "none");
        let methods = item.as_object().unwrap();
        for method in ["get", "post", "put", "delete"] {
            let request = format!(
                "{} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                method.to_uppercase()
            );
            let answer = api.exchange(request.as_bytes()).await;
            let is_refused = answer.starts_with("HTTP/1.1 405 ");
            assert_eq!(
                is_refused,
                !methods.contains_key(method),
                "{method} {path}: {answer}"
            );
            // What is not there is told by the handler or the router alike; nothing is a 500.
            assert!(
                !answer.starts_with("HTTP/1.1 5") || path == "/readyz",
                "{method} {path}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn the_stream_flows_over_a_socket() {
    let api = start(&[]).await;
    let mut stream = api.connect().await;
    stream
        .write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains("retry: 3000") {
        let n = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(seen.contains("text/event-stream"), "{seen}");
}

#[tokio::test]
async fn what_is_dropped_is_gone() {
    let api = start(&[]).await;
    let mut stream = api.connect().await;
    stream
        .write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 15];
    timeout(PATIENCE, stream.read_exact(&mut first))
        .await
        .unwrap()
        .unwrap();
    let address = api.address;
    drop(api);
    read_to_end(&mut stream).await;
    let deadline = Instant::now() + PATIENCE;
    while TcpListener::bind(address).await.is_err() {
        assert!(Instant::now() < deadline, "the port is free again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pages_come_whole_with_their_policy() {
    let api = start(&[]).await;
    for (path, status) in [
        ("/?lang=uk", "200 OK"),
        ("/chart?series=modem/1/rsrp&lang=uk", "404 Not Found"),
        ("/chart?series=%3Cscript%3E&lang=uk", "400 Bad Request"),
    ] {
        let answer = api.get(path).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{path}: {answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        for header in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path}: {header} in {head}");
        }
        assert!(
            body.contains("<html lang=\"uk\">") && body.ends_with("</html>"),
            "{path}: {body}"
        );
        assert!(
            !body.contains("<script>") && !body.contains("style="),
            "{path}: {body}"
        );
    }
}
