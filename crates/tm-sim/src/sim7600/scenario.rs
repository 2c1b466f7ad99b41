//! What can happen to the module, by name.

use std::str::FromStr;

/// What happens to the module, its SIM, its network or its sky.
///
/// A fault named `…-until-…` is healed by that act alone or by a stronger one, and by [`Scenario::Normal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Everything well; ends every other one but what is kept in the module by nature (another SIM, another module).
    Normal,
    /// The SIM is taken out.
    NoSim,
    /// The SIM waits for its PIN.
    PinRequired,
    /// No network found.
    Searching,
    /// The network refuses the SIM.
    Denied,
    /// In a foreign network.
    Roaming,
    /// The profile names an access point that the network does not know: registered, but no way to data.
    WrongApn,
    /// The profile names the right access point again.
    ApnNormal,
    /// The antenna sees no satellites.
    NoSky,
    /// A stronger sky that is not the true one: every level the same, elsewhere, and minutes ahead.
    Spoofing,
    /// The true sky again.
    SpoofingOver,
    /// Every port stays open and silent.
    Mute,
    /// Every port vanishes.
    Unplugged,
    /// Every port vanishes and comes back by itself, with a module that has forgotten everything.
    BrownOutReset,
    /// The context is active and has its address, and carries nothing, until it is taken down.
    Stalled,
    /// The same; a new context does not help, a radio cycle does.
    StalledUntilRadio,
    /// The same; only a restart helps.
    StalledUntilReset,
    /// The refusal is over, and the module does not ask again until its radio was off.
    DeniedUntilRadio,
    /// There are cells, and the module finds none until the operator is chosen anew or the radio was off.
    NoServiceUntilOperator,
    /// There are cells, and the module finds none until its radio was off.
    NoServiceUntilRadio,
    /// There are cells, and the module finds none until it restarts.
    NoServiceUntilReset,
    /// `AT+COPS=2` was left behind, which a restart does not forget.
    Deregistered,
    /// The AT port says nothing until the module restarts; it obeys, and its sibling answers.
    MuteUntilReset,
    /// No port says or obeys anything until the USB device is taken from its driver and given back.
    MuteUntilRebind,
    /// No port says or obeys anything until the power key was used.
    MuteUntilPowerKey,
    /// The card is not found until the module restarts once.
    NoSimUntilReset,
    /// The supply breaks down a few seconds after each start.
    BrownOutLoop,
    /// Another card in the holder.
    SimSwapped,
    /// Another module in the place of the first.
    ModemSwapped,
    /// Above its normal range.
    OverTemperature,
    /// Above its extended range: it switches itself off where `AT+CMTE=1`.
    Overheated,
    /// Its supply is low.
    ModemUnderVoltage,
    /// The flight pin is high.
    FlightMode,
    /// Every cell is gone, of every operator.
    AreaOutage,
    /// The SIM waits for a PIN that is not the configured one.
    WrongPin,
    /// The SIM waits for its PIN and has one try left.
    PinLastTry,
    /// The SIM waits for its PUK.
    PukRequired,
    /// Only GSM cells.
    Gsm,
    /// Only WCDMA cells.
    Wcdma,
    /// Between two cells: `AT+CPSI?` shows what is no cell yet.
    Reselecting,
    /// The store for received messages is filled to the last place.
    MessagesFull,
}

impl Scenario {
    /// All of them with their names on a command line.
    pub const ALL: [(&'static str, Self); 42] = [
        ("normal", Self::Normal),
        ("plug", Self::Normal),
        ("no-sim", Self::NoSim),
        ("pin-required", Self::PinRequired),
        ("searching", Self::Searching),
        ("denied", Self::Denied),
        ("roaming", Self::Roaming),
        ("wrong-apn", Self::WrongApn),
        ("apn-normal", Self::ApnNormal),
        ("no-sky", Self::NoSky),
        ("spoofing", Self::Spoofing),
        ("spoofing-over", Self::SpoofingOver),
        ("mute", Self::Mute),
        ("unplug", Self::Unplugged),
        ("brown-out", Self::BrownOutReset),
        ("stalled", Self::Stalled),
        ("stalled-until-radio", Self::StalledUntilRadio),
        ("stalled-until-reset", Self::StalledUntilReset),
        ("denied-until-radio", Self::DeniedUntilRadio),
        ("no-service-until-operator", Self::NoServiceUntilOperator),
        ("no-service-until-radio", Self::NoServiceUntilRadio),
        ("no-service-until-reset", Self::NoServiceUntilReset),
        ("deregistered", Self::Deregistered),
        ("mute-until-reset", Self::MuteUntilReset),
        ("mute-until-rebind", Self::MuteUntilRebind),
        ("mute-until-power-key", Self::MuteUntilPowerKey),
        ("no-sim-until-reset", Self::NoSimUntilReset),
        ("brown-out-loop", Self::BrownOutLoop),
        ("sim-swapped", Self::SimSwapped),
        ("modem-swapped", Self::ModemSwapped),
        ("over-temperature", Self::OverTemperature),
        ("overheated", Self::Overheated),
        ("modem-under-voltage", Self::ModemUnderVoltage),
        ("flight-mode", Self::FlightMode),
        ("area-outage", Self::AreaOutage),
        ("wrong-pin", Self::WrongPin),
        ("pin-last-try", Self::PinLastTry),
        ("puk-required", Self::PukRequired),
        ("gsm", Self::Gsm),
        ("wcdma", Self::Wcdma),
        ("reselecting", Self::Reselecting),
        ("messages-full", Self::MessagesFull),
    ];
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, scenario)| *scenario)
            .ok_or_else(|| UnknownScenario::new(name))
    }
}

/// No scenario has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no scenario is called {0:?}")]
pub struct UnknownScenario(String);

impl UnknownScenario {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }
}
