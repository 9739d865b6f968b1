//! Spot checks of nodes that have all of a file, lost a part of it, or give something else.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use everhold::{
    content::{Cid, Codec, ContentId, Digest, HashFunction},
    nodes::{
        ContentNode, Gateway, Known, Kubo, OFFSETS, SpotFound, Spotted, aleph, draw_offsets,
        spot_check,
    },
};
use everhold_harness::Ipfs;
use rand::{SeedableRng, rngs::StdRng};
use url::Url;

use crate::{
    dag::File,
    support::{Asked, Server, fetcher},
};

/// Bytes of a leaf.
const LEAF: usize = 1000;

/// What a server does besides giving the blocks that it has.
#[derive(Clone, Default)]
struct Habits {
    lacks: HashSet<Cid>,
    /// Of these it has other bytes.
    wrong: HashSet<Cid>,
    /// These it gives, but not `only-if-cached`.
    others: HashSet<Cid>,
    /// It knows no such wish.
    heedless: bool,
    /// What it says to everything.
    says: Option<StatusCode>,
    /// It does not answer for what it does not know.
    busy: bool,
    /// For blocks it gives the file.
    files_only: bool,
}

/// A file of so many leaves, ten to a node, and what is known of it.
fn file(leaves: usize) -> (File, Known) {
    let file = File::of_leaves(leaves, LEAF, 10);
    let known =
        Known { size: Some(file.bytes.len() as u64), sha256: Some(Digest::of(&file.bytes)) };
    (file, known)
}

fn answer(file: &File, blocks: &HashMap<String, Vec<u8>>, it: &Habits, asked: &Asked) -> Response {
    if let Some(status) = it.says {
        return status.into_response();
    }
    let kubo = asked.path.contains("/block/get");
    let text = match kubo {
        true => asked.path.split("arg=").nth(1).unwrap().split('&').next().unwrap(),
        false => asked.path.strip_prefix("/ipfs/").unwrap().split('?').next().unwrap(),
    };
    let cid: Cid = text.parse().unwrap();
    let offline = kubo || asked.header("cache-control") == "only-if-cached";
    if it.busy && !blocks.contains_key(text) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let absent = !blocks.contains_key(text) || it.lacks.contains(&cid);
    if offline && !it.heedless && (absent || it.others.contains(&cid)) {
        let words = "{\"Message\":\"block was not found locally (offline)\"}";
        let status = StatusCode::PRECONDITION_FAILED;
        return if kubo {
            (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
        } else {
            status.into_response()
        };
    }
    if it.files_only {
        return ([(header::CONTENT_TYPE, "image/png")], file.bytes.clone()).into_response();
    }
    if absent {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut block = blocks[text].clone();
    if it.wrong.contains(&cid) {
        block[0] ^= 1;
    }
    block.into_response()
}

async fn serve(file: &File, habits: Habits) -> (Server, Gateway) {
    let file = file.clone();
    let blocks = file.blocks.iter().map(|(cid, block)| (cid.to_string(), block.clone()));
    let blocks: HashMap<_, _> = blocks.collect();
    let server = Server::start(move |asked| answer(&file, &blocks, &habits, asked)).await;
    let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
    (server, gateway)
}

/// Looks at these offsets of a copy that was seen to be the node's own, or not.
async fn look(
    node: &dyn ContentNode,
    (file, known): &(File, Known),
    held: bool,
    at: &[u64],
) -> Spotted {
    spot_check(node, &file.id, *known, held, at).await
}

/// The names of the leaves that hold these offsets.
fn leaves_at(file: &File, offsets: &[u64]) -> Vec<Cid> {
    let leaf = |offset: &u64| {
        let from = usize::try_from(*offset).unwrap() / LEAF * LEAF;
        let bytes = &file.bytes[from..file.bytes.len().min(from + LEAF)];
        Cid::of(Codec::Raw, HashFunction::Sha256, bytes).unwrap()
    };
    offsets.iter().map(leaf).collect()
}

fn is_doubt(spotted: &Spotted) -> bool {
    matches!(spotted.found, SpotFound::Doubt(_))
}

fn is_unfit(spotted: &Spotted) -> bool {
    matches!(spotted.found, SpotFound::Unfit(_))
}

#[tokio::test]
async fn a_check_costs_as_much_however_large_the_file() {
    let mut costs = Vec::new();
    for leaves in [100, 400, 1000] {
        let it = file(leaves);
        let (server, gateway) = serve(&it.0, Habits { heedless: true, ..Habits::default() }).await;
        let size = it.0.bytes.len() as u64;
        // Far apart: nothing but the root is shared.
        let at = [0, size / 2, size - 1];
        let spotted = look(&gateway, &it, false, &at).await;
        assert_eq!(spotted.found, SpotFound::Right);
        let asked = server.asked();
        assert_eq!(asked.len(), spotted.requests as usize, "no other requests");
        let names: HashSet<_> = asked.iter().map(|one| &one.path).collect();
        assert_eq!(names.len(), asked.len(), "each block once");
        let levels = it.0.levels;
        assert_eq!(asked.len(), 1 + OFFSETS * (levels - 1), "a block a level for each offset");
        assert!(spotted.bytes < 12 * LEAF as u64, "{}", spotted.bytes);
        costs.push(spotted.requests);
    }
    assert_eq!(costs[1], costs[2], "of a file of two and a half times the size");
    // What offsets share is fetched once.
    let it = file(100);
    let (server, gateway) = serve(&it.0, Habits::default()).await;
    assert_eq!(look(&gateway, &it, false, &[5, 7, 999]).await.found, SpotFound::Right);
    assert_eq!(server.asked().len(), it.0.levels);
}

/// One of five leaves lost: each offset finds it or does not, as it lies there or not.
#[tokio::test]
async fn a_lost_part_is_seen_where_an_offset_lies_in_it() {
    let it = file(200);
    let mut dice = StdRng::seed_from_u64(3);
    let size = it.0.bytes.len() as u64;
    let lost: Vec<u64> = (0..40).map(|leaf| leaf * 5 * LEAF as u64).collect();
    let lacks: HashSet<_> = leaves_at(&it.0, &lost).into_iter().collect();
    let (_server, gateway) =
        serve(&it.0, Habits { lacks: lacks.clone(), ..Habits::default() }).await;
    let mut seen = 0;
    for _ in 0..60 {
        let offsets = draw_offsets(size, &mut dice);
        let hit = leaves_at(&it.0, &offsets).iter().any(|leaf| lacks.contains(leaf));
        let spotted = look(&gateway, &it, false, &offsets).await;
        assert_eq!(is_doubt(&spotted), hit, "{offsets:?} {spotted:?}");
        seen += u32::from(hit);
    }
    // 1 − 0.8³ = 48.8 % of 60 are 29, with a standard deviation of 4.
    assert!((15..45).contains(&seen), "{seen}");
}

#[tokio::test]
async fn whoever_lacks_a_block_on_the_way_has_lost_what_is_below() {
    let it = file(200);
    let [root, inner] = [it.0.blocks[0].0, it.0.blocks[1].0];
    for lost in [root, inner] {
        let (_server, gateway) =
            serve(&it.0, Habits { lacks: [lost].into(), ..Habits::default() }).await;
        assert!(is_doubt(&look(&gateway, &it, false, &[0]).await));
    }
}

#[tokio::test]
async fn a_wrong_block_is_no_block() {
    let it = file(200);
    let leaf = leaves_at(&it.0, &[70_000])[0];
    for wrong in [leaf, it.0.blocks[0].0] {
        let habits = Habits { wrong: [wrong].into(), ..Habits::default() };
        let (_server, gateway) = serve(&it.0, habits).await;
        let spotted = look(&gateway, &it, false, &[1, 70_000]).await;
        assert!(is_doubt(&spotted), "{spotted:?}");
    }
    let habits = Habits { wrong: [leaf].into(), ..Habits::default() };
    let (_server, gateway) = serve(&it.0, habits).await;
    assert_eq!(look(&gateway, &it, false, &[1, 71_000]).await.found, SpotFound::Right, "beside it");
}

/// A copy of its own is one as long as each block comes when the node is not to look elsewhere.
#[tokio::test]
async fn a_copy_that_was_held_and_no_longer_is_has_changed() {
    let it = file(200);
    let (server, gateway) = serve(&it.0, Habits::default()).await;
    let spotted = look(&gateway, &it, true, &[1, 70_000]).await;
    assert_eq!(spotted.found, SpotFound::Right);
    let wishes = |asked: &Asked| asked.header("cache-control") == "only-if-cached";
    assert!(server.asked().iter().all(wishes), "canary and blocks");

    let others = leaves_at(&it.0, &[70_000]).into_iter().collect();
    let (server, gateway) = serve(&it.0, Habits { others, ..Habits::default() }).await;
    assert!(is_doubt(&look(&gateway, &it, true, &[1, 70_000]).await), "from its peers alone");
    assert!(server.asked().iter().all(wishes), "a full probe will ask without");
    assert_eq!(look(&gateway, &it, false, &[1, 70_000]).await.found, SpotFound::Right, "as ever");
    assert!(!server.asked().iter().any(wishes), "it was not held");

    let (_server, gateway) = serve(&it.0, Habits { heedless: true, ..Habits::default() }).await;
    assert!(is_doubt(&look(&gateway, &it, true, &[1]).await), "it does not heed the wish any more");
}

#[tokio::test]
async fn no_answer_says_nothing() {
    let it = file(200);
    for says in [429, 500, 503, 504, 403] {
        let says = Some(StatusCode::from_u16(says).unwrap());
        let (_server, gateway) = serve(&it.0, Habits { says, ..Habits::default() }).await;
        for held in [false, true] {
            let spotted = look(&gateway, &it, held, &[1]).await;
            assert!(matches!(spotted.found, SpotFound::Nothing(_)), "{says:?} {spotted:?}");
            assert!(!spotted.is_silence, "it was reached: {says:?}");
            let rest = (says == Some(StatusCode::TOO_MANY_REQUESTS)).then_some(30);
            assert_eq!(spotted.left_alone, rest.map(Duration::from_secs));
        }
    }
    let nobody: Url = "http://127.0.0.1:9".parse().unwrap();
    let gateway = Gateway::new(nobody.clone(), fetcher([nobody]));
    let spotted = look(&gateway, &it, false, &[1]).await;
    assert!(matches!(spotted.found, SpotFound::Nothing(_)) && spotted.is_silence, "{spotted:?}");
}

/// Right blocks that may be anybody's say nothing of a copy that was the node's own; a refusal does.
#[tokio::test]
async fn a_node_that_does_not_say_whether_they_are_its_own_has_shown_nothing() {
    let it = file(30);
    for (lost, is_doubted) in [(false, false), (true, true)] {
        let others = leaves_at(&it.0, &[0]).into_iter().filter(|_| lost).collect();
        let habits = Habits { others, busy: true, ..Habits::default() };
        let (_server, gateway) = serve(&it.0, habits).await;
        let spotted = look(&gateway, &it, true, &[0]).await;
        assert_eq!(is_doubt(&spotted), is_doubted, "{spotted:?}");
        assert_eq!(matches!(spotted.found, SpotFound::Nothing(_)), !is_doubted, "{spotted:?}");
    }
}

/// Nothing is held against those who give no blocks, nor against a file that has none to be looked at.
#[tokio::test]
async fn what_can_not_be_checked_so_is_left_to_full_probes() {
    for leaves in [200, 3000] {
        let it = file(leaves);
        let habits = Habits { files_only: true, ..Habits::default() };
        let (server, gateway) = serve(&it.0, habits).await;
        let spotted = look(&gateway, &it, false, &[1, 70_000]).await;
        assert!(is_unfit(&spotted), "{leaves} {spotted:?}");
        assert_eq!(server.asked().len(), 1);
    }
    let it = file(200);
    for says in [400, 406, 501] {
        let says = Some(StatusCode::from_u16(says).unwrap());
        let (_server, gateway) = serve(&it.0, Habits { says, ..Habits::default() }).await;
        assert!(is_unfit(&look(&gateway, &it, false, &[1]).await));
    }
    let (server, _) = serve(&it.0, Habits::default()).await;
    let client = aleph::Client::new(server.url.clone(), fetcher([server.url.clone()]));
    assert!(is_unfit(&look(&client, &it, false, &[1]).await));
    assert_eq!(server.asked().len(), 0);
    // A root whose sizes are not those of the file, and a chain without end: as their hashes say.
    let known = Known { size: Some(5), ..it.1 };
    let (_server, gateway) = serve(&it.0, Habits::default()).await;
    assert!(is_unfit(&look(&gateway, &(it.0.clone(), known), false, &[1]).await));
    let chain = File::of_leaves(1, LEAF, 10).below(40);
    let known = Known { size: Some(LEAF as u64), sha256: Some(Digest::of(&chain.bytes)) };
    let (server, gateway) = serve(&chain, Habits::default()).await;
    assert!(is_unfit(&look(&gateway, &(chain, known), false, &[1, 2, 3]).await));
    assert!(server.asked().len() <= 17, "as many as are allowed");
}

#[tokio::test]
async fn a_kubo_node_is_asked_for_blocks_of_its_own() {
    let it = file(200);
    let leaf = leaves_at(&it.0, &[70_000])[0];
    for (lacks, right) in [(HashSet::new(), true), ([leaf].into(), false)] {
        let (server, _) = serve(&it.0, Habits { lacks, ..Habits::default() }).await;
        let kubo = Kubo::new(server.url.clone(), fetcher([server.url.clone()]));
        let spotted = look(&kubo, &it, true, &[1, 70_000]).await;
        assert_eq!((spotted.found == SpotFound::Right, is_doubt(&spotted)), (right, !right));
        assert!(server.asked().iter().all(|asked| asked.path.contains("offline=true")));
    }
}

/// npm's daemon: its RPC gives blocks, its gateway files alone.
#[tokio::test]
async fn a_real_daemon_gives_the_blocks_of_a_file_cut_in_any_way() {
    let daemon = Ipfs::start().await.unwrap();
    let urls: [Url; 2] = [daemon.rpc().parse().unwrap(), daemon.gateway().parse().unwrap()];
    let fetcher = fetcher(urls.clone());
    let [rpc, gateway] = urls;
    let bytes: Vec<u8> =
        (0..1_500_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let known = Known { size: Some(bytes.len() as u64), sha256: Some(Digest::of(&bytes)) };
    let mut dice = StdRng::seed_from_u64(5);
    for options in ["", "cid-version=1&raw-leaves=true&trickle=true&chunker=size-5000"] {
        let cid = daemon.add(&[("file", &bytes)], options).await.unwrap();
        let id: ContentId = cid.parse().unwrap();
        let offsets = draw_offsets(bytes.len() as u64, &mut dice);
        let kubo = Kubo::new(rpc.clone(), fetcher.clone());
        let spotted = spot_check(&kubo, &id, known, false, &offsets).await;
        assert_eq!(spotted.found, SpotFound::Right, "{options}");
        assert!((2..=16).contains(&spotted.requests), "{options}: {}", spotted.requests);
        let gateway = Gateway::new(gateway.clone(), fetcher.clone());
        let spotted = spot_check(&gateway, &id, known, false, &offsets).await;
        assert!(is_unfit(&spotted), "{options}: {spotted:?}");
    }
}
