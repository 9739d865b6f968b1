//! What a folder becomes: contents with their names, known before anything is sent.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use super::{Document, Folder, FolderError};
use crate::{
    content::{Codec, ContentId, id_of, id_of_reader, rewrite_references},
    nodes::aleph::Payload,
};

/// A content to be stored.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub id: ContentId,
    /// Its bytes.
    pub payload: Payload,
    /// The file it comes from, for messages.
    pub path: PathBuf,
}

/// Everything to be stored, each content once, and each token's metadata.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Contents, media before the metadata that refers to it.
    pub items: Vec<Item>,
    /// Each token's metadata.
    pub tokens: BTreeMap<u64, ContentId>,
    names: HashSet<ContentId>,
    /// What each token needs: its metadata and what that refers to.
    needs: BTreeMap<u64, Vec<ContentId>>,
}

/// Media above this length goes to the ipfs engine whatever the collection's codec is: the
/// storage engine takes no more.
const STORAGE_LIMIT: u64 = 100 << 20;
const READ: usize = 256 * 1024;

impl Plan {
    /// The lengths of all contents.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.payload.len()).sum()
    }

    /// Leaves out what only these tokens need: it is not to be stored, and paid for, any more.
    pub fn forget(&mut self, tokens: &[u64]) {
        let stay = self.needs.iter().filter(|(token, _)| !tokens.contains(token));
        let needed: HashSet<_> = stay.flat_map(|(_, needs)| needs).collect();
        self.items.retain(|item| needed.contains(&item.id));
    }

    fn add(&mut self, item: Item) {
        if self.names.insert(item.id) {
            self.items.push(item);
        }
    }
}

/// Hashes everything in a folder. Files are read once, in chunks.
pub fn plan_folder(folder: &Folder, codec: Codec) -> Result<Plan, FolderError> {
    let mut plan = Plan::default();
    let mut hashed = HashMap::new();
    let mut documents = Vec::new();
    for document in &folder.documents {
        let item = plan_one(document, codec, &mut hashed, &mut plan)?;
        plan.tokens.insert(document.token_id, item.id);
        documents.push(item);
    }
    documents.into_iter().for_each(|item| plan.add(item));
    Ok(plan)
}

/// Hashes one document and the files it names.
pub fn plan_document(document: &Document, codec: Codec) -> Result<Plan, FolderError> {
    let folder = Folder { documents: vec![document.clone()] };
    plan_folder(&folder, codec)
}

fn plan_one(
    document: &Document,
    codec: Codec,
    hashed: &mut HashMap<PathBuf, ContentId>,
    plan: &mut Plan,
) -> Result<Item, FolderError> {
    for path in document.files.values() {
        if !hashed.contains_key(path) {
            let item = hash_file(path, codec)?;
            hashed.insert(path.clone(), item.id);
            plan.add(item);
        }
    }
    let uri = |value: &str| {
        let path = document.files.get(value)?;
        hashed.get(path).map(ContentId::uri)
    };
    let bytes = rewrite_references(&document.bytes, &uri)
        .map_err(|source| FolderError::Metadata { path: document.path.clone(), source })?;
    let id = id_of(codec, &bytes);
    let media = document.files.values().filter_map(|path| hashed.get(path).copied());
    plan.needs.insert(document.token_id, media.chain([id]).collect());
    Ok(Item { id, payload: Payload::Memory(bytes.into()), path: document.path.clone() })
}

fn hash_file(path: &Path, codec: Codec) -> Result<Item, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let codec = if length > STORAGE_LIMIT { Codec::DagPb } else { codec };
    let reader = std::io::BufReader::with_capacity(READ, file);
    let (id, bytes) = id_of_reader(codec, reader).map_err(unreadable)?;
    let payload = Payload::File { path: path.to_owned(), bytes };
    Ok(Item { id, payload, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_only_burned_tokens_need() {
        let dir = tempfile::tempdir().unwrap();
        for (token, image) in [(1, "shared"), (2, "own"), (3, "shared")] {
            let document = format!(r#"{{"name":"{token}","image":"{image}.png"}}"#);
            std::fs::write(dir.path().join(format!("{token}.json")), document).unwrap();
            std::fs::write(dir.path().join(format!("{image}.png")), image).unwrap();
        }
        let folder = Folder::read(dir.path(), 1).unwrap();
        let mut plan = plan_folder(&folder, Codec::Raw).unwrap();
        assert_eq!((plan.items.len(), plan.tokens.len()), (5, 3));
        plan.forget(&[1, 2]);
        let left: Vec<_> = plan.items.iter().map(|item| item.id).collect();
        assert_eq!(left, [id_of(Codec::Raw, b"shared"), plan.tokens[&3]]);
        plan.forget(&[]);
        assert_eq!(plan.items.len(), 2, "what is forgotten stays so");
    }
}
