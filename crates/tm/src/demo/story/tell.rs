//! What a story prints while it is played: whatever has changed since the last look.

use std::collections::HashMap;

use anyhow::Result;
use tm_types::text::{Language, sentence};
use tm_types::{Alarm, topic};

use super::page::Sentence;
use super::witness::Word;
use super::{Story, code_of_alarm, summary};
use crate::demo::Received;
use crate::demo::scenario::{FLOWING, Scenario};

/// What was printed already.
#[derive(Default)]
pub(super) struct Told {
    sentence: Option<Sentence>,
    waiting: u64,
    n_words: usize,
    n_urgent: usize,
    /// The codes of the alarms that were raised, by their ids.
    alarms: HashMap<String, String>,
}

impl Story<'_> {
    /// Says what is about to happen.
    pub(super) fn introduce(&mut self, scenario: &Scenario) -> Result<()> {
        self.lines
            .text(&format!("{}: {}", scenario.name, scenario.title))?;
        self.lines.text("")?;
        self.lines.text(scenario.about)?;
        self.lines.text("")?;
        let script = scenario.script();
        if !script.is_empty() {
            self.lines.item("script", &script)?;
        }
        let lasts = scenario.lasts_s;
        self.lines.item(
            "lasts",
            &format!("about {lasts} s; the times below are UTC"),
        )?;
        self.lines.text("")
    }

    /// Asks the API, and prints what has changed since the last time.
    pub(super) async fn look(&mut self) -> Result<()> {
        self.page.ask(self.demo.page).await;
        self.tell_words()?;
        self.tell_sentence()?;
        self.tell_journal()?;
        self.tell_cloud()
    }

    fn tell_sentence(&mut self) -> Result<()> {
        let now = self.page.sentence.clone();
        let is_same = match (&self.told.sentence, &now) {
            (Some(told), Some(now)) => told.reads_as(now),
            (told, now) => told.is_none() && now.is_none(),
        };
        if is_same {
            return Ok(());
        }
        if let Some(said) = &now {
            let level = self.lines.level(&said.level);
            self.lines
                .now("says", &format!("{level}  {}  [{}]", said.text, said.code))?;
            self.sentences.push(said.clone());
        } else {
            self.lines.now("says", "–      the page does not answer")?;
        }
        self.told.sentence = now;
        Ok(())
    }

    /// The journal is worth a line while it grows or drains, not while everything flows.
    fn tell_journal(&mut self) -> Result<()> {
        let Some(waiting) = self.page.waiting else {
            return Ok(());
        };
        let is_new = waiting != self.told.waiting;
        let is_long = waiting.max(self.told.waiting) > FLOWING;
        let is_kept = waiting > 0 && !self.page.is_connected;
        if is_new && (is_long || is_kept) {
            self.told.waiting = waiting;
            let text = format!("{waiting} records wait for the cloud");
            self.lines.now("journal", &text)?;
        }
        Ok(())
    }

    fn tell_words(&mut self) -> Result<()> {
        let words = self
            .witness
            .with(|heard| heard.words[self.told.n_words..].to_vec());
        self.told.n_words += words.len();
        for word in words {
            let (kind, text) = self.in_words(&word);
            self.lines.now(kind, &text)?;
        }
        Ok(())
    }

    /// What kind of line an alarm or event on the bus makes, and its text.
    fn in_words(&mut self, word: &Word) -> (&'static str, String) {
        if let Some(topic::Class::Alarm(id)) = topic::classify(&word.topic) {
            let Ok(alarm) = serde_json::from_value::<Alarm>(word.payload.clone()) else {
                let code = self.told.alarms.get(id).map_or(id, String::as_str);
                return ("alarm", format!("{code} is over"));
            };
            let severity = format!("{:?}", alarm.severity).to_lowercase();
            let text = format!("{} ({severity}) is raised", alarm.code);
            self.told.alarms.insert(alarm.id, alarm.code);
            return ("alarm", text);
        }
        match serde_json::from_value::<tm_types::Event>(word.payload.clone()) {
            Ok(event) => ("event", sentence(Language::En, &event.cause)),
            Err(_) => ("event", word.topic.clone()),
        }
    }

    fn tell_cloud(&mut self) -> Result<()> {
        let first = self.told.n_urgent;
        let (end, news) = self.demo.cloud.with(|cloud| {
            let end = cloud.urgent.len();
            let news = |n| Some((in_words(cloud, n)?, cloud.urgent[n].clone()));
            (end, (first..end).filter_map(news).collect::<Vec<_>>())
        });
        self.told.n_urgent = end;
        for (what, urgent) in news {
            let delay = summary::delay(&self.witness, &urgent);
            let delay = delay.map_or_else(String::new, summary::after_the_bus);
            self.lines.now("cloud", &format!("has {what}{delay}"))?;
        }
        Ok(())
    }
}

/// What the n-th urgent message at the cloud is about.
fn in_words(cloud: &Received, n: usize) -> Option<String> {
    if let Some(code) = code_of_alarm(cloud, n) {
        let is_over = cloud.urgent[n].payload.is_null();
        let what = if is_over {
            "the end of the alarm"
        } else {
            "the alarm"
        };
        return Some(format!("{what} {code}"));
    }
    let code = summary::code_of_event(&cloud.urgent[n])?;
    Some(format!("the event {code}"))
}
