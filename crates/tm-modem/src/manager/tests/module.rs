//! A module that answers from a table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep};

/// A module that answers from a table. Commands that are not in it are answered with `OK`.
#[derive(Clone)]
pub(super) struct Module {
    answers: Arc<Mutex<BTreeMap<&'static str, String>>>,
    /// What it says of itself.
    urcs: broadcast::Sender<&'static str>,
    /// Milliseconds between two bytes.
    pub(super) byte_ms: u64,
    /// Said before every answer.
    pub(super) noise: Vec<u8>,
    /// Said all the time, without an answer.
    pub(super) is_babbling: bool,
    /// Its clock runs since then; it stands still otherwise.
    pub(super) clock_since: Option<Instant>,
}

impl Module {
    /// Registered in LTE, with everything at its place.
    pub(super) fn registered() -> Self {
        let answers = [
            (
                "ATI",
                "Manufacturer: SIMCOM INCORPORATED\nModel: SIMCOM_SIM7600G-H\nRevision: SIM7600G_V2.0.2\nIMEI: 860000000000001\n+GCAP: +CGSM",
            ),
            ("AT+CGMR", "+CGMR: LE20B04SIM7600G22"),
            ("AT+CPIN?", "+CPIN: READY"),
            ("AT+CICCID", "+ICCID: 8938003991234567890F"),
            ("AT+CIMI", "255011234567890"),
            ("AT+CEREG?", "+CEREG: 1,1"),
            ("AT+CGREG?", "+CGREG: 0,0"),
            ("AT+COPS?", "+COPS: 0,0,\"Vodafone UA\",7"),
            (
                "AT+CPSI?",
                "+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12",
            ),
            ("AT+CSQ", "+CSQ: 27,99"),
            ("AT+CPMUTEMP", "+CPMUTEMP: 29"),
            ("AT+CBC", "+CBC: 3.891V"),
            ("AT+CCLK?", "+CCLK: \"26/11/23,10:00:00+08\""),
            ("AT+CGPS?", "+CGPS: 0,1"),
            ("AT+SPIC", "+SPIC: 3,10,3,10"),
        ];
        let answers = answers
            .into_iter()
            .map(|(command, lines)| (command, format!("{lines}\n\nOK")));
        Self {
            answers: Arc::new(Mutex::new(answers.collect())),
            urcs: broadcast::channel(16).0,
            byte_ms: 0,
            noise: Vec::new(),
            is_babbling: false,
            clock_since: None,
        }
    }

    /// The same module with another answer.
    pub(super) fn with(self, command: &'static str, answer: &str) -> Self {
        self.set(command, answer);
        self
    }

    /// Another answer from now on; an empty one is silence.
    pub(super) fn set(&self, command: &'static str, answer: &str) {
        self.answers
            .lock()
            .unwrap()
            .insert(command, answer.to_owned());
    }

    /// No answer to anything from now on.
    pub(super) fn fall_silent(&self) {
        for answer in self.answers.lock().unwrap().values_mut() {
            answer.clear();
        }
        for command in ["AT", "ATE0", "AT+CMEE?", "AT+CFUN?", "AT+CSCS?", "AT+IFC?"] {
            self.set(command, "");
        }
    }

    /// Says something that nobody asked for.
    pub(super) fn say(&self, line: &'static str) {
        self.urcs.send(line).expect("somebody listens");
    }

    /// Plays the module until the other end goes; what was asked is told.
    pub(super) async fn play(self, mut stream: DuplexStream, asked: mpsc::UnboundedSender<String>) {
        if self.is_babbling {
            while stream.write_all(&[b'\xff'; 100]).await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            return;
        }
        let mut urcs = self.urcs.subscribe();
        let mut line = Vec::new();
        loop {
            let bytes = tokio::select! {
                byte = stream.read_u8() => match byte {
                    Ok(b'\r') => self.answer(std::mem::take(&mut line), &asked),
                    Ok(byte) => {
                        line.push(byte);
                        continue;
                    }
                    Err(_) => return,
                },
                Ok(urc) = urcs.recv() => format!("\r\n{urc}\r\n").into_bytes(),
            };
            let portion = if self.byte_ms == 0 { usize::MAX } else { 1 };
            for part in bytes.chunks(portion) {
                sleep(Duration::from_millis(self.byte_ms)).await;
                if stream.write_all(part).await.is_err() {
                    return;
                }
            }
        }
    }

    fn answer(&self, command: Vec<u8>, asked: &mpsc::UnboundedSender<String>) -> Vec<u8> {
        let command = String::from_utf8(command).unwrap();
        let answers = self.answers.lock().unwrap();
        let mut answer = answers.get(command.as_str()).map_or("OK", String::as_str);
        let clock = self.clock_since.map(clock);
        if command == "AT+CCLK?" {
            answer = clock.as_deref().unwrap_or(answer);
        }
        let mut bytes = self.noise.clone();
        if !answer.is_empty() {
            bytes.extend_from_slice(format!("\n{answer}\n").replace('\n', "\r\n").as_bytes());
        }
        let _ = asked.send(command);
        bytes
    }
}

/// The module's clock, 10:00 in Kyiv at the beginning.
fn clock(since: Instant) -> String {
    let minutes = since.elapsed().as_secs() / 60;
    let (hour, minute, second) = (
        10 + minutes / 60,
        minutes % 60,
        since.elapsed().as_secs() % 60,
    );
    format!("+CCLK: \"26/11/23,{hour:02}:{minute:02}:{second:02}+08\"\n\nOK")
}
