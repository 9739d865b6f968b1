//! Places at which a process can be made to die, so that tests see what is left behind.
//!
//! In development builds alone: where `EVERHOLD_CRASH_AT` names a place, the process kills itself there
//! (SIGKILL), as a power cut or the kernel would. Release builds have none of it.

/// Dies here, if this is the place.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    use std::sync::OnceLock;

    static AT: OnceLock<Option<String>> = OnceLock::new();
    let at = AT.get_or_init(|| std::env::var("EVERHOLD_CRASH_AT").ok());
    if at.as_deref() == Some(name) {
        let id = std::process::id().to_string();
        let _ = std::process::Command::new("kill").args(["-KILL", &id]).status();
        // Where there is no such command, or while its signal is on its way.
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &str) {}
