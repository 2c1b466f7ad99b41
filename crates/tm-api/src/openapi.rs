//! The OpenAPI 3.1 document, made from the handlers and types.

use tm_types::text::Language;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use crate::routes;

/// What stands above the addresses.
const ABOUT: &str = "What an unattended telemetry cabinet is, measures and does.\n\n\
Every value has one fixed shape: `value`, `quality`, `reason`, with `unit`, `time`, `clock` and \
`age_ms` beside it; a value that is not there is `null` with the reason why. Times are UTC. \
Fixed fields carry their unit in the name. Errors are RFC 9457 problems with a stable `code`, \
explained at [/docs/problems](/docs/problems). Sentences come in English, Ukrainian and Russian \
by `Accept-Language`.\n\nReading is open to the addresses of `TM_API_ALLOW_FROM`; changing \
anything needs a token (`Authorize`) with the scope `operate`, `config` or `admin`.";

/// The document that `/openapi.json` serves, pretty-printed with a line end.
pub fn document() -> String {
    json(&routes::documented().1)
}

/// Information, security scheme and tags; the routes add the rest.
pub(crate) fn base() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"));
    let info = InfoBuilder::new()
        .title("tm-server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some(
        "TM_API_TOKEN, or a token derived by `tm token --device UUID --scope SCOPE`.".to_owned(),
    );
    let components =
        ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer));
    // Only a parameter names it, which does not bring its schema along.
    let components = components.schema_from::<Language>();
    let tags = [
        ("status", "The cabinet in one sentence."),
        (
            "modems",
            "Mobile network: identity, SIM, registration, signal.",
        ),
        ("gnss", "Position and sky."),
        ("sensors", "Devices that are polled."),
        (
            "series",
            "Every measured quantity: last values, history, stream.",
        ),
        ("uplink", "The way to the cloud, and what waits for it."),
        (
            "alarms and events",
            "What needs a person, and what happened.",
        ),
        (
            "operations",
            "What takes time: ask, and look at it until it is done.",
        ),
        (
            "configuration",
            "The documents that services work by: read, try, activate, roll back.",
        ),
        ("system", "The machine, its software and its clock."),
        ("machines", "Liveness, readiness and metrics."),
    ];
    let tags = tags.map(|(name, about)| {
        TagBuilder::new()
            .name(name)
            .description(Some(about))
            .build()
    });
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

/// The document as text.
pub(crate) fn json(document: &OpenApi) -> String {
    let mut text = document
        .to_pretty_json()
        .expect("the document has only string keys");
    text.push('\n');
    text
}
