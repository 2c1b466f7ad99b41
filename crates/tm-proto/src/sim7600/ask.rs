//! The questions whose answers this crate reads, and how long each may take.

use std::time::Duration;

use crate::{at::Command, sms::Submit};

/// How long most commands may take (the vendor's demos allow 1 to 3 s).
pub const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long a command that talks to the SIM may take (manual, 4.2.2 gives 10 s for `+CPIN`-like commands).
pub const SIM_TIME: Duration = Duration::from_secs(10);
/// How long a change of the radio's state may take (`+CFUN`, `+CNMP`: 10 s).
pub const RADIO_TIME: Duration = Duration::from_secs(10);
/// How long a change of attachment or of a context may take (`+CGATT`, `+CGACT`: 120 s; manual, 8.2).
pub const DATA_TIME: Duration = Duration::from_mins(2);
/// How long the list of a full store may take; the card is read record by record (judged, not measured).
pub const MESSAGE_TIME: Duration = Duration::from_secs(30);
/// How long the network may take for a message or a service code (`+CMGS`: 60 s; manual, 9.2).
pub const SEND_TIME: Duration = Duration::from_mins(1);

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub fn $name() -> Command { Command::fixed($text) })*
    };
}

questions! {
    /// `AT`: is anybody there?
    attention = "AT";
    /// `ATE0`: no echo from now on.
    echo_off = "ATE0";
    /// `AT+CMEE=2`: errors as text.
    verbose_errors = "AT+CMEE=2";
    /// `ATI`, read by [`super::identity`].
    identity = "ATI";
    /// `AT+CGMR`, read by [`super::firmware_revision`].
    firmware_revision = "AT+CGMR";
    /// `AT+CGSN`, read by [`super::equipment_identity`].
    equipment_identity = "AT+CGSN";
    /// `AT+CIMI`, read by [`super::subscriber_identity`]; allow [`SIM_TIME`].
    subscriber_identity = "AT+CIMI";
    /// `AT+CICCID`, read by [`super::iccid`]; allow [`SIM_TIME`].
    iccid = "AT+CICCID";
    /// `AT+CPIN?`, read by [`super::SimState::from_reply`]; allow [`SIM_TIME`].
    sim_state = "AT+CPIN?";
    /// `AT+SPIC`, read by [`super::pin_tries`]; allow [`SIM_TIME`].
    pin_tries = "AT+SPIC";
    /// `AT+CREG?` (circuit switched), read by [`super::registration`].
    registration_cs = "AT+CREG?";
    /// `AT+CGREG?` (2G and 3G data), read by [`super::registration`].
    registration_ps = "AT+CGREG?";
    /// `AT+CEREG?` (LTE), read by [`super::registration`].
    registration_lte = "AT+CEREG?";
    /// `AT+COPS=3,2`: operators as digits from now on.
    operator_numeric = "AT+COPS=3,2";
    /// `AT+COPS=3,0`: operators by their long name from now on.
    operator_names = "AT+COPS=3,0";
    /// `AT+COPS?`, read by [`super::operator`].
    operator = "AT+COPS?";
    /// `AT+CSQ`, read by [`super::signal_quality`].
    signal_quality = "AT+CSQ";
    /// `AT+CPSI?`, read by [`super::serving_cells`].
    serving_cell = "AT+CPSI?";
    /// `AT+CNSMOD?`, read by [`super::access_technology`].
    access_technology = "AT+CNSMOD?";
    /// `AT+CBC`, read by [`super::supply_voltage_v`].
    supply_voltage = "AT+CBC";
    /// `AT+CPMUTEMP`, read by [`super::temperature_celsius`].
    temperature = "AT+CPMUTEMP";
    /// `AT+CGDCONT?`, read by [`super::pdp_contexts`].
    pdp_contexts = "AT+CGDCONT?";
    /// `AT+CGPADDR`, read by [`super::pdp_addresses`].
    pdp_addresses = "AT+CGPADDR";
    /// Attachment, contexts, their activity and addresses in one line, read by [`super::packet_attachment`],
    /// [`super::pdp_contexts`], [`super::pdp_activity`] and [`super::pdp_addresses`].
    /// Each part is there only when the parts before it were not refused.
    packet_data = "AT+CGATT?;+CGDCONT?;+CGACT?;+CGPADDR";
    /// `AT+CEER`, read by [`super::RefusalCause::from_reply`].
    last_error = "AT+CEER";
    /// `AT+CCLK?`, read by [`super::network_clock`].
    network_clock = "AT+CCLK?";
    /// `AT+CTZU=1`: the network sets the module's clock.
    network_time_on = "AT+CTZU=1";
    /// `AT+CNLSA=1`: tell a camped cell without service from one with (`LTE-LIMITED`); may be refused.
    limited_service_on = "AT+CNLSA=1";
    /// `AT+CMTE=1`: temperature warnings; may be refused.
    temperature_alarm_on = "AT+CMTE=1";
    /// `AT+CVALARM=1,3400,4300`: supply warnings; may be refused. Limits: Hardware Design V1.02, 3.1.
    supply_alarm_on = "AT+CVALARM=1,3400,4300";
    /// `AT+CGPS?`, read by [`super::gnss_engine`].
    gnss_engine = "AT+CGPS?";
    /// `AT+CGPS=1`: start GNSS; `ERROR` while it runs already, so ask first.
    gnss_on = "AT+CGPS=1";
    /// `AT+CGPS=0`: stop GNSS; `+CGPS: 0` follows. Wait 2 s before starting again (manual, 17.2.1).
    gnss_off = "AT+CGPS=0";
    /// `AT+CFUN?`, read by [`super::radio_power`]; allow [`RADIO_TIME`].
    radio_power = "AT+CFUN?";
    /// `AT+CFUN=1`: full function; allow [`RADIO_TIME`].
    radio_on = "AT+CFUN=1";
    /// `AT+CFUN=4`: radio off, SIM on; allow [`RADIO_TIME`].
    radio_off = "AT+CFUN=4";
    /// `AT+COPS=0`: choose an operator by itself (undoes a sticky `+COPS: 2`); allow 120 s.
    operator_automatic = "AT+COPS=0";
    /// `AT+CRESET`: restart; `OK`, then every port vanishes for 12 to 20 s.
    restart = "AT+CRESET";
    /// `AT+CUSBPIDSWITCH?`, read by [`super::usb_composition`].
    usb_composition = "AT+CUSBPIDSWITCH?";
    /// `AT+CGPSINFO`, read by [`super::gnss_position`].
    gnss_position = "AT+CGPSINFO";
    /// `AT+CGATT=1`: attach to the packet network; allow [`DATA_TIME`].
    packet_attach = "AT+CGATT=1";
    /// `AT+CGATT=0`: detach from the packet network; allow [`DATA_TIME`].
    packet_detach = "AT+CGATT=0";
    /// `AT+CMGF=0`: messages as PDUs from now on.
    pdu_mode = "AT+CMGF=0";
    /// `AT+CPMS?`, read by [`super::message_stores`]; allow [`SIM_TIME`].
    message_stores = "AT+CPMS?";
    /// `AT+CPMS="SM","SM","SM"`: read, write and receive on the card; read by [`super::message_stores`]; allow
    /// [`SIM_TIME`]. On the card messages outlive the module, and ModemManager finds them as well.
    store_on_card = "AT+CPMS=\"SM\",\"SM\",\"SM\"";
    /// `AT+CPMS="ME","ME","ME"`: read, write and receive in the module; read by [`super::message_stores`].
    store_in_module = "AT+CPMS=\"ME\",\"ME\",\"ME\"";
    /// `AT+CNMI=2,1,0,1,0`: announce stored messages (`+CMTI`), give reports themselves (`+CDS`).
    announce_messages = "AT+CNMI=2,1,0,1,0";
    /// `AT+CNMI?`, read by [`super::announcements`].
    announcements = "AT+CNMI?";
    /// `AT+CMGL=4`: all messages of the store, read by [`super::stored_messages`]; allow [`MESSAGE_TIME`].
    /// Unread ones are read ones afterwards.
    stored_messages = "AT+CMGL=4";
    /// `AT+CSCA?`, read by [`super::service_centre`]; allow [`SIM_TIME`].
    service_centre = "AT+CSCA?";
    /// `AT+CSCS="IRA"`: service codes are written and read as they are; with `UCS2` both would be hexadecimal.
    plain_characters = "AT+CSCS=\"IRA\"";
    /// `AT+CUSD=2`: end the session with the network; allow [`SIM_TIME`].
    ussd_cancel = "AT+CUSD=2";
    /// `AT+CVAUXV=3050`: the GNSS antenna's supply in mV; falls back to 2950 at a restart (manual, 19.2.3).
    antenna_voltage = "AT+CVAUXV=3050";
    /// `AT+CVAUXS=1`: the GNSS antenna's supply on.
    antenna_supply_on = "AT+CVAUXS=1";
    /// `AT+CVAUXS=0`: the GNSS antenna's supply off.
    antenna_supply_off = "AT+CVAUXS=0";
}

/// `AT+CGACT=<0|1>,<cid>`: connects or disconnects a context; nothing for a context that cannot be (1 to 24,
/// 100 to 179; manual, 8.2). Allow [`DATA_TIME`].
pub fn context_activity(id: u8, active: bool) -> Option<Command> {
    let known = matches!(id, 1..=24 | 100..=179);
    let text = format!("AT+CGACT={},{id}", u8::from(active));
    known.then(|| Command::new(&text).ok()).flatten()
}

/// `AT+CMGR=<index>`: one message, read by [`super::stored_message`]; allow [`SIM_TIME`].
pub fn stored_message(index: u16) -> Command {
    Command::built(&format!("AT+CMGR={index}"))
}

/// `AT+CMGD=<index>`: deletes a message; allow [`SIM_TIME`].
pub fn delete_message(index: u16) -> Command {
    Command::built(&format!("AT+CMGD={index}"))
}

/// `AT+CMGS=<n>`: sends a message, read by [`super::message_reference`]; allow [`SEND_TIME`].
///
/// At [`crate::at::Output::Prompt`] write [`crate::at::Channel::payload`] of the message's `pdu_hex`.
pub fn send_message(message: &Submit) -> Command {
    Command::built(&format!("AT+CMGS={}", message.tpdu_length))
}

/// `AT+CUSD=1,"<code>",15`: sends a service code or the choice of a menu; the answer is an unsolicited
/// [`super::Ussd`], for which allow [`SEND_TIME`]. Nothing for what a telephone could not dial: digits, `*` and `#`,
/// at most 182 of them (3GPP TS 24.090).
pub fn ussd(code: &str) -> Option<Command> {
    let good = (1..=182).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'));
    good.then(|| Command::built(&format!("AT+CUSD=1,\"{code}\",15")))
}

/// `AT+CPIN=…`: enters the PIN of the SIM; nothing for a PIN that is not 4 to 8 digits. Allow [`SIM_TIME`].
pub fn enter_pin(pin: &str) -> Option<Command> {
    let digits = (4..=8).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| Command::new(&format!("AT+CPIN={pin}")).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_with_a_value() {
        assert_eq!(context_activity(1, true).unwrap().text(), "AT+CGACT=1,1");
        assert_eq!(
            context_activity(100, false).unwrap().text(),
            "AT+CGACT=0,100"
        );
        assert_eq!(context_activity(0, true), None);
        assert_eq!(stored_message(7).text(), "AT+CMGR=7");
        assert_eq!(delete_message(254).text(), "AT+CMGD=254");
        let messages = crate::sms::submit("+380501112233", "x", false, 0).unwrap();
        let command = send_message(&messages[0]);
        assert_eq!(command.text(), "AT+CMGS=15");
        assert!(command.prompts());
        let command = ussd("*101#").unwrap();
        assert_eq!(command.text(), "AT+CUSD=1,\"*101#\",15");
        assert_eq!(command.to_string(), "AT+CUSD=1,***");
        for code in ["", "*101\"", "\r", "abc"] {
            assert_eq!(ussd(code), None, "{code}");
        }
    }

    #[test]
    fn a_pin_keeps_its_zeros() {
        assert_eq!(enter_pin("0042").unwrap().text(), "AT+CPIN=0042");
        for pin in ["", "42", "123456789", "12a4", "1234\r"] {
            assert_eq!(enter_pin(pin), None, "{pin}");
        }
    }
}
