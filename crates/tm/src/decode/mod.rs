//! `tm decode`: payloads as JSON lines or CSV, from standard input, files or a broker.

mod csv;
mod payload;

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tm_columns::Dictionaries;
use tm_service::config::Secret;
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tracing::{info, warn};

pub use payload::{Line, decode};

/// Where payloads come from, and how they are printed.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Files with one payload each, the one that announces a dictionary before those that lean on it; without files or a broker, standard input.
    files: Vec<PathBuf>,
    /// A broker to subscribe to: `mqtt://host:port` or `mqtts://host:port`.
    #[arg(long, conflicts_with = "files")]
    broker: Option<String>,
    /// What to subscribe to.
    #[arg(long, default_value = "tm/#", requires = "broker")]
    topic: String,
    /// User name at the broker; the password is read from `TM_DECODE_PASSWORD`.
    #[arg(long, requires = "broker")]
    user: Option<String>,
    /// End after so many lines; without it at a broker only when interrupted.
    #[arg(long)]
    lines: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

/// How lines are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// One JSON object per poll or event.
    Json,
    /// One row per point, with a head line.
    Csv,
}

/// Decodes what the arguments name and prints it.
///
/// # Errors
/// When a file or standard input is not a payload, or nothing can be printed. At a broker an
/// unreadable payload is reported and passed over.
pub fn main(arguments: &Arguments) -> Result<()> {
    let mut printer = Printer::new(arguments)?;
    let mut dictionaries = Dictionaries::default();
    let Some(broker) = &arguments.broker else {
        if arguments.files.is_empty() {
            let mut payload = Vec::new();
            io::stdin()
                .read_to_end(&mut payload)
                .context("read standard input")?;
            printer.print(&decode(&mut dictionaries, &payload)?)?;
        }
        for file in &arguments.files {
            let named = || format!("decode {}", file.display());
            let payload = fs::read(file).with_context(named)?;
            printer.print(&decode(&mut dictionaries, &payload).with_context(named)?)?;
        }
        return printer.flush();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(follow(broker, arguments, &mut printer))
}

/// Prints what comes from a broker, until it is enough.
async fn follow(broker: &str, arguments: &Arguments, printer: &mut Printer) -> Result<()> {
    let address = broker
        .parse()
        .with_context(|| format!("read the address {broker}"))?;
    let password = || Secret::new(std::env::var("TM_DECODE_PASSWORD").unwrap_or_default());
    let mut dictionaries = Dictionaries::default();
    let mut session = Session::open(Options {
        credentials: arguments.user.clone().map(|user| (user, password())),
        subscriptions: vec![(arguments.topic.clone(), Qos::AtLeastOnce)],
        max_packet: 4 * 1024 * 1024,
        ..Options::new(format!("tm-decode-{}", std::process::id()), address)
    });
    while !printer.is_done() {
        // Printed lines are flushed whenever nothing more is there, so that a pipe sees them at once.
        let event = if let Some(event) = session.try_next() {
            event
        } else {
            printer.flush()?;
            session.next().await
        };
        match event {
            SessionEvent::Message(message) => match decode(&mut dictionaries, &message.payload) {
                Ok(lines) => printer.print(&lines)?,
                Err(error) => {
                    warn!(topic = %message.topic, error = format_args!("{error:#}"), "a payload was passed over");
                }
            },
            SessionEvent::Up { .. } => info!(broker, "connected"),
            SessionEvent::Down(reason) => warn!(broker, %reason, "not connected"),
            SessionEvent::Acked(_) | SessionEvent::Connects(_) => {}
        }
    }
    printer.flush()
}

/// Prints lines to standard output.
struct Printer {
    format: Format,
    lines_left: Option<u64>,
    out: BufWriter<io::StdoutLock<'static>>,
}

impl Printer {
    fn new(arguments: &Arguments) -> Result<Self> {
        let (format, lines_left) = (arguments.format, arguments.lines);
        let mut out = BufWriter::new(io::stdout().lock());
        if format == Format::Csv {
            writeln!(out, "{}", csv::HEAD).context("print")?;
        }
        Ok(Self {
            format,
            lines_left,
            out,
        })
    }

    fn print(&mut self, lines: &[Line]) -> Result<()> {
        for line in lines {
            match &mut self.lines_left {
                Some(0) => break,
                Some(left) => *left -= 1,
                None => {}
            }
            match self.format {
                Format::Json => {
                    self.out.write_all(&line.json).context("print")?;
                    self.out.write_all(b"\n").context("print")?;
                }
                Format::Csv => csv::write(&mut self.out, line).context("print")?,
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.lines_left == Some(0)
    }

    fn flush(&mut self) -> Result<()> {
        match self.out.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => bail!("the reader has gone"),
            outcome => outcome.context("print"),
        }
    }
}
