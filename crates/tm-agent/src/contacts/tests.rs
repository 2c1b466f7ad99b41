use tm_types::{BootId, Clock, Point, Reason};

use super::*;

const BOOT: BootId = BootId(7);
const DOOR: &str = "meter/door-open";
const MAINS: &str = "meter/mains-present";

/// Wall time is 1000 s ahead of the monotonic one.
fn stamp(ms: u64) -> Stamp {
    Stamp {
        time: Timestamp::of_unix_ms(1_000_000 + i64::try_from(ms).unwrap()),
        mono_ms: ms,
        boot: BOOT,
        clock: Clock::Ntp,
        err_ms: None,
    }
}

struct Scene(Contacts);

impl Scene {
    fn new(list: &str) -> Self {
        Self(Contacts::new(&list.parse().unwrap()))
    }

    fn usual() -> Self {
        Self::new("sensors/meter/door-open=door,sensors/meter/mains-present=mains")
    }

    /// A reading made at `stamp` arrives at `now_ms`; what changes, as `+id code severity since` and `-id`.
    fn told(
        &mut self,
        now_ms: u64,
        stamp: Stamp,
        name: &str,
        reading: impl Into<Reading>,
    ) -> Vec<String> {
        let poll = Poll {
            sequence: None,
            stamp,
            points: vec![Point::state(name.parse().unwrap(), reading)],
        };
        let now = self::stamp(now_ms);
        self.0.hear(&"sensors".parse().unwrap(), &poll, &now);
        self.at(now_ms)
    }

    /// A reading made and heard at `ms`.
    fn reads(&mut self, ms: u64, name: &str, reading: impl Into<Reading>) -> Vec<String> {
        self.told(ms, stamp(ms), name, reading)
    }

    fn at(&mut self, ms: u64) -> Vec<String> {
        let changes = self.0.decide(Duration::from_millis(ms));
        let told = changes.into_iter().map(|change| match change {
            Change::Raise(alarm) => {
                let since = alarm.since.unix_ms() - 1_000_000;
                let id = alarm.id.strip_prefix(PREFIX).unwrap();
                format!("+{id} {} {:?} {since}", alarm.code, alarm.severity)
            }
            Change::Clear(id) => format!("-{}", id.strip_prefix(PREFIX).unwrap()),
        });
        told.collect()
    }
}

const NOTHING: [&str; 0] = [];
const OPEN: [&str; 1] = ["+sensors.meter.door-open contact.door_open Warning 1000"];
const LOST: [&str; 1] = ["+sensors.meter.mains-present contact.mains_lost Critical 1000"];

#[test]
fn a_door_is_told_at_once_and_over_when_it_rests() {
    let mut scene = Scene::usual();
    assert_eq!(scene.reads(500, DOOR, false), NOTHING);
    assert_eq!(scene.reads(1000, DOOR, true), OPEN);
    assert_eq!(scene.reads(2000, DOOR, true), NOTHING, "raised once");
    assert_eq!(scene.reads(3000, DOOR, false), NOTHING);
    assert_eq!(scene.0.due(), Some(Duration::from_secs(4)));
    assert_eq!(scene.at(3999), NOTHING);
    assert_eq!(scene.at(4000), ["-sensors.meter.door-open"]);
    assert_eq!((scene.at(9000), scene.0.due()), (vec![], None));
}

#[test]
fn a_door_in_the_wind_is_one_alarm() {
    let mut scene = Scene::usual();
    assert_eq!(scene.reads(1000, DOOR, true), OPEN);
    for ms in (2000..10_000).step_by(1000) {
        assert_eq!(scene.reads(ms, DOOR, ms % 2000 == 0), NOTHING, "{ms}");
        assert_eq!(scene.reads(ms + 500, DOOR, ms % 2000 == 0), NOTHING);
    }
}

#[test]
fn a_dip_of_the_mains_is_no_alarm_and_a_failure_is() {
    let mut scene = Scene::usual();
    assert_eq!(scene.reads(100, MAINS, false), NOTHING);
    assert_eq!(scene.reads(900, MAINS, true), NOTHING);
    assert_eq!(scene.at(60_000), NOTHING);

    let mut scene = Scene::usual();
    assert_eq!(scene.reads(1000, MAINS, false), NOTHING);
    assert_eq!(scene.at(2999), NOTHING);
    assert_eq!(scene.at(3000), LOST);
    // It returns, goes again under the load, and returns for good.
    assert_eq!(scene.reads(10_000, MAINS, true), NOTHING);
    assert_eq!(scene.reads(12_000, MAINS, false), NOTHING);
    assert_eq!(scene.reads(13_000, MAINS, true), NOTHING);
    assert_eq!(scene.at(17_999), NOTHING);
    assert_eq!(scene.at(18_000), ["-sensors.meter.mains-present"]);
}

#[test]
fn the_alarming_value_is_what_the_list_says() {
    let mut scene = Scene::new("sensors/door-closed=door:false,sensors/mains-failed=mains:true");
    assert_eq!(scene.reads(1, "door-closed", true), NOTHING);
    assert_eq!(scene.reads(2, "door-closed", false).len(), 1);
    assert_eq!(scene.reads(3, "mains-failed", true), NOTHING);
    assert_eq!(scene.at(2003).len(), 1);
}

#[test]
fn numbers_that_are_contacts() {
    let mut scene = Scene::usual();
    for reading in [Reading::from(2), Value::text("open").unwrap().into()] {
        assert_eq!(scene.reads(10, DOOR, reading), NOTHING);
    }
    assert_eq!(scene.reads(1000, DOOR, 1), OPEN);
    assert_eq!(scene.reads(2000, DOOR, 0), NOTHING);
    assert_eq!(scene.at(3000), ["-sensors.meter.door-open"]);
}

/// A container without a clock publishes on change; both messages are read in the same millisecond.
#[test]
fn of_two_readings_at_one_moment_the_later_to_come_counts() {
    let mut scene = Scene::usual();
    assert_eq!(scene.reads(1000, DOOR, 1), OPEN);
    assert_eq!(scene.reads(1000, DOOR, 0), NOTHING);
    assert_eq!(scene.at(3000), ["-sensors.meter.door-open"]);
}

#[test]
fn what_is_bad_or_late_changes_nothing() {
    let other_boot = Stamp {
        boot: BootId(6),
        ..stamp(1500)
    };
    let bad = Reading::Bad(true.into(), Reason::BadReply);
    for is_open in [false, true] {
        let mut scene = Scene::usual();
        let raised = scene.reads(1000, DOOR, is_open);
        assert_eq!(raised.len(), usize::from(is_open));
        let contrary = !is_open;
        for (stamp, reading) in [
            (stamp(1500), Reading::Missing(Reason::Timeout)),
            (stamp(1500), bad.clone()),
            (stamp(999), contrary.into()),
            (other_boot, contrary.into()),
        ] {
            assert_eq!(scene.told(2000, stamp, DOOR, reading), NOTHING);
        }
        assert_eq!(scene.at(60_000), NOTHING);
        let late = scene.told(1_000_000, stamp(300_000), DOOR, contrary);
        assert_eq!((late, scene.at(2_000_000)), (vec![], vec![]));
    }
}

#[test]
fn an_opening_that_was_held_back_is_told_with_its_time() {
    let mut scene = Scene::usual();
    assert_eq!(scene.told(61_000, stamp(1000), DOOR, true), OPEN);
    assert_eq!(scene.told(61_000, stamp(2000), DOOR, false), NOTHING);
    assert_eq!(scene.at(62_000), ["-sensors.meter.door-open"]);
}

#[test]
fn a_stamp_of_the_future_silences_nobody() {
    let mut scene = Scene::usual();
    assert_eq!(scene.told(1000, stamp(1 << 40), DOOR, true).len(), 1);
    scene.reads(2000, DOOR, false);
    assert_eq!(scene.at(3000), ["-sensors.meter.door-open"]);
}

/// The alarm that a first run leaves behind.
fn mains_alarm() -> Alarm {
    let mut scene = Scene::usual();
    scene.reads(1000, MAINS, false);
    match scene.0.decide(Duration::from_mins(1)).pop() {
        Some(Change::Raise(alarm)) => alarm,
        _ => panic!("no alarm"),
    }
}

#[test]
fn alarms_of_an_earlier_run() {
    let mains = mains_alarm();
    let mut scene = Scene::usual();
    scene.0.adopt(mains.clone());
    assert_eq!(scene.reads(500, MAINS, false), NOTHING);
    assert_eq!(scene.at(60_000), NOTHING, "still so: not raised again");
    scene.reads(70_000, MAINS, true);
    assert_eq!(scene.at(75_000), ["-sensors.meter.mains-present"]);

    // Nobody watches it any more, or it means something else now.
    for list in ["", "sensors/meter/mains-present=door"] {
        let mut scene = Scene::new(list);
        scene.0.adopt(mains.clone());
        assert_eq!(scene.at(1), ["-sensors.meter.mains-present"], "{list}");
        assert_eq!(scene.at(2), NOTHING);
    }
}

#[test]
fn sources_are_listened_to_once() {
    let list = "sensors/a=door,io/b=mains,sensors/c=door";
    assert_eq!(
        Scene::new(list).0.sources(),
        ["io", "sensors"].map(|source| source.parse().unwrap())
    );
    assert_eq!(Scene::new("").0.sources(), []);
}
