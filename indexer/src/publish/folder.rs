//! The folder a collection is published from: `1.json`, `2.json`, … and the media they name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::content::{MetadataError, ReferenceClass, local_references};

/// A metadata document as it lies in the folder.
#[derive(Clone, Debug)]
pub struct Document {
    /// The token it becomes.
    pub token_id: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Each local reference in it, and the file it means.
    pub files: BTreeMap<String, PathBuf>,
}

/// A folder, read and found complete.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its documents, by token, without gaps.
    pub documents: Vec<Document>,
}

/// What is wrong with a folder. Where several things are, the message names the first ones.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing to publish in it.
    #[error("{}: no metadata found; name it 1.json, 2.json, … here, in metadata/ or in json/", .0.display())]
    Empty(PathBuf),
    /// Metadata lies in two places.
    #[error("{} and {} both hold numbered .json files; keep them in one of the two", .0.display(), .1.display())]
    TwoPlaces(PathBuf, PathBuf),
    /// Two files for one token.
    #[error("{} and {} are both token {token}; keep one", a.display(), b.display())]
    SameToken {
        /// One file.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// The token.
        token: u64,
    },
    /// The numbers do not start where the collection does.
    #[error(
        "{}: the collection's first token is {first}, but the lowest file is {lowest}.json; \
         rename the files to start at {first}.json, or deploy with --first-id {lowest}",
        path.display()
    )]
    WrongStart {
        /// The folder.
        path: PathBuf,
        /// The collection's first token.
        first: u64,
        /// The lowest number in the folder.
        lowest: u64,
    },
    /// A number is missing.
    #[error("{}: {missing}.json is missing between {before}.json and {after}.json; tokens can't have gaps: add it or renumber", path.display())]
    Gap {
        /// The folder.
        path: PathBuf,
        /// The missing number.
        missing: u64,
        /// The file before.
        before: u64,
        /// The file after.
        after: u64,
    },
    /// A document can't be used.
    #[error("{}: {source}", path.display())]
    Metadata {
        /// Which.
        path: PathBuf,
        /// Why.
        source: MetadataError,
    },
    /// Files that documents name are not there.
    #[error("{}", missing_text(.0))]
    Missing(Vec<MissingFile>),
}

/// A file that a document names and that is not there.
#[derive(Debug)]
pub struct MissingFile {
    /// The document.
    pub document: PathBuf,
    /// Where in it, as a JSON pointer.
    pub pointer: String,
    /// What it says.
    pub value: String,
}

/// Missing files named in one message.
const NAMED: usize = 5;

fn missing_text(missing: &[MissingFile]) -> String {
    let one = |file: &MissingFile| {
        let at = file.pointer.trim_start_matches('/');
        format!("{}: {at} \"{}\" is not there", file.document.display(), file.value)
    };
    let named: Vec<_> = missing.iter().take(NAMED).map(one).collect();
    let more = missing.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!(
        "{}{more} (looked beside the JSON, in the folder, in images/ and assets/)",
        named.join("; ")
    )
}

impl Folder {
    /// Reads a folder whose first token must be `first`. Everything that would stop publishing
    /// later is found now: nothing has been uploaded or minted.
    pub fn read(dir: &Path, first: u64) -> Result<Self, FolderError> {
        let root = canonical(dir)?;
        let files = numbered(dir)?;
        check_numbers(dir, &files, first)?;
        let mut documents = Vec::new();
        let mut missing = Vec::new();
        for (token_id, path) in files {
            let bytes = std::fs::read(&path).map_err(unreadable(&path))?;
            let files = find_files(&root, &path, &bytes, &mut missing)?;
            documents.push(Document { token_id, path, bytes, files });
        }
        if !missing.is_empty() {
            return Err(FolderError::Missing(missing));
        }
        Ok(Self { documents })
    }
}

impl Document {
    /// Reads a single document; its files are looked for beside it.
    pub fn read(path: &Path, token_id: u64) -> Result<Self, FolderError> {
        let bytes = std::fs::read(path).map_err(unreadable(path))?;
        let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        // A document in metadata/ or json/ may name media in the folder above.
        let in_subfolder = ["metadata", "json"].iter().any(|name| beside.ends_with(name));
        let above = beside.parent().filter(|_| in_subfolder);
        let root = canonical(above.unwrap_or(beside))?;
        let mut missing = Vec::new();
        let files = find_files(&root, path, &bytes, &mut missing)?;
        if !missing.is_empty() {
            return Err(FolderError::Missing(missing));
        }
        Ok(Self { token_id, path: path.to_owned(), bytes, files })
    }
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Unreadable { path, source }
}

fn canonical(path: &Path) -> Result<PathBuf, FolderError> {
    path.canonicalize().map_err(unreadable(path))
}

/// The numbered documents of the one place that has any.
fn numbered(dir: &Path) -> Result<BTreeMap<u64, PathBuf>, FolderError> {
    let mut found: Option<(PathBuf, BTreeMap<u64, PathBuf>)> = None;
    for place in [dir.to_owned(), dir.join("metadata"), dir.join("json")] {
        if place != dir && !place.is_dir() {
            continue;
        }
        let files = numbered_in(&place)?;
        match (&found, files.is_empty()) {
            (Some((other, _)), false) => {
                return Err(FolderError::TwoPlaces(other.clone(), place));
            }
            (None, false) => found = Some((place, files)),
            _ => {}
        }
    }
    found.map(|(_, files)| files).ok_or_else(|| FolderError::Empty(dir.to_owned()))
}

fn numbered_in(place: &Path) -> Result<BTreeMap<u64, PathBuf>, FolderError> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(place).map_err(unreadable(place))? {
        let path = entry.map_err(unreadable(place))?.path();
        let json = path.extension().is_some_and(|extension| extension == "json");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let digits = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
        let Some(number) = (json && digits).then(|| stem.parse().ok()).flatten() else {
            continue;
        };
        if let Some(a) = files.insert(number, path.clone()) {
            return Err(FolderError::SameToken { a, b: path, token: number });
        }
    }
    Ok(files)
}

fn check_numbers(
    dir: &Path,
    files: &BTreeMap<u64, PathBuf>,
    first: u64,
) -> Result<(), FolderError> {
    let numbers: Vec<_> = files.keys().copied().collect();
    if let Some(&lowest) = numbers.first().filter(|lowest| **lowest != first) {
        return Err(FolderError::WrongStart { path: dir.to_owned(), first, lowest });
    }
    match numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        Some(pair) => Err(FolderError::Gap {
            path: dir.to_owned(),
            missing: pair[0] + 1,
            before: pair[0],
            after: pair[1],
        }),
        None => Ok(()),
    }
}

/// The file each local reference of a document means; what is not there goes to `missing`.
fn find_files(
    root: &Path,
    document: &Path,
    bytes: &[u8],
    missing: &mut Vec<MissingFile>,
) -> Result<BTreeMap<String, PathBuf>, FolderError> {
    let references = local_references(bytes)
        .map_err(|source| FolderError::Metadata { path: document.to_owned(), source })?;
    let mut files = BTreeMap::new();
    for (pointer, value) in references {
        debug_assert_eq!(crate::content::Reference::parse(&value).class, ReferenceClass::Relative);
        match find_file(root, document, &value) {
            Some(path) => {
                files.insert(value, path);
            }
            None => missing.push(MissingFile { document: document.to_owned(), pointer, value }),
        }
    }
    Ok(files)
}

/// A file inside `root`, whatever `value` says: links and `..` do not lead out of it.
fn find_file(root: &Path, document: &Path, value: &str) -> Option<PathBuf> {
    let beside = document.parent().unwrap_or(root).to_owned();
    let places = [beside, root.to_owned(), root.join("images"), root.join("assets")];
    let candidates = places.into_iter().map(|place| place.join(value));
    candidates
        .filter_map(|path| path.canonicalize().ok())
        .find(|path| path.starts_with(root) && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn error(files: &[(&str, &str)]) -> String {
        Folder::read(folder(files).path(), 1).unwrap_err().to_string()
    }

    #[test]
    fn finds_media_wherever_it_may_lie() {
        let json = |image: &str| format!(r#"{{"image":"{image}"}}"#);
        let dir = folder(&[
            ("metadata/1.json", &json("a.png")),
            ("metadata/2.json", &json("./b.png")),
            ("metadata/3.json", &json("images/c.png")),
            ("metadata/4.json", &json("ipfs://QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")),
            ("metadata/a.png", "a"),
            ("b.png", "b"),
            ("images/c.png", "c"),
        ]);
        let folder = Folder::read(dir.path(), 1).unwrap();
        let files: Vec<_> = folder.documents.iter().map(|d| d.files.len()).collect();
        assert_eq!(files, [1, 1, 1, 0]);
    }

    #[test]
    fn says_what_is_missing_and_where_it_looked() {
        let text = error(&[("1.json", r#"{"image":"gone.png"}"#)]);
        assert!(text.contains("1.json: image \"gone.png\" is not there"), "{text}");
        assert!(error(&[("readme.txt", "")]).contains("no metadata found"));
        assert!(error(&[("1.json", "{}"), ("3.json", "{}")]).contains("2.json is missing"));
        assert!(error(&[("0.json", "{}")]).contains("--first-id 0"));
        assert!(error(&[("1.json", "{}"), ("01.json", "{}")]).contains("both token 1"));
        assert!(error(&[("1.json", "{}"), ("json/2.json", "{}")]).contains("both hold"));
        let text = error(&[("1.json", "{}"), ("2.json", "not json")]);
        assert!(text.contains("2.json"), "{text}");
    }

    #[test]
    fn never_reads_outside_the_folder() {
        let outside = folder(&[("secret.png", "s")]);
        let inside = folder(&[("1.json", r#"{"image":"link.png"}"#)]);
        std::os::unix::fs::symlink(
            outside.path().join("secret.png"),
            inside.path().join("link.png"),
        )
        .unwrap();
        let error = Folder::read(inside.path(), 1).unwrap_err();
        assert!(matches!(error, FolderError::Missing(_)));
        let climbing =
            folder(&[("sub/1.json", r#"{"image":"../secret.png"}"#), ("secret.png", "s")]);
        let error = Folder::read(&climbing.path().join("sub"), 1).unwrap_err();
        assert!(matches!(error, FolderError::Missing(_)));
    }
}
