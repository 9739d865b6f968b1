//! `{id}` in references: <https://eips.ethereum.org/EIPS/eip-1155>, "metadata".

use std::borrow::Cow;

use crate::Digest;

/// What stands for the token's id, exactly so.
pub const ID_PLACE: &str = "{id}";

/// What clients put there, given the id as 32 bytes, most significant first: 64 lowercase
/// hexadecimal digits without `0x`.
pub fn id_hex(id: &[u8; 32]) -> String {
    Digest(*id).to_hex()
}

/// The text with the id in every place of it; `None` where it would be longer than `limit`
/// bytes, which is known before anything is written.
///
/// ```
/// use everhold_content::substitute_id;
///
/// let mut id = [0; 32];
/// (id[29], id[30], id[31]) = (0x04, 0xcc, 0xe0); // 314592, the standard's own example
/// let uri = substitute_id("https://token-cdn-domain/{id}.json", &id, 1000);
/// let hex = "000000000000000000000000000000000000000000000000000000000004cce0";
/// assert_eq!(uri.as_deref(), Some(format!("https://token-cdn-domain/{hex}.json").as_str()));
/// ```
pub fn substitute_id<'a>(text: &'a str, id: &[u8; 32], limit: usize) -> Option<Cow<'a, str>> {
    let places = text.matches(ID_PLACE).count();
    let length = text.len().saturating_add(places.saturating_mul(64 - ID_PLACE.len()));
    match places {
        _ if length > limit => None,
        0 => Some(Cow::Borrowed(text)),
        _ => Some(Cow::Owned(text.replace(ID_PLACE, &id_hex(id)))),
    }
}
