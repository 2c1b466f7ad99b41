//! Plays a scenario and tells it: what happens to the cabinet, what it says, what the cloud gets.

mod lines;
mod page;
mod summary;
mod tell;
mod witness;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value as Json;
use tm_sim::script::Event;
use tm_types::topic;
use tokio::time::sleep;

use super::scenario::{Chapter, Expect, FLOWING, Scenario};
use super::{Demo, Received};
use lines::Lines;
use page::Page;
use summary::Cut;
use tell::Told;
use witness::{Published, Witness};

pub use page::Sentence;
pub use summary::{AlarmTold, EventTold, Missing, Summary};

/// How often the API is asked.
const PERIOD: Duration = Duration::from_millis(200);
/// How a story is told.
pub struct Telling<'a> {
    /// Where it is printed.
    pub out: &'a mut dyn Write,
    /// Whether with colours.
    pub is_coloured: bool,
    /// By how much the pauses between its chapters are shorter than written.
    pub hurry: u32,
    /// How long is waited for what must be seen.
    pub patience: Duration,
}

impl Telling<'_> {
    /// Enough: the uplink's pauses alone may be half a minute.
    pub const PATIENCE: Duration = Duration::from_mins(2);
}

/// How a story went.
#[derive(Debug)]
pub struct Outcome {
    /// Every sentence the cabinet said, in order.
    pub sentences: Vec<Sentence>,
    /// What the cloud side received, held against what was on the bus.
    pub summary: Summary,
    /// What did not hold; empty in a good story.
    pub unmet: Vec<String>,
}

/// Plays `scenario`, which the demo was started for, to its end.
///
/// # Errors
/// When nothing can be printed, or the cabinet cannot be started again after a power cut.
pub async fn play(demo: &mut Demo, scenario: &Scenario, telling: Telling<'_>) -> Result<Outcome> {
    let mut story = Story {
        witness: Witness::at(&demo.bus).await?,
        lines: Lines::new(telling.out, telling.is_coloured),
        demo,
        patience: telling.patience,
        page: Page::default(),
        told: Told::default(),
        sentences: Vec::new(),
        unmet: Vec::new(),
        cut: None,
    };
    story.introduce(scenario)?;
    let mut due = Instant::now();
    let mut last_s = 0;
    for chapter in scenario.chapters {
        due = Instant::now().max(due + Duration::from_secs(chapter.at_s - last_s) / telling.hurry);
        last_s = chapter.at_s;
        story.chapter(chapter, due).await?;
    }
    story.finish(scenario).await
}

/// A story being told.
struct Story<'a> {
    demo: &'a mut Demo,
    witness: Witness,
    page: Page,
    lines: Lines<'a>,
    told: Told,
    sentences: Vec<Sentence>,
    unmet: Vec<String>,
    patience: Duration,
    /// When the power went, if it did.
    cut: Option<Cut>,
}

impl Story<'_> {
    async fn chapter(&mut self, chapter: &Chapter, due: Instant) -> Result<()> {
        while Instant::now() < due {
            sleep(PERIOD.min(due.saturating_duration_since(Instant::now()))).await;
            self.look().await?;
        }
        self.lines.now("happens", chapter.says)?;
        let began = Instant::now();
        for event in chapter.acts().context("read the script")? {
            self.act(event).await?;
        }
        for expect in chapter.expects {
            self.wait_for(*expect, began, chapter.says).await?;
        }
        Ok(())
    }

    /// Waits until it is seen; what is not seen in time is noted, and the story goes on.
    async fn wait_for(&mut self, expect: Expect, began: Instant, says: &str) -> Result<()> {
        let end = Instant::now() + self.patience;
        loop {
            self.look().await?;
            if self.is_seen(expect, began) {
                return Ok(());
            }
            if Instant::now() > end {
                let seconds = self.patience.as_secs();
                let unmet = format!("{expect} was not seen within {seconds} s after: {says}");
                self.unmet.push(unmet);
                return Ok(());
            }
            sleep(PERIOD).await;
        }
    }

    async fn act(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Power(false) => {
                let from = Instant::now();
                self.demo.act(event);
                self.demo.cut_power().await?;
                let until = Instant::now();
                self.cut = Some(Cut { from, until });
                Ok(())
            }
            Event::Power(true) => {
                self.demo.act(event);
                self.demo.power_back().await?;
                self.witness.go_to(&self.demo.bus).await
            }
            _ => {
                self.demo.act(event);
                Ok(())
            }
        }
    }

    fn is_seen(&self, expect: Expect, began: Instant) -> bool {
        let page = &self.page;
        match expect {
            Expect::Sentence {
                level,
                code,
                because,
            } => page.sentence.as_ref().is_some_and(|said| {
                let is_because =
                    because.is_empty() || said.because.iter().any(|one| one == because);
                (said.level.as_str(), said.code.as_str()) == (level, code) && is_because
            }),
            Expect::Darkness => page.sentence.is_none(),
            Expect::Waiting(polls) => self.n_waiting(began) >= polls,
            Expect::Journal(records) => !page.is_connected && page.waiting >= Some(records),
            Expect::Drained => {
                page.is_connected && page.waiting.is_some_and(|waiting| waiting <= FLOWING)
            }
            Expect::CaughtUp => self.is_caught_up(began),
            Expect::Raised(code) => self.is_at_cloud(began, |of, is_over| of == code && !is_over),
            Expect::Cleared(code) => self.is_at_cloud(began, |of, is_over| of == code && is_over),
            Expect::Told(code) => self.is_told(began, code),
            Expect::Position => page.has_position,
        }
    }

    /// Polls that were on the bus since a moment and that the cloud does not have.
    fn n_waiting(&self, since: Instant) -> usize {
        self.n_absent(|poll| poll.at >= since)
    }

    /// Whether the cloud has everything that was on the bus before a moment, and was not lost with the power.
    fn is_caught_up(&self, moment: Instant) -> bool {
        let is_excused = |at| self.cut.is_some_and(|cut| cut.takes(at));
        self.n_absent(|poll| poll.at < moment && !is_excused(poll.at)) == 0
    }

    fn n_absent(&self, is_meant: impl Fn(&Published) -> bool) -> usize {
        self.demo.cloud.with(|cloud| {
            self.witness.with(|heard| {
                let polls = heard.polls.iter();
                polls
                    .filter(|(id, poll)| is_meant(poll) && !cloud.polls.contains_key(*id))
                    .count()
            })
        })
    }

    /// Whether the cloud has heard since a moment of an alarm's change: of its code, and whether it is over.
    fn is_at_cloud(&self, since: Instant, is_it: impl Fn(&str, bool) -> bool) -> bool {
        self.demo.cloud.with(|cloud| {
            let urgent = cloud.urgent.iter().enumerate();
            let mut alarms = urgent.filter(|(_, urgent)| urgent.at >= since);
            alarms.any(|(n, urgent)| {
                let code = code_of_alarm(cloud, n);
                code.is_some_and(|code| is_it(&code, urgent.payload.is_null()))
            })
        })
    }

    /// Whether the cloud has heard since a moment of an event of this code.
    fn is_told(&self, since: Instant, code: &str) -> bool {
        self.demo.cloud.with(|cloud| {
            let mut news = cloud.urgent.iter().filter(|urgent| urgent.at >= since);
            news.any(|urgent| urgent.payload["cause"]["code"] == code)
        })
    }

    /// Lets the cloud catch up, and holds what it received against what was on the bus.
    async fn finish(mut self, scenario: &Scenario) -> Result<Outcome> {
        let end = Instant::now();
        self.wait_for(Expect::CaughtUp, end, "the end of the story")
            .await?;
        let summary = Summary::of(&self.witness, &self.demo.cloud, end, self.cut);
        self.unmet.extend(summary.faults(scenario));
        self.lines.text("")?;
        summary.print(&mut self.lines)?;
        self.lines.text("")?;
        if self.unmet.is_empty() {
            self.lines.text("The story went as it should.")?;
        } else {
            self.lines.text("What did not hold:")?;
            for unmet in &self.unmet {
                self.lines.item("-", unmet)?;
            }
        }
        self.lines.text("")?;
        Ok(Outcome {
            sentences: self.sentences,
            summary,
            unmet: self.unmet,
        })
    }
}

/// The code of the alarm that the n-th urgent message is about: its own, or of the message that raised it.
fn code_of_alarm(cloud: &Received, n: usize) -> Option<String> {
    let topic = &cloud.urgent[n].topic;
    let Some(topic::Class::Alarm(_)) = topic::classify(topic) else {
        return None;
    };
    let mut earlier = cloud.urgent[..=n].iter().rev();
    let code = |payload: &Json| payload["code"].as_str().map(str::to_owned);
    earlier.find_map(|urgent| (urgent.topic == *topic).then(|| code(&urgent.payload))?)
}
