//! What is asked of the service while it measures: another register map, a look at a device.
//!
//! One change of the map and one look at a port are under way at a time; neither holds up a poll.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::json;
use tm_service::bus::{Bus, BusHandle, Request};
use tm_service::{Clock, Host, Store};
use tm_types::{Cause, Instance, OperationId, Severity, Source, code, topic};
use tracing::{info, warn};

use crate::Config;
use crate::driver::Write;
use crate::lines::Lines;
use crate::modbus::commission::Look;
use crate::modbus::{Map, WRITE, Wanted};
use crate::revision::{self, Asked, Change, Changed, InForce, Kept, Variables};

/// What this service executes.
pub(crate) const OPERATIONS: &[&str] = &["configure", "rollback", "probe", "scan", WRITE];
/// Between two looks at the file with the map.
const FILE_PERIOD: Duration = Duration::from_mins(1);

type Job<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The map in force, and what is under way.
pub(crate) struct Desk {
    instance: Instance,
    source: Source,
    clock: Clock,
    store: Store,
    variables: Variables,
    kept: Kept,
    in_force: InForce,
    /// What is wrong with the map that should be in force.
    finding: Option<Cause>,
    change: Option<Job<Done>>,
    look: Option<Job<Done>>,
    file: Option<Job<Done>>,
}

/// What has ended.
pub(crate) enum Done {
    /// A change of the map.
    Change(OperationId, Box<Result<Changed, Cause>>),
    /// A probe or a scan, which has answered by itself.
    Look,
    /// A scan that others may interrupt now.
    Turn(OperationId, Box<Look>),
    /// The turn of those others is over.
    Again(OperationId, Box<Look>),
    /// A look at the file with the map.
    File(Result<String, Cause>),
}

impl Desk {
    /// Finds the map that is in force.
    pub(crate) async fn open(config: &Config, host: &Host) -> Self {
        let now = host.clock.stamp().time;
        let source = host.instance.source();
        let variables = Variables::new(config, &host.instance);
        let kept = host
            .store
            .load(revision::FILE)
            .unwrap_or_else(|| Kept::nothing(now));
        let (in_force, finding) = revision::at_start(&kept, &variables, &source, now).await;
        if let Some(cause) = &finding {
            warn!(code = %cause.code, args = ?cause.args, "register map refused");
        }
        let mut desk = Self {
            instance: host.instance.clone(),
            source,
            clock: host.clock.clone(),
            store: host.store.clone(),
            variables,
            kept,
            in_force,
            finding,
            change: None,
            look: None,
            file: None,
        };
        desk.watch_file();
        desk
    }

    /// The map in force.
    pub(crate) fn map(&self) -> &Map {
        &self.in_force.map
    }

    /// What is wrong with the map that should be in force.
    pub(crate) fn finding(&self) -> Option<&Cause> {
        self.finding.as_ref()
    }

    /// Publishes the map in force.
    pub(crate) fn tell(&self, bus: &BusHandle) {
        let view = self.in_force.view(&self.kept);
        let payload = serde_json::to_vec(&view).expect("a configuration has only string keys");
        bus.publish_retained(topic::config(&self.instance), payload.into());
    }

    /// Begins what is asked, or says why not.
    pub(crate) fn on_request(&mut self, request: &Request, bus: &Bus, lines: &mut Lines) {
        let id = &request.id;
        let begun = match request.op.as_str() {
            "configure" => Asked::configure(&request.args).and_then(|asked| self.change(id, asked)),
            "rollback" => Asked::rollback(&request.args).and_then(|asked| self.change(id, asked)),
            WRITE => self.write(request, bus, lines),
            _ => self.look(request, bus, lines),
        };
        match begun {
            Ok(()) => info!(op = %request.op, issuer = %request.issuer, "asked for an operation"),
            Err(cause) => bus.fail(id, &cause),
        }
    }

    /// What ends next; never when nothing is under way. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Done {
        tokio::select! {
            done = ended(&mut self.change) => done,
            done = ended(&mut self.look) => done,
            done = ended(&mut self.file) => done,
        }
    }

    /// Answers what has ended; says whether another map, or another fault of it, is to be taken up.
    pub(crate) fn on_done(&mut self, done: Done, bus: &Bus, lines: &mut Lines) -> bool {
        match done {
            Done::Look => {
                lines.resume();
                false
            }
            Done::Turn(id, look) => {
                lines.resume();
                let turn = lines.turn(look.port());
                self.look = Some(Box::pin(async move {
                    tokio::time::sleep(turn).await;
                    Done::Again(id, look)
                }));
                false
            }
            Done::Again(id, look) => {
                self.go_on(id, look, bus, lines);
                false
            }
            Done::Change(id, changed) => self.on_changed(&id, *changed, bus),
            Done::File(document) => self.on_file(document, bus),
        }
    }

    fn on_changed(&mut self, id: &OperationId, changed: Result<Changed, Cause>, bus: &Bus) -> bool {
        let changed = match changed {
            Ok(changed) => changed,
            Err(cause) => {
                info!(code = %cause.code, args = ?cause.args, "change of the register map refused");
                bus.fail(id, &cause);
                return false;
            }
        };
        let is_news = changed.activate.is_some();
        if let Some((kept, in_force)) = changed.activate {
            self.kept = kept;
            self.put_in_force(in_force, bus);
        }
        bus.succeed(id, json!(changed.answer));
        is_news
    }

    fn change(&mut self, id: &OperationId, asked: Asked) -> Result<(), Cause> {
        if self.change.is_some() {
            return Err(self.busy("configure"));
        }
        let change = Change {
            asked,
            kept: self.kept.clone(),
            in_force: self.in_force.clone(),
            variables: self.variables.clone(),
            source: self.source.clone(),
            store: self.store.clone(),
            now: self.clock.stamp().time,
        };
        let id = id.clone();
        self.change = Some(Box::pin(async move {
            let changed = change.run().await;
            Done::Change(id, Box::new(changed))
        }));
        Ok(())
    }

    fn look(&mut self, request: &Request, bus: &Bus, lines: &mut Lines) -> Result<(), Cause> {
        if self.look.is_some() {
            return Err(self.busy("probe"));
        }
        let look = Look::read(&request.op, &request.args)?;
        bus.progress(&request.id, None);
        self.go_on(request.id.clone(), Box::new(look), bus, lines);
        Ok(())
    }

    /// Hands a write to the line of its device.
    fn write(&self, request: &Request, bus: &Bus, lines: &Lines) -> Result<(), Cause> {
        let wanted = Wanted::read(&request.args, &self.in_force.map.devices)?;
        let device = wanted.device.name.clone();
        let write = Write::new(request.id.clone(), wanted, bus.handle());
        lines.write(&device, write).map_err(|mut write| {
            write.is_answered = true;
            self.busy(WRITE)
        })
    }

    /// Takes the port for a turn of the look.
    fn go_on(&mut self, id: OperationId, mut look: Box<Look>, bus: &Bus, lines: &mut Lines) {
        lines.pause(look.port().clone());
        let handle = bus.handle();
        self.look = Some(Box::pin(async move {
            let progress = |percent| handle.progress(&id, Some(percent));
            match look.turn(&progress).await {
                Ok(Some(result)) => handle.succeed(&id, result),
                Ok(None) => return Done::Turn(id, look),
                Err(cause) => handle.fail(&id, &cause),
            }
            Done::Look
        }));
    }

    fn busy(&self, op: &str) -> Cause {
        let cause = code::OPERATION_BUSY.with("service", &self.instance);
        cause.and("op", op)
    }

    fn put_in_force(&mut self, in_force: InForce, bus: &Bus) {
        self.in_force = in_force;
        self.finding = None;
        self.tell(bus);
        bus.event(Severity::Info, self.in_force.told());
        info!(
            revision = %self.in_force.revision(),
            devices = self.in_force.map.devices.len(),
            "register map in force"
        );
        self.watch_file();
    }

    /// Looks at the file again in a minute, while it counts.
    fn watch_file(&mut self) {
        let is_watched = self.variables.is_file() && self.kept.follows_variables();
        let variables = self.variables.clone();
        self.file = is_watched.then(|| -> Job<Done> {
            Box::pin(async move {
                tokio::time::sleep(FILE_PERIOD).await;
                Done::File(variables.document().await)
            })
        });
    }

    /// Takes a changed file up, or says what is wrong with it once.
    fn on_file(&mut self, document: Result<String, Cause>, bus: &Bus) -> bool {
        let finding = match document {
            Err(unreadable) => unreadable,
            Ok(document) => {
                let has_map = !self.in_force.document.is_empty();
                if has_map && document == self.in_force.document {
                    self.watch_file();
                    return self.finding.take().is_some();
                }
                let now = self.clock.stamp().time;
                match self.variables.parsed(document, &self.source, now) {
                    Ok(in_force) => {
                        self.put_in_force(in_force, bus);
                        return true;
                    }
                    Err(error) => {
                        let code = if has_map {
                            code::SENSORS_MAP_REFUSED
                        } else {
                            code::SENSORS_MAP_INVALID
                        };
                        code.with("name", self.variables.place())
                            .and("line", error.line)
                            .and("reason", error.reason)
                    }
                }
            }
        };
        self.watch_file();
        if self.finding.as_ref() == Some(&finding) {
            return false;
        }
        warn!(code = %finding.code, args = ?finding.args, "register map refused");
        self.finding = Some(finding);
        true
    }
}

/// What a job brings; never when there is none.
async fn ended(job: &mut Option<Job<Done>>) -> Done {
    match job {
        Some(running) => {
            let done = running.await;
            *job = None;
            done
        }
        None => std::future::pending().await,
    }
}
