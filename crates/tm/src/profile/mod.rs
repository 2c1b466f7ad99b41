//! `tm profile`: the files that a host needs before any container runs.
//!
//! So far one of them: the NetworkManager keyfile of the mobile connection. Connectivity must not
//! depend on a container, so it is made here, on a desk, and put on the device's boot partition.

mod apn;
mod cellular;
mod explain;
mod judge;
mod keyfile;
mod output;

use std::fs;
use std::io::{Write, stderr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use cellular::{Cellular, Pin, Sign};
use explain::explain;
use keyfile::Keyfile;

/// A keyfile has a few hundred bytes; more than this is something else.
const LARGEST_KEYFILE: u64 = 64 * 1024;

/// Which file to make.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    profile: Profile,
}

#[derive(Subcommand, Debug)]
enum Profile {
    /// The NetworkManager keyfile of the mobile connection.
    Cellular(CellularArguments),
}

/// What the mobile connection needs.
#[derive(Args, Debug)]
struct CellularArguments {
    /// The access point name of the SIM's contract, such as `staticip`.
    #[arg(long, required_unless_present = "from")]
    apn: Option<String>,
    /// PIN of the SIM, 4 to 8 digits. Better given by the variable than on the command line.
    #[arg(long, env = "TM_PROFILE_PIN", hide_env_values = true)]
    pin: Option<String>,
    /// User name at the access point, where the operator asks for one.
    #[arg(long)]
    user: Option<String>,
    /// Password of that user. Better given by the variable than on the command line.
    #[arg(long, env = "TM_PROFILE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Connect in foreign networks too.
    #[arg(long)]
    roaming: bool,
    /// Say on standard error what each line of the made file does.
    #[arg(long)]
    explain: bool,
    /// Take the settings from this keyfile, and say on standard error what each of its lines does.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write to this file, readable by its owner only, instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file that is there.
    #[arg(long, requires = "output")]
    force: bool,
}

/// Makes the file.
///
/// # Errors
/// When a setting is wrong, `--from` is no keyfile of a mobile connection, or the output cannot be
/// written.
pub fn main(arguments: &Arguments) -> Result<()> {
    let Profile::Cellular(arguments) = &arguments.profile;
    let mut cellular = Cellular::default();
    if let Some(path) = &arguments.from {
        let name = path.display();
        let keyfile = read(path).with_context(|| format!("read {name}"))?;
        let remarks = explain(&keyfile).with_context(|| format!("read {name}"))?;
        writeln!(stderr(), "{name}, line by line:\n\n{remarks}")?;
        cellular = Cellular::of(&keyfile).with_context(|| format!("read {name}"))?;
    }
    if let Some(apn) = &arguments.apn {
        cellular.apn = Some(apn.parse().context("read --apn")?);
    }
    if let Some(pin) = given(arguments.pin.as_ref()) {
        cellular.pin = Some(Pin::new(pin).context("read the PIN")?);
    }
    let user = given(arguments.user.as_ref());
    let password = given(arguments.password.as_ref());
    match (user, password) {
        (Some(user), Some(password)) => {
            cellular.sign = Some(Sign::new(user, password).context("read --user and --password")?);
        }
        (None, None) => {}
        _ => bail!("read --user and --password: they are given together or not at all"),
    }
    cellular.roaming |= arguments.roaming;

    ensure!(
        cellular.apn.is_some(),
        "make the profile: it has no APN, give --apn"
    );
    let text = cellular.keyfile();
    if arguments.explain {
        let keyfile = Keyfile::parse(text.as_bytes()).context("read what was made")?;
        let remarks = explain(&keyfile).context("read what was made")?;
        writeln!(stderr(), "The profile, line by line:\n\n{remarks}")?;
    }
    match &arguments.output {
        Some(path) => output::write(path, &text, arguments.force)
            .with_context(|| format!("write {}", path.display())),
        None => std::io::stdout()
            .write_all(text.as_bytes())
            .context("print the profile"),
    }
}

/// An empty variable counts as unset, as everywhere.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn read(path: &PathBuf) -> Result<Keyfile> {
    let size = fs::metadata(path)?.len();
    ensure!(
        size <= LARGEST_KEYFILE,
        "it has {size} bytes, which no keyfile has"
    );
    Ok(Keyfile::parse(&fs::read(path)?)?)
}
