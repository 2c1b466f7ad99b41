//! How the module and its ports come and go.

use std::{io, path::Path, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use super::{LAST_WORDS, Module};
use crate::sim7600::{
    at::Terminal,
    faults::Cure,
    ports::{self, Line},
    pty::Pty,
    usb::{Request, UsbDevice},
};

/// How long the key switches off, and how long on (Hardware Design V1.02, tables 8 and 9).
const KEY_OFF: Duration = Duration::from_millis(2500);
const KEY_ON: Duration = Duration::from_millis(100);
/// How long a module in a loop of brown-outs lives after `PB DONE` at the earliest.
const LOOP_LIFE: Duration = Duration::from_secs(5);
/// From a rebind to the ports' return.
const REBIND: Duration = Duration::from_millis(500);
/// How often the files of the USB tree are looked at: nothing tells of a write.
const USB_LOOK: Duration = Duration::from_millis(20);

impl Module {
    pub(super) fn power_on(&mut self) {
        self.returns = None;
        self.vanishes = None;
        self.is_supplied = true;
        self.is_on = true;
        self.world.boot();
        let delivery = &self.world.config.delivery;
        self.terminals = [Line::At, Line::Modem].map(|line| Terminal::new(line, delivery));
        self.next_boot_step = Some(Instant::now() + self.world.config.boot_time / 4);
        if self.is_looping {
            self.restarts = true;
            let life = self.world.config.boot_time.max(LOOP_LIFE);
            self.vanishes = Some(Instant::now() + life);
        }
        self.appear();
    }

    /// The ports are there.
    pub(super) fn appear(&mut self) {
        self.reappears = None;
        self.world.n_enumerations += 1;
        self.present.send_replace(true);
        self.enumerate();
    }

    /// The ports are gone.
    pub(super) fn disappear(&mut self) {
        self.present.send_replace(false);
        self.usb_lines = JoinSet::new();
    }

    pub(super) fn enumerate(&mut self) {
        self.usb_lines = JoinSet::new();
        let Some(usb) = &mut self.usb else { return };
        let shown = usb.show(self.world.composition, self.world.n_enumerations);
        // A tree that its owner removed is not made again.
        for (line, path) in shown.unwrap_or_default() {
            let ends = self.ends(line);
            if let Ok(pty) = Pty::open(&path) {
                self.usb_lines.spawn(ports::serial(path, Some(pty), ends));
            }
        }
    }

    pub(super) fn vanish(&mut self) {
        self.vanishes = None;
        self.reappears = None;
        self.next_boot_step = None;
        self.is_on = false;
        self.disappear();
        if let Some(usb) = &mut self.usb {
            usb.hide();
        }
        let cure = if self.is_looping {
            Cure::PowerKey
        } else {
            Cure::Restart
        };
        self.world.treat(cure);
        let back = Instant::now() + self.world.config.outage;
        self.returns = self.restarts.then_some(back);
    }

    pub(super) fn plug_in(&mut self, root: &Path, socket: &str) -> io::Result<()> {
        self.usb = Some(UsbDevice::new(root, socket)?);
        self.usb_look = Some(Instant::now() + USB_LOOK);
        if *self.present.borrow() {
            self.enumerate();
        }
        Ok(())
    }

    pub(super) fn usb_look(&mut self) {
        self.usb_look = Some(Instant::now() + USB_LOOK);
        let Some(usb) = &mut self.usb else { return };
        match usb.request() {
            Some(Request::Release) if self.is_on => {
                self.disappear();
                if let Some(usb) = &mut self.usb {
                    usb.release();
                }
            }
            Some(Request::Take) if self.is_on => {
                self.world.treat(Cure::Rebind);
                self.appear();
            }
            // Another product id for the serial driver: the ports are there, or not, without a new enumeration.
            Some(Request::NewId) if self.is_on => self.enumerate(),
            _ => {}
        }
    }

    pub(super) fn rebind(&mut self) {
        if !self.is_on {
            return;
        }
        self.disappear();
        if let Some(usb) = &mut self.usb {
            usb.release();
        }
        self.world.treat(Cure::Rebind);
        self.reappears = Some(Instant::now() + REBIND);
    }

    pub(super) fn power_key(&mut self, press: Duration) {
        if !self.is_supplied {
            return;
        }
        if self.is_on && press >= KEY_OFF {
            self.restarts = false;
            self.world.treat(Cure::PowerKey);
            self.vanishes = Some(Instant::now() + LAST_WORDS);
        } else if !self.is_on && press >= KEY_ON {
            self.returns = Some(Instant::now() + self.world.config.outage);
        }
    }
}
