//! What is wrong with the module, and which act heals it: the rungs of a recovery, from the module's side.

use super::world::Network;

/// What somebody does to the module, the gentlest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cure {
    /// The context is taken down.
    Reconnect,
    /// The operator is chosen anew.
    Operator,
    /// The radio is switched off and on.
    Radio,
    /// The module restarts.
    Restart,
    /// The USB device is taken from its driver and given back.
    Rebind,
    /// The power key is used.
    PowerKey,
    /// Nothing but the end of the scenario.
    Nothing,
}

impl Cure {
    /// Whether this act heals what needs that one. A rebind restarts nothing: it heals the USB side alone.
    pub(crate) fn heals(self, needed: Self) -> bool {
        match self {
            Self::Rebind => needed == Self::Rebind,
            _ => self >= needed,
        }
    }
}

/// The faults that an act heals; each with the act that it needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// The context carries nothing.
    pub(super) stalled: Option<Cure>,
    /// The module believes this of the network, whatever it is.
    pub(super) network: Option<(Network, Cure)>,
    /// The ports are silent.
    pub(super) mute: Option<Cure>,
    /// The card is not found.
    pub(super) card: Option<Cure>,
}

impl Faults {
    pub(super) fn treat(&mut self, cure: Cure) {
        for fault in [&mut self.stalled, &mut self.mute, &mut self.card] {
            fault.take_if(|needed| cure.heals(*needed));
        }
        self.network.take_if(|(_, needed)| cure.heals(*needed));
    }
}
