//! The questions whose answers this crate reads, and how long each may take.

use std::time::Duration;

use crate::at::Command;

/// How long most commands may take (the vendor's demos allow 1 to 3 s).
pub const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long a command that talks to the SIM may take (manual, 4.2.2 gives 10 s for `+CPIN`-like commands).
pub const SIM_TIME: Duration = Duration::from_secs(10);
/// How long a change of the radio's state may take (`+CFUN`, `+CNMP`: 10 s).
pub const RADIO_TIME: Duration = Duration::from_secs(10);

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
    fn a_pin_keeps_its_zeros() {
        assert_eq!(enter_pin("0042").unwrap().text(), "AT+CPIN=0042");
        for pin in ["", "42", "123456789", "12a4", "1234\r"] {
            assert_eq!(enter_pin(pin), None, "{pin}");
        }
    }
}
