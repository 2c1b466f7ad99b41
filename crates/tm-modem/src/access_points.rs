//! The access points that operators are known to offer.

/// One a line: network, operator, access point, source.
const TABLE: &str = include_str!("access_points.tsv");

/// An operator with what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Operator {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its access points for data, never none.
    pub(crate) access_points: Vec<&'static str>,
}

impl Operator {
    /// The operator that issued a SIM card, by the subscriber's number, which begins with the network's digits.
    pub(crate) fn of_subscriber(imsi: &str) -> Option<Self> {
        Self::find(|plmn| imsi.starts_with(&plmn.replace('-', "")))
    }

    /// The operator of a network, such as `255-01`.
    pub(crate) fn of_network(plmn: &str) -> Option<Self> {
        Self::find(|known| known == plmn)
    }

    /// Whether it offers this access point; the network may append its own ending (3GPP TS 23.003, 9.1).
    pub(crate) fn offers(&self, access_point: &str) -> bool {
        let name = access_point.to_ascii_lowercase();
        let name = name.split(".mnc").next().unwrap_or_default();
        self.access_points.contains(&name)
    }

    fn find(is_it: impl Fn(&str) -> bool) -> Option<Self> {
        let rows: Vec<_> = rows().filter(|[plmn, ..]| is_it(plmn)).collect();
        let [_, name, ..] = *rows.first()?;
        let access_points = rows.iter().map(|[_, _, apn, _]| *apn).collect();
        Some(Self {
            name,
            access_points,
        })
    }
}

fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut columns = line.split('\t');
        Some([
            columns.next()?,
            columns.next()?,
            columns.next()?,
            columns.next()?,
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_documented() {
        let document = include_str!("../../../docs/modem.md");
        let n_lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(rows().count(), n_lines, "a row has four columns");
        for row in rows() {
            let [plmn, operator, apn, source] = row;
            let is_network = plmn.len() == 6 && plmn.as_bytes()[3] == b'-';
            assert!(is_network && !operator.is_empty(), "{row:?}");
            assert_eq!(apn, apn.to_ascii_lowercase(), "{row:?}");
            let line = format!("| {plmn} | {operator} | `{apn}` | {source} |");
            assert!(document.contains(&line), "docs/modem.md lacks {line}");
        }
    }

    #[test]
    fn operators_by_card_and_by_network() {
        let table = [
            ("255010000000001", Some("Vodafone UA")),
            ("255031234567890", Some("Kyivstar")),
            ("255061234567890", Some("lifecell")),
            ("255071234567890", None),
            ("26002", None),
            ("", None),
        ];
        for (imsi, expected) in table {
            let found = Operator::of_subscriber(imsi).map(|operator| operator.name);
            assert_eq!(found, expected, "{imsi}");
        }
        let vodafone = Operator::of_network("255-01").unwrap();
        assert_eq!(vodafone.access_points, ["internet", "staticip"]);
        assert_eq!(Operator::of_network("255-99"), None);
        for (name, is_offered) in [
            ("staticip", true),
            ("StaticIP", true),
            ("internet.mnc001.mcc255.gprs", true),
            ("statikip", false),
            ("staticip.corp", false),
            ("", false),
        ] {
            assert_eq!(vodafone.offers(name), is_offered, "{name}");
        }
    }
}
