//! The serving cell: its place in the network and how well it is heard.

use tm_proto::sim7600::ServingCell;
use tm_types::{Cell, Reason};

use super::{Knowledge, Level};

impl Knowledge {
    /// The cells of one answer; the first is the serving one.
    pub(super) fn on_cells(&mut self, cells: Level<Vec<ServingCell>>) {
        let cell = match cells {
            Ok(cells) => cells.into_iter().next().ok_or(Reason::WarmingUp),
            Err(why) => Err(why),
        };
        self.cell = None;
        match cell {
            Ok(cell) => self.on_cell(cell),
            // Between two cells the module prints no levels; the next poll has them again.
            Err(why) => self.levels.no_cell(why),
        }
        self.settle_registration();
    }

    fn on_cell(&mut self, cell: ServingCell) {
        self.levels.no_cell(Reason::NotPresent);
        (self.registration.plmn, self.registration.technology) = (None, None);
        self.is_limited = false;
        let (plmn, technology, is_limited, id, cell) = match cell {
            ServingCell::NoService { .. } => return,
            ServingCell::Lte(lte) => {
                let level = |level: Option<f64>| level.ok_or(Reason::OutOfRange);
                self.levels.rsrp = level(lte.levels.rsrp_dbm);
                self.levels.rsrq = level(lte.levels.rsrq_db);
                self.levels.sinr = level(lte.levels.sinr_db);
                let cell = lte.cell_id.map(|id| Cell {
                    id,
                    enb: Some(id >> 8),
                    area_code: lte.tracking_area,
                    pci: lte.physical_cell_id,
                    band: lte.band.map(|band| format!("EUTRAN-BAND{band}")),
                    channel: lte.earfcn,
                    bandwidth_mhz: lte.downlink_mhz,
                });
                (lte.plmn, "lte", lte.is_limited, lte.cell_id, cell)
            }
            ServingCell::Wcdma(wcdma) => {
                let cell = wcdma.cell_id.map(|id| Cell {
                    id,
                    enb: None,
                    area_code: wcdma.location_area,
                    pci: None,
                    band: Some(wcdma.band),
                    channel: wcdma.uarfcn,
                    bandwidth_mhz: None,
                });
                (wcdma.plmn, "umts", wcdma.is_limited, wcdma.cell_id, cell)
            }
            ServingCell::Gsm(gsm) => {
                let cell = gsm.cell_id.map(|id| Cell {
                    id,
                    enb: None,
                    area_code: gsm.location_area,
                    pci: None,
                    band: Some(gsm.band),
                    channel: None,
                    bandwidth_mhz: None,
                });
                (gsm.plmn, "gsm", gsm.is_limited, gsm.cell_id, cell)
            }
        };
        self.registration.plmn = Some(plmn);
        self.registration.technology = Some(technology.to_owned());
        self.is_limited = is_limited;
        self.levels.cell = id.ok_or(Reason::NotPresent);
        self.cell = cell;
    }
}
