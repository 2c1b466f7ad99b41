//! What an owner pays for: counted, kept over restarts, and held within its budget.

use std::time::Duration;

use serde_json::Value as Json;
use tm_service::{Host, ManualClock, Store};
use tm_types::{
    Anchor, BootId, BudgetStep, Clock as Quality, ProfileReason, Stamp, Timestamp, UplinkState,
};
use tm_uplink::{Config, Payload};

use crate::world::{
    Client, DEADLINE, EVERYTHING, Polls, Seen, World, arrive, has_reason, health_says, standing,
};

/// Half past ten in the evening of the first of December, in Kyiv.
fn evening() -> Stamp {
    Stamp {
        time: "2026-12-01T20:30:00Z".parse().unwrap(),
        mono_ms: 5_000_000,
        boot: BootId(7),
        clock: Quality::Ntp,
        err_ms: Some(1),
    }
}

/// The file of an uplink that has used so many bytes on that day.
fn has_used(host: &Host, bytes: u64) {
    let kept = format!(
        r#"{{"belief":{{"last":null,"doubted":null}},"days":[{{"began":20788,"bytes":{{"rx_bytes":0,"tx_bytes":{bytes}}},"is_doubtful":false}}],"months":[],"unsorted":{{"rx_bytes":0,"tx_bytes":0}},"calendar":["Europe/Kyiv",1]}}"#
    );
    let kept: Json = serde_json::from_str(&kept).unwrap();
    host.store.save_now("costs", &kept).unwrap();
}

const FLUSH: &str =
    r#"{"id":"f","args":{},"ttl_ms":5000,"issuer":"test","issued_at":"2026-12-01T04:00:00.000Z"}"#;

fn state(seen: &Seen) -> Option<UplinkState> {
    let mut states = seen.messages.iter().rev();
    let last = states.find(|message| message.topic == "tm/v1/state/uplink")?;
    serde_json::from_slice(&last.payload).ok()
}

/// Waits while up to ten minutes pass by hand, and wakes the uplink up: it sleeps by a clock of its own.
async fn awake(world: &World, hand: &ManualClock, wait: impl Future<Output = ()>) {
    let mut client = Client::connect("waker", &world.bus, &[]).await;
    let wake = async {
        for step in 0_u64.. {
            if step < 600 {
                hand.advance(Duration::from_secs(1));
            }
            client.publish("tm/v1/state/waker", "{}").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = wake => {}
        () = wait => {}
    }
}

#[tokio::test]
async fn a_spent_day_holds_measurements_and_lets_alarms_through_until_the_next_one() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let (host, hand) = world.host_by_hand(evening());
    has_used(&host, 1 << 20);
    let running = world.start_on(
        Config {
            budget_day_mib: Some(1),
            payload: Payload::Json,
            ..world.config()
        },
        host,
    );
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(50)).await;
    source.publish("tm/v1/alarm/door", r#"{"id":"door"}"#).await;
    awake(&world, &hand, async {
        health_says(&mut source, "a budget that is spent", |health| {
            health["status"] == "degraded" && has_reason(health, "uplink.budget_spent")
        })
        .await;
        source
            .until("what is held", |seen| {
                let state = state(seen);
                state.is_some_and(|state| {
                    state.budget.step == BudgetStep::Spent && state.journal.records_pending == 50
                })
            })
            .await;
        let is_alarm = |topic: &str| topic == "tm/v1/alarm/door";
        collector
            .until("the alarm", |seen| {
                seen.arrived.urgent.iter().any(|(topic, _)| is_alarm(topic))
            })
            .await;
        // Not even when it is asked for.
        source.publish("tm/v1/cmd/uplink/flush", FLUSH).await;
        collector
            .until("the answer", |seen| {
                let mut urgent = seen.arrived.urgent.iter();
                urgent.any(|(topic, answer)| {
                    topic == "tm/v1/res/f" && answer["result"]["is_held"] == true
                })
            })
            .await;
        // Another connection holds as well.
        world.gate.cut();
        source.publish("tm/v1/alarm/door", "").await;
        collector
            .until("its end", |seen| {
                let mut alarms = seen.arrived.urgent.iter();
                alarms.any(|(topic, payload)| is_alarm(topic) && payload.is_null())
            })
            .await;
    })
    .await;
    assert!(collector.seen.arrived.polls.is_empty(), "held");
    let used = state(&source.seen).unwrap().budget.day;
    assert_eq!(used.limit_bytes, Some(1 << 20));
    assert_eq!(
        used.ends.unwrap().to_string(),
        "2026-12-01T22:00:00.000Z",
        "midnight"
    );
    hand.advance(Duration::from_hours(2));
    awake(&world, &hand, async {
        arrive(&mut collector, &polls, 50).await;
        health_says(&mut source, "a budget that lasts", |health| {
            health["status"] == "up"
        })
        .await;
    })
    .await;
    let events = collector.seen.arrived.urgent.iter();
    let events = events.filter(|(topic, _)| topic == "tm/v1/event/uplink");
    let codes: Vec<&str> = events
        .filter_map(|(_, event)| event["cause"]["code"].as_str())
        .collect();
    assert_eq!(codes, ["uplink.budget_spent", "uplink.budget_lasts"]);
    running.stop().await;
}

#[tokio::test]
async fn a_time_that_only_satellites_tell_bounds_a_day_too() {
    let world = World::new();
    let unset = Stamp {
        time: Timestamp::of_unix_ms(1_000_000),
        clock: Quality::None,
        err_ms: None,
        ..evening()
    };
    let (host, hand) = world.host_by_hand(unset);
    has_used(&host, 1 << 20);
    let config = Config {
        budget_day_mib: Some(1),
        ..world.config()
    };
    let running = world.start_on(config, host);
    let mut source = standing(&world).await;
    let anchor = Anchor {
        boot: unset.boot,
        mono_ms: unset.mono_ms,
        utc: evening().time,
        source: Quality::Gnss,
        err_ms: 20,
    };
    let anchor = serde_json::to_string(&anchor).unwrap();
    source.publish("tm/v1/clock/gnss", anchor).await;
    awake(&world, &hand, async {
        source
            .until("a day that is spent and ends", |seen| {
                let state = state(seen);
                state.is_some_and(|state| {
                    let ends = state.budget.day.ends.map(|ends| ends.to_string());
                    state.budget.step == BudgetStep::Spent
                        && ends.as_deref() == Some("2026-12-01T22:00:00.000Z")
                })
            })
            .await;
    })
    .await;
    running.stop().await;
}

/// At six in the morning half of the day's budget is gone.
#[tokio::test]
async fn a_budget_that_does_not_last_makes_batches_long_and_thin_where_that_is_allowed() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let morning = Stamp {
        time: "2026-12-01T04:00:00Z".parse().unwrap(),
        ..evening()
    };
    let (host, hand) = world.host_by_hand(morning);
    has_used(&host, 1 << 19);
    let running = world.start_on(
        Config {
            budget_day_mib: Some(1),
            budget_thin: true,
            ..world.config()
        },
        host,
    );
    let mut source = standing(&world).await;
    awake(&world, &hand, async {
        health_says(&mut source, "a budget that does not last", |health| {
            has_reason(health, "uplink.budget_low")
        })
        .await;
    })
    .await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(50)).await;
    let told = async |source: &mut Client, what: &str, is_it: fn(&UplinkState) -> bool| {
        let told = source.until(what, |seen| state(seen).is_some_and(|state| is_it(&state)));
        awake(&world, &hand, told).await;
    };
    told(&mut source, "long batches", |state| {
        let profile = &state.profile;
        profile.reason == ProfileReason::Budget
            && profile.batch_s == 900
            && state.budget.step == BudgetStep::Thrifty
            && state.journal.records_pending == 50
    })
    .await;
    assert!(collector.seen.arrived.polls.is_empty(), "collected");
    source.publish("tm/v1/cmd/uplink/flush", FLUSH).await;
    awake(&world, &hand, arrive(&mut collector, &polls, 50)).await;
    // Two series: of each the first and the last, which are the smallest and the largest, or all the same.
    told(&mut source, "what was left out", |state| {
        state.budget.points_thinned == 96
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn every_byte_on_the_wire_is_counted_over_restarts_too() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let mut polls = Polls::of("tank", 7);
    let mut source = None;
    let mut used_before = 0;
    for round in 1..=3 {
        // The last bytes of the connection before are not this one's.
        let parted = async {
            while world.gate.counts().n_open > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, parted).await.unwrap();
        let before = world.gate.counts();
        let (host, hand) = world.host_by_hand(evening());
        let store = host.store.clone();
        let running = world.start_on(world.config(), host);
        if source.is_none() {
            source = Some(standing(&world).await);
        }
        let source = source.as_mut().unwrap();
        source.publish_all(polls.take(100)).await;
        awake(&world, &hand, arrive(&mut collector, &polls, round * 100)).await;
        // What was told last may be older than what went over the wire last.
        let agree = source.until("a count that agrees with the wire", |seen| {
            let now = world.gate.counts();
            let bytes = now.to_target + now.to_clients - before.to_target - before.to_clients;
            let state = state(seen).filter(|state| state.wire.sent_bytes > 0);
            state.is_some_and(|state| {
                let used = state.budget.day.used_bytes;
                let headers = used.checked_sub(used_before + bytes);
                state.wire.sent_bytes + state.wire.received_bytes == bytes
                    && headers.is_some_and(|headers| headers > 0 && headers % 52 == 0)
                    && state.budget.month.used_bytes == used
            })
        });
        awake(&world, &hand, agree).await;
        used_before = state(&source.seen).unwrap().budget.day.used_bytes;
        running.stop().await;
        // As a service does that is told to stop.
        store.flush();
        drop(store);
        let kept: Json = Store::at(world.directory.path()).load("costs").unwrap();
        let kept = kept["days"][0]["bytes"].clone();
        let kept = kept["rx_bytes"].as_u64().unwrap() + kept["tx_bytes"].as_u64().unwrap();
        assert!(kept >= used_before, "{kept} of {used_before}");
        used_before = kept;
    }
}
