//! Patience, proof, limits, ends and operators.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{RecoveryStatus, code};

use super::bench::{Bench, fault, of, open};
use crate::diagnosis::{Stage, Standing};
use crate::ladder::{Call, Input, Memory, Rung};

const HOUR: u64 = 3600;

#[test]
fn patience_comes_first_and_a_short_trouble_says_nothing() {
    let mut bench = Bench::new();
    bench.show(&open(), 60);
    bench.show(&fault(code::MODEM_SEARCHING), 170);
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::Waiting
    );
    assert_eq!(bench.ladder.view(&bench.now).next_in_s, Some(10));
    bench.show(&open(), 600);
    assert!(
        bench.taken.is_empty() && bench.events.is_empty(),
        "{:?}",
        bench.events
    );
    let view = bench.ladder.view(&bench.now);
    assert_eq!(
        (view.status, view.diagnosis, view.since),
        (RecoveryStatus::Watching, None, None)
    );
}

#[test]
fn the_ladder_is_climbed_from_the_mildest_rung() {
    let mut bench = Bench::new();
    bench.show(&fault(code::LINK_STALLED), 840);
    assert_eq!(bench.rungs()[..5], [1, 1, 2, 3, 5]);
    // 60 s of first look, then 60 s for each reconnect, 120 s for the radio, 245 s for the reset.
    let begin = bench.taken[0].0;
    let at: Vec<u64> = bench.taken.iter().map(|(at, _)| at - begin).collect();
    assert_eq!(at[..5], [0, 60, 120, 240, 485]);
    assert_eq!(bench.count(code::RECOVERY_STEP_FAILED), 5);
    assert_eq!(bench.count(code::RECOVERY_BACKING_OFF), 1);
    assert_eq!(
        bench.n_urgent,
        bench.taken.len(),
        "each step is remembered before it is taken"
    );
}

#[test]
fn a_step_has_helped_when_the_evidence_says_so_not_when_the_call_returns() {
    let mut bench = Bench::new();
    bench.show(&fault(code::LINK_STALLED), 70);
    assert_eq!(bench.rungs(), [1]);
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::Judging
    );
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, None);
    bench.show(&open(), 10);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, Some(true));
    assert_eq!(bench.count(code::RECOVERY_STEP_HELPED), 1);
    assert_eq!(
        bench.count(code::RECOVERY_RESTORED),
        0,
        "five minutes first"
    );
    bench.show(&open(), 300);
    let restored = bench.events.last().unwrap();
    assert!(restored.is(code::RECOVERY_RESTORED));
    assert_eq!(
        (&*restored.args["steps"], &*restored.args["seconds"]),
        ("1", "70")
    );
}

#[test]
fn a_better_stage_helps_if_it_holds() {
    let down = fault(code::MODEM_ABSENT);
    let starting = of(code::MODEM_STARTING, Standing::MayPass, Stage::Present);
    let mut bench = Bench::new();
    bench.show(&down, 70);
    assert_eq!(bench.rungs(), [5]);
    bench.show(&starting, 10);
    bench.show(&down, 10);
    assert_eq!(
        bench.ladder.view(&bench.now).steps[0].helped,
        None,
        "ten seconds are no success"
    );
    bench.show(&starting, 20);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, Some(true));
    assert_eq!(bench.rungs(), [5]);
}

#[test]
fn no_evidence_of_trouble_is_proof_only_when_the_time_is_up() {
    let unknown = of(code::MODEM_REGISTERED, Standing::Unknown, Stage::Context);
    let mut bench = Bench::new();
    bench.show(&fault(code::LINK_STALLED), 60);
    bench.show(&unknown, 50);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, None);
    bench.show(&unknown, 20);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, Some(true));
}

#[test]
fn a_level_is_kept_for_five_minutes_of_success() {
    let mut bench = Bench::new();
    let stalled = fault(code::LINK_STALLED);
    bench.show(&stalled, 70);
    bench.show(&open(), 290);
    bench.show(&stalled, 40);
    bench.show(&open(), 290);
    bench.show(&stalled, 40);
    assert_eq!(
        bench.rungs(),
        [1, 1, 2],
        "the third time it is no use again"
    );
    bench.show(&open(), 310);
    bench.show(&stalled, 40);
    assert_eq!(bench.rungs(), [1, 1, 2, 1]);
}

#[test]
fn pauses_grow_to_a_quarter_of_an_hour_and_stay() {
    let mut bench = Bench::new();
    let dead = fault(code::UPLINK_UNREACHABLE);
    bench.show(&dead, 3 * HOUR);
    let told: Vec<&str> = bench
        .events
        .iter()
        .filter(|cause| cause.is(code::RECOVERY_BACKING_OFF))
        .map(|cause| cause.args["minutes"].as_str())
        .collect();
    assert_eq!(told, ["1", "2", "4", "5", "15"], "each length is told once");
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::BackingOff
    );
}

#[test]
fn limits_hold_in_every_window_and_are_told_once() {
    let mut bench = Bench::new();
    bench.show(&fault(code::LINK_STALLED), 24 * HOUR);
    for (rung, cap, window) in [
        (Rung::Reconnect, 3, HOUR),
        (Rung::CycleRadio, 3, HOUR),
        (Rung::Reset, 4, 6 * HOUR),
        (Rung::PowerKey, 2, 6 * HOUR),
        (Rung::Reboot, 1, 24 * HOUR),
    ] {
        let at: Vec<u64> = bench
            .taken
            .iter()
            .filter(|step| step.1 == rung)
            .map(|step| step.0)
            .collect();
        assert!(at.len() >= cap, "{rung:?}: {at:?}");
        for (index, first) in at.iter().enumerate() {
            let within = at[index..]
                .iter()
                .filter(|later| **later < first + window)
                .count();
            assert!(within <= cap, "{rung:?}: {within} from {first}");
        }
    }
    let resets = |cause: &&tm_types::Cause| cause.args["rung"] == "3";
    let capped = bench
        .events
        .iter()
        .filter(|cause| cause.is(code::RECOVERY_CAP_REACHED));
    assert_eq!(capped.filter(resets).count(), 1);
    let reboot = bench
        .taken
        .iter()
        .find(|step| step.1 == Rung::Reboot)
        .unwrap();
    assert!(
        reboot.0 >= bench.taken[0].0 + HOUR - 100,
        "an hour of everything else first"
    );
}

#[test]
fn a_rung_without_its_privilege_is_told_once_and_skipped() {
    let mut bench = Bench::with(Memory::default(), &[(Rung::PowerKey, "not confirmed")]);
    bench.show(&fault(code::MODEM_ABSENT), 2 * HOUR);
    assert_eq!(bench.rungs(), [6]);
    assert_eq!(bench.count(code::RECOVERY_RUNG_UNAVAILABLE), 1);
    assert_eq!(bench.ladder.barred(Rung::PowerKey), Some("not confirmed"));

    let mut bench = Bench::new();
    bench.answer = Some(Call::Unavailable("no sysfs".to_owned()));
    bench.show(&fault(code::MODEM_MUTE), HOUR);
    assert_eq!(bench.rungs(), [3, 4, 5], "each is asked for once");
    assert!(
        bench.ladder.view(&bench.now).steps.is_empty(),
        "what was not taken is no step"
    );
}

#[test]
fn a_call_that_failed_is_looked_at_shortly_and_one_without_an_answer_as_if_taken() {
    let mut bench = Bench::new();
    bench.answer = Some(Call::Failed(code::MODEM_TIMEOUT.with("seconds", 30)));
    bench.show(&fault(code::MODEM_SEARCHING), 181);
    bench.show(&fault(code::MODEM_SEARCHING), 35);
    assert_eq!(bench.rungs(), [2, 3]);

    let mut bench = Bench::new();
    bench.answer = None;
    bench.show(&fault(code::MODEM_SEARCHING), 181 + 70 + 110);
    assert_eq!(bench.rungs(), [2]);
    bench.show(&fault(code::MODEM_SEARCHING), 20);
    assert_eq!(bench.rungs(), [2, 3]);
}

#[test]
fn what_a_person_has_to_mend_stops_once_with_the_evidence() {
    let cases: [(tm_types::Code, &[u8]); 9] = [
        (code::MODEM_SIM_PUK_REQUIRED, &[]),
        (code::MODEM_SIM_PIN_REQUIRED, &[]),
        (code::MODEM_SIM_ABSENT, &[3]),
        (code::MODEM_DENIED, &[2, 3]),
        (code::MODEM_WRONG_APN, &[1, 1]),
        (code::LINK_CAPTIVE_PORTAL, &[1, 1]),
        (code::LINK_CLOUD_REFUSES, &[]),
        (code::LINK_TLS_INTERCEPTED, &[]),
        (code::MODEM_DATA_LIMIT, &[]),
    ];
    for (code, rungs) in cases {
        let mut bench = Bench::new();
        bench.show(&fault(code), 5 * HOUR);
        assert_eq!(bench.rungs(), rungs, "{code}");
        assert_eq!(bench.count(code::RECOVERY_STOPPED), 1, "{code}");
        assert_eq!(
            bench.ladder.view(&bench.now).status,
            RecoveryStatus::Stopped,
            "{code}"
        );
        let stopped = bench
            .events
            .iter()
            .find(|cause| cause.is(code::RECOVERY_STOPPED))
            .unwrap();
        assert_eq!(stopped.args["evidence"], "the evidence");
        bench.show(&fault(code), 43 * HOUR);
        let beyond = bench.rungs()[rungs.len()..].to_vec();
        assert!(beyond.iter().all(|rung| *rung <= 2), "{code}: {beyond:?}");
        assert_eq!(bench.count(code::RECOVERY_STOPPED), 1, "{code}");
    }
}

#[test]
fn searching_between_two_refusals_climbs_no_higher_than_a_refusal() {
    let mut bench = Bench::new();
    for _ in 0..60 {
        bench.show(&fault(code::MODEM_DENIED), 100);
        bench.show(&fault(code::MODEM_SEARCHING), 400);
    }
    let rungs = bench.rungs();
    assert_eq!(
        rungs.iter().filter(|rung| **rung >= 3).count(),
        1,
        "{rungs:?}"
    );
}

#[test]
fn two_reasons_in_turn_do_not_stop_the_ladder() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.show(&fault(code::MODEM_SEARCHING), 20);
        bench.show(&fault(code::MODEM_NOT_REGISTERED), 20);
    }
    assert!(!bench.taken.is_empty());
}

#[test]
fn an_area_outage_is_waited_for() {
    let mut bench = Bench::new();
    let mut dark = fault(code::MODEM_AREA_OUTAGE);
    dark.is_mains_away = true;
    bench.show(&dark, 11 * HOUR);
    assert!(bench.taken.is_empty() && bench.events.is_empty());
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::Waiting
    );

    let mut bench = Bench::new();
    let deaf = fault(code::MODEM_AREA_OUTAGE);
    bench.show(&deaf, 1790);
    assert!(bench.taken.is_empty());
    bench.show(&deaf, 6 * HOUR);
    assert_eq!(bench.rungs()[..3], [2, 3, 2]);
    assert!(bench.rungs()[3..].iter().all(|rung| *rung == 2));
    assert!(
        bench.taken[1].0 - bench.taken[0].0 >= 1800,
        "a rest between the two"
    );
    assert_eq!(bench.count(code::RECOVERY_STOPPED), 0, "no person has to");
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::Waiting
    );
}

#[test]
fn the_machine_is_not_rebooted_while_the_mains_are_away_or_the_cloud_is_reached_otherwise() {
    for change in [
        |d: &mut crate::diagnosis::Diagnosis| d.is_mains_away = true,
        |d: &mut crate::diagnosis::Diagnosis| d.has_other_way = true,
    ] {
        let mut bench = Bench::new();
        let mut gone = fault(code::MODEM_ABSENT);
        change(&mut gone);
        bench.show(&gone, 10 * HOUR);
        assert!(!bench.rungs().contains(&6), "{:?}", bench.rungs());
    }
}

#[test]
fn a_hold_holds_over_restarts_until_it_is_resumed() {
    let mut bench = Bench::new();
    bench.input(Input::Hold {
        issuer: "api".to_owned(),
    });
    bench.show(&fault(code::LINK_STALLED), HOUR);
    bench.restart();
    bench.show(&fault(code::LINK_STALLED), HOUR);
    bench.reboot(60);
    bench.show(&fault(code::LINK_STALLED), HOUR);
    assert!(bench.taken.is_empty());
    assert_eq!(bench.ladder.view(&bench.now).status, RecoveryStatus::Held);
    bench.input(Input::Resume);
    assert!(bench.taken.is_empty(), "patience comes first");
    bench.show(&fault(code::LINK_STALLED), 60);
    assert_eq!(bench.rungs(), [1]);
    bench.input(Input::Resume);
    assert_eq!(
        bench.count(code::RECOVERY_RESUMED),
        1,
        "there was nothing to resume"
    );
}

#[test]
fn hands_off_ends_by_itself_and_by_no_clock_on_the_wall() {
    let mut bench = Bench::new();
    let until = Duration::from_millis(bench.now.mono_ms + 3_600_000);
    let shown = bench.now.time.plus_ms(3_600_000);
    bench.input(Input::HandsOff { until, shown });
    assert_eq!(bench.ladder.view(&bench.now).hands_off_until, Some(shown));
    bench.show(&fault(code::LINK_STALLED), 1000);
    bench.now.time = bench.now.time.plus_ms(10 * 365 * 86_400_000);
    bench.show(&fault(code::LINK_STALLED), 1000);
    bench.reboot(60);
    bench.show(&fault(code::LINK_STALLED), 1500);
    assert!(bench.taken.is_empty());
    assert_eq!(
        bench.ladder.view(&bench.now).status,
        RecoveryStatus::HandsOff
    );
    bench.show(&fault(code::LINK_STALLED), 140);
    assert_eq!(bench.rungs(), [1]);
    assert_eq!(bench.count(code::RECOVERY_RESUMED), 1);
}

#[test]
fn hands_off_is_bounded() {
    let mut bench = Bench::new();
    let shown = bench.now.time;
    bench.input(Input::HandsOff {
        until: Duration::MAX,
        shown,
    });
    let due = bench.ladder.deadline().unwrap();
    let week = Duration::from_hours(7 * 24);
    assert_eq!(due, Duration::from_millis(bench.now.mono_ms) + week);
}

#[test]
fn a_request_is_taken_in_every_state_and_recorded() {
    let request = |bench: &mut Bench, rung| {
        bench.input(Input::Request {
            rung,
            issuer: "sms".to_owned(),
        });
    };
    // While data flows: the success is seen only after the step has cut it.
    let mut bench = Bench::new();
    bench.show(&open(), 60);
    request(&mut bench, Rung::Reset);
    assert_eq!(bench.rungs(), [3]);
    assert!(bench.events[0].args["evidence"].contains("asked for by sms"));
    bench.show(&open(), 5);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, None);
    bench.show(&fault(code::MODEM_MUTE), 60);
    bench.show(&open(), 10);
    assert_eq!(bench.ladder.view(&bench.now).steps[0].helped, Some(true));
    // While held, stopped, judging, and beyond the limit.
    bench.input(Input::Hold {
        issuer: "api".to_owned(),
    });
    bench.show(&fault(code::MODEM_SIM_PUK_REQUIRED), HOUR);
    for _ in 0..6 {
        request(&mut bench, Rung::Reset);
    }
    assert_eq!(bench.rungs(), [3; 7]);
    assert_eq!(bench.ladder.view(&bench.now).steps.len(), 7);
    // Not without its privilege.
    let mut bench = Bench::with(Memory::default(), &[(Rung::PowerKey, "not confirmed")]);
    request(&mut bench, Rung::PowerKey);
    assert!(bench.taken.is_empty());
    assert_eq!(bench.count(code::RECOVERY_RUNG_UNAVAILABLE), 1);
    // After a call that is under way.
    let mut bench = Bench::new();
    bench.answer = None;
    request(&mut bench, Rung::Reconnect);
    request(&mut bench, Rung::Reset);
    assert_eq!(bench.rungs(), [1]);
    bench.input(Input::Done(Rung::Reconnect, Call::Taken));
    assert_eq!(bench.rungs(), [1, 3]);
}

#[test]
fn requested_steps_count_against_the_limit_of_the_automatic_ones() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.input(Input::Request {
            rung: Rung::Reset,
            issuer: "api".to_owned(),
        });
    }
    bench.taken.clear();
    bench.show(&fault(code::MODEM_SEARCHING), HOUR);
    assert!(!bench.rungs().contains(&3), "{:?}", bench.rungs());
}

#[test]
fn a_module_that_has_just_appeared_is_left_its_time_once() {
    let mut bench = Bench::new();
    let (gone, mute) = (fault(code::MODEM_ABSENT), fault(code::MODEM_MUTE));
    bench.show(&gone, 65);
    assert_eq!(bench.rungs(), [5]);
    bench.show(&gone, 40);
    bench.show(&mute, 230);
    assert_eq!(
        bench.rungs(),
        [5],
        "on USB: that has helped, and now it starts"
    );
    bench.show(&mute, 20);
    assert_eq!(bench.rungs(), [5, 3]);
}

#[test]
fn devices_of_one_area_do_not_wait_equally_long() {
    let first = |seed: u64| {
        let mut bench = Bench::new();
        bench.ladder = crate::ladder::Ladder::new(Memory::default(), BTreeMap::new(), seed);
        bench.show(&fault(code::MODEM_AREA_OUTAGE), 2200);
        bench.taken[0].0
    };
    let times: std::collections::BTreeSet<u64> = (0..20).map(first).collect();
    assert!(times.len() >= 15, "{times:?}");
    assert!(
        times.last().unwrap() - times.first().unwrap() <= 360,
        "at most a fifth longer"
    );
}

#[test]
fn a_mild_round_comes_in_its_time_whatever_stands_between() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.show(&fault(code::MODEM_AREA_OUTAGE), 1770);
        bench.show(&fault(code::MODEM_SEARCHING), 30);
    }
    let rungs = bench.rungs();
    assert_eq!(rungs[..2], [2, 3]);
    assert!(rungs[2..].len() >= 3, "every two hours or so: {rungs:?}");
    assert!(rungs[2..].iter().all(|rung| *rung == 2), "{rungs:?}");
}

#[test]
fn a_module_that_comes_and_goes_is_not_stepped_on() {
    let mut bench = Bench::new();
    for _ in 0..200 {
        bench.show(&fault(code::MODEM_ABSENT), 30);
        bench.show(&fault(code::MODEM_MUTE), 30);
    }
    assert!(bench.taken.is_empty(), "{:?}", bench.rungs());
}
