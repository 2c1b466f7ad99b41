//! What the channel must hold to when answers are late, missing, endless or nonsense.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use tm_proto::{
    at::{Busy, Channel, Command, Failure, Output},
    nmea0183::Epochs,
    sim7600,
};

fn command(text: &str) -> Command {
    Command::new(text).unwrap()
}

fn outputs(channel: &mut Channel, bytes: &[u8]) -> Vec<Output> {
    channel.feed(bytes);
    std::iter::from_fn(|| channel.next()).collect()
}

/// The lines of the one reply that `bytes` complete.
fn reply(channel: &mut Channel, bytes: &[u8]) -> Vec<String> {
    match outputs(channel, bytes).as_slice() {
        [Output::Reply(reply)] => reply.lines.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_command_at_a_time() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    assert_eq!(channel.start(command("AT+CBC")), Err(Busy));
    assert_eq!(
        reply(&mut channel, b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n"),
        ["+CSQ: 21,99"]
    );
    channel.start(command("AT+CBC")).unwrap();
}

#[test]
fn a_late_answer_is_not_the_next_one() {
    let mut channel = Channel::default();
    channel.start(command("AT+CGPS=1")).unwrap();
    assert_eq!(channel.give_up(), Some(command("AT+CGPS=1")));
    assert_eq!(channel.start(command("AT+CGPS=0")).unwrap(), b"AT+CMEE?\r");
    // The late OK of the first command, an unsolicited line, then the marker's answer.
    let seen = outputs(&mut channel, b"\r\nOK\r\n\r\n+CREG: 1\r\n");
    assert_eq!(seen, [Output::Urc("+CREG: 1".to_owned())]);
    let seen = outputs(&mut channel, b"AT+CMEE?\r\r\n+CMEE: 2\r\n\r\nOK\r\n");
    assert_eq!(seen, [Output::Send(b"AT+CGPS=0\r".to_vec())]);
    let seen = outputs(&mut channel, b"\r\nERROR\r\n");
    assert!(
        matches!(seen.as_slice(), [Output::Reply(reply)] if reply.outcome == Err(Failure::Error))
    );
    assert_eq!(channel.counters().n_late, 1);
}

#[test]
fn an_answer_that_was_lost_does_not_block() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    channel.give_up();
    channel.start(command("AT+CSQ")).unwrap();
    outputs(&mut channel, b"\r\n+CMEE: 2\r\n\r\nOK\r\n");
    assert_eq!(
        reply(&mut channel, b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n"),
        ["+CSQ: 20,99"]
    );
}

#[test]
fn a_late_answer_before_the_next_command_clears_the_line() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    channel.give_up();
    assert_eq!(outputs(&mut channel, b"\r\n+CSQ: 9,99\r\n\r\nOK\r\n"), []);
    assert_eq!(channel.start(command("AT+CSQ")).unwrap(), b"AT+CSQ\r");
}

#[test]
fn late_markers_do_not_answer_either() {
    let mut channel = Channel::default();
    channel.start(command("AT+CMEE?")).unwrap();
    channel.give_up();
    // The given-up question is itself a marker: another one is asked.
    assert_eq!(channel.start(command("AT+CSQ")).unwrap(), b"AT+CFUN?\r");
    assert_eq!(channel.give_up(), Some(command("AT+CSQ")));
    assert_eq!(channel.start(command("AT+CSQ")).unwrap(), b"AT+CSCS?\r");
    let late = b"\r\n+CMEE: 2\r\n\r\nOK\r\n\r\n+CFUN: 1\r\n\r\nOK\r\n";
    assert_eq!(outputs(&mut channel, late), []);
    let seen = outputs(&mut channel, b"\r\n+CSCS: \"IRA\"\r\n\r\nOK\r\n");
    assert_eq!(seen, [Output::Send(b"AT+CSQ\r".to_vec())]);
}

#[test]
fn the_prompt_has_no_line_end() {
    for echo in [false, true] {
        let mut channel = Channel::default();
        let sent = channel.start(command("AT+CMGS=\"+380501112233\"")).unwrap();
        let mut bytes = if echo { sent } else { Vec::new() };
        bytes.extend(b"\r\n> ");
        assert_eq!(outputs(&mut channel, &bytes), [Output::Prompt]);
        let payload = channel.payload("Cabinet 12: door open");
        assert_eq!(payload.last(), Some(&0x1a));
        let mut bytes = if echo { payload } else { Vec::new() };
        bytes.extend(b"\r\n+CMGS: 46\r\n\r\nOK\r\n");
        assert_eq!(reply(&mut channel, &bytes), ["+CMGS: 46"]);
    }
}

#[test]
fn a_prompt_that_is_given_up_is_left() {
    // Before the prompt, at it, and behind the payload.
    for (before, has_prompted) in [(&b""[..], false), (b"\r\n\xfe> ", true)] {
        let mut channel = Channel::default();
        channel.start(command("AT+CMGS=15")).unwrap();
        let seen = outputs(&mut channel, before);
        assert_eq!(seen.as_slice() == [Output::Prompt], has_prompted);
        channel.give_up();
        assert_eq!(outputs(&mut channel, b""), [Output::Send(vec![0x1b])]);
        // A prompt that comes late would swallow the next command.
        let seen = outputs(&mut channel, b"\r\n> ");
        assert_eq!(seen, [Output::Send(vec![0x1b])]);
        assert_eq!(outputs(&mut channel, b"\r\nOK\r\n"), []);
        assert_eq!(channel.start(command("AT+CSQ")).unwrap(), b"AT+CSQ\r");
        assert_eq!(
            reply(&mut channel, b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n"),
            ["+CSQ: 21,99"]
        );
    }
}

#[test]
fn unsolicited_lines_that_go_on() {
    let urc = |text: &str| Output::Urc(text.to_owned());
    for (bytes, expected) in [
        ("\r\n+CDS: 2\r\n00AABB\r\n", vec![urc("+CDS: 2\n00AABB")]),
        (
            "\r\n+CMT: ,2\r\n00AABB\r\n+CREG: 1\r\n",
            vec![urc("+CMT: ,2\n00AABB"), urc("+CREG: 1")],
        ),
        // Another line instead of the PDU, and text mode.
        (
            "\r\n+CDS: 2\r\n\r\nRDY\r\n",
            vec![urc("+CDS: 2"), urc("RDY")],
        ),
        ("\r\n+CMT: \"+380\",\r\n", vec![urc("+CMT: \"+380\",")]),
        (
            "\r\n+CUSD: 1,\"Menu\n1. \"a\"\r\n\r\n2. b\",15\r\nRDY\r\n",
            vec![urc("+CUSD: 1,\"Menu\n1. \"a\"\n2. b\",15"), urc("RDY")],
        ),
        ("\r\n+CUSD: 0,\"x\"\r\n", vec![urc("+CUSD: 0,\"x\"")]),
        ("\r\n+CUSD: 2\r\n", vec![urc("+CUSD: 2")]),
        (
            "\r\n+CUSD: 0,\"x\r\n\r\nRDY\r\n+CREG: 1\r\n",
            vec![urc("+CUSD: 0,\"x"), urc("RDY"), urc("+CREG: 1")],
        ),
        // Words that never end do not swallow a result.
        (
            "\r\n+CUSD: 0,\"x\r\ny\r\nERROR\r\n",
            vec![urc("+CUSD: 0,\"x\ny")],
        ),
    ] {
        let mut channel = Channel::default();
        assert_eq!(outputs(&mut channel, bytes.as_bytes()), expected, "{bytes}");
    }
    let mut channel = Channel::default();
    channel.feed("+CUSD: 1,\"x\r\n".repeat(20).as_bytes());
    channel.feed("more\r\n".repeat(100).as_bytes());
    channel.feed(b"+CUSD: 1,\"x\r\n");
    channel.feed(
        format!("{}\r\n", "long ".repeat(300))
            .repeat(100)
            .as_bytes(),
    );
    let longest = std::iter::from_fn(|| channel.next())
        .map(|output| match output {
            Output::Urc(text) => text.len(),
            other => panic!("{other:?}"),
        })
        .max();
    assert!(longest.is_some_and(|length| length < 2100), "{longest:?}");
}

#[test]
fn a_report_inside_a_list_is_no_message() {
    let mut channel = Channel::default();
    channel.start(command("AT+CMGL=4")).unwrap();
    let bytes = b"\r\n+CMGL: 1,0,,2\r\n00AABB\r\n+CDS: 2\r\n00CCDD\r\n\
        +CMGL: 2,0,,2\r\n00EEFF\r\n+CMTI: \"SM\",3\r\n\r\nOK\r\n";
    let seen = outputs(&mut channel, bytes);
    let [
        Output::Urc(report),
        Output::Urc(stored),
        Output::Reply(reply),
    ] = seen.as_slice()
    else {
        panic!("{seen:?}")
    };
    assert_eq!(report, "+CDS: 2\n00CCDD");
    assert_eq!(stored, "+CMTI: \"SM\",3");
    let list = sim7600::stored_messages(&reply.lines);
    let read: Vec<_> = list.iter().map(|m| (m.index, m.pdu.as_str())).collect();
    assert_eq!(read, [(1, "00AABB"), (2, "00EEFF")]);
}

#[test]
fn results_nobody_waits_for_are_counted() {
    let mut channel = Channel::default();
    assert_eq!(
        outputs(&mut channel, b"\r\nOK\r\nERROR\r\n+CME ERROR: 14\r\n"),
        []
    );
    assert_eq!(channel.counters().n_stray, 3);
}

#[test]
fn an_endless_line_costs_only_itself() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    assert_eq!(outputs(&mut channel, &vec![b'+'; 1_000_000]), []);
    assert_eq!(
        reply(&mut channel, b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n"),
        ["+CSQ: 21,99"]
    );
    assert_eq!(channel.counters().n_overflows, 1);
}

#[test]
fn a_babbling_module_cannot_fill_the_memory_or_hide_a_reply() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    channel.feed(b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n");
    channel.feed(&b"\r\n+CREG: 1\r\n".repeat(10_000));
    let seen: Vec<Output> = std::iter::from_fn(|| channel.next()).collect();
    assert_eq!(seen.len(), 256);
    assert!(matches!(seen.first(), Some(Output::Reply(_))));
    assert_eq!(channel.counters().n_dropped, 10_001 - 256);
}

#[test]
fn a_call_ends_only_a_call() {
    let mut channel = Channel::default();
    channel.start(command("AT+CSQ")).unwrap();
    assert_eq!(
        outputs(&mut channel, b"\r\nNO CARRIER\r\n"),
        [Output::Urc("NO CARRIER".to_owned())]
    );
    reply(&mut channel, b"\r\n+CSQ: 1,99\r\n\r\nOK\r\n");
    channel.start(command("ATD0800;")).unwrap();
    let seen = outputs(&mut channel, b"\r\nNO CARRIER\r\n");
    assert!(
        matches!(seen.as_slice(), [Output::Reply(reply)] if matches!(reply.outcome, Err(Failure::Call(_))))
    );
}

/// Pieces of real answers, so that random streams reach every branch.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        proptest::sample::select(vec![
            &b"\r\nOK\r\n"[..],
            b"\r\nERROR\r\n",
            b"\r\n+CME ERROR: 10\r\n",
            b"\r\n+CPSI: LTE,Online,460-11,0x775C,1,399,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\r\n",
            b"\r\n+CMEE: 2\r\n",
            b"\r\n> ",
            b"\r\n+CUSD: 1,\"1. Balans\r\n",
            b"2. Tarif\",15\r\n",
            b"\r\n+CDS: 2\r\n",
            b"00AABB\r\n",
            b"+CCLK: \"",
            b"\r\n+CGPADDR: 1,2.41.148.4\r\n",
            b"$GPRMC,191506.99,A,3645.868875,N,03124.655730,E,0.8,237.0,110922,3.6,E,A,V*49\r\n",
            b"$GPGGA,",
            b"$GPGSV,3,1,",
            b"*00\r\n",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_input_panics_and_portions_do_not_matter(bytes in stream(), cut in 1_usize..17, questions in any::<u8>()) {
        let run = |chunk: usize| {
            let mut channel = Channel::default();
            let mut seen = Vec::new();
            for text in ["AT+CMGS=1", "AT+CPSI?", "ATI"].iter().take(usize::from(questions % 4)) {
                let _ = channel.start(command(text));
                channel.give_up();
            }
            let _ = channel.start(command("AT+CMGS=1"));
            for part in bytes.chunks(chunk) {
                channel.feed(part);
                seen.extend(std::iter::from_fn(|| channel.next()));
            }
            (seen, channel.counters())
        };
        let (seen, _) = run(1);
        prop_assert_eq!(&run(cut).0, &seen);
        for output in seen {
            if let Output::Reply(reply) = output {
                sim7600::SimState::from_reply(&reply);
                sim7600::serving_cells(&reply.lines);
            }
        }
        let floor = tm_proto::calendar::Date::new(2020, 1, 1).unwrap();
        let mut whole = Epochs::new(floor);
        let mut cut_up = Epochs::new(floor);
        let expected = whole.feed(&bytes);
        let parts: Vec<_> = bytes.chunks(cut).flat_map(|part| cut_up.feed(part)).collect();
        prop_assert_eq!(parts, expected);
        prop_assert_eq!(cut_up.silence(), whole.silence());
    }

    #[test]
    fn no_line_panics_a_reader(line in "[+A-Z]{0,8}: ?[0-9A-Za-z\",./:+-]{0,80}") {
        for prefix in ["", "+CPSI: LTE,Online,", "+CCLK: ", "+CSQ: ", "+CREG: ", "+CGPADDR: 1,", "+SPIC: ", "+CPMS: ", "+CUSD: 0,\""] {
            let lines = vec![format!("{prefix}{line}")];
            sim7600::serving_cells(&lines);
            sim7600::signal_quality(&lines);
            sim7600::registration(&lines);
            sim7600::operator(&lines);
            sim7600::network_clock(&lines);
            sim7600::pdp_addresses(&lines);
            sim7600::pdp_contexts(&lines);
            sim7600::pdp_activity(&lines);
            sim7600::packet_attachment(&lines);
            sim7600::pin_tries(&lines);
            sim7600::identity(&lines);
            sim7600::stored_messages(&lines);
            sim7600::stored_message(&lines, 0);
            sim7600::message_stores(&lines);
            sim7600::message_reference(&lines);
            sim7600::announcements(&lines);
            sim7600::service_centre(&lines);
            sim7600::last_error(&lines);
            sim7600::Urc::parse(&lines[0]);
        }
    }
}
