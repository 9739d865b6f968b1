//! Texts of ids, digests and codecs.

use cid::multibase::{self, Base};
use proptest::prelude::*;

use crate::{Codec, ContentId, ContentIdError, Digest};

fn any_id() -> impl Strategy<Value = ContentId> {
    (any::<bool>(), any::<[u8; 32]>()).prop_map(|(raw, digest)| {
        ContentId::new(if raw { Codec::Raw } else { Codec::DagPb }, Digest(digest))
    })
}

/// A binary CIDv1 in base32.
fn text_of(bytes: &[&[u8]]) -> String {
    multibase::encode(Base::Base32Lower, bytes.concat())
}

#[test]
fn spellings_of_the_empty_file() {
    let digest = Digest::of(b"");
    let id = ContentId::new(Codec::Raw, digest);
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    assert_eq!((id.to_string(), id.aleph_hash()), (hex.into(), hex.into()));
    assert_eq!((id.cid(), id.uri()), (cid.into(), format!("ipfs://{cid}")));
    assert_eq!(digest.to_string(), format!("0x{hex}"));
    assert_eq!(hex.to_uppercase().parse(), Ok(id));
    assert_eq!(ContentId::from_cid_text(hex), Err(ContentIdError::NotAContentAddress));
}

#[test]
fn what_cannot_be_checked_is_named() {
    let digest = [7; 32];
    let parse = |bytes: &[&[u8]]| text_of(bytes).parse::<ContentId>();
    let cbor = parse(&[&[1, 0x71, 0x12, 32], &digest]);
    assert_eq!(cbor, Err(ContentIdError::UnsupportedCodec { code: 0x71 }));
    let blake2b = parse(&[&[1, 0x55, 0xa0, 0xe4, 0x02, 32], &digest]);
    assert_eq!(blake2b, Err(ContentIdError::UnsupportedHash { code: 0xb220, size: 32 }));
    let identity = parse(&[&[1, 0x55, 0, 32], &digest]);
    assert_eq!(identity, Err(ContentIdError::UnsupportedHash { code: 0, size: 32 }));
    let truncated = parse(&[&[1, 0x70, 0x12, 20], &digest[..20]]);
    assert_eq!(truncated, Err(ContentIdError::UnsupportedHash { code: 0x12, size: 20 }));
}

#[test]
fn what_is_no_content_address() {
    let digest = [7; 32];
    let lines = [
        String::new(),
        "Qm".into(),
        "b".into(),
        "f0".into(),
        "é".repeat(23),
        "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g0".into(),
        "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47".into(),
        "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e ".into(),
        format!("0x{}", "ab".repeat(32)),
        "z".repeat(100_000),
        // Bytes after the digest, too few of them, a CIDv0 in multibase, an overlong varint.
        text_of(&[&[1, 0x55, 0x12, 32], &digest, &[0]]),
        text_of(&[&[1, 0x55, 0x12, 32], &digest[..31]]),
        text_of(&[&[0x12, 32], &digest]),
        text_of(&[&[1, 0xd5, 0x00, 0x12, 32], &digest]),
    ];
    for line in lines {
        assert_eq!(line.parse::<ContentId>(), Err(ContentIdError::NotAContentAddress), "{line:?}");
    }
}

#[test]
fn codecs_and_digests_as_text() {
    for (codec, text, number) in [(Codec::DagPb, "dag-pb", 0x70), (Codec::Raw, "raw", 0x55)] {
        assert_eq!((codec.to_string().as_str(), text.parse()), (text, Ok(codec)));
        assert_eq!(Codec::from_multicodec(number), Some(codec));
        assert_eq!(codec.multicodec(), number);
        assert_eq!(serde_json::to_string(&codec).unwrap(), format!("{text:?}"));
    }
    assert!("Raw".parse::<Codec>().is_err());
    assert_eq!(Codec::from_multicodec(0x71), None);
    for text in ["", "0x", "0x0x", "zz", &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
    assert_eq!(Digest::from_slice(&[0; 31]), None);
}

proptest! {
    #[test]
    fn every_spelling_comes_back(id in any_id()) {
        let (_, bytes) = multibase::decode(id.cid()).unwrap();
        let mut texts = vec![id.to_string(), id.cid(), id.aleph_hash()];
        for base in [Base::Base32Lower, Base::Base32Upper, Base::Base36Lower, Base::Base58Btc,
                     Base::Base16Lower, Base::Base64Url] {
            texts.push(multibase::encode(base, &bytes));
        }
        for text in texts {
            prop_assert_eq!(text.parse::<ContentId>(), Ok(id), "{}", text);
        }
        let json = serde_json::to_string(&(id, id.digest)).unwrap();
        prop_assert_eq!(&json, &format!("[\"{}\",\"{}\"]", id, id.digest));
        let back: (ContentId, Digest) = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back, (id, id.digest));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}|[bzkfQ][a-zA-Z0-9]{0,80}|Qm[a-zA-Z0-9]{44}") {
        if let Ok(id) = text.parse::<ContentId>() {
            prop_assert_eq!(id.to_string().parse::<ContentId>(), Ok(id));
        }
    }
}
