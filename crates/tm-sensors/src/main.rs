//! The `sensors` and `io` services.

fn main() -> std::process::ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "sensors", tm_sensors::run)
}
