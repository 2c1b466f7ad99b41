//! Serving cells of many networks and siblings.

use tm_proto::{
    at::Reply,
    sim7600::{self, AccessTechnology, NetworkClock, ServingCell},
};

use crate::player::{replies, transcript};

/// RSRP, RSRQ, RSSI, SINR.
type Levels = (Option<f64>, Option<f64>, Option<f64>, Option<f64>);

fn lte(cell: &ServingCell) -> (&str, Option<u32>, Option<u32>, bool, Levels) {
    let ServingCell::Lte(cell) = cell else {
        panic!("{cell:?}")
    };
    let levels = cell.levels;
    let levels = (
        levels.rsrp_dbm,
        levels.rsrq_db,
        levels.rssi_dbm,
        levels.sinr_db,
    );
    (
        &cell.plmn,
        cell.tracking_area,
        cell.cell_id,
        cell.is_limited,
        levels,
    )
}

/// The one cell of each of the first answers.
fn cells(replies: &[Reply]) -> Vec<ServingCell> {
    let cells = replies[..8].iter().map(|reply| {
        let [cell] = &sim7600::serving_cells(&reply.lines).unwrap()[..] else {
            panic!("{reply:?}")
        };
        cell.clone()
    });
    cells.collect()
}

#[test]
fn lte_cells_of_many_networks() {
    let cells = cells(&replies(transcript!("cells")));
    let levels = |rsrp, rsrq, rssi, sinr| (Some(rsrp), Some(rsrq), Some(rssi), Some(sinr));
    for (index, expected) in [
        (
            0,
            (
                "310-260",
                Some(0x2d18),
                Some(50_896_642),
                false,
                levels(-98.7, -12.5, -66.3, 10.0),
            ),
        ),
        (
            1,
            (
                "466-92",
                Some(0x639d),
                Some(134_534_710),
                false,
                levels(-99.8, -10.3, -72.2, 13.0),
            ),
        ),
        (
            2,
            (
                "460-01",
                Some(0x18db),
                Some(8_718_111),
                true,
                levels(-95.8, -14.7, -61.2, 30.0),
            ),
        ),
        (
            3,
            (
                "460-11",
                Some(0x5a22),
                Some(94_472_450),
                true,
                levels(-100.4, -20.0, -60.8, 29.0),
            ),
        ),
        // Indices: 36 - 141, 12 / 2 - 20, 42 - 111.
        (
            7,
            (
                "460-11",
                Some(0x774b),
                Some(126_375_687),
                false,
                levels(-105.0, -14.0, -69.0, 5.0),
            ),
        ),
    ] {
        assert_eq!(lte(&cells[index]), expected);
    }
}

#[test]
fn older_cells_and_what_else_was_asked() {
    let replies = replies(transcript!("cells"));
    let cells = cells(&replies);
    for (index, plmn, area, cell_id, expected) in [
        (
            4,
            "310-410",
            0xde8b,
            3_846_084,
            (Some(-78.0), Some(-4.5), Some(-37.0)),
        ),
        (
            5,
            "505-01",
            0x0152,
            14_302_219,
            (Some(-83.0), Some(-12.5), Some(-36.0)),
        ),
    ] {
        let ServingCell::Wcdma(cell) = &cells[index] else {
            panic!("{cells:?}")
        };
        assert_eq!(
            (cell.plmn.as_str(), cell.location_area, cell.cell_id),
            (plmn, Some(area), Some(cell_id))
        );
        assert_eq!((cell.rscp_dbm, cell.ecio_db, cell.rssi_dbm), expected);
        assert_eq!(cell.band, "WCDMA 850");
    }
    let ServingCell::Gsm(gsm) = &cells[6] else {
        panic!("{cells:?}")
    };
    assert_eq!(
        (gsm.plmn.as_str(), gsm.rssi_dbm, gsm.location_area),
        ("262-02", Some(-67.0), Some(0x011f))
    );
    assert!(
        sim7600::registration(&replies[8].lines)
            .unwrap()
            .status
            .is_registered()
    );
    // 2022-10-02 09:33:27 at UTC+2.
    let clock = NetworkClock {
        unix_s: 1_664_696_007,
        offset_quarters: 8,
    };
    assert_eq!(sim7600::network_clock(&replies[9].lines), Some(Some(clock)));
    let signal = sim7600::signal_quality(&replies[10].lines).unwrap();
    assert_eq!(signal.rssi_dbm, Some(-65));
    let operator = sim7600::operator(&replies[11].lines).unwrap();
    assert_eq!(
        (operator.name.as_deref(), operator.access),
        (Some("vodafone.de Hologram"), Some(AccessTechnology::Gsm))
    );
}

#[test]
fn no_cell_while_it_switches_off() {
    let replies = replies(transcript!("powering_off"));
    for (reply, mode) in replies.iter().zip(["Online", "Powering Off"]) {
        let expected = ServingCell::NoService {
            operation_mode: mode.to_owned(),
        };
        assert_eq!(sim7600::serving_cells(&reply.lines), Some(vec![expected]));
    }
}

#[test]
fn vodafone_in_ukraine_and_italy() {
    let replies = replies(transcript!("vodafone_ukraine"));
    let operator = sim7600::operator(&replies[0].lines).unwrap();
    assert_eq!(operator.name.as_deref(), Some("Vodafone UA"));
    let cells = sim7600::serving_cells(&replies[1].lines).unwrap();
    let levels = (Some(-89.2), Some(-9.8), Some(-59.1), Some(12.0));
    let expected = ("255-01", Some(0x8502), Some(22_274_571), false, levels);
    assert_eq!(lte(&cells[0]), expected);
    let contexts = sim7600::pdp_contexts(&replies[2].lines);
    assert_eq!(contexts[0].access_point.as_deref(), Some("staticip"));
    let addresses = sim7600::pdp_addresses(&replies[3].lines);
    assert_eq!(
        addresses[0].addresses,
        ["10.64.12.34".parse::<std::net::IpAddr>().unwrap()]
    );

    let replies = self::replies(transcript!("vodafone_italy"));
    assert_eq!(
        sim7600::operator(&replies[2].lines)
            .unwrap()
            .name
            .as_deref(),
        Some("vodafone IT")
    );
    let contexts = sim7600::pdp_contexts(&replies[3].lines);
    let data: Vec<bool> = contexts
        .iter()
        .map(sim7600::PdpContext::is_for_data)
        .collect();
    assert_eq!(data, [true, false]);
    let addresses = sim7600::pdp_addresses(&replies[4].lines);
    let counts: Vec<usize> = addresses.iter().map(|a| a.addresses.len()).collect();
    assert_eq!(counts, [1, 0]);
}
