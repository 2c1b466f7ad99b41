//! What the uplink calls its messages: by the token that comes back with the acknowledgement.

use tm_service::session::Token;

/// The kind stands in the upper byte; tickets, counted from 0, have none.
const KIND_SHIFT: u32 = 56;
const FENCE: u64 = 1 << KIND_SHIFT;
const PART: u64 = 2 << KIND_SHIFT;
const SINGLE: u64 = 3 << KIND_SHIFT;

/// Names the one state message that is under way.
pub(super) const STATE: Token = SINGLE;
/// Names health messages, of which only the newest counts.
pub(super) const HEALTH: Token = SINGLE + 1;
/// Names the echo that is under way.
pub(super) const ECHO: Token = SINGLE + 2;
/// Names the good-bye of the edge node.
pub(super) const DEATH: Token = SINGLE + 3;

/// Names a question of the edge node.
pub(super) fn fence(number: u64) -> Token {
    FENCE | number
}

/// Names one of several parts of a message.
pub(super) fn part(number: u64) -> Token {
    PART | number
}

/// What a token names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// A message of the scheduler.
    Ticket(u64),
    /// A question of the edge node.
    Fence(u64),
    /// One of several parts.
    Part(u64),
    /// One of those that have a name of their own.
    Single(Token),
}

impl Named {
    pub(super) fn of(token: Token) -> Self {
        let number = token & (FENCE - 1);
        match token - number {
            0 => Self::Ticket(number),
            FENCE => Self::Fence(number),
            PART => Self::Part(number),
            _ => Self::Single(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_it_was_made_for() {
        let cases = [
            (0, Named::Ticket(0)),
            (77, Named::Ticket(77)),
            (fence(3), Named::Fence(3)),
            (part(0), Named::Part(0)),
            (STATE, Named::Single(STATE)),
            (DEATH, Named::Single(DEATH)),
        ];
        for (token, expected) in cases {
            assert_eq!(Named::of(token), expected, "{token:x}");
        }
    }
}
