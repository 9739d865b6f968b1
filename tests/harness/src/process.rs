//! A child process that never outlives the harness.

use std::{
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::{Context, Result, memory::PeakMemory};

/// How long dropping waits for a killed process to be gone.
const DEATH: Duration = Duration::from_secs(2);

/// A running program. It is in a process group of its own, so that a Ctrl-C at the terminal
/// reaches the harness only; it is killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    id: u32,
    memory: PeakMemory,
    leash: Option<Leash>,
    // Programs that end when their stdin does, end with this.
    _stdin: Option<ChildStdin>,
}

/// How a process learns that the harness was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// It ends when its stdin is closed.
    Stdin,
    /// A shell waits for our end and kills it.
    Leash,
}

impl Process {
    pub(crate) fn spawn(name: &str, command: &mut Command, tie: Tie) -> Result<Self> {
        let stdin = match tie {
            Tie::Stdin => Stdio::piped(),
            Tie::Leash => Stdio::null(),
        };
        command.stdin(stdin).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().context(format!("starting {name}"))?;
        let id = child.id().context(format!("{name} ended at once"))?;
        let leash = match tie {
            Tie::Stdin => None,
            Tie::Leash => Some(Leash::tie(id)?),
        };
        Ok(Self {
            _stdin: child.stdin.take(),
            child,
            name: name.to_owned(),
            id,
            memory: PeakMemory::follow(id),
            leash,
        })
    }

    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The most memory it had so far (resident, whole process), in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory.bytes()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait().await.context(&self.name)?;
        self.memory.end();
        self.leash = None;
        Ok(status)
    }

    /// SIGTERM, and SIGKILL where that does not end it within `patience`.
    pub async fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(patience, self.wait()).await {
            Ok(ended) => ended,
            Err(_) => self.kill().await,
        }
    }

    /// SIGKILL: it can do nothing more.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.wait().await
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let pid = pid.context(format!("{}: process {}", self.name, self.id))?;
        kill_process(pid, signal).context(&self.name)
    }
}

impl Drop for Process {
    /// Only when the process is gone: files it writes may be removed next.
    fn drop(&mut self) {
        self.leash = None;
        let _ = self.child.start_kill();
        let end = Instant::now() + DEATH;
        while self.is_running() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A shell that kills a process when we are gone, however that happened: its stdin closes then.
#[derive(Debug)]
struct Leash(std::process::Child);

impl Leash {
    fn tie(process: u32) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let script = r#"while read -r _; do :; done; kill -KILL "$1" 2>/dev/null"#;
        let shell = std::process::Command::new("sh")
            .args(["-c", script, "leash", &process.to_string()])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        shell.map(Self).context("starting sh")
    }
}

impl Drop for Leash {
    /// The shell ends before its stdin does: it is to kill nothing.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
