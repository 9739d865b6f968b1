use alloy::primitives::Address;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn person(number: u8) -> Address {
    Address::repeat_byte(number)
}

fn authorities() -> Authorities {
    Authorities {
        owners: vec![person(1), person(2)],
        creators: vec![person(2), person(3)],
        repairers: vec![person(4)],
    }
}

#[test]
fn a_sender_is_what_is_nearest() {
    let all = authorities();
    let of = |number: u8, grants: &[Address]| all.relation(&person(number).to_string(), grants);
    assert_eq!(of(1, &[]), Relation::Owner);
    assert_eq!(of(2, &[]), Relation::Owner, "who is both is the owner");
    assert_eq!(of(3, &[]), Relation::Creator);
    assert_eq!(of(4, &[person(1)]), Relation::Repairer);
    assert_eq!(of(5, &[person(9), person(3)]), Relation::Authorised);
    assert_eq!(of(5, &[person(9)]), Relation::Stranger, "by somebody who has no say");
    assert_eq!(of(5, &[]), Relation::Stranger);
    assert_eq!(all.all(), [1, 2, 3, 4].map(person));
}

#[test]
fn however_an_address_is_spelled_it_is_the_same() {
    let all = Authorities { owners: vec![person(0xab)], ..Authorities::default() };
    for text in [person(0xab).to_checksum(None), format!("0x{}", "ab".repeat(20))] {
        assert_eq!(all.relation(&text, &[]), Relation::Owner, "{text}");
    }
    for text in ["", "0xab", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"] {
        assert_eq!(all.relation(text, &[person(0xab)]), Relation::Stranger, "{text}");
    }
}

fn covered(entry: serde_json::Value) -> bool {
    let security = json!({ "authorizations": [entry] });
    let all = authorizations(&security);
    all.iter().any(|one| one.covers_store("0xAb", "ETH", Some("ART")))
}

#[test]
fn what_an_authorisation_leaves_out_covers_any() {
    assert!(covered(json!({"address": "0xaB"})));
    assert!(covered(json!({"address": "0xab", "chain": "", "channels": [], "types": []})));
    assert!(covered(json!({"address": "0xab", "chain": null, "post_types": ["x"]})));
    assert!(covered(json!({"address": "0xab", "chain": "ETH", "channels": ["B", "ART"],
        "types": ["POST", "STORE"]})));
}

#[test]
fn what_an_authorisation_names_is_all_it_covers() {
    for entry in [
        json!({"address": "0xac"}),
        json!({"address": "0xab", "chain": "SOL"}),
        json!({"address": "0xab", "chain": 7}),
        json!({"address": "0xab", "channels": ["B"]}),
        json!({"address": "0xab", "types": ["POST"]}),
        json!({"address": "0xab", "types": "STORE"}),
        json!({"address": "0xab", "types": [["STORE"]]}),
        json!({"address": "0xab", "channels": null}),
        json!({"address": ["0xab"]}),
        json!({}),
        json!("0xab"),
    ] {
        assert!(!covered(entry.clone()), "{entry}");
    }
    let named = authorizations(&json!({"authorizations": [{"address": "a", "channels": ["ART"]}]}));
    assert!(!named[0].covers_store("a", "ETH", None), "a message without a channel");
    for security in [json!(null), json!({"authorizations": {"address": "0xab"}}), json!([])] {
        assert_eq!(authorizations(&security), []);
    }
}

#[test]
fn one_node_of_two_authorises_nobody() {
    assert!(agreed(1, 1) && agreed(2, 2) && agreed(2, 3));
    assert!(!agreed(0, 0) && !agreed(1, 2) && !agreed(1, 3));
}

#[test]
fn a_content_ends_where_nothing_else_keeps_it() {
    use StoreStatus::{Forgotten, Pending, Processed, Rejected, Removed, Removing};
    for status in [Removing, Removed, Forgotten] {
        assert!(is_ending(&[Rejected, status], 0), "{status}");
        assert!(!is_ending(&[status, Processed], 1), "{status}");
    }
    for status in [Pending, Processed, Rejected] {
        assert!(!is_ending(&[status], 0), "{status}");
    }
    assert!(!is_ending(&[], 0), "nothing ever kept it there");
}

fn standing() -> impl Strategy<Value = Standing> {
    let relation = proptest::option::of(prop_oneof![
        Just(Relation::Owner),
        Just(Relation::Creator),
        Just(Relation::Repairer),
        Just(Relation::Authorised),
        Just(Relation::Stranger),
    ]);
    (relation, 0_usize..4, 0_usize..4, proptest::option::of(0_i64..9)).prop_map(
        |(relation, live_on, known_on, time)| Standing { relation, live_on, known_on, time },
    )
}

proptest! {
    /// However many a hostile node adds that it alone lists, none that is proved and listed by two
    /// gives way to them.
    #[test]
    fn what_one_node_makes_up_displaces_nothing(honest in standing(), time in 0_i64..9) {
        prop_assume!(honest.relation.is_some() && honest.live_on >= 2);
        let made_up = Standing {
            relation: Some(Relation::Stranger), live_on: 1, known_on: 1, time: Some(time),
        };
        prop_assert!(honest.rank() < made_up.rank());
    }

    #[test]
    fn what_is_not_proved_comes_last(proved in standing(), other in standing()) {
        prop_assume!(proved.relation.is_some() && other.relation.is_none());
        prop_assert!(proved.rank() < other.rank());
    }

    /// Any spelling of a status is read back, and nothing else is one.
    #[test]
    fn statuses_are_words(text in "[a-z]{0,12}") {
        match text.parse::<StoreStatus>() {
            Ok(status) => prop_assert_eq!(status.as_str(), text),
            Err(error) => prop_assert!(error.contains("no status")),
        }
    }
}
