//! Paths that lead nowhere: who is told, and when that is over.

use std::sync::{Arc, Mutex};

use alloy::primitives::{Address, U256};
use everhold::{
    content::{Codec, ContentId, Digest},
    health::Health,
    report::{IncidentStatus, Status},
};

use crate::{
    anvil::Anvil,
    foreign::{CID, deploy, moveCall, status},
    http::{Reply, Server},
    setting::Setting,
    support::database::{Database, on_both_engines},
};

on_both_engines!(tells_once_of_a_path_that_leads_nowhere);

/// A folder in which `1.json` is [`CID`]: a dag-pb block.
fn folder() -> (ContentId, Vec<u8>) {
    let field =
        |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let content: ContentId = CID.parse().unwrap();
    let cid = [&[1, 0x55, 0x12, 32][..], &content.digest.0].concat();
    let link = [field(0x0a, &cid), field(0x12, b"1.json"), vec![0x18, 5]].concat();
    let block = [field(0x12, &link), field(0x0a, &[8, 1])].concat();
    (ContentId { codec: Codec::DagPb, digest: Digest::of(&block) }, block)
}

fn paths(status: &Status) -> Vec<&IncidentStatus> {
    status.open_incidents().filter(|incident| incident.kind == "path").collect()
}

async fn tells_once_of_a_path_that_leads_nowhere(db: Database) {
    let anvil = Anvil::start().await;
    let (id, block) = folder();
    let has: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let given = has.clone();
    let gateway = Server::start(move |_| {
        let block = given.lock().unwrap().clone();
        async move {
            Some(match block {
                Some(block) => Reply::new(200, block),
                None => Reply::new(404, "not found"),
            })
        }
    });
    let gateway = gateway.await;
    let contract = deploy(&anvil, "Foreign721").await;
    let cid = id.cid();
    contract.mint(1, format!("ipfs://{cid}/1.json").as_bytes()).await;
    contract.mint(2, format!("https://ipfs.io/ipfs/{cid}/1.json").as_bytes()).await;
    contract.mint(3, format!("ipfs://{cid}/3.json").as_bytes()).await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.grace_secs = 0;
    setting.gateways = vec![gateway.url.clone()];
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let all = status(&watch).await;
    assert_eq!(all.collections[0].health[&Health::Lost], 3);
    let open = paths(&all);
    assert_eq!(open.len(), 2, "{open:?}");
    let first = open.iter().find(|one| one.path == Some(format!("ipfs://{cid}/1.json"))).unwrap();
    assert_eq!((first.health, first.content.as_ref()), (Health::Lost, None));
    let id = first.id.clone();
    watch.once(false).await.unwrap();
    assert!(paths(&status(&watch).await).iter().any(|one| one.id == id), "it is the same one");
    // The folder comes: one file is in it, the other is not.
    *has.lock().unwrap() = Some(block);
    watch.once(false).await.unwrap();
    let all = status(&watch).await;
    let open = paths(&all);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].path, Some(format!("ipfs://{cid}/3.json")));
    let over = all.incidents.iter().find(|one| one.id == id).unwrap();
    assert!(over.close_reason.as_ref().is_some_and(|why| why.contains("found")), "{over:?}");
    // The token that names the other one is burned; a reorg brings it back, and then ends it again.
    contract.does(moveCall { id: U256::from(3), to: Address::ZERO }).await;
    watch.once(false).await.unwrap();
    assert!(paths(&status(&watch).await).is_empty());
    anvil.reorg(1).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert_eq!(paths(&status(&watch).await).len(), 1);
    watch.ledger().close().await;
}
