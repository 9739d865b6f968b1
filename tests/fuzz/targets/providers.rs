//! Provider answers: read in pieces of any size they say the same, and few are kept of many.
#![no_main]

use everhold_content::{ProviderReader, Providers, Shape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, answer) = (usize::from(input.0) + 1, input.1);
    for shape in [Shape::Json, Shape::Lines, Shape::Kubo] {
        let found = read(shape, answer, answer.len().max(1));
        assert_eq!(found, read(shape, answer, piece));
        assert!(found.http.len() <= 32 && found.count <= 32_768);
        for provider in &found.http {
            assert!(provider.id.chars().count() <= 128 && provider.url.has_host());
            assert!(!provider.id.chars().any(char::is_control));
            assert!(matches!(provider.url.scheme(), "http" | "https"));
        }
    }
});

fn read(shape: Shape, answer: &[u8], piece: usize) -> Providers {
    let mut reader = ProviderReader::new(shape);
    answer.chunks(piece).for_each(|piece| reader.feed(piece));
    reader.finish()
}
