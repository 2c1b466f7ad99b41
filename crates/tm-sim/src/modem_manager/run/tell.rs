//! The signals beside those of properties and objects.

use super::World;
use crate::modem_manager::{modem::state, network, objects::object_path, show};

impl World {
    pub(super) async fn tell_states(&mut self) {
        for modem in &mut self.modems {
            let now = modem.state();
            let before = modem.told_state.replace(now);
            if let Some(before) = before.filter(|before| *before != now) {
                let path = show::modem_path(modem);
                let body = (before, now, 0_u32);
                self.objects
                    .emit(
                        &path,
                        "org.freedesktop.ModemManager1.Modem",
                        "StateChanged",
                        &body,
                    )
                    .await;
                if now == state::CONNECTED && before < state::REGISTERED {
                    let time =
                        jiff::Timestamp::try_from(self.config.clock.time()).unwrap_or_default();
                    let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                    let interface = "org.freedesktop.ModemManager1.Modem.Time";
                    self.objects
                        .emit(&path, interface, "NetworkTimeChanged", &text)
                        .await;
                }
            }
        }
    }

    pub(super) async fn tell_messages(&mut self) {
        let interface = "org.freedesktop.ModemManager1.Modem.Messaging";
        for (index, number, is_received) in std::mem::take(&mut self.added) {
            if let Some(modem) = self.modems.get(index) {
                let body = (object_path(&show::sms_path(number)), is_received);
                self.objects
                    .emit(&show::modem_path(modem), interface, "Added", &body)
                    .await;
            }
        }
        for (index, number) in std::mem::take(&mut self.deleted) {
            if let Some(modem) = self.modems.get(index) {
                let body = object_path(&show::sms_path(number));
                self.objects
                    .emit(&show::modem_path(modem), interface, "Deleted", &body)
                    .await;
            }
        }
    }

    pub(super) async fn tell_devices(&mut self) {
        for modem in &mut self.modems {
            let now = network::device_state(modem);
            let before = modem.told_device_state.replace(now);
            if let Some(before) = before.filter(|before| *before != now) {
                let body = (now, before, 0_u32);
                let path = network::device_path(modem);
                let interface = "org.freedesktop.NetworkManager.Device";
                self.objects
                    .emit(&path, interface, "StateChanged", &body)
                    .await;
            }
        }
    }
}
