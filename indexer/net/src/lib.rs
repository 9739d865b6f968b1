//! The one way out to the network. Whoever answers is taken for hostile: every request is bounded
//! in time, size, memory and number, and leads nowhere but to public addresses and to the origins
//! that the configuration names.
//!
//! ```no_run
//! # async fn example() -> Result<(), everhold_net::FetchError> {
//! use everhold_net::{Fetcher, Limits, Url};
//!
//! let node = Url::parse("http://localhost:4024").unwrap();
//! let fetcher = Fetcher::new(Limits::default(), [node.clone()])?;
//! // A node that is configured may be on a private address; it is not followed anywhere.
//! let mut body = fetcher.get(node.join("/api/v0/version").unwrap()).open().await?;
//! while let Some(chunk) = body.chunk().await? {
//!     println!("{} bytes", chunk.len());
//! }
//! // A URL out of a token's metadata may not be, whatever is configured, and may redirect.
//! let image = Url::parse("https://example.com/1.png").unwrap();
//! let bytes = fetcher.get(image).open_web().limit(1 << 20).open().await?.collect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What is bounded, and how, is said at [`Limits`]; where a request may go at [`Request::open_web`]
//! and [`is_public`]; what went wrong at [`FetchError`].

mod address;
mod body;
mod client;
mod connect;
mod decode;
mod error;
mod fetcher;
mod hosts;
mod limits;
mod origin;
mod redirect;
mod request;
mod resolve;
mod retry;
mod send;
mod socket;
mod text;
mod trust;
mod wire;
mod witness;

pub use address::is_public;
pub use body::Body;
pub use error::{EncodingFault, FetchError, RedirectFault, Refusal};
pub use fetcher::{Builder, Fetcher};
pub use limits::Limits;
pub use request::Request;
pub use reqwest::{
    Body as RequestBody, Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
    multipart,
};
pub use resolve::{Resolver, SystemResolver};
pub use retry::{MAX_RETRY_AFTER, Retry};
pub use socket::{Socket, Taken};
pub use text::{root_cause, shown};
pub use url::Url;
pub use witness::witnessed;
