//! Keys: from encrypted keystores or files, never from the command line, never shown.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use alloy::signers::local::{LocalSignerError, PrivateKeySigner};

/// Where a key comes from.
#[derive(Clone)]
pub enum KeySource {
    /// Encrypted (Web3 secret storage), with where its password comes from.
    Keystore {
        /// The file.
        path: PathBuf,
        /// The password, already found.
        password: String,
    },
    /// 64 hex digits in a file; `0x` and a final newline are optional.
    PrivateKeyFile(PathBuf),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keystore { path, .. } => write!(f, "Keystore({})", path.display()),
            Self::PrivateKeyFile(path) => write!(f, "PrivateKeyFile({})", path.display()),
        }
    }
}

/// A key that can't be used. None of these says anything about the key itself.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("key file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The password does not open the keystore.
    #[error("keystore {}: wrong password", .0.display())]
    WrongPassword(PathBuf),
    /// It is no keystore.
    #[error("keystore {}: not an encrypted key file (Web3 secret storage JSON)", .0.display())]
    NotAKeystore(PathBuf),
    /// It holds no key.
    #[error("key file {}: it must hold a private key of 64 hex digits, and nothing else", .0.display())]
    NotAKey(PathBuf),
    /// No key was named.
    #[error("{0}")]
    None(String),
}

/// Reads a key. Decrypting a keystore takes a second or so, on purpose of its format.
pub fn load_key(source: &KeySource) -> Result<PrivateKeySigner, KeyError> {
    match source {
        KeySource::Keystore { path, password } => decrypt(path, password),
        KeySource::PrivateKeyFile(path) => {
            let text = read(path)?;
            let digits = text.trim().trim_start_matches("0x");
            let whole = digits.len() == 64;
            let key = whole.then(|| digits.parse::<PrivateKeySigner>().ok()).flatten();
            key.ok_or_else(|| KeyError::NotAKey(path.clone()))
        }
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path)
        .map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })
}

fn decrypt(path: &Path, password: &str) -> Result<PrivateKeySigner, KeyError> {
    read(path)?;
    PrivateKeySigner::decrypt_keystore(path, password).map_err(|error| match error {
        LocalSignerError::EthKeystoreError(inner) if inner.to_string().contains("Mac Mismatch") => {
            KeyError::WrongPassword(path.to_owned())
        }
        _ => KeyError::NotAKeystore(path.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// [`KEY`], encrypted by Foundry's `cast wallet import` with the password `right`.
    const KEYSTORE: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6f70e565e6a837a26f5751075f2304e5"},"ciphertext":"90d24d50cfbfb23252d6bf9fee5858c699b963f2543103e92ea5acad8203923d","kdf":"scrypt","kdfparams":{"dklen":32,"n":8192,"p":1,"r":8,"salt":"691b1cc8bf4b77429a7c2474156c9b11b4db4a12c37a0ae62dbfac08ffb5a63a"},"mac":"d24a410714db364c9a0e6a90159b2126882f8d0a7dadff542769cce2cf7985d8"},"id":"c466e8ec-7cef-4168-97c4-a1d579b290a9","version":3}"#;
    const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn reads_a_key_however_it_is_written() {
        for text in [KEY.to_owned(), format!("0x{KEY}\n"), format!("{KEY}\r\n")] {
            let file = file(&text);
            let key = load_key(&KeySource::PrivateKeyFile(file.path().into())).unwrap();
            assert_eq!(key.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        }
    }

    #[test]
    fn errors_name_the_file_and_never_the_key() {
        for text in ["", &KEY[..60], &KEY.replace('a', "x"), &format!("{KEY} {KEY}")] {
            let file = file(text);
            let error = load_key(&KeySource::PrivateKeyFile(file.path().into())).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("64 hex digits") && !error.contains(&KEY[..8]), "{error}");
        }
        let error = load_key(&KeySource::PrivateKeyFile("/no/such".into())).unwrap_err();
        assert!(error.to_string().starts_with("key file /no/such: "));
    }

    #[test]
    fn opens_a_keystore_with_its_password_only() {
        let keystore = file(KEYSTORE);
        let path = keystore.path().to_owned();
        let source =
            |password: &str| KeySource::Keystore { path: path.clone(), password: password.into() };
        assert!(load_key(&source("right")).is_ok());
        assert!(matches!(load_key(&source("wrong")), Err(KeyError::WrongPassword(_))));
        let junk = file("{}");
        let source = KeySource::Keystore { path: junk.path().into(), password: "x".into() };
        assert!(matches!(load_key(&source), Err(KeyError::NotAKeystore(_))));
    }
}
