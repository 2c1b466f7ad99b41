#![cfg(test)]

//! `docs/recovery.md` shows what `ladder.toml` says. `TM_BLESS=1` writes its tables anew.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::table::{MILD, Row, Rung, Table};

#[test]
fn the_page_shows_the_ladder() {
    let table = Table::standard();
    hold("rungs", &rungs(table));
    hold("diagnoses", &diagnoses(table));
}

/// The page has `text` between the two markers of this name; `TM_BLESS=1` makes it so.
pub(super) fn hold(marker: &str, text: &str) {
    // Two tests may write the page.
    static WRITING: Mutex<()> = Mutex::new(());
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/recovery.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let wanted = filled(&page, marker, text);
    if std::env::var_os("TM_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "docs/recovery.md, {marker}: run the test with TM_BLESS=1 and read the difference"
    );
}

#[test]
fn a_changed_table_changes_the_page() {
    let mut table = Table::standard().clone();
    let before = (rungs(&table), diagnoses(&table));
    table.rungs[3].cap = 9;
    table.rows[3].patience_s += 60;
    assert_ne!(before.0, rungs(&table));
    assert_ne!(before.1, diagnoses(&table));
}

fn filled(page: &str, marker: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {marker}:begin -->\n"),
        format!("<!-- {marker}:end -->"),
    );
    let (head, rest) = page.split_once(&begin).expect("a begin marker");
    let (_, tail) = rest.split_once(&end).expect("an end marker");
    format!("{head}{begin}{text}{end}{tail}")
}

fn rungs(table: &Table) -> String {
    let mut text =
        "| rung | action | what it does | judged after | at most |\n|---|---|---|---|---|\n"
            .to_owned();
    for rule in &table.rungs {
        let cap = if rule.cap == 0 {
            "no limit".to_owned()
        } else {
            format!("{} in {} h", rule.cap, rule.window_h)
        };
        let after = if rule.after_s > 0 {
            format!(", after {} without a link", time(rule.after_s))
        } else {
            String::new()
        };
        writeln!(
            text,
            "| {} | `{}` | {}{after} | {} | {cap} |",
            rule.number,
            rule.action,
            rule.does,
            time(rule.judge_s)
        )
        .unwrap();
    }
    text
}

fn diagnoses(table: &Table) -> String {
    let mut text = "| code | it means | patience | 1 | 2 | 3 | 4 | 5 | 6 | in the end | why |\n|---|---|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for row in &table.rows {
        write!(
            text,
            "| `{}` | {} | {} |",
            row.code,
            row.means,
            time(row.patience_s)
        )
        .unwrap();
        for rung in Rung::ALL {
            let mark = if row.rungs.contains(&rung.number()) {
                "x"
            } else {
                " "
            };
            write!(text, " {mark} |").unwrap();
        }
        writeln!(text, " {} | {} |", end(row), row.why).unwrap();
    }
    text
}

fn end(row: &Row) -> String {
    let person = if row.person {
        "a person has to"
    } else {
        "waits"
    };
    let again = if row.again_h > 0 && row.rungs.iter().any(|rung| *rung <= MILD) {
        format!(", a mild round each {} h", row.again_h)
    } else {
        String::new()
    };
    let rest = if row.gap_s > 0 {
        format!(", {} between two steps", time(row.gap_s))
    } else {
        String::new()
    };
    match row.rounds {
        _ if row.rungs.is_empty() => person.to_owned(),
        0 => "goes on, with pauses".to_owned(),
        1 => format!("{person} after 1 round{rest}{again}"),
        rounds => format!("{person} after {rounds} rounds{rest}{again}"),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0 => "none".to_owned(),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
