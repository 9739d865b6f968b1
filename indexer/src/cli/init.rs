//! `everhold init`

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::{Context, output::Failure};
use crate::config::TEMPLATE;

/// Writes a commented everhold.toml.
#[derive(Debug, Args)]
pub(super) struct Init {}

impl Init {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let named = context.global.config.as_deref();
        let path = named.unwrap_or(std::path::Path::new("everhold.toml"));
        let shown = path.display();
        let mut file = std::fs::File::create_new(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::failed(format!("{shown} exists already; it is left as it is"))
            }
            _ => Failure::failed(format!("{shown}: {error}")),
        })?;
        file.write_all(TEMPLATE.as_bytes())?;
        let text = format!("{shown} written; set [chain] rpc and [aleph] nodes in it");
        context.output.result(&json!({ "written": shown.to_string() }), || text)?;
        Ok(ExitCode::SUCCESS)
    }
}
