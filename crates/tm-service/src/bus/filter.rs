/// Whether an MQTT topic filter covers a topic (MQTT 3.1.1, section 4.7).
pub(super) fn covers(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    let mut filters = filter.split('/');
    loop {
        match (filters.next(), levels.next()) {
            (Some("#"), _) => return !topic.starts_with('$'),
            (Some("+"), Some(level)) if !level.starts_with('$') => {}
            (Some(word), Some(level)) if word == level => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn filters_cover_what_the_standard_says() {
        for (filter, topic, expected) in [
            ("tm/v1/health/+", "tm/v1/health/uplink", true),
            ("tm/v1/health/+", "tm/v1/health", false),
            ("tm/v1/health/+", "tm/v1/health/a/b", false),
            ("tm/v1/#", "tm/v1", true),
            ("tm/v1/#", "tm/v1/a/b", true),
            ("#", "a", true),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("sensors", "sensors", true),
            ("sensors", "sensors/a", false),
        ] {
            assert_eq!(covers(filter, topic), expected, "{filter} {topic}");
        }
    }
}
