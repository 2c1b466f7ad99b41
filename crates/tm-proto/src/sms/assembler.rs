//! Joins the parts of longer texts, in any order, with a bound on what waits.

use std::time::Duration;

use super::deliver::{Body, Deliver};

/// Most places that the same part is remembered at; a card holds fewer messages than that.
const MAX_COPIES: usize = 4;

/// Texts whose parts have not all come yet.
///
/// `P` is what the caller needs of each part, such as its place on the card. The same part pushed again changes
/// nothing but that another place is remembered. A text that is whole is forgotten: take its parts off the card
/// before the card is listed again.
#[derive(Debug)]
pub struct Assembler<P> {
    open: Vec<Open<P>>,
    max_open: usize,
}

/// A text that is whole or was given up on.
#[derive(Clone, PartialEq, Eq)]
pub struct Assembled<P> {
    /// The sender.
    pub from: String,
    /// What is there of the text, in order.
    pub text: String,
    /// When the service centre took the first of the parts, seconds since 1970, UTC.
    pub sent_unix_s: Option<i64>,
    /// What the caller gave with each part, also with copies.
    pub parts: Vec<P>,
    /// The numbers of the parts that never came, ascending; empty for a whole text.
    pub missing: Vec<u8>,
}

impl<P: std::fmt::Debug> std::fmt::Debug for Assembled<P> {
    /// Without sender and text: a message is nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembled")
            .field("sent_unix_s", &self.sent_unix_s)
            .field("parts", &self.parts)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Open<P> {
    from: String,
    reference: u16,
    total: u8,
    /// When the last new part came.
    touched: Duration,
    sent_unix_s: Option<i64>,
    /// Sorted by number, one each.
    pieces: Vec<Piece<P>>,
}

#[derive(Debug)]
struct Piece<P> {
    number: u8,
    body: Body,
    payloads: Vec<P>,
}

impl<P: PartialEq> Assembler<P> {
    /// An assembler that keeps at most `max_open` texts waiting (at least one).
    pub fn new(max_open: usize) -> Self {
        Self {
            open: Vec::new(),
            max_open: max_open.max(1),
        }
    }

    /// Takes in a message that came at `now` (any clock that does not go back) and returns what is finished by it:
    /// the text it completes, and before it those that had to give way to it, which are incomplete.
    ///
    /// A text gives way when there are too many, the one untouched for longest first, and when its sender uses its
    /// reference for another text.
    pub fn push(&mut self, message: Deliver, payload: P, now: Duration) -> Vec<Assembled<P>> {
        let Some(part) = message.part.filter(|part| part.total > 1) else {
            return vec![Assembled {
                from: message.from,
                text: message.text,
                sent_unix_s: message.sent_unix_s,
                parts: vec![payload],
                missing: Vec::new(),
            }];
        };
        let mut finished = Vec::new();
        let body = message.body().clone();
        let mut at = self.open.iter().position(|open| {
            (open.reference, open.total) == (part.reference, part.total)
                && open.from == message.from
        });
        if let Some(index) = at
            && self
                .open
                .get(index)
                .is_some_and(|open| open.differs(part.number, &body))
        {
            finished.push(self.open.remove(index).finish());
            at = None;
        }
        let index = at.unwrap_or_else(|| {
            if self.open.len() >= self.max_open {
                finished.extend(self.remove_oldest());
            }
            self.open.push(Open {
                from: message.from,
                reference: part.reference,
                total: part.total,
                touched: now,
                sent_unix_s: None,
                pieces: Vec::new(),
            });
            self.open.len() - 1
        });
        if let Some(open) = self.open.get_mut(index) {
            open.sent_unix_s = match (open.sent_unix_s, message.sent_unix_s) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            open.take(part.number, body, payload, now);
            if open.is_whole() {
                finished.push(self.open.remove(index).finish());
            }
        }
        finished
    }

    /// Gives up on texts of which no new part came for `older_than`, and returns what is there of them.
    pub fn take_incomplete(&mut self, now: Duration, older_than: Duration) -> Vec<Assembled<P>> {
        self.open
            .extract_if(.., |open| now.saturating_sub(open.touched) >= older_than)
            .map(Open::finish)
            .collect()
    }

    /// How many texts wait for parts.
    pub fn n_open(&self) -> usize {
        self.open.len()
    }

    fn remove_oldest(&mut self) -> Option<Assembled<P>> {
        let touched = |index: &usize| self.open.get(*index).map(|open| open.touched);
        let oldest = (0..self.open.len()).min_by_key(touched)?;
        Some(self.open.remove(oldest).finish())
    }
}

impl<P: PartialEq> Open<P> {
    /// Whether this part is there already and says something else: the reference has come round.
    fn differs(&self, number: u8, body: &Body) -> bool {
        self.pieces
            .iter()
            .any(|piece| piece.number == number && piece.body != *body)
    }

    fn take(&mut self, number: u8, body: Body, payload: P, now: Duration) {
        match self
            .pieces
            .binary_search_by_key(&number, |piece| piece.number)
        {
            Ok(at) => {
                if let Some(piece) = self.pieces.get_mut(at)
                    && piece.payloads.len() < MAX_COPIES
                    && !piece.payloads.contains(&payload)
                {
                    piece.payloads.push(payload);
                }
            }
            Err(at) => {
                self.touched = now;
                let payloads = vec![payload];
                self.pieces.insert(
                    at,
                    Piece {
                        number,
                        body,
                        payloads,
                    },
                );
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.pieces.len() == usize::from(self.total)
    }

    fn finish(self) -> Assembled<P> {
        let missing = (1..=self.total)
            .filter(|number| !self.pieces.iter().any(|piece| piece.number == *number))
            .collect();
        Assembled {
            text: Body::text(self.pieces.iter().map(|piece| &piece.body)),
            from: self.from,
            sent_unix_s: self.sent_unix_s,
            parts: self
                .pieces
                .into_iter()
                .flat_map(|piece| piece.payloads)
                .collect(),
            missing,
        }
    }
}
