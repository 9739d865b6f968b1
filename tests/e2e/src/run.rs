//! The product run in ways the harness has none for: without `--json`, and to be killed.

use std::{ffi::OsStr, process::Stdio, time::Duration};

use everhold_harness::{Context, Error, Everhold, Result, eventually};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A command line of the product in its folder.
fn command<S: AsRef<OsStr>>(
    everhold: &Everhold,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(everhold.binary());
    command.current_dir(everhold.dir()).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("EVERHOLD_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command as people do; gives its exit status and what it printed and said.
pub async fn plain<S: AsRef<OsStr>>(
    everhold: &Everhold,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(i32, String, String)> {
    let output = command(everhold, arguments).output().await.context("everhold")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
}

/// Starts a command, waits for `moment` and kills it then (SIGKILL). Where the command ends first,
/// it is an error: nothing was interrupted.
pub async fn kill_when<S: AsRef<OsStr>>(
    everhold: &Everhold,
    arguments: impl IntoIterator<Item = S>,
    moment: impl AsyncFn() -> Result<bool>,
) -> Result<()> {
    let mut command = command(everhold, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().context("everhold")?;
    eventually("the moment to kill it", Duration::from_secs(60), LOOK, async || {
        if moment().await? {
            return Ok(Some(()));
        }
        still_running(&mut child)?;
        Ok(None)
    })
    .await?;
    still_running(&mut child)?;
    child.kill().await.context("kill")
}

const LOOK: Duration = Duration::from_millis(2);

fn still_running(child: &mut Child) -> Result<()> {
    match child.try_wait().context("everhold")? {
        Some(status) => Err(Error::new(format!("it ended before it was killed: {status}"))),
        None => Ok(()),
    }
}

/// Sends a signal to a process that a test started.
pub fn signal(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("process")?;
    kill_process(pid, signal).context(format!("signal {signal:?}"))
}

pub use rustix::process::Signal as Sig;
