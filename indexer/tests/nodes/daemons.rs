//! Two of npm's real IPFS daemons, connected to each other.

use everhold::{
    content::{Codec, ContentId, id_of},
    health::ReplicaState,
    nodes::{ContentNode, Gateway, Known, Kubo, Routing, Seen, probe},
};
use everhold_harness::Ipfs;
use serde_json::Value;
use url::Url;

use crate::support::fetcher;

struct Daemon {
    ipfs: Ipfs,
    kubo: Kubo,
    gateway: Gateway,
}

impl Daemon {
    async fn start() -> Self {
        let ipfs = Ipfs::start_in_dht().await.unwrap();
        let urls: [Url; 2] = [ipfs.rpc().parse().unwrap(), ipfs.gateway().parse().unwrap()];
        let fetcher = fetcher(urls.clone());
        let [rpc, gateway] = urls;
        let kubo = Kubo::new(rpc, fetcher.clone());
        Self { ipfs, kubo, gateway: Gateway::new(gateway, fetcher) }
    }

    async fn json(&self, method: &str) -> Value {
        serde_json::from_slice(&self.ipfs.call(method).await.unwrap()).unwrap()
    }

    /// Whether the block is in its own repository.
    async fn has(&self, cid: &str) -> bool {
        let local = self.ipfs.call("refs/local").await.unwrap();
        let cid: ContentId = cid.parse().unwrap();
        let digest = |line: &str| line.parse::<everhold::content::Cid>().unwrap().digest().to_vec();
        String::from_utf8(local).unwrap().lines().any(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            digest(line["Ref"].as_str().unwrap()) == cid.digest.0
        })
    }
}

async fn ask(node: &dyn ContentNode, id: &ContentId) -> Seen {
    probe(node, id, Known::default(), None).await
}

/// What a pin list, and a good answer, hide: the node that lost it has it from the other.
#[tokio::test]
async fn a_file_collected_on_one_daemon_is_verified_but_not_held_there() {
    let (keeper, loser) = tokio::join!(Daemon::start(), Daemon::start());
    let cid = keeper.ipfs.add(&[("file", b"kept by one of two")], "").await.unwrap();
    let id: ContentId = cid.parse().unwrap();
    let address = keeper.json("id").await["Addresses"][0].as_str().unwrap().to_owned();
    loser.ipfs.call(&format!("swarm/connect?arg={address}")).await.unwrap();
    loser.ipfs.call(&format!("pin/add?arg={cid}")).await.unwrap();
    assert!(loser.has(&cid).await);

    loser.ipfs.call(&format!("pin/rm?arg={cid}")).await.unwrap();
    loser.ipfs.call("repo/gc").await.unwrap();
    assert!(!loser.has(&cid).await, "it is collected");

    keeper.ipfs.call(&format!("dht/provide?arg={cid}")).await.unwrap();
    let found = loser.kubo.providers(&id).await.unwrap();
    // The loser announced it, too, while it had it, and may find that: a record outlives the block.
    assert!((1..=2).contains(&found.count), "{found:?}");
    assert!(found.http.is_empty() && !found.more, "{found:?}");
    let rpc: Url = loser.ipfs.rpc().parse().unwrap();
    let routing = Routing::of_kubo(&rpc, fetcher([rpc.clone()]));
    let seen = ask(&routing, &id).await;
    assert_eq!((seen.state, seen.named.len()), (ReplicaState::Claimed, 0), "{seen:?}");
    let nobodys = id_of(Codec::Raw, b"nobody announces this");
    assert_eq!(loser.kubo.providers(&nobodys).await.unwrap().count, 0);
    assert_eq!(ask(&routing, &nobodys).await.state, ReplicaState::Missing);

    for node in [&loser.kubo as &dyn ContentNode, &loser.gateway] {
        let seen = ask(node, &id).await;
        assert_eq!((seen.state, seen.held), (ReplicaState::Verified, None), "{seen:?}");
        assert!(loser.has(&cid).await, "it was fetched to answer, whatever was wished");
        loser.ipfs.call("repo/gc").await.unwrap();
    }
    // Nor is it said of the one that has it: this software heeds no wish to look nowhere else.
    for node in [&keeper.kubo as &dyn ContentNode, &keeper.gateway] {
        let seen = ask(node, &id).await;
        assert_eq!((seen.state, seen.held), (ReplicaState::Verified, None), "{seen:?}");
    }
}
