//! What things are called in the vault: the content's CID, in folders by its last two characters.

use object_store::path::Path;

use super::Form;
use crate::content::ContentId;

/// What is behind the CID of a content that is kept as its blocks.
const CAR: &str = ".car";

/// The folder of what was found to be wrong.
const ASIDE: &str = "aside";

/// By which a vault is known to be one, and to be there.
pub(super) const MARKER: &str = "everhold-vault";

/// Whether a folder of this name is the vault's own.
pub(super) fn is_own_folder(name: &str) -> bool {
    name == ASIDE || (name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The name of a content that is kept in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: ContentId,
    pub(super) form: Form,
}

impl Name {
    pub(super) fn of(id: &ContentId, form: Form) -> Self {
        Self { id: *id, form }
    }

    fn file(&self) -> String {
        let cid = self.id.cid();
        match self.form {
            Form::File => cid,
            Form::Car => cid + CAR,
        }
    }

    /// Where it is. A folder for each would be too many, and one for all too large.
    pub(super) fn path(&self) -> Path {
        let cid = self.id.cid();
        Path::from_iter([&cid[cid.len() - 2..], &self.file()])
    }

    /// Where it is once it is found to be wrong.
    pub(super) fn aside(&self) -> Path {
        Path::from_iter([ASIDE, &self.file()])
    }

    /// Reads the first of them; `None` of anything else that may lie there.
    pub(super) fn read(path: &Path) -> Option<Self> {
        Self::of_file(path).filter(|name| name.path() == *path)
    }

    /// Reads the other of them.
    pub(super) fn read_aside(path: &Path) -> Option<Self> {
        Self::of_file(path).filter(|name| name.aside() == *path)
    }

    /// Where all are that were found to be wrong.
    pub(super) fn folder_aside() -> Path {
        Path::from(ASIDE)
    }

    /// Whether it is called as one of either.
    pub(super) fn is_own(path: &Path) -> bool {
        Self::read(path).is_some() || Self::read_aside(path).is_some()
    }

    fn of_file(path: &Path) -> Option<Self> {
        let file = path.filename()?;
        let (cid, form) = match file.strip_suffix(CAR) {
            Some(cid) => (cid, Form::Car),
            None => (file, Form::File),
        };
        Some(Self { id: ContentId::from_cid_text(cid).ok()?, form })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Codec, id_of};

    #[test]
    fn what_is_called_by_a_name_is_read_back() {
        for codec in [Codec::Raw, Codec::DagPb] {
            for form in Form::ALL {
                let name = Name::of(&id_of(codec, b"x"), *form);
                assert_eq!(Name::read(&name.path()), Some(name));
                assert_eq!(Name::read(&name.aside()), None);
                assert_eq!(Name::read_aside(&name.aside()), Some(name));
                assert_eq!(Name::read_aside(&name.path()), None);
            }
        }
        let other = Path::from("ab/README.md");
        assert_eq!(Name::read(&other), None);
    }
}
