//! What the cabinet is and measures now.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tm_types::text::Language;

use super::answers::{NotFound, Unreadable};
use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::{Caller, Id, Lang, Query};
use crate::token::Scope;
use crate::views::{
    AlarmView, AlarmsView, EventView, EventsView, FixView, GnssView, LatestView, Look,
    MessagesView, ModemView, ModemsView, QueueView, SatellitesView, SensorView, SensorsView,
    SeriesListView, SeriesView, SignalView, StatusView, SystemView, TimeView, UplinkView,
    UsageView,
};

/// Events on a page when nobody says how many.
const EVENTS_LIMIT: u16 = 100;

type Answer<T> = Result<Json<T>, ApiError>;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfSource {
    /// Only the series of this source, such as `sensors`.
    source: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many, 1 to 500; 100 when not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Makes a view of the present world.
pub(super) fn view<T>(app: &Shared, language: Language, make: impl FnOnce(Look<'_>) -> T) -> T {
    let now = app.now();
    app.read(|world| {
        make(Look {
            world,
            now,
            language,
        })
    })
}

/// The cabinet in one sentence
///
/// The level, the sentence with its stable code, what it rests on, every service and alarm.
/// The sentence is in the language of `Accept-Language` (`en`, `uk`, `ru`) or of `?lang=`.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "status",
    params(
        ("lang" = Option<Language>, Query, description = "Language of the sentences, on every address; overrides `Accept-Language`."),
    ),
    responses(
        (status = 200, description = "The sentence and what it rests on.", body = StatusView),
    )
)]
pub(super) async fn status(State(app): State<Shared>, Lang(language): Lang) -> Json<StatusView> {
    Json(view(&app, language, |look| {
        StatusView::new(look, &app.device, app.version)
    }))
}

/// Every modem
///
/// A modem that is gone keeps its place; normal absence is an empty list with its sentence.
/// IMEI, ICCID, IMSI and the numbers of people who wrote show their last four digits to a caller without the scope
/// `admin`, and the texts of messages are null.
#[utoipa::path(
    get, path = "/api/v1/modems", tag = "modems",
    responses(
        (status = 200, description = "The modems.", body = ModemsView),
    )
)]
pub(super) async fn modems(
    State(app): State<Shared>,
    Lang(language): Lang,
    caller: Caller,
) -> Json<ModemsView> {
    Json(view(&app, language, |look| {
        ModemsView::new(look, sees_identities(caller))
    }))
}

/// One modem
#[utoipa::path(
    get, path = "/api/v1/modems/{id}", tag = "modems",
    params(("id" = String, Path, description = "The slot, such as `1`.")),
    responses(
        (status = 200, description = "The modem.", body = ModemView),
        NotFound,
    )
)]
pub(super) async fn modem(
    State(app): State<Shared>,
    Lang(language): Lang,
    caller: Caller,
    Id(id): Id,
) -> Answer<ModemView> {
    find_modem(&app, language, caller, &id).map(Json)
}

/// How well a modem hears the network
#[utoipa::path(
    get, path = "/api/v1/modems/{id}/signal", tag = "modems",
    params(("id" = String, Path, description = "The slot, such as `1`.")),
    responses(
        (status = 200, description = "Levels, registration and cell.", body = SignalView),
        NotFound,
    )
)]
pub(super) async fn modem_signal(
    State(app): State<Shared>,
    Lang(language): Lang,
    Id(id): Id,
) -> Answer<SignalView> {
    find_modem(&app, language, Caller::default(), &id).map(|modem| Json(modem.into()))
}

/// The text messages of a modem
///
/// What was received, newest last, as many as `TM_MODEM_SMS_INBOX` keeps. Texts are shown to the scope `admin` only:
/// a message may hold a code or a secret. A message is sent by the operation `send-sms` of the modem's service.
#[utoipa::path(
    get, path = "/api/v1/modems/{id}/messages", tag = "modems",
    params(("id" = String, Path, description = "The slot, such as `1`.")),
    responses(
        (status = 200, description = "The inbox and counts.", body = MessagesView),
        NotFound,
    )
)]
pub(super) async fn modem_messages(
    State(app): State<Shared>,
    Lang(language): Lang,
    caller: Caller,
    Id(id): Id,
) -> Answer<MessagesView> {
    find_modem(&app, language, caller, &id).map(|modem| Json(modem.into()))
}

/// How much data went through a modem
///
/// By session, day and billing month (`TM_MODEM_BILLING_DAY`), in the time zone of the device, with the limit
/// (`TM_MODEM_DATA_LIMIT_MB`). Counted by the host; the operator may round otherwise.
#[utoipa::path(
    get, path = "/api/v1/modems/{id}/usage", tag = "modems",
    params(("id" = String, Path, description = "The slot, such as `1`.")),
    responses(
        (status = 200, description = "The bytes.", body = UsageView),
        NotFound,
    )
)]
pub(super) async fn modem_usage(
    State(app): State<Shared>,
    Lang(language): Lang,
    Id(id): Id,
) -> Answer<UsageView> {
    find_modem(&app, language, Caller::default(), &id).map(|modem| Json(modem.into()))
}

/// The position receiver with fix and sky
#[utoipa::path(
    get, path = "/api/v1/gnss", tag = "gnss",
    responses(
        (status = 200, description = "Presence, fix and sky.", body = GnssView),
    )
)]
pub(super) async fn gnss(State(app): State<Shared>, Lang(language): Lang) -> Json<GnssView> {
    Json(view(&app, language, GnssView::new))
}

/// The position
///
/// Always an answer: without a position the fields are null and the sentence says why.
#[utoipa::path(
    get, path = "/api/v1/gnss/fix", tag = "gnss",
    responses(
        (status = 200, description = "The position, or why there is none.", body = FixView),
    )
)]
pub(super) async fn gnss_fix(State(app): State<Shared>, Lang(language): Lang) -> Json<FixView> {
    Json(view(&app, language, |look| GnssView::new(look).fix))
}

/// The satellites in view
#[utoipa::path(
    get, path = "/api/v1/gnss/satellites", tag = "gnss",
    responses(
        (status = 200, description = "The satellites.", body = SatellitesView),
    )
)]
pub(super) async fn gnss_satellites(
    State(app): State<Shared>,
    Lang(language): Lang,
) -> Json<SatellitesView> {
    Json(view(&app, language, |look| GnssView::new(look).into()))
}

/// Every polled device with its last readings
#[utoipa::path(
    get, path = "/api/v1/sensors", tag = "sensors",
    responses(
        (status = 200, description = "The devices.", body = SensorsView),
    )
)]
pub(super) async fn sensors(State(app): State<Shared>, Lang(language): Lang) -> Json<SensorsView> {
    Json(view(&app, language, SensorsView::new))
}

/// One polled device
#[utoipa::path(
    get, path = "/api/v1/sensors/{id}", tag = "sensors",
    params(("id" = String, Path, description = "The device, such as `machine`.")),
    responses(
        (status = 200, description = "The device.", body = SensorView),
        NotFound,
    )
)]
pub(super) async fn sensor(
    State(app): State<Shared>,
    Lang(language): Lang,
    Id(id): Id,
) -> Answer<SensorView> {
    find_sensor(&app, language, &id).map(Json)
}

/// The last readings of a device
#[utoipa::path(
    get, path = "/api/v1/sensors/{id}/readings", tag = "sensors",
    params(("id" = String, Path, description = "The device, such as `machine`.")),
    responses(
        (status = 200, description = "The series.", body = SeriesListView),
        NotFound,
    )
)]
pub(super) async fn sensor_readings(
    State(app): State<Shared>,
    Lang(language): Lang,
    Id(id): Id,
) -> Answer<SeriesListView> {
    let sensor = find_sensor(&app, language, &id)?;
    Ok(Json(SeriesListView {
        series: sensor.readings,
    }))
}

/// Every series with its last reading
///
/// Everything anybody publishes on the bus, our own services and others.
#[utoipa::path(
    get, path = "/api/v1/series", tag = "series",
    params(OfSource),
    responses(
        (status = 200, description = "The series.", body = SeriesListView),
        Unreadable,
    )
)]
pub(super) async fn series(
    State(app): State<Shared>,
    Lang(language): Lang,
    Query(of): Query<OfSource>,
) -> Json<SeriesListView> {
    let series = view(&app, language, |look| {
        SeriesView::all(look, of.source.as_deref())
    });
    Json(SeriesListView { series })
}

/// The last readings alone, by series
#[utoipa::path(
    get, path = "/api/v1/series/latest", tag = "series",
    params(OfSource),
    responses(
        (status = 200, description = "The readings.", body = LatestView),
        Unreadable,
    )
)]
pub(super) async fn series_latest(
    State(app): State<Shared>,
    Lang(language): Lang,
    Query(of): Query<OfSource>,
) -> Json<LatestView> {
    Json(view(&app, language, |look| {
        LatestView::new(look, of.source.as_deref())
    }))
}

/// How measurements get to the cloud
#[utoipa::path(
    get, path = "/api/v1/uplink", tag = "uplink",
    responses(
        (status = 200, description = "Link, queue and counters.", body = UplinkView),
    )
)]
pub(super) async fn uplink(State(app): State<Shared>, Lang(language): Lang) -> Json<UplinkView> {
    Json(view(&app, language, UplinkView::new))
}

/// What waits for the cloud
#[utoipa::path(
    get, path = "/api/v1/uplink/queue", tag = "uplink",
    responses(
        (status = 200, description = "What waits.", body = QueueView),
    )
)]
pub(super) async fn uplink_queue(
    State(app): State<Shared>,
    Lang(language): Lang,
) -> Json<QueueView> {
    Json(view(&app, language, QueueView::new))
}

/// Alarms that hold, worst first
#[utoipa::path(
    get, path = "/api/v1/alarms", tag = "alarms and events",
    responses(
        (status = 200, description = "The alarms.", body = AlarmsView),
    )
)]
pub(super) async fn alarms(State(app): State<Shared>, Lang(language): Lang) -> Json<AlarmsView> {
    Json(AlarmsView {
        alarms: view(&app, language, AlarmView::all),
    })
}

/// What happened, newest first
///
/// Pages go by cursor: what happens meanwhile does not move them. The last 512 events are kept.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "alarms and events",
    params(Page),
    responses(
        (status = 200, description = "A page of events.", body = EventsView),
        Unreadable,
    )
)]
pub(super) async fn events(
    State(app): State<Shared>,
    Lang(language): Lang,
    Query(page): Query<Page>,
) -> Answer<EventsView> {
    let limit = page.limit.unwrap_or(EVENTS_LIMIT);
    if !(1..=500).contains(&limit) {
        return Err(ApiError::bad_field("limit", "a whole number from 1 to 500"));
    }
    Ok(Json(view(&app, language, |look| {
        let (events, next_cursor) = look.world.events.page(page.cursor.as_deref(), limit.into());
        let events = events
            .into_iter()
            .map(|logged| EventView::new(look, logged))
            .collect();
        EventsView {
            events,
            next_cursor,
        }
    })))
}

/// The machine and the software on it
#[utoipa::path(
    get, path = "/api/v1/system", tag = "system",
    responses(
        (status = 200, description = "Device, software, services.", body = SystemView),
    )
)]
pub(super) async fn system(State(app): State<Shared>, Lang(language): Lang) -> Json<SystemView> {
    Json(view(&app, language, |look| {
        SystemView::new(look, &app.device, app.version)
    }))
}

/// What time it is, and how well that is known
#[utoipa::path(
    get, path = "/api/v1/system/time", tag = "system",
    responses(
        (status = 200, description = "The clock and its anchors.", body = TimeView),
    )
)]
pub(super) async fn system_time(State(app): State<Shared>, Lang(language): Lang) -> Json<TimeView> {
    Json(view(&app, language, TimeView::new))
}

fn sees_identities(caller: Caller) -> bool {
    caller.scope == Some(Scope::Admin)
}

fn find_modem(
    app: &Shared,
    language: Language,
    caller: Caller,
    id: &str,
) -> Result<ModemView, ApiError> {
    let modems = view(app, language, |look| {
        ModemsView::new(look, sees_identities(caller))
    });
    let found = modems.modems.into_iter().find(|view| view.modem.id == id);
    found.ok_or_else(ApiError::not_found)
}

fn find_sensor(app: &Shared, language: Language, id: &str) -> Result<SensorView, ApiError> {
    let sensors = view(app, language, SensorsView::new).sensors;
    sensors
        .into_iter()
        .find(|view| view.device.id == id)
        .ok_or_else(ApiError::not_found)
}
