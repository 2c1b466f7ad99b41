//! What the cabinet's API says, asked like any client.

use std::net::SocketAddr;

use serde_json::Value as Json;

use crate::demo::http;

/// The cabinet's sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// How much attention it needs: `ok`, `grey`, `amber`, `red`.
    pub level: String,
    /// The code of the situation.
    pub code: String,
    /// The sentence.
    pub text: String,
    /// The codes of every reason and alarm behind it.
    pub because: Vec<String>,
}

/// What the API said last.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// `/api/v1/status`; nothing while nobody answers.
    pub(super) sentence: Option<Sentence>,
    /// Whether the uplink is connected to the cloud.
    pub(super) is_connected: bool,
    /// Records that wait for the cloud, of `/api/v1/uplink`.
    pub(super) waiting: Option<u64>,
    /// Whether there is a position, of `/api/v1/gnss/fix`.
    pub(super) has_position: bool,
}

impl Page {
    /// Asks anew.
    pub(super) async fn ask(&mut self, page: SocketAddr) {
        let status = http::get(page, "/api/v1/status").await;
        self.sentence = status.as_ref().and_then(Sentence::of_status);
        let uplink = http::get(page, "/api/v1/uplink").await.unwrap_or_default();
        self.is_connected = uplink["link"] == "connected";
        self.waiting = uplink["journal"]["records_pending"].as_u64();
        let fix = http::get(page, "/api/v1/gnss/fix").await;
        self.has_position = fix.is_some_and(|fix| fix["latitude_deg"].is_f64());
    }
}

impl Sentence {
    fn of_status(status: &Json) -> Option<Self> {
        let text = |name: &str| status[name].as_str().map(str::to_owned);
        let lists = ["reasons", "alarms"].map(|name| status[name].as_array());
        let all = lists.into_iter().flatten().flatten();
        let codes = all.filter_map(|one| one["code"].as_str());
        Some(Self {
            level: text("level")?,
            code: text("code")?,
            text: text("sentence")?,
            because: codes.map(str::to_owned).collect(),
        })
    }

    /// Whether a person reads the same.
    pub(super) fn reads_as(&self, other: &Self) -> bool {
        (&self.level, &self.code, &self.text) == (&other.level, &other.code, &other.text)
    }
}
