//! The modem service.

fn main() -> std::process::ExitCode {
    tm_service::service_main(env!("CARGO_PKG_VERSION"), "modem", tm_modem::run)
}
