//! Operations that are asked of this service.

use std::time::Duration;

use serde_json::json;
use tm_service::bus::Request;
use tm_types::Timestamp;

use super::event::Effect;
use super::{Manager, Now};
use crate::ladder::Input;
use crate::operations::{self, Asked};

impl Manager {
    pub(super) fn on_command(&mut self, request: Request, now: Now) {
        let id = request.id.clone();
        let asked = match operations::read(&request) {
            Ok(asked) => asked,
            Err(cause) => {
                self.effects.push(Effect::Finish(id, Err(cause)));
                return;
            }
        };
        let issuer = request.issuer;
        tracing::info!(op = %request.op, %issuer, "asked for an operation");
        match asked {
            Asked::Rung(rung) => self.on_rung_asked(id, rung, issuer, now),
            Asked::Hold => self.steer(id, Input::Hold { issuer }, now),
            Asked::Resume | Asked::HandsOff(Duration::ZERO) => {
                self.steer(id, Input::Resume, now);
            }
            Asked::HandsOff(time) => {
                let until = Duration::from_millis(now.stamp.mono_ms) + time;
                let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                let shown = Timestamp::of_unix_ms(now.stamp.time.unix_ms().saturating_add(ms));
                self.steer(id, Input::HandsOff { until, shown }, now);
            }
            Asked::Send => self.with_messages(|messages, tickets| {
                messages.on_send(id, &request.args, now, tickets)
            }),
            Asked::Ussd => {
                self.with_codes(|codes, tickets| codes.on_ussd(id, &request.args, tickets));
            }
            Asked::Balance => self.with_codes(|codes, tickets| codes.on_balance(id, tickets)),
        }
    }

    fn steer(&mut self, id: tm_types::OperationId, input: Input, now: Now) {
        self.climb(input, now);
        let recovery = json!({"recovery": self.care.view(now)});
        self.effects.push(Effect::Finish(id, Ok(recovery)));
    }
}
