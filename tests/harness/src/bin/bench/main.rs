//! `make bench`, the whole-process part. `everhold-bench hash` or `repair` runs one of them alone.
//!
//! Prints medians, ratios and peak memory. It asserts no figure: those are to be read.

mod hash;
mod repair;

use std::process::ExitCode;

use everhold_harness::{Error, Result};

#[tokio::main]
async fn main() -> ExitCode {
    let which = std::env::args().nth(1);
    match bench(which.as_deref()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(which: Option<&str>) -> Result<()> {
    match which {
        Some("hash") => hash::bench().await,
        Some("repair") => repair::bench().await,
        None => {
            hash::bench().await?;
            repair::bench().await
        }
        Some(other) => Err(Error::new(format!("`{other}` is none of hash, repair"))),
    }
}
