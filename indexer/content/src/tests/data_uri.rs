//! `data:` URIs, plain and packed, well-formed and hostile.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use crate::{Data, DataUri, DataUriError, Reference};

const LIMIT: usize = 1 << 16;

fn data(text: &str) -> Result<Data, DataUriError> {
    Reference::parse(text).data(LIMIT).expect("on-chain")
}

/// Media type and bytes as text.
fn decoded(text: &str) -> (String, String) {
    let data = data(text).unwrap();
    (data.media_type, String::from_utf8(data.bytes).unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    cid::multibase::Base::Base64Pad.encode(bytes)
}

/// RFC 2397, section 4, and what browsers' tests have.
#[test]
fn the_standard_s_examples() {
    let gif = "data:image/gif;base64,R0lGODdhMAAwAPAAAAAAAP///ywAAAAAMAAw";
    let found = data(gif).unwrap();
    assert_eq!((found.media_type.as_str(), &found.bytes[..6]), ("image/gif", &b"GIF87a"[..]));
    for (text, media_type, expected) in [
        ("data:,A%20brief%20note", "text/plain", "A brief note"),
        ("data:text/plain;charset=iso-8859-7,%be%d3%be", "text/plain", ""),
        ("data:application/x-y;a=b;c=\"d\",", "application/x-y", ""),
        ("data:;base64,SGVsbG8=", "text/plain", "Hello"),
        ("DATA:Text/HTML;Base64,SGVsbG8", "text/html", "Hello"),
        ("data:;base64,SGVs%62G8%3D", "text/plain", "Hello"),
        ("data:;base64, SGV\tsbG\r\n8 = ", "text/plain", "Hello"),
        ("data:;base64;x,SGVsbG8=", "text/plain", "SGVsbG8="),
        ("data:x;base64,SGVsbG8=#fragment", "text/plain", "Hello"),
        ("data:\u{e9}/x,y", "text/plain", "y"),
        ("data:,100%,%zz%", "text/plain", "100%,%zz%"),
    ] {
        if expected.is_empty() && !text.ends_with(',') {
            assert_eq!(data(text).unwrap().bytes, [0xbe, 0xd3, 0xbe]);
        } else {
            assert_eq!(decoded(text), (media_type.to_owned(), expected.to_owned()), "{text}");
        }
    }
    let uri = DataUri::parse("data:a/b;Charset=\"utf-8\";utf8,x").unwrap();
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(uri.parameters, [named("charset", "utf-8"), named("utf8", "")]);
}

#[test]
fn as_seen_in_the_wild() {
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0,0' fill='#fff'/></svg>";
    for head in ["data:image/svg+xml;utf8,", "data:image/svg+xml,", "data:image/svg+xml;charset=x,"]
    {
        assert_eq!(decoded(&format!("{head}{svg}")), ("image/svg+xml".into(), svg.into()));
    }
    assert_eq!(data(svg).unwrap().media_type, "image/svg+xml");
    let json = r##"{"name":"#1, the first"}"##;
    let json_type = "application/json".to_owned();
    assert_eq!(decoded(&format!("data:application/json,{json}")), (json_type.clone(), json.into()));
    assert_eq!(decoded(json), (json_type, json.into()));
    // The URL-safe alphabet, with padding and without.
    for text in ["data:;base64,-_-_", "data:;base64,+/+/"] {
        assert_eq!(data(text).unwrap().bytes, [0xfb, 0xff, 0xbf]);
    }
    for text in ["data:;base64,_w==", "data:;base64,_w", "data:;base64,/w"] {
        assert_eq!(data(text).unwrap().bytes, [0xff]);
    }
    assert_eq!(Reference::inline("plain").data(9).unwrap().unwrap().media_type, "text/plain");
    assert_eq!(Reference::parse("ipfs://x").data(9), None);
}

#[test]
fn every_error_has_its_name() {
    assert_eq!(DataUri::parse("http://x"), Err(DataUriError::NotData));
    assert_eq!(data("data:text/plain"), Err(DataUriError::NoComma));
    let long = format!("data:{},", "x".repeat(1 << 20));
    assert_eq!(data(&long), Err(DataUriError::LongHeader { size: 1 << 20 }));
    for text in ["SGVsbG8==", "S", "SG=V", "SGVs!", "SG==SG==", "\u{e9}", "====", "SG\u{b}Vs"] {
        let error = data(&format!("data:;base64,{text}")).unwrap_err();
        assert!(matches!(error, DataUriError::Base64 { .. }), "{text}: {error}");
    }
    let packed = gzip(b"<svg/>");
    for spoiled in [&packed[..packed.len() - 1], &packed[..12], &[&packed[..], b"x"].concat()] {
        let error = data(&format!("data:image/svg+xml;base64,{}", base64(spoiled))).unwrap_err();
        assert!(matches!(error, DataUriError::Gzip { .. }), "{error}");
    }
    let mut wrong_sum = packed;
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let error = data(&format!("data:image/svg+xml;base64,{}", base64(&wrong_sum))).unwrap_err();
    assert!(matches!(error, DataUriError::Gzip { .. }), "{error}");
    assert!(matches!(data("data:text/html;gzip,x"), Err(DataUriError::Gzip { .. })));
}

#[test]
fn gzip_is_unpacked_where_it_is_meant() {
    let packed = gzip(b"<svg/>");
    let text = base64(&packed);
    for head in [
        "image/svg+xml",
        "text/javascript+gzip",
        "text/html;gzip",
        "text/html;charset=utf-8;encoding=gzip",
    ] {
        let found = data(&format!("data:{head};base64,{text}")).unwrap();
        assert_eq!((found.bytes.as_slice(), found.packed), (&b"<svg/>"[..], Some(packed.len())));
    }
    for head in ["application/gzip", "image/png", "text/html;gzip=no"] {
        let found = data(&format!("data:{head};base64,{text}")).unwrap();
        assert_eq!((&found.bytes, found.packed), (&packed, None), "{head}");
    }
    let percent: String = packed.iter().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(data(&format!("data:image/svg+xml,{percent}")).unwrap().bytes, b"<svg/>");
}

#[test]
fn bombs_stop_at_the_limit() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < LIMIT, "{}", bomb.len());
    let uri = |packed: &[u8]| format!("data:image/svg+xml;base64,{}", base64(packed));
    let packed = bomb.len();
    assert_eq!(data(&uri(&bomb)), Err(DataUriError::UnpacksTooLarge { packed, limit: LIMIT }));
    // Many small members instead of a large one.
    let members = gzip(&[b' '; 1000]).repeat(70);
    assert!(matches!(data(&uri(&members)), Err(DataUriError::UnpacksTooLarge { .. })));
    let just = gzip(&[b' '; LIMIT]);
    assert_eq!(data(&uri(&just)).unwrap().bytes.len(), LIMIT);
    let over = gzip(&[b' '; LIMIT + 1]);
    assert!(matches!(data(&uri(&over)), Err(DataUriError::UnpacksTooLarge { .. })));
}

#[test]
fn huge_ones_are_refused_by_their_length() {
    let size = 12 << 20;
    let error = Err(DataUriError::TooLarge { size, limit: LIMIT });
    assert_eq!(data(&format!("data:,{}", "x".repeat(size))), error);
    assert_eq!(data(&format!("data:;base64,{}", "A".repeat(size / 3 * 4))), error);
    assert_eq!(data(&format!("<svg{}", "x".repeat(size - 4))), error);
    assert_eq!(data(&format!("data:,{}", "%20".repeat(LIMIT))).unwrap().bytes.len(), LIMIT);
    assert!(data(&format!("data:,{}", "%20".repeat(LIMIT + 1))).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        use cid::multibase::Base;
        for base in [Base::Base64, Base::Base64Pad, Base::Base64Url, Base::Base64UrlPad] {
            let text = format!("data:a/b;base64,{}", base.encode(&bytes));
            let uri = DataUri::parse(&text).unwrap();
            prop_assert_eq!(uri.decode(bytes.len()).unwrap(), bytes.clone());
            if let Some(less) = bytes.len().checked_sub(1) {
                let error = DataUriError::TooLarge { size: bytes.len(), limit: less };
                prop_assert_eq!(uri.decode(less), Err(error));
            }
        }
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        prop_assert_eq!(data(&format!("data:a/b,{percent}")).unwrap().bytes, bytes.clone());
        let packed = format!("data:a/b;gzip;base64,{}", base64(&gzip(&bytes)));
        prop_assert_eq!(data(&packed).unwrap().bytes, bytes);
    }

    #[test]
    fn any_text_is_decoded_or_refused(
        text in "data:[a-z/+;=\"]{0,12}(;base64|;gzip)?,?(\\PC|[A-Za-z0-9+/=_-]|%[0-9a-f]?|#| ){0,40}",
        limit in 0_usize..40,
    ) {
        if let Some(Ok(found)) = Reference::parse(&text).data(limit) {
            prop_assert!(found.bytes.len() <= limit);
        }
    }

    /// Like a browser, where there is no `#` and no white space but spaces.
    #[test]
    fn as_the_url_standard_reads_it(text in "data:(a/b)?(;base64)?,([A-Za-z0-9+/=]|%[0-9a-f]{2}|%| ){0,24}x") {
        let expected = data_url::DataUrl::process(&text).unwrap().decode_to_vec().ok();
        let found = DataUri::parse(&text).unwrap().decode(LIMIT).ok();
        // Percent-encoded - and _ are base64 here.
        if !text.contains("%2d") && !text.contains("%5f") {
            prop_assert_eq!(found, expected.map(|(bytes, _)| bytes));
        }
    }
}
