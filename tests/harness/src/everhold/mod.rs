//! The product, run as a user runs it.

mod finished;
mod settings;
mod watcher;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{io::AsyncReadExt, process::Command};

pub use finished::Finished;
pub use settings::{Alerting, Settings};
pub use watcher::Watcher;

use crate::{
    Account, Context, Error, Program, Result, locate,
    process::{Process, Tie},
    workdir::Workdir,
};

/// No command takes this long here; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder with an `everhold.toml` in which the binary is run.
#[derive(Debug)]
pub struct Everhold {
    binary: PathBuf,
    dir: Workdir,
}

impl Everhold {
    /// In a temporary folder.
    pub fn new() -> Result<Self> {
        Self::within(None)
    }

    /// In a folder that stays.
    pub fn at(dir: &Path) -> Result<Self> {
        Self::within(Some(dir))
    }

    fn within(dir: Option<&Path>) -> Result<Self> {
        Ok(Self { binary: locate(Program::Everhold)?, dir: Workdir::new(dir)? })
    }

    /// The folder: what commands take as the current one.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The binary.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Its `everhold.toml`.
    pub fn config(&self) -> PathBuf {
        self.dir.join("everhold.toml")
    }

    /// Writes `everhold.toml`, and the secrets it names.
    pub fn configure(&self, settings: &Settings) -> Result<()> {
        if let Some(alerting) = &settings.alert {
            self.secret_file(settings::SECRET_FILE, &alerting.secret)?;
        }
        let config = self.config();
        fs::write(&config, settings.text()).context(config.display())
    }

    /// Writes an account's key into a file that only we read; gives its path.
    pub fn key_file(&self, name: &str, account: &Account) -> Result<String> {
        self.secret_file(&format!("{name}.key"), account.key)
    }

    fn secret_file(&self, name: &str, secret: &str) -> Result<String> {
        let path = self.dir.join(name);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(secret.as_bytes()));
        written.context(path.display())?;
        Ok(path.display().to_string())
    }

    /// Runs a command with `--json`, whatever comes of it.
    pub async fn run<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Finished> {
        self.run_with(arguments, &[]).await
    }

    /// Runs a command with `--json` and with variables of the environment.
    pub async fn run_with<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&str, &str)],
    ) -> Result<Finished> {
        let mut command = self.command();
        command.arg("--json").args(arguments).envs(environment.iter().copied());
        finish(command).await
    }

    /// Runs a command with `--json` that can write no file of more than so many KiB: a disk that is full.
    pub async fn run_limited(&self, arguments: &[&str], kib: u64) -> Result<Finished> {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        // A block is 512 bytes (POSIX, `ulimit`). Without the signal, writing is an error.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        command.args(["-c", &script, "sh"]).arg(&self.binary).arg("--json").args(arguments);
        finish(command).await
    }

    /// Runs a command to its end, in the background as [`Everhold::watch`].
    pub fn background(&self, arguments: &[&str]) -> Result<Watcher> {
        self.spawn(arguments)
    }

    /// Runs a command that must succeed; gives the JSON it printed.
    pub async fn json<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Value> {
        self.run(arguments).await?.success()
    }

    /// `everhold status --json`.
    pub async fn status(&self) -> Result<Value> {
        self.json(["status"]).await
    }

    /// `everhold token A ID --json`.
    pub async fn token(&self, collection: &str, token: u64) -> Result<Value> {
        self.json(["token", collection, &token.to_string()]).await
    }

    /// Starts `everhold watch` in the background; what it says goes to `watch.log`.
    pub fn watch(&self, arguments: &[&str]) -> Result<Watcher> {
        self.spawn(&[&["watch"], arguments].concat())
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Watcher> {
        let log = self.dir.join("watch.log");
        let output = File::options().create(true).append(true).open(&log);
        let output = output.context(log.display())?;
        let errors = output.try_clone().context(log.display())?;
        let mut command = self.command();
        command.args(arguments).stdout(Stdio::from(output)).stderr(Stdio::from(errors));
        let process = Process::spawn("everhold in the background", &mut command, Tie::Leash)?;
        Ok(Watcher::new(process, log))
    }

    /// The binary in its folder, with no settings but those of its file.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.dir.path());
        let ours = |name: &OsStr| name.to_string_lossy().starts_with("EVERHOLD_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
    }
}

/// Runs a command to its end.
async fn finish(mut command: Command) -> Result<Finished> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut process = Process::spawn("everhold", &mut command, Tie::Leash)?;
    let (mut out, mut err) = (process.stdout(), process.stderr());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let work = async {
        tokio::try_join!(read(&mut out, &mut stdout), read(&mut err, &mut stderr))?;
        process.wait().await
    };
    let ended = tokio::time::timeout(PATIENCE, work).await;
    let status = ended.map_err(|_| Error::new("everhold does not end"))??;
    Ok(Finished::new(status, stdout, stderr, process.peak_memory(), begun.elapsed()))
}

async fn read(
    from: &mut Option<impl tokio::io::AsyncRead + Unpin>,
    to: &mut Vec<u8>,
) -> Result<()> {
    let from = from.as_mut().context("output of everhold")?;
    from.read_to_end(to).await.context("output of everhold")?;
    Ok(())
}
