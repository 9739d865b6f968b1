//! A disk that is full, as a process sees it that may write no larger files: in a process of its own, which
//! this test is as well.

use std::{env, fs, path::Path, process::Command};

use everhold::{
    config::Config,
    vault::{Form, Vault, VaultError},
};

use crate::support::{file, noise, raw};

/// Names the vault's folder, where this is that process.
const FOLDER: &str = "EVERHOLD_TEST_FULL_VAULT";
/// Blocks of 512 bytes that a file may have: 12 MiB, which is more than a part, and less than a content.
const BLOCKS: &str = "24576";

fn vault(folder: &Path) -> Vault {
    let text = format!("[vault]\npath = {:?}\n", folder.display().to_string());
    let config = Config::parse(Path::new("x"), &text).unwrap();
    Vault::configured(&config, &config.fetcher().unwrap()).unwrap()
}

fn contents() -> [Vec<u8>; 2] {
    [noise(1, 20 << 20), noise(2, 1000)]
}

/// All files in a folder and its folders.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|below| fs::read_dir(below).unwrap());
    below.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn is_told_and_leaves_nothing_by_halves() {
    let [large, small] = contents();
    if let Some(folder) = env::var_os(FOLDER) {
        // In the limited process: what is put was written by the other one.
        let folder = Path::new(&folder);
        let vault = vault(folder);
        let error = vault.put(&raw(&large), Form::File, &folder.with_extension("large")).await;
        assert!(matches!(error, Err(VaultError::Full { .. })), "{error:?}");
        vault.put(&raw(&small), Form::File, &folder.with_extension("small")).await.unwrap();
        assert_eq!(files(folder), [raw(&small).cid()]);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("vault");
    fs::write(folder.with_extension("large"), &large).unwrap();
    fs::write(folder.with_extension("small"), &small).unwrap();
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$@\"");
    let limited = Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "full::is_told_and_leaves_nothing_by_halves", "--nocapture"])
        .env(FOLDER, &folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && said.contains("1 passed"), "{said}");
    // Once there is room, it works.
    let vault = vault(&folder);
    vault.put(&raw(&large), Form::File, file(&large).path()).await.unwrap();
    assert_eq!(files(&folder).len(), 2);
}
