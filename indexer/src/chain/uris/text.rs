//! The text in a contract's answer, which may be anything.

/// What an answer that should be a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A text.
    Utf8(String),
    /// Bytes of this number where a text should be; the first wrong one stands at `offset`.
    NotUtf8 {
        /// How many bytes.
        size: usize,
        /// Where the first wrong byte stands, from 0.
        offset: usize,
    },
    /// A text of so many bytes, which are more than are read.
    TooLong {
        /// How many bytes.
        size: usize,
    },
    /// No encoded text at all (Solidity ABI, `string`): so many bytes of something.
    NoText {
        /// How many bytes.
        size: usize,
    },
}

/// The longest URI that is read, in bytes: `data:` URIs with a metadata document of the largest size
/// in base64, and some.
pub const MAX_URI: usize = 2 << 20;

/// Reads an answer that should be a text. The bytes behind it are not looked at: some contracts leave
/// some there, or leave out the padding.
pub fn text_of(answer: &[u8]) -> Text {
    let none = Text::NoText { size: answer.len() };
    let Some(start) = number(answer, 0) else { return none };
    let Some(size) = number(answer, start) else { return none };
    let begin = start.saturating_add(32);
    let Some(bytes) = answer.get(begin..begin.saturating_add(size)) else { return none };
    if size > MAX_URI {
        return Text::TooLong { size };
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::Utf8(text.to_owned()),
        Err(error) => Text::NotUtf8 { size, offset: error.valid_up_to() },
    }
}

/// The word at `at`, where it is a number that can be a length here.
fn number(answer: &[u8], at: usize) -> Option<usize> {
    let word = answer.get(at..at.checked_add(32)?)?;
    let (high, low) = word.split_at(24);
    let low = u64::from_be_bytes(low.try_into().ok()?);
    let fits = high.iter().all(|byte| *byte == 0);
    usize::try_from(low).ok().filter(|number| fits && *number <= answer.len())
}

#[cfg(test)]
mod tests {
    use alloy_sol_types::SolValue;

    use super::*;

    #[test]
    fn reads_what_contracts_answer() {
        for text in ["", "ipfs://x", "ünïcode", &"x".repeat(100)] {
            assert_eq!(text_of(&text.to_owned().abi_encode()), Text::Utf8(text.to_owned()));
        }
        // Without padding, as some old compilers left it.
        let mut short = "ipfs://x".to_owned().abi_encode();
        short.truncate(72);
        assert_eq!(text_of(&short), Text::Utf8("ipfs://x".to_owned()));
        let bytes = alloy::primitives::Bytes::from_static(b"ab\xff").abi_encode();
        assert_eq!(text_of(&bytes), Text::NotUtf8 { size: 3, offset: 2 });
        let long = "x".repeat(MAX_URI + 1).abi_encode();
        assert_eq!(text_of(&long), Text::TooLong { size: MAX_URI + 1 });
    }

    #[test]
    fn survives_what_is_no_text() {
        let mut lying = "ipfs://x".to_owned().abi_encode();
        lying[63] = 200;
        let mut far = "ipfs://x".to_owned().abi_encode();
        far[..32].fill(0xff);
        let mut backwards = "ipfs://x".to_owned().abi_encode();
        backwards[31] = 0;
        for answer in [vec![], vec![0; 31], vec![0xff; 32], vec![0xff; 96], lying, far] {
            assert_eq!(text_of(&answer), Text::NoText { size: answer.len() });
        }
        // A length that points to itself is one, though no compiler makes it.
        assert_eq!(text_of(&backwards), Text::Utf8(String::new()));
    }
}
