//! The API in its container.

fn main() -> std::process::ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "api", tm_api::run)
}
