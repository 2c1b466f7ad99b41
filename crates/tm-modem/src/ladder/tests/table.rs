//! The table is complete and possible.

use std::collections::BTreeSet;

use tm_types::code;

use crate::diagnosis::FAULTS;
use crate::ladder::{Rung, Table};

#[test]
fn every_reason_has_a_row_in_the_same_order_and_every_row_a_code() {
    let table = Table::standard();
    let rows: Vec<&str> = table.rows.iter().map(|row| row.code.as_str()).collect();
    let reasons: Vec<&str> = FAULTS.iter().map(|code| code.as_str()).collect();
    let (mut sorted_rows, mut sorted_reasons) = (rows.clone(), reasons.clone());
    sorted_rows.sort_unstable();
    sorted_reasons.sort_unstable();
    assert_eq!(sorted_rows, sorted_reasons);
    let unique: BTreeSet<&&str> = rows.iter().collect();
    assert_eq!(unique.len(), rows.len());
    for row in &table.rows {
        assert!(
            code::ALL.iter().any(|code| code.as_str() == row.code),
            "{}",
            row.code
        );
    }
    assert_eq!(rows, reasons, "the order is that of precedence");
}

#[test]
fn every_rung_has_its_rule_at_its_number() {
    let table = Table::standard();
    let numbers: Vec<u8> = table.rungs.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(table.rungs[0].action, "wait");
    for rung in Rung::ALL {
        let rule = table.rule(rung);
        assert_eq!(rule.action, rung.action());
        assert_eq!(Rung::of_action(&rule.action), Some(rung));
        assert_eq!(Rung::of_number(rule.number), Some(rung));
        assert!(
            rule.cap > 0
                && rule.window_h > 0
                && rule.tries > 0
                && rule.judge_s > 0
                && rule.act_s > 0
        );
    }
    assert_eq!(Rung::of_number(0), None);
}

#[test]
fn every_row_climbs_and_ends_as_it_may() {
    let table = Table::standard();
    for row in &table.rows {
        assert!(
            row.rungs.is_sorted() && row.rungs.iter().all(|rung| (1..=6).contains(rung)),
            "{}",
            row.code
        );
        assert!(!row.means.is_empty() && !row.why.is_empty());
        if row.person && !row.rungs.is_empty() {
            assert!(row.rounds > 0, "{}: a person is never called", row.code);
        }
        // Only power and hosts are helped by power and hosts: no fault of card, contract or cloud reaches them.
        if row.person {
            let is_host = ["modem.manager_absent", "link.no_route"].contains(&row.code.as_str());
            let highest = if is_host { 6 } else { 4 };
            assert!(
                row.rungs.iter().all(|rung| *rung <= highest),
                "{}",
                row.code
            );
        }
    }
    let rungs = |code: &str| table.row(code).unwrap().rungs.clone();
    for code in [
        "modem.sim_puk_required",
        "modem.over_temperature",
        "modem.data_limit",
        "link.cloud_refuses",
    ] {
        assert!(rungs(code).is_empty(), "{code}");
    }
    assert_eq!(rungs("modem.sim_absent"), [3]);
    assert_eq!(rungs("modem.area_outage"), [2, 3]);
}

#[test]
fn the_patience_leaves_a_module_its_time() {
    let table = Table::standard();
    assert!(table.general.bring_up_s >= 120 + 95);
    for number in [3, 4, 5] {
        assert!(
            table.rungs[number].judge_s >= table.general.bring_up_s,
            "{number}"
        );
    }
}
