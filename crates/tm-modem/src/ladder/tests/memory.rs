//! What survives, and what damage does.

use std::collections::BTreeMap;

use tm_types::{Clock, code};

use super::bench::{Bench, fault};
use crate::ladder::{Ladder, Memory, Rung};

const HOUR: u64 = 3600;
const YEAR_MS: i64 = 365 * 86_400_000;

#[test]
fn a_restart_goes_on_where_the_ladder_stood() {
    let mut whole = Bench::new();
    let mut parted = Bench::new();
    let stalled = fault(code::LINK_STALLED);
    whole.show(&stalled, 3 * HOUR);
    for _ in 0..9 {
        parted.show(&stalled, HOUR / 3);
        parted.restart();
    }
    let (whole, parted) = (whole.rungs(), parted.rungs());
    // Each restart looks for a minute before it acts; beyond that nothing is done again.
    assert!(
        parted.len() <= whole.len() && parted.len() + 3 >= whole.len(),
        "{whole:?} {parted:?}"
    );
    assert_eq!(parted[..4], whole[..4]);
}

#[test]
fn limits_survive_reboots_whatever_the_wall_clock_says() {
    // (case, off for s, clock before, clock after, jump in ms, resets taken after)
    let cases = [
        ("a minute later", 60, Clock::Ntp, Clock::Ntp, 0, 0),
        (
            "ten years ahead",
            60,
            Clock::Ntp,
            Clock::Ntp,
            10 * YEAR_MS,
            0,
        ),
        (
            "ten years back",
            60,
            Clock::Ntp,
            Clock::Ntp,
            -10 * YEAR_MS,
            0,
        ),
        (
            "ten years back, nobody set it",
            60,
            Clock::None,
            Clock::None,
            -10 * YEAR_MS,
            0,
        ),
        (
            "seven hours ahead, nobody set it",
            60,
            Clock::Restored,
            Clock::None,
            7 * 3_600_000,
            0,
        ),
        (
            "truly seven hours without power",
            7 * HOUR,
            Clock::Ntp,
            Clock::Ntp,
            0,
            4,
        ),
        (
            "twenty hours, the clock ran backwards",
            60,
            Clock::Ntp,
            Clock::Ntp,
            -20 * 3_600_000,
            4,
        ),
    ];
    for (case, off, before, after, jump, resets) in cases {
        let mut bench = Bench::new();
        bench.now.clock = before;
        bench.show(&fault(code::MODEM_MUTE), 2 * HOUR);
        assert_eq!(bench.n_taken(Rung::Reset), 4, "{case}");
        bench.taken.clear();
        bench.reboot(off);
        bench.now.clock = after;
        bench.now.time = bench.now.time.plus_ms(jump);
        bench.show(&fault(code::MODEM_MUTE), 2 * HOUR);
        let got = bench.n_taken(Rung::Reset);
        assert_eq!(got.min(4), resets, "{case}: {:?}", bench.rungs());
    }
}

#[test]
fn no_clock_forbids_a_step_for_longer_than_its_window_of_powered_time() {
    let mut bench = Bench::new();
    bench.now.time = bench.now.time.plus_ms(10 * YEAR_MS);
    bench.show(&fault(code::MODEM_MUTE), 2 * HOUR);
    bench.reboot(60);
    bench.now.time = bench.now.time.plus_ms(-10 * YEAR_MS);
    bench.taken.clear();
    bench.show(&fault(code::MODEM_MUTE), 6 * HOUR);
    assert!(bench.rungs().contains(&3), "{:?}", bench.rungs());
}

#[test]
fn a_reboot_of_ours_is_judged_after_it() {
    let mut bench = Bench::new();
    let gone = fault(code::MODEM_MANAGER_ABSENT);
    bench.answer = None;
    bench.show(&gone, 3600);
    while bench.taken.is_empty() {
        bench.show(&gone, 10);
    }
    assert_eq!(bench.rungs(), [6]);
    bench.reboot(90);
    bench.show(&gone, 400);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, None);
    bench.show(&gone, 120);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, Some(false));
    bench.show(&gone, 48 * HOUR);
    assert_eq!(bench.rungs(), [6], "once is enough to know");
}

#[test]
fn a_missing_card_may_have_its_reset_again_after_a_start_of_the_machine() {
    let mut bench = Bench::new();
    let missing = fault(code::MODEM_SIM_ABSENT);
    bench.show(&missing, HOUR);
    bench.restart();
    bench.show(&missing, HOUR);
    assert_eq!(bench.rungs(), [3]);
    bench.reboot(60);
    bench.show(&missing, HOUR);
    assert_eq!(bench.rungs(), [3, 3]);
    for _ in 0..20 {
        bench.reboot(60);
        bench.show(&missing, HOUR / 10);
    }
    assert_eq!(bench.rungs(), [3, 3, 3, 3], "a loop of starts is bounded");
}

#[test]
fn the_memory_stays_small() {
    let mut bench = Bench::new();
    bench.show(&fault(code::LINK_STALLED), 48 * HOUR);
    for code in crate::diagnosis::FAULTS {
        bench.show(&fault(*code), 20 * 60);
    }
    let bytes = bench.ladder.memory().bytes();
    assert!(bytes.len() < 24 * 1024, "{} bytes", bytes.len());
    assert_eq!(Memory::read(&bytes), *bench.ladder.memory());
    assert_eq!(bench.ladder.view(&bench.now).steps.len(), 16);
}

#[test]
fn damage_forgets_only_what_it_hit() {
    let mut bench = Bench::new();
    bench.show(&fault(code::MODEM_MUTE), 2 * HOUR);
    bench.input(crate::ladder::Input::Hold {
        issuer: "api".to_owned(),
    });
    let mut value: serde_json::Value =
        serde_json::from_slice(&bench.ladder.memory().bytes()).unwrap();
    let n_steps = value["steps"].as_array().unwrap().len();
    value["steps"][0]["rung"] = "three".into();
    value["episode"]["phase"] = 7.into();
    let memory = Memory::read(&serde_json::to_vec(&value).unwrap());
    let ladder = Ladder::new(memory, BTreeMap::new(), 1);
    let view = ladder.view(&bench.now);
    assert_eq!(view.steps.len(), n_steps - 1);
    assert_eq!(view.status, tm_types::RecoveryStatus::Held);
}

#[test]
fn any_damage_leaves_a_ladder_that_works() {
    let mut bench = Bench::new();
    bench.show(&fault(code::MODEM_MUTE), HOUR);
    let whole = bench.ladder.memory().bytes();
    let mut texts: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"[]".to_vec(),
        vec![0xff; 100],
    ];
    for cut in (0..whole.len()).step_by(37) {
        texts.push(whole[..cut].to_vec());
        let mut changed = whole.clone();
        changed[cut] = b'9';
        texts.push(changed);
    }
    // Numbers as large as they come, everywhere.
    let text = String::from_utf8(whole).unwrap();
    for name in [
        "powered_ms",
        "mono_ms",
        "at_ms",
        "until_ms",
        "since_ms",
        "not_before_ms",
        "waited_ms",
        "seen_ms",
    ] {
        for number in ["18446744073709551615", "0", "-1"] {
            let key = format!("\"{name}\":");
            let mut parts = text.split(&key);
            let mut out = parts.next().unwrap().to_owned();
            for part in parts {
                let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
                out.extend([key.as_str(), number, rest]);
            }
            texts.push(out.into_bytes());
        }
    }
    for text in texts {
        let mut bench = Bench::with(Memory::read(&text), &[]);
        bench.show(&fault(code::LINK_STALLED), 26 * HOUR);
        assert!(
            !bench.taken.is_empty(),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}
