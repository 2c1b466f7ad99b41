//! Signal and serving cell: `AT+CSQ` (manual, 3.2.8) and `AT+CPSI?` (manual, 4.2.14).

use super::fields;

/// The answer to `AT+CSQ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalQuality {
    /// Received power in dBm; absent when unknown (`99`). On LTE this is the RSSI, not the RSRP.
    pub rssi_dbm: Option<i16>,
    /// Channel bit error rate, class 0 to 7; absent when unknown, as always on LTE.
    pub bit_error_class: Option<u8>,
}

/// Reads `+CSQ: <rssi>,<ber>`: 0 to 31 are -113 to -51 dBm in steps of 2, 100 to 191 are -116 to -25 dBm (TD-SCDMA).
pub fn signal_quality(lines: &[String]) -> Option<SignalQuality> {
    let fields = fields::last(lines, "+CSQ")?;
    let rssi_dbm = match fields.first()?.parse::<i16>().ok()? {
        n @ 0..=31 => Some(-113 + 2 * n),
        n @ 100..=191 => Some(n - 216),
        99 | 199 => None,
        _ => return None,
    };
    let bit_error_class = fields.get(1)?.parse().ok().filter(|class| *class <= 7);
    Some(SignalQuality {
        rssi_dbm,
        bit_error_class,
    })
}

/// One line of `AT+CPSI?`.
#[derive(Debug, Clone, PartialEq)]
pub enum ServingCell {
    /// No cell; the module's operation mode, such as `Online` or `Low Power Mode`.
    NoService {
        /// The module's own words.
        operation_mode: String,
    },
    /// A 4G cell.
    Lte(LteCell),
    /// A 3G cell.
    Wcdma(WcdmaCell),
    /// A 2G cell.
    Gsm(GsmCell),
}

/// A 4G cell.
///
/// ```text
///        1   2      3       4      5         6   7            8    9  10 11  12   13   14
/// +CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12
///        system,mode,mcc-mnc,tac,cell,pci,band,earfcn,dl,ul,RSRQ,RSRP,RSSI,RSSNR
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LteCell {
    /// Camped without rights (`LTE-LIMITED`): SIM blocked or APN refused.
    pub is_limited: bool,
    /// Country and network, such as `255-01`; leading zeros count.
    pub plmn: String,
    /// Tracking area code.
    pub tracking_area: Option<u32>,
    /// Cell of the network; the base station is `cell_id >> 8`.
    pub cell_id: Option<u32>,
    /// Physical cell id, 0 to 503.
    pub physical_cell_id: Option<u16>,
    /// Band number.
    pub band: Option<u8>,
    /// Channel number of the downlink.
    pub earfcn: Option<u32>,
    /// Downlink bandwidth in MHz.
    pub downlink_mhz: Option<f64>,
    /// Uplink bandwidth in MHz.
    pub uplink_mhz: Option<f64>,
    /// Strength and quality.
    pub levels: CellLevels,
}

/// Strength and quality of a 4G cell; each is absent when the module does not know it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CellLevels {
    /// Reference signal received power in dBm, about -140 to -44.
    pub rsrp_dbm: Option<f64>,
    /// Reference signal received quality in dB, about -20 to -3.
    pub rsrq_db: Option<f64>,
    /// Received power of the whole channel in dBm.
    pub rssi_dbm: Option<f64>,
    /// Signal to noise ratio in dB, about -20 to 30.
    pub sinr_db: Option<f64>,
}

/// A 3G cell.
///
/// ```text
///        1     2      3      4      5       6             7  8     9 10  11 12 13 14
/// +CPSI: WCDMA,Online,250-20,0x4D07,4487261,WCDMA IMT 2000,38,10563,0,4.0,69,32,46,500
///        system,mode,mcc-mnc,lac,cell,band,psc,uarfcn,ssc,EC/IO,RSCP,qual,RxLev,TXPWR
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WcdmaCell {
    /// Camped without rights.
    pub is_limited: bool,
    /// Country and network.
    pub plmn: String,
    /// Location area code.
    pub location_area: Option<u32>,
    /// Cell of the network.
    pub cell_id: Option<u32>,
    /// The module's name of the band.
    pub band: String,
    /// Channel number.
    pub uarfcn: Option<u32>,
    /// Received signal code power in dBm.
    pub rscp_dbm: Option<f64>,
    /// Signal to interference in dB.
    pub ecio_db: Option<f64>,
    /// Received power in dBm.
    pub rssi_dbm: Option<f64>,
}

/// A 2G cell.
///
/// ```text
///        1   2      3      4      5     6           7   8    9
/// +CPSI: GSM,Online,460-00,0x182d,12401,27 EGSM 900,-64,2110,42-42
///        system,mode,mcc-mnc,lac,cell,arfcn band,RxLev,track,C1-C2
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GsmCell {
    /// Camped without rights.
    pub is_limited: bool,
    /// Country and network.
    pub plmn: String,
    /// Location area code.
    pub location_area: Option<u32>,
    /// Cell of the network.
    pub cell_id: Option<u32>,
    /// The module's name of channel and band.
    pub band: String,
    /// Received power in dBm.
    pub rssi_dbm: Option<f64>,
}

/// 3GPP TS 36.101, 5.7.3: eighteen bits.
const MAX_EARFCN: u32 = 262_143;

/// Reads the answer to `AT+CPSI?`, one cell a line; several lines are printed during a change of cell.
///
/// Lines that the module prints while it re-selects (all levels zero, channel 4294967295) are left out, so an
/// empty list is "no reading now". Nothing when no line could be read and none was such.
pub fn serving_cells(lines: &[String]) -> Option<Vec<ServingCell>> {
    let read: Vec<Line> = lines
        .iter()
        .filter_map(|line| fields::after(line, "+CPSI"))
        .map(|fields| cell(&fields))
        .collect();
    if read.iter().all(|line| matches!(line, Line::Unreadable)) {
        return None;
    }
    Some(
        read.into_iter()
            .filter_map(|line| {
                if let Line::Cell(cell) = line {
                    Some(cell)
                } else {
                    None
                }
            })
            .collect(),
    )
}

enum Line {
    Cell(ServingCell),
    Transitional,
    Unreadable,
}

fn cell(fields: &[&str]) -> Line {
    let Some(system) = fields.first() else {
        return Line::Unreadable;
    };
    let (system, is_limited) = system
        .strip_suffix("-LIMITED")
        .map_or((*system, false), |name| (name, true));
    let read = match system {
        "NO SERVICE" => {
            let operation_mode = fields.get(1).copied().unwrap_or("Unknown").to_owned();
            Some(ServingCell::NoService { operation_mode })
        }
        "LTE" if is_transitional(fields) => return Line::Transitional,
        "LTE" => lte(fields, is_limited).map(ServingCell::Lte),
        "WCDMA" => wcdma(fields, is_limited).map(ServingCell::Wcdma),
        "GSM" => gsm(fields, is_limited).map(ServingCell::Gsm),
        _ => None,
    };
    read.map_or(Line::Unreadable, Line::Cell)
}

/// Seen while re-selecting: `…,468,EUTRAN-BAND0,4294967295,0,0,0,0,0,0`.
fn is_transitional(fields: &[&str]) -> bool {
    let no_channel = fields.get(7).and_then(|field| field.parse().ok()) == Some(u32::MAX);
    let is_zero = |level: &&str| fields::decimal(level).is_some_and(|level| level.abs() < 0.1);
    no_channel
        || fields
            .get(10..14)
            .is_some_and(|levels| levels.iter().all(is_zero))
}

fn lte(fields: &[&str], is_limited: bool) -> Option<LteCell> {
    let &[
        _,
        _,
        plmn,
        tac,
        cell,
        pci,
        band,
        earfcn,
        downlink,
        uplink,
        ..,
    ] = fields
    else {
        return None;
    };
    Some(LteCell {
        is_limited,
        plmn: self::plmn(plmn)?,
        tracking_area: fields::hex(tac),
        cell_id: cell.parse().ok(),
        physical_cell_id: pci.parse().ok().filter(|id| *id <= 503),
        band: band
            .strip_prefix("EUTRAN-BAND")
            .and_then(|number| number.parse().ok()),
        earfcn: earfcn.parse().ok().filter(|channel| *channel <= MAX_EARFCN),
        downlink_mhz: bandwidth_mhz(downlink),
        uplink_mhz: bandwidth_mhz(uplink),
        levels: levels(fields.get(10..14)?)?,
    })
}

/// The printed order is RSRQ, RSRP, RSSI, RSSNR; RSSNR is whole dB on every firmware seen.
///
/// The scale of the others depends on the firmware and is decided by the RSRP, whose ranges do not overlap:
/// up to -440 tenths (SIM7600: -892 = -89.2 dBm), -140 to -44 whole dBm (SIM70xx), from 0 on indices of
/// 3GPP TS 36.133, 9.1 (A76xx).
fn levels(printed: &[&str]) -> Option<CellLevels> {
    let &[quality, power, total, noise] = printed else {
        return None;
    };
    let (quality, power, total) = (
        fields::decimal(quality),
        fields::decimal(power)?,
        fields::decimal(total),
    );
    let (rsrq_db, rsrp_dbm, rssi_dbm) = if power <= -440.0 {
        (
            quality.map(|level| level / 10.0),
            power / 10.0,
            total.map(|level| level / 10.0),
        )
    } else if power <= -44.0 {
        (quality, power, total)
    } else if power >= 0.0 {
        (
            quality.map(|index| index / 2.0 - 20.0),
            power - 141.0,
            total.map(|index| index - 111.0),
        )
    } else {
        return None;
    };
    Some(CellLevels {
        rsrp_dbm: Some(rsrp_dbm).filter(|level| (-156.0..=-20.0).contains(level)),
        rsrq_db: rsrq_db.filter(|level| (-45.0..=20.0).contains(level)),
        rssi_dbm: rssi_dbm.filter(|level| (-130.0..0.0).contains(level)),
        sinr_db: fields::decimal(noise).filter(|level| (-30.0..=50.0).contains(level)),
    })
}

/// Codes 0 to 5 (manual, 4.2.14).
fn bandwidth_mhz(code: &str) -> Option<f64> {
    let index: usize = code.parse().ok()?;
    [1.4, 3.0, 5.0, 10.0, 15.0, 20.0].get(index).copied()
}

fn wcdma(fields: &[&str], is_limited: bool) -> Option<WcdmaCell> {
    let &[
        _,
        _,
        plmn,
        lac,
        cell,
        band,
        _psc,
        uarfcn,
        _ssc,
        ecio,
        rscp,
        _qual,
        rx_level,
        ..,
    ] = fields
    else {
        return None;
    };
    // Printed as positive numbers.
    let negative = |field: &str| fields::decimal(field).map(|level| -level.abs());
    Some(WcdmaCell {
        is_limited,
        plmn: self::plmn(plmn)?,
        location_area: fields::hex(lac),
        cell_id: cell.parse().ok(),
        band: band.to_owned(),
        uarfcn: uarfcn.parse().ok(),
        rscp_dbm: negative(rscp).filter(|level| (-130.0..0.0).contains(level)),
        ecio_db: negative(ecio).filter(|level| (-40.0..=0.0).contains(level)),
        rssi_dbm: negative(rx_level).filter(|level| (-130.0..0.0).contains(level)),
    })
}

fn gsm(fields: &[&str], is_limited: bool) -> Option<GsmCell> {
    let &[_, _, plmn, lac, cell, band, rx_level, ..] = fields else {
        return None;
    };
    Some(GsmCell {
        is_limited,
        plmn: self::plmn(plmn)?,
        location_area: fields::hex(lac),
        cell_id: cell.parse().ok(),
        band: band.to_owned(),
        rssi_dbm: fields::decimal(rx_level).filter(|level| (-130.0..0.0).contains(level)),
    })
}

fn plmn(field: &str) -> Option<String> {
    let (country, network) = field.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let good =
        country.len() == 3 && matches!(network.len(), 2 | 3) && digits(country) && digits(network);
    good.then(|| field.to_owned())
}
