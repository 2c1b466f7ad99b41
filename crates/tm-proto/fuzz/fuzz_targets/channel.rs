//! The AT channel: any bytes, in any portions, with commands started and given up in between.
//!
//! The first byte chooses the commands, the second the size of the portions; the rest is what the module says.
//! Held: nothing panics, portions make no difference, and what waits to be taken is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tm_proto::{
    at::{Channel, Command, Output},
    sim7600::{self, Urc},
};

const COMMANDS: [&str; 8] = [
    "AT+CMGS=15",
    "AT+CMGL=4",
    "AT+CPSI?",
    "ATI",
    "AT+CREG?",
    "AT+CUSD=1,\"*101#\",15",
    "AT+CGATT?;+CGDCONT?;+CGACT?;+CGPADDR",
    "ATD112;",
];

/// As the channel documents it.
const MAX_OUTPUTS: usize = 256;

fn command(index: u8) -> Command {
    Command::new(COMMANDS[usize::from(index % 8)]).unwrap()
}

/// What comes out when the bytes arrive in portions of `size`. Commands are chosen by place in the stream, not by
/// portion: at every byte 0x1D the running one is given up, and a new one is started whenever none runs.
fn play(mut choice: u8, size: usize, bytes: &[u8]) -> (Vec<Output>, tm_proto::at::Counters) {
    let mut channel = Channel::default();
    let mut seen = Vec::new();
    for part in bytes.split(|byte| *byte == 0x1d) {
        if !channel.is_busy() {
            let sent = channel.start(command(choice)).unwrap();
            seen.push(Output::Send(sent));
            choice = choice.wrapping_mul(5).wrapping_add(1);
        }
        for portion in part.chunks(size) {
            channel.feed(portion);
            let mut count = 0;
            while let Some(output) = channel.next() {
                count += 1;
                seen.push(output);
            }
            assert!(count <= MAX_OUTPUTS);
        }
        if seen.iter().any(|output| *output == Output::Prompt) && choice & 1 == 0 {
            channel.payload("0011000B91");
        }
        channel.give_up();
        seen.extend(std::iter::from_fn(|| channel.next()));
    }
    (seen, channel.counters())
}

fuzz_target!(|data: &[u8]| {
    let [choice, size, bytes @ ..] = data else {
        return;
    };
    let (seen, counters) = play(*choice, 1, bytes);
    let (other, other_counters) = play(*choice, usize::from(*size) + 1, bytes);
    // With so many at once the oldest unsolicited ones give way, which is the bound and not a difference.
    if counters.n_dropped == other_counters.n_dropped {
        assert_eq!(seen, other);
    }
    for output in &seen {
        match output {
            Output::Urc(line) => {
                assert!(line.len() <= 2 * 4096);
                Urc::parse(line);
            }
            Output::Reply(reply) => read(reply),
            Output::Prompt | Output::Send(_) => {}
        }
    }
});

/// Every reader takes every answer.
fn read(reply: &tm_proto::at::Reply) {
    let lines = &reply.lines;
    assert!(lines.len() <= 512);
    sim7600::SimState::from_reply(reply);
    sim7600::RefusalCause::from_reply(reply);
    sim7600::last_error(lines);
    sim7600::identity(lines);
    sim7600::firmware_revision(lines);
    sim7600::equipment_identity(lines);
    sim7600::subscriber_identity(lines);
    sim7600::iccid(lines);
    sim7600::registration(lines);
    sim7600::operator(lines);
    sim7600::access_technology(lines);
    sim7600::signal_quality(lines);
    sim7600::supply_voltage_v(lines);
    sim7600::temperature_celsius(lines);
    sim7600::network_clock(lines);
    sim7600::radio_power(lines);
    sim7600::gnss_engine(lines);
    sim7600::pin_tries(lines);
    sim7600::pdp_contexts(lines);
    sim7600::pdp_activity(lines);
    sim7600::pdp_addresses(lines);
    sim7600::packet_attachment(lines);
    sim7600::message_stores(lines);
    sim7600::message_reference(lines);
    sim7600::announcements(lines);
    sim7600::service_centre(lines);
    sim7600::gnss_position(lines);
    sim7600::usb_composition(lines);
    sim7600::serving_cells(lines);
    sim7600::stored_message(lines, 1);
    for message in sim7600::stored_messages(lines) {
        let _ = tm_proto::sms::decode(&message.pdu);
    }
}
