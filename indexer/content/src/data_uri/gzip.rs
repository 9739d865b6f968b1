//! Gzip in `data:` URIs, as collections that keep their images on-chain use it.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::DataUriError;

/// Bytes that are unpacked at a time.
const PIECE: usize = 16 << 10;

/// Whether bytes begin as gzip does (RFC 1952, section 2.3.1).
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Whether a media type or a parameter says that the data is packed: `text/javascript+gzip`,
/// `;gzip`, `;encoding=gzip`.
pub(super) fn is_said(media_type: &str, parameters: &[(String, String)]) -> bool {
    let gzip = |text: &str| ["gzip", "gz", "x-gzip"].iter().any(|n| text.eq_ignore_ascii_case(n));
    let said = |(name, value): &(String, String)| match name.as_str() {
        "encoding" | "content-encoding" | "enc" | "compression" => gzip(value),
        name => value.is_empty() && gzip(name),
    };
    media_type.ends_with("+gzip") || parameters.iter().any(said)
}

/// Unpacks gzip; stops at the limit.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, DataUriError> {
    let mut decoder = MultiGzDecoder::new(packed);
    let mut bytes = Vec::new();
    let mut piece = [0; PIECE];
    loop {
        let read = decoder
            .read(&mut piece)
            .map_err(|error| DataUriError::Gzip { reason: error.to_string() })?;
        match &piece[..read] {
            [] => return Ok(bytes),
            more if more.len() > limit - bytes.len() => {
                return Err(DataUriError::UnpacksTooLarge { packed: packed.len(), limit });
            }
            more => bytes.extend_from_slice(more),
        }
    }
}
