//! `everhold hash`

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clap::Args;
use serde::Serialize;
use tokio::sync::oneshot;

use super::{
    Context, aside,
    output::{Failure, bytes_text, plain},
};
use crate::{
    content::{Codec, ContentId, Digest, Imported, Profile},
    hash::{Hashed, HashedEntry, Progress, hash_path},
};

/// Prints the names by which a file or folder is known: sha-256, CIDv0, CIDv1.
///
/// Nothing is sent anywhere. With the sha-256 of a file aleph's storage engine knows it, and IPFS
/// as `bafkrei…`; by CIDv0, which `ipfs add` and aleph's ipfs engine give it, it is known as
/// `Qm…`, or in CIDv1 as `bafybei…`, which is the same digest.
#[derive(Debug, Args)]
pub(super) struct HashArgs {
    /// A file, or a folder with everything in it, hidden files too
    path: PathBuf,
    /// Print the CIDs by every known profile (ways to cut files into blocks), too
    #[arg(long)]
    profiles: bool,
}

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    path: String,
    kind: &'static str,
    bytes: u64,
    #[serde(flatten)]
    names: Names,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<ProfileCid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<FileReport>>,
}

/// The names of a file; a folder has no sha-256.
#[derive(Debug, Serialize)]
struct Names {
    /// 64 hexadecimal digits: aleph's storage engine.
    sha256: Option<String>,
    /// The same digest as a CID: `bafkrei…`.
    raw_cid: Option<String>,
    /// `Qm…`.
    cid_v0: String,
    /// The same digest as `bafybei…`.
    cid_v1: String,
}

#[derive(Debug, Serialize)]
struct ProfileCid {
    profile: &'static str,
    cid: String,
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: String,
    bytes: u64,
    #[serde(flatten)]
    names: Names,
}

impl HashArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let profiles: &'static [Profile] =
            if self.profiles { &Profile::KNOWN } else { const { &[Profile::DEFAULT] } };
        let progress = Arc::new(Progress::default());
        let (path, counted) = (self.path.clone(), Arc::clone(&progress));
        let hashed = aside(move || hash_path(&path, profiles, &counted));
        let hashed = shown_while(hashed, &progress, context.global.quiet).await;
        let hashed = hashed.map_err(|_| Failure::failed("the hashing has stopped"))??;
        let report = self.report(hashed, profiles);
        context.output.result(&report, || people(&report))?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, hashed: Hashed, profiles: &[Profile]) -> Report {
        let file = |entry: HashedEntry| FileReport {
            path: entry.path,
            bytes: entry.bytes,
            names: names(Some(entry.sha256), &entry.roots),
        };
        let other = |(profile, root): (&Profile, &Imported)| ProfileCid {
            profile: profile.name(),
            cid: root.id().cid(),
        };
        let is_file = hashed.sha256.is_some();
        Report {
            path: self.path.display().to_string(),
            kind: if is_file { "file" } else { "folder" },
            bytes: hashed.bytes,
            names: names(hashed.sha256, &hashed.roots),
            profiles: match self.profiles {
                true => profiles.iter().zip(&hashed.roots).map(other).collect(),
                false => Vec::new(),
            },
            files: (!is_file).then(|| hashed.files.into_iter().map(file).collect()),
        }
    }
}

/// The first root is that of the default profile.
fn names(sha256: Option<Digest>, roots: &[Imported]) -> Names {
    let root = roots.first().map(Imported::id);
    Names {
        sha256: sha256.map(|digest| digest.to_hex()),
        raw_cid: sha256.map(|digest| ContentId::new(Codec::Raw, digest).cid()),
        cid_v0: root.map(|id| id.aleph_hash()).unwrap_or_default(),
        cid_v1: root.map(|id| id.cid()).unwrap_or_default(),
    }
}

/// Waits, and shows at a terminal how far it has come.
async fn shown_while<T>(
    mut result: oneshot::Receiver<T>,
    progress: &Progress,
    quiet: bool,
) -> Result<T, oneshot::error::RecvError> {
    if quiet || !std::io::stderr().is_terminal() {
        return result.await;
    }
    let mut shown = false;
    loop {
        if let Ok(result) = tokio::time::timeout(TICK, &mut result).await {
            if shown {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
            return result;
        }
        let bytes = bytes_text(progress.bytes.load(Ordering::Relaxed));
        let files = progress.files.load(Ordering::Relaxed);
        let _ = write!(std::io::stderr(), "\r\x1b[K{bytes} of {files} file(s) hashed");
        shown = true;
    }
}

fn people(report: &Report) -> String {
    let mut text = format!("{} ({})\n", plain(&report.path), bytes_text(report.bytes));
    let names = &report.names;
    if let (Some(sha256), Some(raw_cid)) = (&names.sha256, &names.raw_cid) {
        let _ = writeln!(text, "  sha-256  {sha256}    aleph storage");
        let _ = writeln!(text, "           {raw_cid}         the same, as a CID (raw)");
    }
    let _ = writeln!(text, "  CIDv0    {}    aleph ipfs, ipfs add", names.cid_v0);
    let _ = writeln!(text, "  CIDv1    {}    the same", names.cid_v1);
    for other in &report.profiles {
        let _ = writeln!(text, "  {:<16} {}", other.profile, other.cid);
    }
    if let Some(files) = &report.files {
        let _ = writeln!(text, "\n{} file(s):", files.len());
        for file in files {
            let sha256 = file.names.sha256.as_deref().unwrap_or_default();
            let _ = writeln!(text, "  {sha256}  {}  {}", file.names.cid_v0, plain(&file.path));
        }
    }
    text
}
