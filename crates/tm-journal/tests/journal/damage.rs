//! Rot, torn writes, missing and foreign files: whatever is lost is counted, whatever is delivered is right.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{plain, poll, read_all, small, source};
use tm_journal::memory_disk::{Call, Fault};
use tm_journal::{Commit, Cursor, Journal, Lost, MemoryDisk, Recovered};

const OPENINGS: u64 = 3;
const COMMITS: u64 = 4;
const RECORDS: u64 = 3;
const POINTS: usize = 2;
const TOTAL: u64 = OPENINGS * COMMITS * RECORDS;

/// Three segments of four commits of three records of two points; every record's number is its message's.
fn journal_on_disk() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut n = 0;
    for _ in 0..OPENINGS {
        let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
        for commit in 0..COMMITS {
            for _ in 0..RECORDS {
                assert_eq!(journal.append_row(&source(), &poll(n, POINTS)).unwrap(), n);
                n += 1;
            }
            let cursor = Cursor::default();
            journal
                .commit(&Commit {
                    write_cursor: commit == 1,
                    ..plain(&cursor)
                })
                .unwrap();
        }
    }
    disk
}

fn files(disk: &MemoryDisk) -> Vec<String> {
    use tm_journal::Disk;
    disk.list()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

/// What came of a damaged journal.
struct Outcome {
    recovered: Recovered,
    delivered: u64,
    lost: BTreeSet<u64>,
    lost_points: u64,
    is_oldest_missing: bool,
}

impl Outcome {
    fn take(&mut self, lost: &[Lost]) {
        for lost in lost {
            let fresh = lost
                .range
                .clone()
                .filter(|seq| self.lost.insert(*seq))
                .count();
            self.lost_points += if fresh > 0 { lost.points } else { 0 };
        }
    }
}

/// Opens and reads everything; every record delivered must be what was appended, every other one accounted for.
fn outcome(disk: &MemoryDisk, what: &str) -> Outcome {
    let (journal, mut recovered) =
        Journal::open(disk.copy(), small()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (missing, damaged) = (
        std::mem::take(&mut recovered.missing),
        std::mem::take(&mut recovered.damaged),
    );
    let mut outcome = Outcome {
        recovered,
        delivered: 0,
        lost: BTreeSet::new(),
        lost_points: 0,
        is_oldest_missing: missing.iter().any(|lost| lost.range.start == 0),
    };
    outcome.take(&missing);
    outcome.take(&damaged);
    let mut reader = journal.reader(0);
    let mut expected = 0;
    while journal.read(&mut reader).unwrap() {
        outcome.take(reader.lost());
        for record in reader.records() {
            let row = record
                .row()
                .unwrap_or_else(|| panic!("{what}: the names of {} are gone", record.seq));
            assert_eq!(row.to_poll().unwrap(), poll(record.seq, POINTS), "{what}");
            assert!(
                record.seq >= expected,
                "{what}: {} came after {expected}",
                record.seq
            );
            assert!(
                !outcome.lost.contains(&record.seq),
                "{what}: {} is lost and here",
                record.seq
            );
            expected = record.seq + 1;
            outcome.delivered += 1;
        }
    }
    outcome
}

impl Outcome {
    /// All records are delivered or reported; what a torn tail hides was never promised.
    fn check(&self, what: &str) {
        let known = self.delivered + self.lost.len() as u64;
        if self.recovered.has_torn_tail {
            assert!(
                (TOTAL - RECORDS..=TOTAL).contains(&known),
                "{what}: {known}"
            );
        } else {
            assert_eq!(known, TOTAL, "{what}: lost {:?}", self.lost);
            // Of a missing oldest segment nothing is left that tells its points.
            let points = if self.is_oldest_missing {
                0
            } else {
                self.lost.len() * POINTS
            };
            assert_eq!(self.lost_points, points as u64, "{what}");
        }
    }
}

#[test]
fn an_undamaged_journal_is_whole() {
    let outcome = outcome(&journal_on_disk(), "no damage");
    assert_eq!(
        (
            outcome.delivered,
            outcome.lost.len(),
            outcome.recovered.has_torn_tail
        ),
        (TOTAL, 0, false)
    );
}

#[test]
fn a_flipped_bit_anywhere_costs_one_commit_at_most() {
    let disk = journal_on_disk();
    let mut costs = BTreeMap::new();
    for name in files(&disk) {
        let sound = disk.contents(&name);
        for at in 0..sound.len() {
            // Padding is sampled.
            let neighbours = &sound[at.saturating_sub(4)..(at + 5).min(sound.len())];
            if neighbours.iter().all(|byte| *byte == 0) && at % 509 != 0 {
                continue;
            }
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (at % 8);
            disk.put_contents(&name, &bytes);
            let what = format!("{name} byte {at}");
            let outcome = outcome(&disk, &what);
            outcome.check(&what);
            let cost = TOTAL - outcome.delivered;
            assert!(cost <= RECORDS, "{what} cost {cost} records");
            *costs.entry(cost).or_insert(0) += 1;
        }
        disk.put_contents(&name, &sound);
    }
    assert!(
        costs[&0] > 500 && costs[&1] > 500 && costs[&RECORDS] > 100,
        "{costs:?}"
    );
}

#[test]
fn a_lost_page_costs_what_lay_on_it() {
    let disk = journal_on_disk();
    for name in files(&disk) {
        let sound = disk.contents(&name);
        for page in 0..sound.len() / 4096 {
            let mut bytes = sound.clone();
            bytes[page * 4096..(page + 1) * 4096].fill(0xff);
            disk.put_contents(&name, &bytes);
            let what = format!("{name} page {page}");
            let outcome = outcome(&disk, &what);
            if page < 2 {
                assert_eq!(outcome.delivered, TOTAL, "{what}: there are two headers");
            } else if !outcome.recovered.has_torn_tail {
                outcome.check(&what);
            }
        }
        disk.put_contents(&name, &sound);
    }
}

#[test]
fn a_file_cut_short_anywhere_is_read_as_far_as_it_goes() {
    let disk = journal_on_disk();
    let names = files(&disk);
    for (index, name) in names.iter().enumerate() {
        let sound = disk.contents(name);
        for length in (0..9500).step_by(61) {
            disk.put_contents(name, &sound[..length]);
            let what = format!("{name} cut to {length}");
            let outcome = outcome(&disk, &what);
            if index + 1 < names.len() {
                outcome.check(&what);
            } else {
                // The end of the last segment is all that says what it held.
                assert!(outcome.delivered >= TOTAL - COMMITS * RECORDS, "{what}");
            }
            let (mut journal, _) = Journal::open(disk.copy(), small()).unwrap();
            journal.append_row(&source(), &poll(9, POINTS)).unwrap();
            journal.commit(&plain(&Cursor::default())).unwrap();
        }
        disk.put_contents(name, &sound);
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_a_tail_and_no_loss() {
    let disk = journal_on_disk();
    let name = files(&disk).pop().unwrap();
    let sound = disk.contents(&name);
    let used = sound.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let whole = outcome(&disk, "whole").delivered;
    // Only the last commit can be torn: the one before was synced.
    let mark = sound
        .windows(4)
        .rposition(|bytes| bytes == b"tmG1")
        .unwrap();
    for from in mark..used {
        let mut bytes = sound.clone();
        bytes[from..].fill(0);
        disk.put_contents(&name, &bytes);
        let what = format!("torn from {from}");
        let outcome = outcome(&disk, &what);
        assert!(outcome.lost.is_empty(), "{what}: {:?}", outcome.lost);
        assert!(outcome.delivered >= whole - RECORDS, "{what}");
        println!(
            "{what} {} {}",
            outcome.recovered.has_torn_tail, outcome.delivered
        );
    }
}

#[test]
fn a_missing_segment_is_a_counted_gap() {
    let disk = journal_on_disk();
    let names = files(&disk);
    disk.delete(&names[1]);
    let mut outcome = outcome(&disk, "without the second");
    outcome.check("without the second");
    assert_eq!(
        outcome.lost.iter().copied().collect::<Vec<_>>(),
        (12..24).collect::<Vec<_>>()
    );
    assert_eq!(outcome.lost_points, 24);
    assert_eq!(
        std::mem::take(&mut outcome.recovered.cursor).unsettled_in(&(12..24)),
        0,
        "nobody waits for them"
    );
    // Settled before, they are not missed.
    let disk = journal_on_disk();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let mut cursor = Cursor::default();
    cursor.settle(12..24);
    journal.append_row(&source(), &poll(TOTAL, POINTS)).unwrap();
    journal
        .commit(&Commit {
            write_cursor: true,
            ..plain(&cursor)
        })
        .unwrap();
    disk.delete(&names[1]);
    assert!(
        Journal::open(disk.copy(), small())
            .unwrap()
            .1
            .missing
            .is_empty()
    );
}

#[test]
fn a_segment_without_any_sound_header_is_removed_and_counted() {
    let disk = journal_on_disk();
    let names = files(&disk);
    let mut bytes = disk.contents(&names[1]);
    bytes[40] ^= 1;
    bytes[4096 + 40] ^= 1;
    disk.put_contents(&names[1], &bytes);
    let outcome = outcome(&disk, "headless");
    outcome.check("headless");
    assert_eq!(
        (outcome.lost.len(), outcome.recovered.headless),
        (12, vec![names[1].clone()])
    );
}

#[test]
fn a_segment_of_a_newer_version_is_left_alone() {
    for index in 0..3 {
        let disk = journal_on_disk();
        let name = files(&disk)[index].clone();
        let mut bytes = disk.contents(&name);
        for copy in [0, 4096] {
            bytes[copy + 8] = 2;
        }
        disk.put_contents(&name, &bytes);
        let (mut journal, recovered) = Journal::open(disk.clone(), small()).unwrap();
        assert_eq!(recovered.set_aside, std::slice::from_ref(&name));
        assert!(recovered.headless.is_empty());
        assert!(
            recovered.end >= TOTAL,
            "numbers it may hold are not given again: {}",
            recovered.end
        );
        assert_eq!(
            read_all(&journal, 0).len() as u64,
            TOTAL - COMMITS * RECORDS
        );
        journal.append_row(&source(), &poll(TOTAL, POINTS)).unwrap();
        journal.commit(&plain(&recovered.cursor)).unwrap();
        assert_eq!(disk.contents(&name), bytes);
        // The release that can read it finds all of its records.
        bytes[8] = 1;
        bytes[4096 + 8] = 1;
        disk.put_contents(&name, &bytes);
        let (journal, recovered) = Journal::open(disk.copy(), small()).unwrap();
        assert!(recovered.missing.is_empty(), "{recovered:?}");
        assert_eq!(
            read_all(&journal, 0).len() as u64,
            TOTAL + 1,
            "segment {index}"
        );
    }
}

#[test]
fn foreign_files_are_ignored() {
    let disk = journal_on_disk();
    for name in [
        "lock",
        "lost+found",
        "zz.segment",
        "0000000000000009.segment.old",
    ] {
        disk.put_contents(name, b"whatever");
    }
    assert_eq!(outcome(&disk, "foreign files").delivered, TOTAL);
    assert_eq!(files(&disk).len(), 7);
}

#[test]
fn a_disk_that_cannot_be_read_is_an_error_until_it_can() {
    let disk = journal_on_disk();
    for call in [Call::Read, Call::Open, Call::List] {
        disk.set_fault(call, Some(Fault::BROKEN));
        assert!(Journal::open(disk.clone(), small()).is_err(), "{call:?}");
        disk.set_fault(call, None);
        assert_eq!(outcome(&disk, "again").delivered, TOTAL);
    }
    let (journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let mut reader = journal.reader(0);
    assert!(journal.read(&mut reader).unwrap());
    assert_eq!(reader.next_seq(), RECORDS);
    // What is in the reader's window needs no disk; the next segment does.
    reader.seek(COMMITS * RECORDS);
    disk.set_fault(Call::Read, Some(Fault::BROKEN));
    assert!(journal.read(&mut reader).is_err());
    assert_eq!(
        reader.next_seq(),
        COMMITS * RECORDS,
        "it stands where it was"
    );
    disk.set_fault(Call::Read, None);
    assert!(journal.read(&mut reader).unwrap());
    assert_eq!(reader.records().next().unwrap().seq, COMMITS * RECORDS);
    // For good, it is given up after some attempts, and said so.
    reader.seek(0);
    disk.set_fault(Call::Read, Some(Fault::BROKEN));
    let failures = (0..100)
        .take_while(|_| journal.read(&mut reader).is_err())
        .count();
    assert!((2..20).contains(&failures), "{failures}");
    assert!(!reader.lost().is_empty());
}

#[test]
fn a_last_run_that_cannot_be_made_durable_again_begins_in_bad_disk_mode() {
    let disk = journal_on_disk();
    disk.set_fault(Call::Write, Some(Fault::READ_ONLY));
    let (mut journal, recovered) = Journal::open(disk.clone(), small()).unwrap();
    assert!(recovered.trouble.is_some() && journal.is_bad());
    assert_eq!(
        (recovered.durable_end, recovered.end),
        (TOTAL - RECORDS, TOTAL)
    );
    assert_eq!(
        read_all(&journal, 0).len() as u64,
        TOTAL,
        "the backlog can be sent"
    );
    journal.append_row(&source(), &poll(TOTAL, POINTS)).unwrap();
    assert!(journal.commit(&plain(&recovered.cursor)).is_err());
    disk.set_fault(Call::Write, None);
    assert_eq!(
        journal.commit(&plain(&recovered.cursor)).unwrap().end,
        TOTAL + 1
    );
    assert_eq!(read_all(&journal, 0).len() as u64, TOTAL + 1);
}
