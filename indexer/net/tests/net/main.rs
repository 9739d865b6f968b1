//! The fetcher against servers that misbehave, through its public interface.

mod addresses;
mod encodings;
mod redirects;
mod secrets;
mod server;
mod sizes;
mod times;
mod turns;
