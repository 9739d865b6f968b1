//! `everhold-demo`: the main job, end to end, told for a newcomer.
//!
//! Exit status 0: everything promised was really seen; 1: something was not; 130: interrupted.
//! With `KEEP=1` all goes on running, until Ctrl-C, after the story's end.

mod checklist;
mod keep;
mod ledger;
mod stage;
mod steps;
mod story;

use std::{cell::Cell, path::Path, process::ExitCode, time::Duration};

use everhold_harness::{Context, Error, Result};
use tokio::signal::unix::{SignalKind, signal};

use checklist::{Checklist, Promise};
use stage::Stage;
use story::Story;

/// The story has to end by itself within two minutes.
const PATIENCE: Duration = Duration::from_secs(110);
/// Lines of the watcher's log shown where something was not seen.
const LOG_LINES: usize = 30;

#[tokio::main]
async fn main() -> ExitCode {
    let root = match tempfile::Builder::new().prefix("everhold-demo-").tempdir() {
        Ok(root) => root,
        Err(error) => {
            eprintln!("no temporary folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Set where all is kept running after the story's end.
    let kept = Cell::new(None);
    let told = tokio::select! {
        told = tell(root.path(), &kept) => told,
        () = interrupted() => {
            println!("\nEverything that was started has been ended.");
            match kept.get() {
                Some(told) => told,
                None => return ExitCode::from(130),
            }
        }
    };
    if told {
        return ExitCode::SUCCESS;
    }
    println!("\nThe files of this run are in {}", root.keep().display());
    ExitCode::FAILURE
}

/// Ctrl-C, or the end that a terminal or a service manager asks for.
async fn interrupted() {
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}

/// Tells the story; gives whether all of it was seen.
async fn tell(root: &Path, kept: &Cell<Option<bool>>) -> bool {
    let story = Story::new();
    let mut checklist = Checklist::default();
    story.opening();
    let mut stage = match Stage::set(root, &story).await {
        Ok(stage) => stage,
        Err(error) => {
            story.bad(&error.to_string());
            return false;
        }
    };
    let steps = steps::all(&mut stage, &story, &mut checklist);
    match tokio::time::timeout(PATIENCE, steps).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => story.bad(&error.to_string()),
        Err(_) => story.bad("The story did not end in time."),
    }
    let complete = checklist.is_complete();
    if !complete {
        show_log(&stage, &story);
    }
    story.summary(&checklist);
    if keep::is_wanted() {
        keep::tell(&stage, &story);
        kept.set(Some(complete));
        std::future::pending::<()>().await;
    }
    if let Err(error) = end(&mut stage).await {
        story.bad(&error.to_string());
        return false;
    }
    complete
}

/// Ends the watcher as a service manager does, which it must bear.
async fn end(stage: &mut Stage) -> Result<()> {
    let Some(watcher) = &mut stage.watcher else {
        return Ok(());
    };
    if !watcher.process().is_running() {
        return Err(Error::new("`everhold watch` had ended by itself."));
    }
    let status = watcher.terminate().await?;
    let said = format!("`everhold watch` was asked to end, and ended with {status}.");
    status.success().then_some(()).context(said)
}

fn show_log(stage: &Stage, story: &Story) {
    let Some(watcher) = &stage.watcher else {
        return;
    };
    story.raw(&format!("\nThe end of {}:", watcher.log().display()));
    for line in watcher.log_tail(LOG_LINES) {
        story.raw(&format!("  {line}"));
    }
}
