//! A collection to publish: metadata and pictures, drawn here, the same for the same seed.

mod drawing;
mod png;
mod random;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{Context, Result, sha256};
use drawing::Drawing;

/// What a collection is made of.
#[derive(Clone, Copy, Debug)]
pub struct SampleOptions {
    /// Other seeds, other pictures.
    pub seed: u64,
    /// How many tokens.
    pub tokens: u64,
    /// The token whose picture is larger than 1 MiB.
    pub large: Option<u64>,
    /// The first token's id.
    pub first_id: u64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { seed: 1, tokens: 8, large: Some(8), first_id: 1 }
    }
}

/// A folder as `everhold publish` takes it: `metadata/1.json`, …, `images/1.png`, …
#[derive(Clone, Debug)]
pub struct Sample {
    dir: PathBuf,
    options: SampleOptions,
    tokens: Vec<SampleToken>,
}

/// A token's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleToken {
    /// Its id.
    pub id: u64,
    /// What its metadata calls it.
    pub name: String,
    /// Its metadata.
    pub metadata: PathBuf,
    /// Its picture.
    pub image: PathBuf,
    /// Size of the picture in bytes.
    pub image_bytes: u64,
    /// SHA-256 of the picture, in hex.
    pub image_sha256: String,
}

/// Side of a picture in pixels, and that of a large one: 1.4 MB.
const SIDE: u32 = 160;
const LARGE_SIDE: u32 = 700;

impl Sample {
    /// Writes a collection into a folder.
    pub fn make(dir: &Path, options: SampleOptions) -> Result<Self> {
        let mut sample = Self { dir: dir.to_owned(), options, tokens: Vec::new() };
        for _ in 0..options.tokens {
            sample.add()?;
        }
        Ok(sample)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its tokens, by id.
    pub fn tokens(&self) -> &[SampleToken] {
        &self.tokens
    }

    /// One token.
    pub fn token(&self, id: u64) -> Option<&SampleToken> {
        self.tokens.iter().find(|token| token.id == id)
    }

    /// Bytes of all its files, as they lie in the folder.
    pub fn bytes(&self) -> u64 {
        let metadata = self.tokens.iter().map(|token| &token.metadata);
        let metadata = metadata.filter_map(|path| fs::metadata(path).ok());
        let images = self.tokens.iter().map(|token| token.image_bytes);
        images.sum::<u64>() + metadata.map(|file| file.len()).sum::<u64>()
    }

    /// Adds the next token.
    pub fn add(&mut self) -> Result<SampleToken> {
        let id = self.options.first_id + self.tokens.len() as u64;
        let token = self.write(id, 1, &self.dir.join("metadata"), &self.dir.join("images"))?;
        self.tokens.push(token.clone());
        Ok(token)
    }

    /// Other metadata and another picture for a token, in a folder of its own.
    pub fn revise(&self, id: u64, revision: u64) -> Result<SampleToken> {
        let dir = self.dir.join(format!("revision-{revision}"));
        self.write(id, revision, &dir, &dir)
    }

    fn write(
        &self,
        id: u64,
        revision: u64,
        metadata_dir: &Path,
        image_dir: &Path,
    ) -> Result<SampleToken> {
        let large = self.options.large == Some(id) && revision == 1;
        let side = if large { LARGE_SIDE } else { SIDE };
        let drawing = Drawing::new([self.options.seed, id, revision], side);
        let png = drawing.png();
        let name = drawing.name();
        let document = json!({
            "name": name,
            "description": "A harbour at night, drawn by Everhold's demo.",
            "image": format!("{id}.png"),
            "attributes": [
                {"trait_type": "lights", "value": drawing.lights()},
                {"trait_type": "revision", "value": revision},
            ],
        });
        let (metadata, image) =
            (metadata_dir.join(format!("{id}.json")), image_dir.join(format!("{id}.png")));
        write(&metadata, format!("{document:#}\n").as_bytes())?;
        write(&image, &png)?;
        Ok(SampleToken {
            id,
            name,
            metadata,
            image_bytes: png.len() as u64,
            image_sha256: sha256(&png),
            image,
        })
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).context(dir.display())?;
    }
    fs::write(path, bytes).context(path.display())
}
