//! One question at a time, each with its deadline, on one open port: the AT channel with its clock.

use std::collections::VecDeque;
use std::time::Duration;

use tm_proto::at::{Channel, Command, Counters, Output, Reply};
use tm_proto::sim7600::Urc;
use tokio::time::Instant;

use super::ask::{ATTENTION_TRIES, Ask};
use crate::config::Pin;

/// So many questions in a row without an answer: the port is suspect (`docs/modem.md`).
const SILENT_MAX: u32 = 2;

/// What the dialogue wants or has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write these bytes.
    Send(Vec<u8>),
    /// An answer, good or bad.
    Answered(Ask, Reply),
    /// A question had its time.
    Unanswered(Ask),
    /// A line nobody asked for.
    Urc(Urc),
    /// Nothing answers here: open the port anew.
    Mute,
}

/// A question that is not one of the fixed ones: a step of an errand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Question {
    /// The command line.
    pub(crate) command: Command,
    /// What follows the prompt `> `, for the commands that prompt.
    pub(crate) payload: Option<String>,
    /// How long the answer may take.
    pub(crate) time: Duration,
}

/// The dialogue on one open port; another port, another dialogue.
#[derive(Debug)]
pub(crate) struct Dialogue {
    channel: Channel,
    queue: VecDeque<Ask>,
    /// Asked when nothing fixed waits before it; one at a time.
    question: Option<Question>,
    running: Option<(Ask, Instant)>,
    /// What the running question's prompt is answered with.
    payload: Option<String>,
    n_attentions: u32,
    n_silent: u32,
    pin: Option<Pin>,
}

impl Dialogue {
    /// A dialogue that asks nothing yet.
    pub(crate) fn new(pin: Option<Pin>) -> Self {
        Self {
            channel: Channel::default(),
            queue: VecDeque::new(),
            question: None,
            running: None,
            payload: None,
            n_attentions: 0,
            n_silent: 0,
            pin,
        }
    }

    /// Appends questions; one that already waits is not asked twice.
    pub(crate) fn ask(&mut self, asks: &[Ask]) {
        for ask in asks {
            if !self.queue.contains(ask) {
                self.queue.push_back(*ask);
            }
        }
    }

    /// Asks this before all that waits.
    pub(crate) fn ask_first(&mut self, asks: &[Ask]) {
        self.queue.retain(|waiting| !asks.contains(waiting));
        for ask in asks.iter().rev() {
            self.queue.push_front(*ask);
        }
    }

    /// Asks this next, before all that waits; its answer comes as that of [`Ask::Errand`].
    pub(crate) fn ask_question(&mut self, question: Question) {
        self.question = Some(question);
        self.ask_first(&[Ask::Errand]);
    }

    /// The module has restarted: nothing that waits makes sense any more.
    pub(crate) fn forget(&mut self) {
        self.queue.clear();
        self.question = None;
        if self.running.take().is_some() {
            self.channel.give_up();
        }
    }

    /// Whether nothing waits for an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_none() && self.queue.is_empty()
    }

    /// When [`due`](Self::due) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.running.map(|(_, deadline)| deadline)
    }

    /// What the channel had to drop.
    pub(crate) fn counters(&self) -> Counters {
        self.channel.counters()
    }

    /// Sends the next question if none is running.
    pub(crate) fn start(&mut self, now: Instant) -> Option<Step> {
        while self.running.is_none() {
            let ask = self.queue.pop_front()?;
            let (command, payload, time) = if ask == Ask::Errand {
                let Some(question) = self.question.take() else {
                    continue;
                };
                (question.command, question.payload, question.time)
            } else {
                let Some(command) = ask.command(self.pin.as_ref()) else {
                    continue;
                };
                (command, None, ask.time())
            };
            tracing::debug!(%command, "asked");
            let bytes = self.channel.start(command).expect("nothing is running");
            self.running = Some((ask, now + time));
            self.payload = payload;
            return Some(Step::Send(bytes));
        }
        None
    }

    /// Takes in what the port delivered.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.channel.feed(bytes);
    }

    /// What came out of the bytes, oldest first.
    pub(crate) fn next(&mut self) -> Option<Step> {
        loop {
            match self.channel.next()? {
                Output::Reply(reply) => {
                    tracing::debug!(lines = ?reply.lines.len(), outcome = ?reply.outcome, "answered");
                    self.n_silent = 0;
                    self.n_attentions = 0;
                    // A reply without a running question cannot be: the channel has one in flight at most.
                    let Some((ask, _)) = self.running.take() else {
                        continue;
                    };
                    return Some(Step::Answered(ask, reply));
                }
                Output::Urc(line) => return Some(Step::Urc(Urc::parse(&line))),
                Output::Prompt => {
                    if let Some(payload) = self.payload.take() {
                        return Some(Step::Send(self.channel.payload(&payload)));
                    }
                }
                Output::Send(bytes) => return Some(Step::Send(bytes)),
            }
        }
    }

    /// The running question has had its time.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Step> {
        let (ask, _) = self.running.take_if(|(_, deadline)| *deadline <= now)?;
        self.channel.give_up();
        if ask == Ask::Attention {
            self.n_attentions += 1;
            if self.n_attentions < ATTENTION_TRIES {
                self.ask_first(&[Ask::Attention]);
                return Some(Step::Unanswered(ask));
            }
            return Some(Step::Mute);
        }
        self.n_silent += 1;
        Some(if self.n_silent >= SILENT_MAX {
            Step::Mute
        } else {
            Step::Unanswered(ask)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sent(step: Option<Step>) -> String {
        let Some(Step::Send(bytes)) = step else {
            panic!("nothing is sent: {step:?}")
        };
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_at_a_time() {
        let mut dialogue = Dialogue::new(None);
        let now = Instant::now();
        dialogue.ask(&[Ask::EchoOff, Ask::Supply, Ask::Supply, Ask::EnterPin]);
        assert_eq!(sent(dialogue.start(now)), "ATE0\r");
        assert_eq!(dialogue.start(now), None);
        dialogue.feed(b"ATE0\r\r\nOK\r\n");
        assert!(matches!(
            dialogue.next(),
            Some(Step::Answered(Ask::EchoOff, _))
        ));
        assert_eq!(sent(dialogue.start(now)), "AT+CBC\r");
        dialogue.feed(b"\r\n+CBC: 3.8");
        assert_eq!(dialogue.next(), None);
        dialogue.feed(b"91V\r\n\r\nOK\r\n");
        assert!(
            matches!(dialogue.next(), Some(Step::Answered(Ask::Supply, reply)) if reply.ok().is_ok())
        );
        assert_eq!(
            dialogue.start(now),
            None,
            "a PIN that is not there is not asked for"
        );
        assert!(dialogue.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn five_attentions_then_mute() {
        let mut dialogue = Dialogue::new(None);
        dialogue.ask(&[Ask::Attention, Ask::EchoOff]);
        for n in 1..=5 {
            assert!(
                matches!(dialogue.start(Instant::now()), Some(Step::Send(_))),
                "try {n}"
            );
            assert_eq!(dialogue.due(Instant::now()), None);
            tokio::time::advance(Duration::from_secs(1)).await;
            let step = dialogue.due(Instant::now()).unwrap();
            assert_eq!(step == Step::Mute, n == 5, "try {n}: {step:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_silent_questions_in_a_row_are_mute_but_not_with_an_answer_between() {
        let mut dialogue = Dialogue::new(None);
        dialogue.ask(&[Ask::Supply, Ask::Temperature, Ask::Clock, Ask::Operator]);
        let mut steps = Vec::new();
        for answers in [false, true, false, false] {
            dialogue.start(Instant::now()).unwrap();
            if answers {
                // The first OK belongs to the channel's own question, which finds the place again.
                dialogue.feed(b"\r\n+CMEE: 2\r\n\r\nOK\r\n");
                assert!(matches!(dialogue.next(), Some(Step::Send(_))));
                dialogue.feed(b"\r\nERROR\r\n");
                steps.extend(dialogue.next());
            } else {
                tokio::time::advance(Duration::from_secs(10)).await;
                steps.extend(dialogue.due(Instant::now()));
            }
        }
        assert!(
            matches!(
                &steps[..],
                [
                    Step::Unanswered(Ask::Supply),
                    Step::Answered(Ask::Temperature, _),
                    Step::Unanswered(Ask::Clock),
                    Step::Mute
                ]
            ),
            "{steps:?}"
        );
    }
}
