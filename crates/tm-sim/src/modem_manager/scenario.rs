//! What can happen to ModemManager and its modem, by name.

use std::str::FromStr;

/// What happens. A fault named `…-until-…` is healed by that act or a stronger one, and by [`Scenario::Normal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Everything well, the modem connected; ends every other one but what was swapped.
    Normal,
    /// ModemManager is not there.
    ManagerAbsent,
    /// ModemManager restarts: its name goes and comes back, its objects count from 0 again.
    ManagerRestarted,
    /// NetworkManager is not there.
    NetworkManagerAbsent,
    /// ModemManager gives the modem up, as after ten timeouts; only a new enumeration brings it back.
    Dropped,
    /// The modem leaves the bus and comes back under the next number.
    Reenumerated,
    /// The modem is unplugged.
    Unplugged,
    /// Probed too early: failed, no card; a reset mends it.
    FailedUntilReset,
    /// Failed, no card, as there is none.
    NoSim,
    /// The card waits for its PIN.
    PinRequired,
    /// The card waits for its PUK.
    PukRequired,
    /// Another card.
    SimSwapped,
    /// Another modem.
    ModemSwapped,
    /// Connected, and nothing goes through, until the bearer is taken down.
    Stalled,
    /// The same; only a radio cycle helps.
    StalledUntilRadio,
    /// The same; only a reset helps.
    StalledUntilReset,
    /// The bearer is lost, the registration is not; nobody connects again by himself.
    Disconnected,
    /// The operator refuses the card.
    Denied,
    /// The refusal is over, and the modem does not ask again until its radio was off.
    DeniedUntilRadio,
    /// No network found.
    Searching,
    /// In a foreign network.
    Roaming,
    /// Somebody switched the modem to low power.
    LowPower,
    /// Somebody disabled the modem.
    Disabled,
    /// Every request to the modem ends with a timeout; the tenth makes ModemManager give it up.
    Mute,
    /// A second modem is plugged in.
    SecondModem,
}

impl Scenario {
    /// All of them with their names on a command line.
    pub const ALL: [(&'static str, Self); 25] = [
        ("normal", Self::Normal),
        ("manager-absent", Self::ManagerAbsent),
        ("manager-restarted", Self::ManagerRestarted),
        ("network-manager-absent", Self::NetworkManagerAbsent),
        ("dropped", Self::Dropped),
        ("reenumerated", Self::Reenumerated),
        ("unplug", Self::Unplugged),
        ("failed-until-reset", Self::FailedUntilReset),
        ("no-sim", Self::NoSim),
        ("pin-required", Self::PinRequired),
        ("puk-required", Self::PukRequired),
        ("sim-swapped", Self::SimSwapped),
        ("modem-swapped", Self::ModemSwapped),
        ("stalled", Self::Stalled),
        ("stalled-until-radio", Self::StalledUntilRadio),
        ("stalled-until-reset", Self::StalledUntilReset),
        ("disconnected", Self::Disconnected),
        ("denied", Self::Denied),
        ("denied-until-radio", Self::DeniedUntilRadio),
        ("searching", Self::Searching),
        ("roaming", Self::Roaming),
        ("low-power", Self::LowPower),
        ("disabled", Self::Disabled),
        ("mute", Self::Mute),
        ("second-modem", Self::SecondModem),
    ];
}

impl FromStr for Scenario {
    type Err = crate::sim7600::UnknownScenario;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, scenario)| *scenario)
            .ok_or_else(|| crate::sim7600::UnknownScenario::new(name))
    }
}
