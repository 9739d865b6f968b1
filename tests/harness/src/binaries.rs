//! Where the programs are.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{Context, Error, Result};

/// A program that the harness runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The product.
    Everhold,
    /// The development node.
    DevNode,
    /// The chain.
    Anvil,
}

impl Program {
    /// The variable that names another one, for trying things out.
    fn variable(self) -> &'static str {
        match self {
            Self::Everhold => "EVERHOLD_BIN",
            Self::DevNode => "EVERHOLD_DEVNODE_BIN",
            Self::Anvil => "ANVIL_BIN",
        }
    }

    fn path(self) -> Result<PathBuf> {
        Ok(match self {
            Self::Everhold => profile_dir()?.join("everhold"),
            Self::DevNode => profile_dir()?.join("everhold-devnode"),
            Self::Anvil => repository().join("node_modules/.bin/anvil"),
        })
    }

    fn remedy(self, path: &Path) -> String {
        let release = path.parent().is_some_and(|dir| dir.ends_with("release"));
        let flag = if release { "--release " } else { "" };
        match self {
            Self::Everhold => format!("run `cargo build {flag}-p everhold`"),
            Self::DevNode => format!("run `cargo build {flag}-p everhold-devnode`"),
            Self::Anvil => format!("run `npm ci` in {}", repository().display()),
        }
    }
}

/// The path of a program: what its variable (`EVERHOLD_BIN`, `EVERHOLD_DEVNODE_BIN`, `ANVIL_BIN`)
/// says, or else beside this very program, or npm's. Where it is missing, the error names the
/// command that makes it.
pub fn locate(program: Program) -> Result<PathBuf> {
    let named = env::var_os(program.variable()).map(PathBuf::from);
    let path = match named {
        Some(path) => path,
        None => program.path()?,
    };
    if path.is_file() {
        return Ok(path);
    }
    let (shown, remedy) = (path.display(), program.remedy(&path));
    Err(Error::new(format!("{shown} is not there: {remedy}")))
}

/// `target/debug` or `target/release`; tests lie in `deps` below it.
fn profile_dir() -> Result<PathBuf> {
    let program = env::current_exe().context("path of this program")?;
    let dir = program.parent().context("folder of this program")?;
    let deps = dir.ends_with("deps");
    let dir = dir.parent().filter(|_| deps).unwrap_or(dir);
    Ok(dir.to_owned())
}

/// The top folder of the sources.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    root.to_owned()
}
