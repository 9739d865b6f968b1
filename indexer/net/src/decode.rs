//! Encoded bodies (`Content-Encoding`, RFC 9110, section 8.4), decoded as they come in bounded
//! memory. None is ever asked for; some servers encode all the same.

use std::{io, pin::Pin, sync::Arc};

use async_compression::{
    tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use crate::{
    error::{EncodingFault, FetchError},
    text::{root_cause, shown},
    wire::{Meter, Wire},
};

/// The largest window that a zstd stream may ask for: 2^23 bytes, as RFC 9659 has it for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes that are handed over at once.
const CHUNK: usize = 64 * 1024;

/// An encoding that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// The encoding of an answer; `None` where it has none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, EncodingFault> {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let all = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>();
        let all = all.join(",").to_ascii_lowercase();
        let named = all.split(',').map(str::trim);
        let named: Vec<_> = named.filter(|name| !matches!(*name, "" | "identity")).collect();
        match named[..] {
            [] => Ok(None),
            ["gzip" | "x-gzip"] => Ok(Some(Self::Gzip)),
            ["deflate"] => Ok(Some(Self::Deflate)),
            ["br"] => Ok(Some(Self::Brotli)),
            ["zstd"] => Ok(Some(Self::Zstd)),
            [other] => Err(EncodingFault::Unknown(short(other))),
            _ => Err(EncodingFault::Stacked(short(&all))),
        }
    }
}

fn short(text: &str) -> String {
    shown(text.as_bytes()).chars().take(60).collect()
}

type Reader = StreamReader<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Bytes>;

/// A decoder that can be asked for what it has left over.
trait Decoder: AsyncRead + Send + Unpin {
    fn rest(&mut self) -> &mut Reader;
}

macro_rules! decoders {
    ($($decoder:ident),*) => {
        $(impl Decoder for $decoder<Reader> {
            fn rest(&mut self) -> &mut Reader {
                self.get_mut()
            }
        })*
    };
}

decoders!(GzipDecoder, ZlibDecoder, DeflateDecoder, BrotliDecoder, ZstdDecoder);

/// A body that is decoded while it comes.
pub(crate) struct Decoded {
    host: String,
    encoding: Encoding,
    meter: Arc<Meter>,
    state: State,
}

enum State {
    Fresh(Option<Box<Wire>>),
    Running(Box<dyn Decoder>),
}

impl Decoded {
    pub(crate) fn new(host: String, encoding: Encoding, meter: Arc<Meter>, wire: Wire) -> Self {
        Self { host, encoding, meter, state: State::Fresh(Some(Box::new(wire))) }
    }

    /// The next bytes; `None` at the end of a whole body that was decoded to its own end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        if let State::Fresh(wire) = &mut self.state {
            let Some(wire) = wire.take() else { return Ok(None) };
            let decoder = self.begin(*wire).await?;
            self.state = State::Running(decoder);
        }
        let State::Running(decoder) = &mut self.state else { return Ok(None) };
        // With two bytes more than the limit it is known to be too much; no more need be made.
        let room = self.meter.limit().saturating_sub(self.meter.received()).saturating_add(2);
        let room = usize::try_from(room).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = BytesMut::with_capacity(room);
        let read = (&mut *decoder).take(room as u64).read_buf(&mut chunk).await;
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.failed(error)),
        };
        if bytes == 0 {
            // The end of what the decoder takes must be the end of the body.
            return match decoder.rest().fill_buf().await {
                Ok([]) => Ok(None),
                Ok(_) => Err(self.corrupt(false, "something comes after its end".to_owned())),
                Err(error) => Err(self.failed(error)),
            };
        }
        if self.meter.decoded(bytes) {
            let (host, limit) = (self.host.clone(), self.meter.limit());
            return Err(FetchError::TooLarge { host, limit, announced: None });
        }
        Ok(Some(chunk.freeze()))
    }

    async fn begin(&mut self, mut wire: Wire) -> Result<Box<dyn Decoder>, FetchError> {
        let mut first = BytesMut::new();
        // Two bytes tell what it is.
        while first.len() < 2 {
            match wire.next().await? {
                Some(chunk) => first.extend_from_slice(&chunk),
                None => break,
            }
        }
        let first = first.freeze();
        let start = [first.first(), first.get(1)].map(|byte| byte.copied().unwrap_or_default());
        let rest = stream::try_unfold(wire, |mut wire| async move {
            Ok::<_, FetchError>(wire.next().await?.map(|chunk| (chunk, wire)))
        });
        let all = stream::iter([Ok(first)]).chain(rest.map_err(io::Error::other));
        let reader = StreamReader::new(all.boxed());
        Ok(match self.encoding {
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                // RFC 1952, section 2.2: a file may consist of several members.
                decoder.multiple_members(true);
                Box::new(decoder)
            }
            // By its definition it is zlib's; many send it bare.
            Encoding::Deflate if is_zlib(start) => Box::new(ZlibDecoder::new(reader)),
            Encoding::Deflate => Box::new(DeflateDecoder::new(reader)),
            Encoding::Brotli if is_large_window(start) => {
                return Err(self.corrupt(false, "its window is too large".to_owned()));
            }
            Encoding::Brotli => Box::new(BrotliDecoder::new(reader)),
            Encoding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                let mut decoder = ZstdDecoder::with_params(reader, &[window]);
                // RFC 8878, section 3: frames may follow each other.
                decoder.multiple_members(true);
                Box::new(decoder)
            }
        })
    }

    /// An error of the wire, which came through the decoder, or the decoder's own.
    fn failed(&self, error: io::Error) -> FetchError {
        let cut = error.kind() == io::ErrorKind::UnexpectedEof;
        error.downcast::<FetchError>().unwrap_or_else(|error| self.corrupt(cut, root_cause(&error)))
    }

    fn corrupt(&self, cut: bool, reason: String) -> FetchError {
        let fault = EncodingFault::Corrupt { encoding: self.encoding.name(), cut, reason };
        FetchError::Encoding { host: self.host.clone(), fault }
    }
}

/// zlib's header (RFC 1950, section 2.2): method 8, and both bytes a multiple of 31.
fn is_zlib([method, flags]: [u8; 2]) -> bool {
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// The header of "large window brotli", with windows of up to 1 GiB: RFC 7932 (section 9.1) does
/// not have it, and the decoder takes it without being asked.
fn is_large_window([first, _]: [u8; 2]) -> bool {
    first & 0x7f == 0x11
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<Encoding>, EncodingFault> {
        let values = values.iter().map(|value| (CONTENT_ENCODING, value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value): (_, reqwest::header::HeaderValue)| {
            headers.append(name, value);
        });
        Encoding::of(&headers)
    }

    #[test]
    fn knows_encodings_by_name() {
        for none in [&[][..], &[""], &["identity"], &["identity, identity"]] {
            assert_eq!(of(none), Ok(None));
        }
        for (values, encoding) in [
            (["gzip"], Encoding::Gzip),
            (["X-GZip"], Encoding::Gzip),
            ([" br , identity"], Encoding::Brotli),
            (["zstd"], Encoding::Zstd),
            (["deflate"], Encoding::Deflate),
        ] {
            assert_eq!(of(&values), Ok(Some(encoding)));
        }
        for stacked in [&["gzip, gzip"][..], &["gzip", "br"], &["deflate,identity,deflate"]] {
            assert!(matches!(of(stacked), Err(EncodingFault::Stacked(_))), "{stacked:?}");
        }
        for unknown in ["compress", "aws-chunked", "dcb"] {
            assert_eq!(of(&[unknown]), Err(EncodingFault::Unknown(unknown.to_owned())));
        }
    }
}
