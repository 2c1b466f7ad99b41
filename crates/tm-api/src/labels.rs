//! The words of our pages, in three languages. Sentences for codes are in tm-types.

use tm_types::text::Language;
use tm_types::{Clock, FixMode};

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Labels {
    pub(crate) lang: &'static str,
    pub(crate) link: &'static str,
    pub(crate) cabinet: &'static str,
    pub(crate) position: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) clock: &'static str,
    pub(crate) band: &'static str,
    pub(crate) cell: &'static str,
    pub(crate) sim: &'static str,
    pub(crate) modem: &'static str,
    pub(crate) satellites: &'static str,
    pub(crate) altitude: &'static str,
    pub(crate) age: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) oldest: &'static str,
    pub(crate) on_disk: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) acked: &'static str,
    pub(crate) source: &'static str,
    pub(crate) error: &'static str,
    pub(crate) uptime: &'static str,
    pub(crate) load: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) no_position: &'static str,
    pub(crate) alarms: &'static str,
    pub(crate) notes: &'static str,
    pub(crate) services: &'static str,
    pub(crate) values: &'static str,
    pub(crate) series: &'static str,
    pub(crate) value: &'static str,
    pub(crate) no_values: &'static str,
    pub(crate) more: &'static str,
    pub(crate) live: &'static str,
    pub(crate) paused: &'static str,
    pub(crate) stale: &'static str,
    pub(crate) problems: &'static str,
    pub(crate) home: &'static str,
    /// Seconds, minutes, hours, days.
    pub(crate) units: [&'static str; 4],
    parts: [&'static str; 5],
    clocks: [&'static str; 8],
    conditions: [&'static str; 4],
}

impl Labels {
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Uk => &UK,
            Language::Ru => &RU,
        }
    }

    /// A part of the cabinet in the middle of a sentence, by the group of its codes.
    pub(crate) fn part(&self, group: &str) -> &'static str {
        match group {
            "modem" => self.parts[0],
            "gnss" => self.parts[1],
            "sensors" => self.parts[2],
            "uplink" => self.parts[3],
            _ => self.parts[4],
        }
    }

    /// What a clock was set by.
    pub(crate) fn clock_source(&self, clock: Clock) -> &'static str {
        let index = Clock::ALL
            .iter()
            .position(|known| *known == clock)
            .unwrap_or(7);
        self.clocks[index]
    }

    /// How a service is: up, degraded, down, unknown.
    pub(crate) fn condition(&self, condition: crate::world::Condition) -> &'static str {
        self.conditions[condition as usize]
    }

    /// The kind of a fix; shown beside the number of satellites.
    pub(crate) fn fix(mode: FixMode) -> &'static str {
        match mode {
            FixMode::None => "—",
            FixMode::TwoD => "2D",
            FixMode::ThreeD => "3D",
        }
    }

    /// A length of time in its largest unit.
    pub(crate) fn duration(&self, ms: u64) -> String {
        let s = ms / 1000;
        let (number, unit) = match s {
            0..120 => (s, 0),
            120..7200 => (s / 60, 1),
            7200..172_800 => (s / 3600, 2),
            _ => (s / 86_400, 3),
        };
        format!("{number} {}", self.units[unit])
    }
}

const EN: Labels = Labels {
    lang: "en",
    link: "Link",
    cabinet: "Cabinet",
    position: "Position",
    queue: "Queue",
    clock: "Clock",
    band: "Band",
    cell: "Cell",
    sim: "SIM",
    modem: "Modem",
    satellites: "Satellites",
    altitude: "Altitude",
    age: "Age",
    waiting: "waiting",
    oldest: "Oldest",
    on_disk: "On disk",
    lost: "Lost",
    acked: "Acknowledged",
    source: "Source",
    error: "Error",
    uptime: "Running for",
    load: "Load",
    memory: "Memory",
    no_position: "No position",
    alarms: "Alarms",
    notes: "Notes",
    services: "Services",
    values: "Latest values",
    series: "Series",
    value: "Value",
    no_values: "No measurements yet.",
    more: "more in the API",
    live: "live",
    paused: "connecting…",
    stale: "outdated",
    problems: "What the codes mean",
    home: "Cabinet",
    units: ["s", "min", "h", "d"],
    parts: ["modem", "position", "sensors", "cloud", "other"],
    clocks: [
        "NTP",
        "clock chip",
        "HTTPS",
        "mobile network",
        "satellites",
        "restored from disk",
        "estimated",
        "unknown",
    ],
    conditions: ["works", "with limits", "down", "silent"],
};

const UK: Labels = Labels {
    lang: "uk",
    link: "Зв’язок",
    cabinet: "Шафа",
    position: "Місце",
    queue: "Черга",
    clock: "Годинник",
    band: "Діапазон",
    cell: "Стільник",
    sim: "SIM",
    modem: "Модем",
    satellites: "Супутники",
    altitude: "Висота",
    age: "Вік",
    waiting: "у черзі",
    oldest: "Найстаріше",
    on_disk: "На диску",
    lost: "Втрачено",
    acked: "Підтверджено",
    source: "Джерело",
    error: "Похибка",
    uptime: "Працює",
    load: "Навантаження",
    memory: "Пам’ять",
    no_position: "Місце невідоме",
    alarms: "Тривоги",
    notes: "Зауваги",
    services: "Служби",
    values: "Останні значення",
    series: "Ряд",
    value: "Значення",
    no_values: "Вимірів ще немає.",
    more: "більше в API",
    live: "наживо",
    paused: "з’єднання…",
    stale: "застаріло",
    problems: "Що означають коди",
    home: "Шафа",
    units: ["с", "хв", "год", "д"],
    parts: ["модем", "місце", "датчики", "хмара", "інше"],
    clocks: [
        "NTP",
        "мікросхема годинника",
        "HTTPS",
        "мобільна мережа",
        "супутники",
        "відновлено з диска",
        "обчислено",
        "невідомо",
    ],
    conditions: ["працює", "з обмеженнями", "не працює", "мовчить"],
};

const RU: Labels = Labels {
    lang: "ru",
    link: "Связь",
    cabinet: "Шкаф",
    position: "Место",
    queue: "Очередь",
    clock: "Часы",
    band: "Диапазон",
    cell: "Сота",
    sim: "SIM",
    modem: "Модем",
    satellites: "Спутники",
    altitude: "Высота",
    age: "Возраст",
    waiting: "в очереди",
    oldest: "Самое старое",
    on_disk: "На диске",
    lost: "Потеряно",
    acked: "Подтверждено",
    source: "Источник",
    error: "Погрешность",
    uptime: "Работает",
    load: "Нагрузка",
    memory: "Память",
    no_position: "Место неизвестно",
    alarms: "Тревоги",
    notes: "Замечания",
    services: "Службы",
    values: "Последние значения",
    series: "Ряд",
    value: "Значение",
    no_values: "Измерений ещё нет.",
    more: "больше в API",
    live: "вживую",
    paused: "соединение…",
    stale: "устарело",
    problems: "Что означают коды",
    home: "Шкаф",
    units: ["с", "мин", "ч", "д"],
    parts: ["модем", "место", "датчики", "облако", "другое"],
    clocks: [
        "NTP",
        "микросхема часов",
        "HTTPS",
        "мобильная сеть",
        "спутники",
        "восстановлено с диска",
        "вычислено",
        "неизвестно",
    ],
    conditions: ["работает", "с ограничениями", "не работает", "молчит"],
};
