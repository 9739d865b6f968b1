//! The `everhold` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    everhold::cli::run().await
}
