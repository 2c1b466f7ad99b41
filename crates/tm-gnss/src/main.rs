//! The GNSS service.

fn main() -> std::process::ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "gnss", tm_gnss::run)
}
