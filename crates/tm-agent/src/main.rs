//! The `agent` service.

fn main() -> std::process::ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "agent", tm_agent::run)
}
