//! What collections say of themselves (ERC-7572), ours and others'.

use alloy::primitives::B256;
use everhold::{content::ContentId, health::Health, report::ContractUri, watch::Watch};

use crate::{
    anvil::Anvil,
    foreign::{CID, deploy, report, setContractURICall},
    setting::{Setting, status},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(reads_what_ours_say_of_themselves, reads_what_others_say_of_themselves);

async fn own(watch: &Watch) -> Option<ContractUri> {
    status(watch).await.collections.swap_remove(0).contract_uri
}

async fn reads_what_ours_say_of_themselves(db: Database) {
    let anvil = Anvil::start().await;
    let ours = anvil.collection().await;
    let mut setting = Setting::of(&[ours.address]).await;
    setting.grace_secs = 0;
    setting.confirmations = 3;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    assert!(own(&watch).await.is_none() && status(&watch).await.all_healthy());
    ours.set_contract_content(B256::repeat_byte(1)).await;
    watch.once(false).await.unwrap();
    let first = own(&watch).await.unwrap();
    assert_eq!((first.health, first.contents.len()), (Health::Lost, 1), "no node has it");
    let id: ContentId = first.contents[0].id.parse().unwrap();
    assert_eq!((id.digest.0, first.uri), ([1; 32], Some(id.uri())));
    assert!(!status(&watch).await.all_healthy(), "an exit status tells of it");
    let open = status(&watch).await.incidents;
    assert_eq!((open.len(), open[0].content.clone()), (1, Some(id.to_string())));
    // A reorg takes the second one back, and what it named with it.
    ours.set_contract_content(B256::repeat_byte(2)).await;
    watch.once(false).await.unwrap();
    assert_eq!(Snapshot::of(watch.ledger()).await.wanted.len(), 2, "the first until that is final");
    anvil.reorg(1).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert_eq!(own(&watch).await.unwrap().contents[0].id, id.to_string());
    assert_eq!(Snapshot::of(watch.ledger()).await.wanted.len(), 1);
    ours.set_contract_content(B256::ZERO).await;
    watch.once(false).await.unwrap();
    assert!(own(&watch).await.is_none());
    anvil.mine(5).await;
    watch.once(false).await.unwrap();
    assert!(Snapshot::of(watch.ledger()).await.wanted.is_empty());
    let all = status(&watch).await;
    assert_eq!(all.open_incidents().count(), 0);
    watch.ledger().close().await;
}

async fn reads_what_others_say_of_themselves(db: Database) {
    let anvil = Anvil::start().await;
    let contract = deploy(&anvil, "Foreign721").await;
    contract.mint(1, b"data:,{\"name\":\"whole\"}").await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.grace_secs = 0;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    assert!(own(&watch).await.is_none(), "its contractURI reverts");
    assert!(status(&watch).await.all_healthy());
    let inline = format!("data:application/json,{{\"image\":\"ipfs://{CID}\"}}");
    let set = |uri: &str, tells| setContractURICall { uri: uri.as_bytes().to_vec().into(), tells };
    contract.does(set(&inline, false)).await;
    watch.once(false).await.unwrap();
    assert!(own(&watch).await.is_none(), "it told nobody");
    contract.does(set(&inline, true)).await;
    watch.once(false).await.unwrap();
    let said = own(&watch).await.unwrap();
    assert_eq!((said.contents[0].role.as_str(), said.contents[0].cid.as_str()), ("image", CID));
    assert_eq!((said.health, said.uri_class.as_deref()), (Health::Lost, Some("on-chain")));
    let counts = serde_json::to_value(&said.contents[0]).unwrap();
    for count in ["verified", "independent", "held"] {
        assert_eq!(counts[count], 0, "{count}: {counts}");
    }
    let token = report(&watch, contract.address, 1).await;
    assert_eq!(token.health, Health::Healthy, "the token does not hang on it");
    assert_eq!(token.contract_uri.unwrap().uri, said.uri);
    contract.does(set("https://example.com/contract.json", true)).await;
    watch.once(false).await.unwrap();
    let said = own(&watch).await.unwrap();
    assert_eq!(said.health, Health::Unverifiable);
    assert!(said.unverifiable[0].contains("class http"), "{:?}", said.unverifiable);
    assert!(status(&watch).await.all_healthy(), "nobody can do anything about it");
    // One that told nobody is found when all are read again.
    drop(watch);
    contract.does(set(&inline, false)).await;
    setting.recheck_secs = 0;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    assert_eq!(own(&watch).await.unwrap().uri_class.as_deref(), Some("on-chain"));
    watch.ledger().close().await;
}
