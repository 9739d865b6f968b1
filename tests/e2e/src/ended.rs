//! How a command ended, held against what it promises.

use everhold_harness::{Context, Error, Finished, Result};
use serde_json::Value;

/// What is expected of a command that has ended.
pub trait Ended: Sized {
    /// This exit status, and one JSON document on stdout.
    fn gives(self, status: i32) -> Result<Value>;

    /// A refusal: exit 1 or 2, nothing on stdout, and on stderr (run it with `-q`) one line that
    /// begins with the program's name and holds all of `names`.
    fn refuses(self, names: &[&str]) -> Result<()>;
}

impl Ended for Finished {
    fn gives(self, status: i32) -> Result<Value> {
        if self.status != status {
            let (got, out, err) = (self.status, self.stdout.trim(), self.stderr.trim());
            let text = format!("exit status {got} instead of {status}\n{out}\n{err}");
            return Err(Error::new(text));
        }
        let printed = format!("not one JSON document: {}", self.stdout.trim());
        self.json.context(printed)
    }

    fn refuses(self, names: &[&str]) -> Result<()> {
        let said = self.stderr.trim_end_matches('\n');
        let lacking = names.iter().find(|name| !said.contains(**name));
        let wrong = match lacking {
            _ if !matches!(self.status, 1 | 2) => format!("exit status {}", self.status),
            _ if !self.stdout.is_empty() => format!("it printed {}", self.stdout),
            _ if said.lines().count() != 1 => format!("{} lines", said.lines().count()),
            _ if !said.starts_with("everhold: ") => "not the program's own line".to_owned(),
            Some(name) => format!("it does not name {name}"),
            None => return Ok(()),
        };
        Err(Error::new(format!("{wrong}; stderr: {said}")))
    }
}
