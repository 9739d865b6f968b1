//! Faults that tests ask for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The body ends early and the connection is closed.
    CutBody,
    /// Half of the body, then silence.
    Stall,
    /// Another status.
    Status,
    /// Everything says the file is here, but a GET does not find it.
    Claim,
    /// The body comes drop by drop.
    Slow,
    /// Takes faults back.
    None,
}

/// One fault, as asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// The file it is about; none means all of them.
    #[serde(default)]
    pub hash: Option<String>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// The status answered; 503 where left out.
    #[serde(default)]
    pub status: Option<u16>,
    /// How often; for ever where left out.
    #[serde(default)]
    pub times: Option<u64>,
    /// For a status without a hash: the beginning of the paths it is about.
    #[serde(default)]
    pub path: Option<String>,
    /// Between the pieces of a slow body; 200 where left out.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// The size claimed for a file the node never knew.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a fault in the place of an earlier one of the same kind, hash and path;
    /// `none` drops those of its hash, or all where it names none.
    pub fn set(&self, fault: Fault) {
        let mut faults = self.lock();
        if fault.kind == FaultKind::None {
            faults.retain(|old| fault.hash.is_some() && old.hash != fault.hash);
            return;
        }
        faults.retain(|old| {
            (old.kind, &old.hash, &old.path) != (fault.kind, &fault.hash, &fault.path)
        });
        faults.push(fault);
    }

    /// All faults in force.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The fault that a GET of a file meets; uses it up by one.
    pub fn on_body(&self, on_disk: &str) -> Option<Fault> {
        self.take(|fault| match &fault.hash {
            Some(hash) => hash == on_disk,
            None => !matches!(fault.kind, FaultKind::Status),
        })
    }

    /// The fault that a request for a path meets, whatever file it is for.
    pub fn on_path(&self, path: &str) -> Option<Fault> {
        self.take(|fault| {
            let about = fault.path.as_deref().unwrap_or("/api/");
            fault.kind == FaultKind::Status && fault.hash.is_none() && path.starts_with(about)
        })
    }

    /// The claim made for a file, which questions about it do not use up.
    pub fn claim(&self, on_disk: &str) -> Option<Fault> {
        let faults = self.lock();
        let mut claims = faults.iter().filter(|fault| fault.kind == FaultKind::Claim);
        claims.find(|fault| fault.hash.as_deref().is_none_or(|hash| hash == on_disk)).cloned()
    }

    /// The first fault that fits, those about one file before those about all.
    fn take(&self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.lock();
        let at = faults
            .iter()
            .position(|fault| fault.hash.is_some() && fits(fault))
            .or_else(|| faults.iter().position(fits))?;
        let fault = &mut faults[at];
        let taken = fault.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(at);
            }
        }
        Some(taken)
    }
}
