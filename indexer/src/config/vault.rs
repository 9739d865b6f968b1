//! Settings of the local copy of verified content.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::Url;

use super::{ConfigError, Span};

/// `[vault]`: a copy of verified content, from which lost content is restored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// The folder it is in; absent, and where it is in no S3, [`VaultConfig::DEFAULT_PATH`].
    pub path: Option<PathBuf>,
    /// Whether `watch` copies verified content into it. What `restore` puts there is used all the same.
    pub keep: bool,
    /// Bytes of all that it holds, at most.
    pub max_bytes: u64,
    /// Bytes of one content, at most; larger content is not copied.
    pub max_object: u64,
    /// How often what it holds is hashed again.
    pub recheck: Span,
    /// Where it is kept in the place of a folder.
    pub s3: Option<S3Config>,
}

/// A bucket of S3, or of another that speaks the same.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket, which must be there.
    pub bucket: String,
    /// Where it is answered for; absent: Amazon's, by the region.
    pub endpoint: Option<Url>,
    /// Its region.
    #[serde(default = "region")]
    pub region: String,
    /// What all names in it begin with.
    #[serde(default)]
    pub prefix: String,
    /// File with the id of the access key; absent: `AWS_ACCESS_KEY_ID` in the environment.
    pub access_key_file: Option<PathBuf>,
    /// File with the secret key; absent: `AWS_SECRET_ACCESS_KEY` in the environment.
    pub secret_key_file: Option<PathBuf>,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl fmt::Debug for S3Config {
    /// Without the endpoint, whose URL may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self {
            path: None,
            keep: false,
            max_bytes: 10 << 30,
            max_object: 1 << 30,
            recheck: Span::secs(7 * 86_400),
            s3: None,
        }
    }
}

impl VaultConfig {
    /// The folder where none is named.
    pub const DEFAULT_PATH: &str = "everhold-vault";

    /// The folder it is in, unless it is in S3.
    pub fn folder(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(Self::DEFAULT_PATH))
    }

    /// Finds settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if self.max_object > self.max_bytes {
            return wrong(
                "`[vault] max_object` is more than `max_bytes`: no such content has room",
            );
        }
        let Some(s3) = &self.s3 else { return Ok(()) };
        if self.path.is_some() {
            return wrong("`[vault]` has a `path` and an `s3`: it is kept in one of them");
        }
        if s3.bucket.is_empty() {
            return wrong("`[vault] s3` names no bucket");
        }
        if s3.access_key_file.is_some() != s3.secret_key_file.is_some() {
            return wrong(
                "`[vault] s3` needs both `access_key_file` and `secret_key_file`, or none",
            );
        }
        s3.url().map(|_| ())
    }
}

impl S3Config {
    /// A bucket at Amazon's.
    pub(super) fn of(bucket: String) -> Self {
        Self {
            bucket,
            endpoint: None,
            region: region(),
            prefix: String::new(),
            access_key_file: None,
            secret_key_file: None,
        }
    }

    /// Where it is answered for.
    ///
    /// # Errors
    /// Where the endpoint can be none, or no region can be a part of a host's name.
    pub fn url(&self) -> Result<Url, ConfigError> {
        match &self.endpoint {
            // Requests are signed: such a password is of no use, and would be in errors.
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                Err(ConfigError::Invalid(
                    "`[vault] s3` has an endpoint with a user name or password: leave it out, and name \
                     `access_key_file` and `secret_key_file`"
                        .to_owned(),
                ))
            }
            Some(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(url.clone())
            }
            Some(_) => Err(ConfigError::Invalid(
                "`[vault] s3` has an endpoint that is neither http nor https".to_owned(),
            )),
            None => format!("https://s3.{}.amazonaws.com", self.region).parse().map_err(|_| {
                ConfigError::Invalid(format!(
                    "`[vault] s3` has a region that is none: {}",
                    self.region
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use std::path::Path;

    fn checked(text: &str) -> Result<Config, String> {
        let config = Config::parse(Path::new("x"), text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn a_vault_is_in_a_folder_or_in_a_bucket() {
        let config = checked("[vault]\nkeep = true\n").unwrap();
        assert_eq!(config.vault.folder(), Path::new("everhold-vault"));
        let s3 = "s3 = { bucket = \"b\", endpoint = \"http://localhost:9000\" }";
        let config = checked(&format!("[vault]\n{s3}\n")).unwrap();
        assert!(config.origins().any(|url| url.port() == Some(9000)));
        assert!(checked(&format!("[vault]\npath = \"x\"\n{s3}\n")).is_err());
        assert!(checked("[vault]\ns3 = { bucket = \"b\" }").is_ok());
    }

    #[test]
    fn what_can_not_work_is_refused() {
        for text in [
            "max_bytes = 10\nmax_object = 11",
            "s3 = { bucket = \"\" }",
            "s3 = { bucket = \"b\", access_key_file = \"k\" }",
            "s3 = { bucket = \"b\", endpoint = \"ftp://x\" }",
            "s3 = { bucket = \"b\", endpoint = \"https://me@x\" }",
            "s3 = { bucket = \"b\", endpoint = \"https://me:secret@x\" }",
            "s3 = { bucket = \"b\", region = \"a b/c\" }",
            "s3 = { bucket = \"b\", color = 1 }",
        ] {
            assert!(checked(&format!("[vault]\n{text}\n")).is_err(), "{text}");
        }
    }
}
