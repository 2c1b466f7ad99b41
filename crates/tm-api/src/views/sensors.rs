use serde::Serialize;
use tm_types::{PointName, SensorDevice, SeriesId};

use super::{Look, SeriesView};
use crate::world::State;

/// Every device that is polled.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SensorsView {
    /// The devices, by service.
    pub(crate) sensors: Vec<SensorView>,
}

/// A polled device with its last readings.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SensorView {
    /// The service that polls it.
    pub(crate) service: String,
    /// The device.
    #[serde(flatten)]
    pub(crate) device: SensorDevice,
    /// Why it does not answer, in words; null while it does.
    pub(crate) sentence: Option<String>,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
    /// Its last readings.
    pub(crate) readings: Vec<SeriesView>,
}

impl SensorsView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let mut sensors = Vec::new();
        for (name, service) in &look.world.services {
            let Some(State::Sensors(state)) = &service.state else {
                continue;
            };
            let is_stale = service.is_stale(&look.now);
            sensors.extend(state.devices.iter().map(|device| {
                SensorView {
                    service: name.to_string(),
                    sentence: device
                        .cause
                        .as_ref()
                        .map(|cause| look.explain(cause).sentence),
                    stale: is_stale,
                    readings: readings(look, &name.source(), device),
                    device: device.clone(),
                }
            }));
        }
        Self { sensors }
    }
}

fn readings(look: Look<'_>, source: &tm_types::Source, device: &SensorDevice) -> Vec<SeriesView> {
    let view = |name: &String| {
        let series = SeriesId::of(source, &PointName::new(name).ok()?).ok()?;
        let latest = look.world.latest.get(&series)?;
        Some(SeriesView::new(look, &series, latest))
    };
    device.points.iter().filter_map(view).collect()
}
