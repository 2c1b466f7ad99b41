//! A module on an abstract socket, as ModemManager's virtual ports want it: enough of the dialogue to be taken for a
//! SIM7600G-H that is registered, with text messages and service codes. The answers are after the AT manual V3.00.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// What the module is and holds.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Takes commands and says nothing.
    pub(super) is_mute: bool,
    /// The card asks for its PIN, 1234.
    pub(super) is_locked: bool,
    /// Messages by place.
    pub(super) store: BTreeMap<u32, String>,
    /// PDUs that were to be sent.
    pub(super) sent: Vec<String>,
    /// As `AT+COPS` was last set: 0 automatic, 2 told to stay out of every network, which it keeps.
    pub(super) selection: u8,
    /// Every command, in order.
    pub(super) commands: Vec<String>,
    is_numeric: bool,
    /// What `AT+CFUN` was last set to; nothing: as after power-on.
    power: Option<u8>,
    pins: u8,
    ports: Vec<UnixStream>,
}

/// The module; ends with the test.
#[derive(Clone, Debug)]
pub(super) struct Responder(Arc<Mutex<World>>);

impl Responder {
    /// Listens on the abstract name that `abstract:NAME` becomes in ModemManager, its prefix included.
    pub(super) fn start(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(format!("abstract:{name}")).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let responder = Self(Arc::default());
        let shared = responder.clone();
        thread::spawn(move || {
            for port in listener.incoming().flatten() {
                shared.world().ports.push(port.try_clone().unwrap());
                let shared = shared.clone();
                thread::spawn(move || shared.serve(port));
            }
        });
        responder
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Says something by itself.
    pub(super) fn say(&self, line: &str) {
        for port in &mut self.world().ports {
            let _ = port.write_all(format!("\r\n{line}\r\n").as_bytes());
        }
    }

    /// A message comes in.
    pub(super) fn receive(&self, place: u32, pdu: &str) {
        self.world().store.insert(place, pdu.to_owned());
        self.say(&format!("+CMTI: \"SM\",{place}"));
    }

    fn serve(&self, mut port: UnixStream) {
        let (mut pending, mut chunk) = (Vec::new(), [0; 1024]);
        let mut is_text = false;
        while let Ok(n @ 1..) = port.read(&mut chunk) {
            pending.extend_from_slice(&chunk[..n]);
            while let Some(end) = pending
                .iter()
                .position(|b| matches!(b, b'\r' | b'\n' | 0x1a))
            {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).trim().to_owned();
                if line.is_empty() {
                    continue;
                }
                let mut world = self.world();
                world.commands.push(line.clone());
                if world.is_mute {
                    continue;
                }
                let answer = if std::mem::take(&mut is_text) {
                    world.sent.push(line.clone());
                    "\r\n+CMGS: 17\r\n\r\nOK\r\n".to_owned()
                } else if line.starts_with("AT+CMGS=") {
                    is_text = true;
                    "\r\n> ".to_owned()
                } else {
                    world.answer(&line)
                };
                drop(world);
                let _ = port.write_all(answer.as_bytes());
                if line.starts_with("AT+CUSD=1,") {
                    // The network's answer comes after the module's, by itself.
                    self.say("+CUSD: 0,\"Balance 12.50 UAH\",15");
                }
            }
        }
    }
}

impl World {
    fn answer(&mut self, command: &str) -> String {
        let ok = |lines: &[&str]| {
            let lines = lines.iter().chain(&["OK"]);
            lines
                .flat_map(|line| ["\r\n", line, "\r\n"])
                .collect::<String>()
        };
        let error = || "\r\nERROR\r\n".to_owned();
        if let Some(lines) = fixed(command) {
            return ok(lines);
        }
        let is_out = self.selection == 2;
        match command {
            "AT+CREG?" if is_out => return ok(&["+CREG: 2,0"]),
            "AT+CGREG?" if is_out => return ok(&["+CGREG: 2,0"]),
            "AT+CEREG?" if is_out => return ok(&["+CEREG: 2,0"]),
            "AT+COPS?" if is_out => return ok(&["+COPS: 2"]),
            "AT+CREG?" => return ok(&["+CREG: 2,1,\"8502\",\"0153E20B\""]),
            "AT+CGREG?" => return ok(&["+CGREG: 2,1,\"8502\",\"0153E20B\""]),
            "AT+CEREG?" => return ok(&["+CEREG: 2,1,\"8502\",\"0153E20B\",7"]),
            command if command.starts_with("ATD*99") => return "\r\nCONNECT 115200\r\n".to_owned(),
            "AT+CPIN?" if self.is_locked => return ok(&["+CPIN: SIM PIN"]),
            "AT+CPIN?" => return ok(&["+CPIN: READY"]),
            "AT+CFUN?" => return ok(&[&format!("+CFUN: {}", self.power.unwrap_or(1))]),
            "AT+COPS?" if self.is_numeric => return ok(&["+COPS: 0,2,\"25501\",7"]),
            "AT+COPS?" => return ok(&["+COPS: 0,0,\"vodafone UA\",7"]),
            "AT+CMGL=4" => {
                let entry = |(place, pdu): (&u32, &String)| {
                    format!("\r\n+CMGL: {place},1,,{}\r\n{pdu}\r\n", length(pdu))
                };
                let list: String = self.store.iter().map(entry).collect();
                return format!("{list}\r\nOK\r\n");
            }
            _ => {}
        }
        let (name, value) = command.split_once('=').unwrap_or((command, ""));
        match name {
            "AT+COPS" => {
                if value == "0" {
                    self.selection = 0;
                }
                self.is_numeric = match value {
                    "3,2" => true,
                    "3,0" => false,
                    _ => self.is_numeric,
                };
                ok(&[])
            }
            "AT+CFUN" => {
                self.power = value.split(',').next().and_then(|power| power.parse().ok());
                ok(&[])
            }
            "AT+CPIN" => {
                self.pins += 1;
                if value.trim_matches('"') != "1234" {
                    return "\r\n+CME ERROR: 16\r\n".to_owned();
                }
                self.is_locked = false;
                ok(&[])
            }
            "AT+CPMS" => ok(&[&format!("+CPMS: {0},40,{0},40,{0},40", self.store.len())]),
            "AT+CMGR" => {
                let place = value.parse().ok();
                let Some(pdu) = place.and_then(|place: u32| self.store.get(&place)) else {
                    return "\r\n+CMS ERROR: 321\r\n".to_owned();
                };
                format!("\r\n+CMGR: 0,,{}\r\n{pdu}\r\n\r\nOK\r\n", length(pdu))
            }
            "AT+CMGD" => {
                let place = value.split(',').next().and_then(|place| place.parse().ok());
                place.and_then(|place: u32| self.store.remove(&place));
                ok(&[])
            }
            "AT+CSIM" => ok(&["+CSIM: 4,\"63C3\""]),
            "AT+CRSM" if value.starts_with("176,12258") => {
                ok(&["+CRSM: 144,0,\"983808010000000000F1\""])
            }
            "AT+CRSM" if value.starts_with("176,28589") => ok(&["+CRSM: 144,0,\"00000002\""]),
            "AT+CLCK" => ok(&["+CLCK: 0"]),
            "AT+CIND" | "AT+WS46" | "AT+CRSM" | "AT*CNTI" => error(),
            "AT+CMEE" | "AT+CREG" | "AT+CGREG" | "AT+CEREG" | "AT+CNMI" | "AT+CSCS" | "AT+CMGF"
            | "AT+CTZU" | "AT+CTZR" | "AT+CUSD" | "AT+CNSMOD" | "AT+AUTOCSQ" | "AT+IFC"
            | "AT+CGDCONT" | "AT+CGACT" | "AT+CVAUXV" | "AT+CVAUXS" | "AT+CLIP" | "AT+CRC" => {
                ok(&[])
            }
            "AT" | "ATE0" | "ATV1" | "ATX4" | "ATZ" | "AT&C1" | "ATH" | "AT+CRESET" => ok(&[]),
            _ if command.starts_with("AT+") => "\r\n+CME ERROR: 4\r\n".to_owned(),
            _ => error(),
        }
    }
}

/// Octets of a PDU without the service centre's address.
fn length(pdu: &str) -> usize {
    let centre = usize::from_str_radix(&pdu[..2], 16).unwrap();
    pdu.len() / 2 - centre - 1
}

fn fixed(command: &str) -> Option<&'static [&'static str]> {
    Some(match command {
        "AT+GCAP" => &["+GCAP: +CGSM"],
        "ATI" => &[
            "Manufacturer: SIMCOM INCORPORATED",
            "Model: SIMCOM_SIM7600G-H",
        ],
        "AT+CGMI" => &["SIMCOM INCORPORATED"],
        "AT+CGMM" => &["SIMCOM_SIM7600G-H"],
        "AT+CGMR" => &["+CGMR: LE20B04SIM7600G22"],
        "AT+CGSN" => &["860000000000001"],
        "AT+CIMI" => &["255010000000001"],
        "AT+CNUM" => &["+CNUM: \"\",\"+380501112233\",145"],
        "AT+CGDCONT=?" => &[
            "+CGDCONT: (1-24,100-179),\"IP\",,,(0-2),(0-4),(0-1),(0-1)",
            "+CGDCONT: (1-24,100-179),\"IPV4V6\",,,(0-2),(0-4),(0-1),(0-1)",
        ],
        "AT+CGDCONT?" => &["+CGDCONT: 1,\"IP\",\"staticip\",\"0.0.0.0\",0,0,0,0"],
        "AT+CGACT?" => &["+CGACT: 1,0"],
        "AT+CLCK=?" => &["+CLCK: (\"SC\",\"FD\",\"PN\",\"PU\",\"PP\",\"PC\")"],
        "AT+CSCS=?" => &["+CSCS: (\"IRA\",\"GSM\",\"UCS2\")"],
        "AT+CSCS?" => &["+CSCS: \"IRA\""],
        "AT+CMGF=?" => &["+CMGF: (0,1)"],
        "AT+CSQ" => &["+CSQ: 21,99"],
        "AT+CSQ=?" => &["+CSQ: (0-31,99),(0-7,99)"],
        "AT+CESQ=?" => &["+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)"],
        "AT+CESQ" => &["+CESQ: 99,99,255,255,20,52"],
        "AT+CNMI=?" => &["+CNMI: (0,1,2),(0,1,2,3),(0,2),(0,1,2),(0,1)"],
        "AT+CPMS=?" => &["+CPMS: (\"SM\"),(\"SM\"),(\"SM\")"],
        "AT+CPMS?" => &["+CPMS: \"SM\",0,40,\"SM\",0,40,\"SM\",0,40"],
        "AT+CUSD=?" => &["+CUSD: (0,1,2)"],
        "AT+CNMP=?" => &["+CNMP: (2,13,14,38,39,48,51,54)"],
        "AT+CNMP?" => &["+CNMP: 2"],
        "AT+CNSMOD=?" => &["+CNSMOD: (0-1)"],
        "AT+CNSMOD?" => &["+CNSMOD: 0,8"],
        "AT+AUTOCSQ=?" => &["+AUTOCSQ: (0-1),(0-1)"],
        "AT+CGPS=?" => &["+CGPS: (0-1),(1-3)"],
        "AT+CTZU=?" => &["+CTZU: (0-1)"],
        "AT+CTZR=?" => &["+CTZR: (0-1)"],
        "AT+CCLK?" => &["+CCLK: \"26/11/22,19:10:00+08\""],
        "AT+CGATT?" => &["+CGATT: 1"],
        "AT+CPSI?" => {
            &["+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12"]
        }
        "AT+CPMUTEMP" => &["+CPMUTEMP: 29"],
        "AT+CBC" => &["+CBC: 3.891V"],
        _ => return None,
    })
}
