//! The uplink's container runs this.

use std::process::ExitCode;

fn main() -> ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "uplink", tm_uplink::run)
}
