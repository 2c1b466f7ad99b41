//! What a journal does when nothing goes wrong, and when the disk fills up or goes away.

use crate::common::{plain, poll, read_all, small, source};
use tm_journal::memory_disk::{Call, Fault};
use tm_journal::{
    AppendError, Commit, Config, Cursor, Journal, MemoryDisk, Message, NoDisk, Pending, RealDisk,
};

fn append(journal: &mut Journal<MemoryDisk>, from: u64, count: u64) {
    for n in from..from + count {
        assert_eq!(
            journal.append_row(&source(), &poll(n, 3)).unwrap(),
            journal.end() - 1
        );
    }
}

#[test]
fn what_is_committed_is_read_and_nothing_else() {
    let disk = MemoryDisk::new();
    let (mut journal, recovered) = Journal::open(disk.clone(), small()).unwrap();
    assert_eq!((recovered.end, recovered.trouble.is_none()), (0, true));
    append(&mut journal, 0, 5);
    assert_eq!(read_all(&journal, 0), [], "not before the commit");
    let cursor = Cursor::default();
    assert_eq!(journal.commit(&plain(&cursor)).unwrap().end, 5);
    append(&mut journal, 5, 2);
    let stream = journal.stream().to_string();
    let expected: Vec<_> = (0..5).map(|n| (n, stream.clone(), n)).collect();
    assert_eq!(read_all(&journal, 0), expected);
    assert_eq!(read_all(&journal, 3), expected[3..]);
    assert_eq!(
        journal.pending(&Cursor::at(3)),
        Pending {
            records: 2,
            points: 6
        }
    );
}

#[test]
fn a_small_commit_is_one_write_and_one_sync() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let cursor = Cursor::default();
    append(&mut journal, 0, 2);
    journal.commit(&plain(&cursor)).unwrap();
    let before = disk.n_operations();
    append(&mut journal, 2, 2);
    journal.commit(&plain(&cursor)).unwrap();
    let operations = disk.operations().split_off(before);
    let calls: Vec<Call> = operations.iter().map(|operation| operation.call).collect();
    assert_eq!(calls, [Call::Write, Call::Sync]);
    assert!(operations[0].bytes < 150, "{}", operations[0].bytes);
    journal.commit(&plain(&cursor)).unwrap();
    assert_eq!(
        disk.n_operations(),
        before + 2,
        "an empty commit costs nothing"
    );
}

#[test]
fn streams_follow_each_other_and_the_numbers_go_on() {
    let disk = MemoryDisk::new();
    let mut expected = Vec::new();
    for opening in 0..5 {
        let (mut journal, recovered) = Journal::open(disk.clone(), small()).unwrap();
        assert_eq!(recovered.end, opening * 100);
        assert!(
            recovered.missing.is_empty()
                && recovered.damaged.is_empty()
                && !recovered.has_torn_tail
        );
        assert_eq!(u64::from(journal.stream().counter), opening + 1);
        let state = format!("after {opening}");
        let cursor = Cursor::default();
        let with = Commit {
            app_state: state.as_bytes(),
            ..plain(&cursor)
        };
        for n in 0..10 {
            append(&mut journal, opening * 100 + n * 10, 10);
            journal.commit(&with).unwrap();
        }
        expected.extend((0..100).map(|n| {
            (
                opening * 100 + n,
                journal.stream().to_string(),
                opening * 100 + n,
            )
        }));
        assert_eq!(read_all(&journal, 0), expected);
    }
}

#[test]
fn the_state_of_the_header_and_the_records_behind_it_make_the_state_of_the_end() {
    let disk = MemoryDisk::new();
    let cursor = Cursor::default();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let mut rolls = 0;
    for n in 0..200 {
        append(&mut journal, n * 10, 10);
        let segments = journal.segments();
        let state = ((n + 1) * 10).to_le_bytes();
        journal
            .commit(&Commit {
                app_state: &state,
                ..plain(&cursor)
            })
            .unwrap();
        rolls += usize::from(journal.segments() != segments);
        let (reopened, recovered) = Journal::open(disk.copy(), small()).unwrap();
        let known = recovered.app_state.try_into().map_or(0, u64::from_le_bytes);
        assert_eq!(
            known, recovered.app_state_seq,
            "the state is that of the records before"
        );
        let rest = read_all(&reopened, recovered.app_state_seq);
        assert_eq!(known + rest.len() as u64, (n + 1) * 10);
    }
    assert!(rolls > 2);
}

#[test]
fn the_cursor_comes_back() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let mut cursor = Cursor::at(2);
    cursor.settle(4..6);
    append(&mut journal, 0, 10);
    journal
        .commit(&Commit {
            write_cursor: true,
            ..plain(&cursor)
        })
        .unwrap();
    assert_eq!(
        Journal::open(disk.copy(), small()).unwrap().1.cursor,
        cursor
    );
    cursor.settle(2..5);
    journal
        .commit(&Commit {
            write_cursor: true,
            ..plain(&cursor)
        })
        .unwrap();
    assert_eq!(
        Journal::open(disk.copy(), small()).unwrap().1.cursor,
        cursor
    );
}

#[test]
fn settled_segments_are_removed_and_the_rest_stays() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    for n in 0..200 {
        append(&mut journal, n * 10, 10);
        journal.commit(&plain(&Cursor::default())).unwrap();
    }
    let before = journal.segments();
    assert!(before > 2, "{before}");
    let cursor = Cursor::at(2000);
    append(&mut journal, 2000, 1);
    journal
        .commit(&Commit {
            write_cursor: true,
            ..plain(&cursor)
        })
        .unwrap();
    assert_eq!(journal.segments(), 1);
    assert_eq!(read_all(&journal, 2000).len(), 1);
    let (journal, recovered) = Journal::open(disk.copy(), small()).unwrap();
    assert_eq!((recovered.cursor, recovered.end), (cursor, 2001));
    assert!(recovered.missing.is_empty());
    drop(journal);
}

#[test]
fn the_quota_drops_the_oldest_and_counts_exactly() {
    let disk = MemoryDisk::new();
    let config = Config {
        quota_bytes: 200 * 1024,
        ..small()
    };
    let (mut journal, _) = Journal::open(disk.clone(), config).unwrap();
    let mut cursor = Cursor::default();
    let (mut records, mut points, mut appended) = (0, 0, 0);
    for n in 0..1000 {
        append(&mut journal, n * 10, 10);
        appended += 10;
        // Some are sent, far apart.
        let sent = cursor.settle(n * 10 + 2..n * 10 + 3);
        let _ = sent;
        let before = cursor.clone();
        let committed = journal.commit(&plain(&before)).unwrap();
        for dropped in committed.dropped {
            let unsettled = before.unsettled_in(&dropped.range);
            assert_eq!(dropped.unsent.records, unsettled);
            assert_eq!(dropped.unsent.points, 3 * unsettled);
            records += dropped.unsent.records;
            points += dropped.unsent.points;
            cursor.settle(dropped.range);
        }
        assert!(journal.disk_bytes() <= config.quota_bytes);
    }
    assert!(records > 1000, "{records}");
    assert_eq!(
        (journal.dropped().records, journal.dropped().points),
        (records, points)
    );
    assert_eq!(
        journal.pending(&cursor).records,
        cursor.unsettled_in(&(0..appended))
    );
    let (journal, recovered) = Journal::open(disk.copy(), config).unwrap();
    assert_eq!(journal.dropped().records, records, "the count survives");
    assert!(recovered.missing.is_empty(), "{:?}", recovered.missing);
}

#[test]
fn the_quota_spares_what_is_in_flight() {
    let disk = MemoryDisk::new();
    let config = Config {
        quota_bytes: 200 * 1024,
        ..small()
    };
    let (mut journal, _) = Journal::open(disk.clone(), config).unwrap();
    let mut cursor = Cursor::default();
    for n in 0..600 {
        append(&mut journal, n * 10, 10);
        let before = cursor.clone();
        let in_flight = 5..6;
        let committed = journal
            .commit(&Commit {
                in_flight: std::slice::from_ref(&in_flight),
                ..plain(&before)
            })
            .unwrap();
        for dropped in committed.dropped {
            assert!(!dropped.range.contains(&5));
            cursor.settle(dropped.range);
        }
    }
    let first = read_all(&journal, 0);
    assert_eq!(first[0].0, 0);
    assert!(first.len() < 6000);
    let (_, recovered) = Journal::open(disk.copy(), config).unwrap();
    assert!(
        recovered.missing.is_empty(),
        "what the quota took from the middle is not missing: {:?}",
        recovered.missing
    );
    assert!(!recovered.cursor.is_settled(5));
}

#[test]
fn a_full_read_only_or_failing_disk_keeps_records_in_memory_until_it_is_back() {
    let cases = [
        (Call::Create, Fault::FULL),
        (Call::Create, Fault::READ_ONLY),
        (Call::Write, Fault::BROKEN),
        (Call::Write, Fault::Short(0)),
        (Call::Sync, Fault::BROKEN),
        (Call::SyncDir, Fault::BROKEN),
    ];
    for (call, fault) in cases {
        for committed_before in [0, 20] {
            let disk = MemoryDisk::new();
            let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
            let cursor = Cursor::default();
            append(&mut journal, 0, committed_before);
            journal.commit(&plain(&cursor)).unwrap();
            disk.set_fault(call, Some(fault));
            let mut failed = 0;
            let mut n = committed_before;
            while failed < 3 && n < 2000 {
                append(&mut journal, n, 5);
                n += 5;
                failed += u32::from(journal.commit(&plain(&cursor)).is_err());
            }
            assert_eq!(failed, 3, "{call:?} {fault:?}");
            assert!(journal.is_bad());
            let all = read_all(&journal, 0);
            assert_eq!(all.len() as u64, n, "{call:?}: memory is readable too");
            assert_ne!(
                all.last().unwrap().1,
                journal.stream().to_string(),
                "under a stream of its own"
            );
            disk.set_fault(call, None);
            assert_eq!(journal.commit(&plain(&cursor)).unwrap().end, n);
            assert!(!journal.is_bad());
            let numbers: Vec<u64> = read_all(&journal, 0)
                .iter()
                .map(|record| record.0)
                .collect();
            assert_eq!(numbers, (0..n).collect::<Vec<_>>());
            assert!(
                read_all(&journal, 0)
                    .iter()
                    .all(|record| record.1 == journal.stream().to_string())
            );
            for image in disk.power_cut_images(1, 20) {
                let (journal, recovered) = Journal::open(image, small()).unwrap();
                assert!(
                    recovered.missing.is_empty() && recovered.damaged.is_empty(),
                    "{call:?} {recovered:?}"
                );
                assert_eq!(read_all(&journal, 0).len() as u64, n);
            }
        }
    }
}

#[test]
fn memory_is_bounded_and_gives_back_what_the_cloud_has() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let cursor = Cursor::default();
    append(&mut journal, 0, 10);
    journal.commit(&plain(&cursor)).unwrap();
    disk.set_fault(Call::Sync, Some(Fault::BROKEN));
    let mut n = 10;
    loop {
        match journal.append_row(&source(), &poll(n, 3)) {
            Ok(_) => n += 1,
            Err(AppendError::Full { buffered_bytes }) => {
                assert!(buffered_bytes <= small().memory_bytes);
                break;
            }
            Err(error) => panic!("{error}"),
        }
        let _ = journal.commit(&plain(&cursor));
    }
    let middle = u64::midpoint(10, n);
    journal.trim(middle);
    let numbers: Vec<u64> = read_all(&journal, 0)
        .iter()
        .map(|record| record.0)
        .collect();
    assert_eq!(numbers, (0..10).chain(middle..n).collect::<Vec<_>>());
    disk.set_fault(Call::Sync, None);
    let mut settled = Cursor::default();
    settled.settle(10..middle);
    journal.commit(&plain(&settled)).unwrap();
    assert_eq!(read_all(&journal, 0).len() as u64, n - (middle - 10));
    let (journal, recovered) = Journal::open(disk.copy(), small()).unwrap();
    assert_eq!(read_all(&journal, 0).len() as u64, n - (middle - 10));
    assert!(recovered.missing.is_empty(), "{recovered:?}");
    assert_eq!(journal.end(), n);
}

#[test]
fn without_a_disk_it_is_memory_alone() {
    let (mut journal, _) = Journal::open(NoDisk, small()).unwrap();
    let seq = journal.append_row(&source(), &poll(0, 3)).unwrap();
    assert!(journal.commit(&plain(&Cursor::default())).is_err());
    assert_eq!((seq, read_all(&journal, 0).len()), (0, 1));
}

#[test]
fn a_real_directory_takes_one_journal() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) =
        Journal::open(RealDisk::open(directory.path()).unwrap(), small()).unwrap();
    assert!(RealDisk::open(directory.path()).is_err());
    for n in 0..50 {
        for index in 0..10 {
            journal
                .append_row(&source(), &poll(n * 10 + index, 4))
                .unwrap();
        }
        journal.commit(&plain(&Cursor::default())).unwrap();
    }
    drop(journal);
    let (journal, recovered) =
        Journal::open(RealDisk::open(directory.path()).unwrap(), small()).unwrap();
    assert_eq!(recovered.end, 500);
    assert_eq!(read_all(&journal, 0).len(), 500);
}

#[test]
fn messages_come_back_as_they_were() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let message = Message {
        topic: "tm/v1/event/gnss",
        payload: b"{\"code\":\"x\"}",
    };
    journal.append_message(&message).unwrap();
    let huge = vec![7; 100_000];
    journal.commit(&plain(&Cursor::default())).unwrap();
    // Larger than a segment, larger than the memory: a record alone is always taken.
    journal
        .append_message(&Message {
            topic: "t",
            payload: &huge,
        })
        .unwrap();
    journal.commit(&plain(&Cursor::default())).unwrap();
    let too_large = vec![0; 1 << 24];
    assert!(matches!(
        journal.append_message(&Message {
            topic: "",
            payload: &too_large
        }),
        Err(AppendError::TooLarge { .. })
    ));
    let (journal, _) = Journal::open(disk.copy(), small()).unwrap();
    let mut reader = journal.reader(0);
    let mut seen = Vec::new();
    while journal.read(&mut reader).unwrap() {
        for record in reader.records() {
            let message = record.message().unwrap();
            assert!(record.row().is_none());
            seen.push((message.topic.to_owned(), message.payload.len()));
        }
    }
    assert_eq!(
        seen,
        [
            ("tm/v1/event/gnss".to_owned(), 12),
            ("t".to_owned(), 100_000)
        ]
    );
}
