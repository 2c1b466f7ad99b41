//! A decoded record as one line of JSON.

use std::io::Write;

use crate::{Decoded, Record};

impl Decoded {
    /// One record as a JSON object without the line break: the key under which consumers drop
    /// repeats, the source, and the poll as it stands on the bus.
    ///
    /// `{"device":…,"class":…,"stream":…,"seq":…,"source":…,"run":…,"n":…,"time":…,"mono_ms":…,
    /// "boot":…,"clock":…,"err_ms":…,"points":[…]}`; `device`, `run` and `n` only where there is one.
    pub fn line(&self, record: &Record) -> Vec<u8> {
        let mut line = vec![b'{'];
        let mut field = |key: &str, text: &str| {
            let text = serde_json::Value::from(text);
            write!(line, "\"{key}\":{text},").expect("a Vec takes everything");
        };
        if let Some(device) = &self.header.device {
            field("device", device);
        }
        field("class", &self.header.class);
        field("stream", &self.header.stream);
        write!(line, "\"seq\":{},", record.seq).expect("a Vec takes everything");
        let source = serde_json::Value::from(record.source.as_str());
        write!(line, "\"source\":{source},").expect("a Vec takes everything");
        line.extend_from_slice(&record.poll.to_json()[1..]);
        line
    }
}
