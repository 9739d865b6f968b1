//! Data that stands in a reference: `data:` URIs (RFC 2397, and as browsers read them:
//! <https://fetch.spec.whatwg.org/#data-urls>), raw SVG, raw JSON.

mod gzip;

use data_url::forgiving_base64::{DecodeError, Decoder};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::{Reference, ReferenceClass};

/// The longest part before the comma that is read.
const MAX_HEADER: usize = 1024;

/// Bytes that are translated at a time.
const PIECE: usize = 4096;

/// A `data:` URI whose data is not decoded yet.
///
/// ```
/// use everhold_content::DataUri;
///
/// let uri = DataUri::parse("data:,A%20brief%20note")?;
/// assert_eq!(uri.media_type, "text/plain");
/// assert_eq!(uri.decode(100)?, b"A brief note");
/// # Ok::<(), everhold_content::DataUriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataUri<'a> {
    /// Type and subtype in lower case; `text/plain` where none is said, or no sensible one.
    pub media_type: String,
    /// The parameters but `base64`: names in lower case, values without quotation marks, empty
    /// where there is none (`;utf8`).
    pub parameters: Vec<(String, String)>,
    /// Whether the data is base64, not percent-encoded.
    pub base64: bool,
    /// Everything after the comma.
    body: &'a str,
}

/// The data of a reference, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Its media type, as [`DataUri::media_type`].
    pub media_type: String,
    /// The bytes, unpacked.
    pub bytes: Vec<u8>,
    /// Their length before they were unpacked, where they came as gzip.
    pub packed: Option<usize>,
}

/// Why inline data can't be decoded. None of these is cured by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataUriError {
    /// It does not begin with `data:`.
    #[error("not a data: URI")]
    NotData,
    /// No comma between the media type and the data.
    #[error("a data: URI without a comma has no data")]
    NoComma,
    /// An endless media type.
    #[error("a data: URI with {size} bytes before its comma: at most {MAX_HEADER} are read")]
    LongHeader {
        /// Its length.
        size: usize,
    },
    /// Not base64, though it says so.
    #[error("a data: URI whose base64 is not: {reason}")]
    Base64 {
        /// What is wrong with it.
        reason: String,
    },
    /// More bytes than the limit.
    #[error("inline data of {size} bytes: at most {limit} are read")]
    TooLarge {
        /// Its length, decoded.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not gzip, though it says so, or cut short or spoiled.
    #[error("inline data that is gzip can't be unpacked: {reason}")]
    Gzip {
        /// What is wrong with it.
        reason: String,
    },
    /// More bytes than the limit, once unpacked: a bomb, maybe.
    #[error("inline data of {packed} bytes unpacks to more than {limit}")]
    UnpacksTooLarge {
        /// Its length before it is unpacked.
        packed: usize,
        /// The limit.
        limit: usize,
    },
}

impl DataUriError {
    /// Whether the data may be fine, but there is more of it than the limit.
    pub const fn is_limit(&self) -> bool {
        matches!(self, DataUriError::TooLarge { .. } | DataUriError::UnpacksTooLarge { .. })
    }
}

impl<'a> DataUri<'a> {
    /// Reads the part before the comma.
    ///
    /// # Errors
    /// [`DataUriError::NotData`], [`NoComma`](DataUriError::NoComma) or
    /// [`LongHeader`](DataUriError::LongHeader).
    pub fn parse(text: &'a str) -> Result<DataUri<'a>, DataUriError> {
        let text = text.trim_start();
        let scheme = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:"));
        let rest = &text[scheme.ok_or(DataUriError::NotData)?.len()..];
        let (header, body) = rest.split_once(',').ok_or(DataUriError::NoComma)?;
        if header.len() > MAX_HEADER {
            return Err(DataUriError::LongHeader { size: header.len() });
        }
        let mut parts = header.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut parameters: Vec<_> = parts.map(parameter).collect();
        // It counts only as the last one, as in browsers.
        let base64 = parameters.last().is_some_and(|(name, value)| {
            name == "base64" && value.is_empty() && !header.trim_end().ends_with('=')
        });
        if base64 {
            parameters.pop();
        }
        let media_type = match is_media_type(&media_type) {
            true => media_type,
            false => "text/plain".to_owned(),
        };
        Ok(DataUri { media_type, parameters, base64, body })
    }

    /// The data as it is written, gzip left packed.
    ///
    /// Base64 is read as browsers read it (padding or not, white space between), and in the
    /// URL-safe alphabet, too. Elsewhere a lone `%` stands for itself, and so does a `#`, which
    /// SVG in the wild is full of, though a browser stops there.
    ///
    /// # Errors
    /// [`DataUriError::TooLarge`], before anything is allocated; [`Base64`](DataUriError::Base64).
    pub fn decode(&self, limit: usize) -> Result<Vec<u8>, DataUriError> {
        let size = self.size();
        if size > limit {
            return Err(DataUriError::TooLarge { size, limit });
        }
        if !self.base64 {
            return Ok(percent_decode_str(self.body).collect());
        }
        let mut bytes = Vec::with_capacity(size);
        let write = |decoded: &[u8]| {
            bytes.extend_from_slice(decoded);
            Ok::<(), std::convert::Infallible>(())
        };
        let mut decoder = Decoder::new(write);
        let mut piece = Vec::with_capacity(PIECE);
        let mut symbols = self.symbols().peekable();
        while symbols.peek().is_some() {
            piece.clear();
            piece.extend(symbols.by_ref().take(PIECE));
            decoder.feed(&piece).map_err(not_base64)?;
        }
        decoder.finish().map_err(not_base64)?;
        Ok(bytes)
    }

    /// The data, unpacked where it is gzip that is meant to be: SVG that begins like gzip, or a
    /// media type or parameter that says so.
    ///
    /// # Errors
    /// [`DataUriError`]; the limit holds before and after unpacking.
    pub fn unpack(&self, limit: usize) -> Result<Data, DataUriError> {
        let bytes = self.decode(limit)?;
        let media_type = self.media_type.clone();
        let svg = media_type == "image/svg+xml" && gzip::begins(&bytes);
        if !svg && !gzip::is_said(&media_type, &self.parameters) {
            return Ok(Data { media_type, bytes, packed: None });
        }
        Ok(Data { media_type, packed: Some(bytes.len()), bytes: gzip::unpack(&bytes, limit)? })
    }

    /// What the data decodes to, in bytes; no less, where it is not well-formed.
    fn size(&self) -> usize {
        match self.base64 {
            true => {
                let count = self.symbols().filter(|byte| !b" \t\n\r\x0c=".contains(byte)).count();
                count / 4 * 3 + (count % 4 * 3) / 4
            }
            false => percent_decode_str(self.body).count(),
        }
    }

    /// The symbols of base64, in the standard alphabet.
    fn symbols(&self) -> impl Iterator<Item = u8> {
        let end = self.body.find('#').unwrap_or(self.body.len());
        percent_decode_str(&self.body[..end]).map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            _ => byte,
        })
    }
}

impl Reference {
    /// The data in an [`OnChain`](ReferenceClass::OnChain) reference; `None` for others.
    ///
    /// What is no `data:` URI is the data itself, as in `image_data`.
    pub fn data(&self, limit: usize) -> Option<Result<Data, DataUriError>> {
        if self.class != ReferenceClass::OnChain {
            return None;
        }
        Some(match DataUri::parse(&self.text) {
            Err(DataUriError::NotData) => verbatim(&self.text, limit),
            uri => uri.and_then(|uri| uri.unpack(limit)),
        })
    }
}

fn verbatim(text: &str, limit: usize) -> Result<Data, DataUriError> {
    let size = text.len();
    if size > limit {
        return Err(DataUriError::TooLarge { size, limit });
    }
    let media_type = match text.trim_start().as_bytes().first() {
        Some(b'<') => "image/svg+xml",
        Some(b'{') => "application/json",
        _ => "text/plain",
    };
    Ok(Data { media_type: media_type.to_owned(), bytes: text.into(), packed: None })
}

/// `name=value`, `name="value"` or `name`.
fn parameter(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned())
}

/// `type/subtype` of the characters that RFC 6838 allows in names, and some more that HTTP does.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        let rule = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty() && part.bytes().all(rule)
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

fn not_base64(error: DecodeError<std::convert::Infallible>) -> DataUriError {
    let DecodeError::InvalidBase64(reason) = error;
    DataUriError::Base64 { reason: reason.to_string() }
}
