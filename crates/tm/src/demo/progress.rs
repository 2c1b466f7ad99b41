//! What the demo prints: where to look, its story if it has one, then a line every few seconds.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value as Json;
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tm_types::topic;

use super::{Demo, Scenario, Telling, story};

/// Seconds between two lines.
const PERIOD: Duration = Duration::from_secs(5);

/// Says where to look.
pub(super) fn greet(demo: &Demo) -> Result<()> {
    let page = format!("http://localhost:{}", demo.page.port());
    print(&format!(
        "tm-server demo: every service in this process, on simulated hardware

  the cabinet   {page}/
  the API       {page}/docs/
  one sentence  curl {page}/api/v1/status
  local broker  {}   (publish your own points: docs/bus.md)
  cloud broker  {}   (tm decode --broker {})

Ctrl-C stops it.

",
        demo.bus, demo.cloud_url, demo.cloud_url
    ))
}

/// Lists the stories.
pub(super) fn list_scenarios() -> Result<()> {
    let mut text = "Stories for tm demo --scenario NAME:\n".to_owned();
    for scenario in Scenario::ALL {
        let (name, title, lasts) = (scenario.name, scenario.title, scenario.lasts_s);
        let line = format!("  {name:<11} {title}, {lasts} s\n");
        text.push_str(&line);
    }
    print(&text)
}

/// Tells a story; what of it did not hold.
pub(super) async fn play(demo: &mut Demo, scenario: &Scenario, hurry: u32) -> Result<Vec<String>> {
    let mut out = io::stdout();
    let telling = Telling {
        is_coloured: out.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        out: &mut out,
        hurry,
        patience: Telling::PATIENCE,
    };
    Ok(story::play(demo, scenario, telling).await?.unmet)
}

/// Prints a line every few seconds, for ever.
pub(super) async fn tell(demo: &Demo) -> Result<()> {
    let address = demo
        .bus
        .parse()
        .context("read the local broker's address")?;
    let mut session = Session::open(Options {
        subscriptions: vec![(topic::STATE_ALL.into(), Qos::AtLeastOnce)],
        ..Options::new("demo-progress", address)
    });
    let mut cabinet = Cabinet::default();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.tick().await;
    loop {
        tokio::select! {
            event = session.next() => {
                if let SessionEvent::Message(message) = event {
                    cabinet.hear(&message.topic, &message.payload);
                }
            }
            _ = ticks.tick() => print(&cabinet.line(demo))?,
        }
    }
}

/// What the services said last.
#[derive(Default)]
struct Cabinet {
    modem: Json,
    gnss: Json,
    uplink: Json,
}

impl Cabinet {
    fn hear(&mut self, name: &str, payload: &[u8]) {
        let place = match topic::classify(name) {
            Some(topic::Class::State("modem")) => &mut self.modem,
            Some(topic::Class::State("gnss")) => &mut self.gnss,
            Some(topic::Class::State("uplink")) => &mut self.uplink,
            _ => return,
        };
        if let Ok(state) = serde_json::from_slice(payload) {
            *place = state;
        }
    }

    fn line(&self, demo: &Demo) -> String {
        let modem = &self.modem["modems"][0];
        let fix = &self.gnss["fix"];
        let (points, bytes, repeats) = demo
            .cloud
            .with(|received| (received.points, received.bytes, received.repeats));
        format!(
            "modem {:<18} RSRP {:>6} dBm │ {:<12} {:>10} {:>10} │ queue {:>5} │ cloud {points:>6} points {bytes:>7} B {repeats} repeats{}\n",
            word(&modem["cause"]["code"]),
            word(&modem["signal"]["rsrp_dbm"]),
            word(&self.gnss["cause"]["code"]),
            word(&fix["latitude_deg"]),
            word(&fix["longitude_deg"]),
            word(&self.uplink["journal"]["records_pending"]),
            if demo.is_alive() {
                ""
            } else {
                " │ a service's thread ended"
            },
        )
    }
}

/// A value for people; a dash where there is none.
fn word(value: &Json) -> String {
    match value {
        Json::Null => "–".into(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("print")
}
