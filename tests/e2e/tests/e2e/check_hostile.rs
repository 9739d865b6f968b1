//! `everhold check` of what nobody makes by accident: it is never proved, and it ends.

use std::{convert::Infallible, fs};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::IntoResponse,
};
use everhold_e2e::{
    Everhold, Result, Setup, World,
    blocks::{Block, car},
    content::raw_uri,
    ended::Ended,
    node, report,
    report::text,
    sha256,
    web::Web,
};
use serde_json::{Value, json};

/// A piece of a body.
type Piece = std::result::Result<Bytes, Infallible>;

/// Checks a DAG at a gateway that gives its blocks one by one, at one that gives them in an archive,
/// and in that archive on disk; each must say the same.
async fn is(root: &Block, blocks: &[&Block], verdict: &str) -> Result<()> {
    let everhold = Everhold::new()?;
    let archive = car(root, blocks);
    let reference = format!("ipfs://{}", root.cid);
    let status = if verdict == "proved" { 0 } else { 3 };
    let one_by_one = Web::of_blocks(blocks, None).await?;
    let in_archive = Web::of_blocks(&[], Some(archive.clone())).await?;
    fs::write(everhold.dir().join("archive.car"), archive).unwrap();
    for place in
        [["--gateway", one_by_one.url()], ["--gateway", in_archive.url()], ["--car", "archive.car"]]
    {
        let run = everhold.run(["check", &reference].iter().chain(&place)).await?;
        let checked = run.gives(status)?;
        assert_eq!(text(&checked["verdict"]), verdict, "{place:?} {checked}");
    }
    assert!(one_by_one.asked() < 20, "blocks that come again are asked for once");
    Ok(())
}

#[tokio::test]
async fn dags_with_wrong_sizes_are_corrupt() -> Result<()> {
    let leaf = Block::raw(b"12345");
    for size in [4, 6, 0, u64::MAX] {
        let root = Block::file(&[(&leaf, size), (&leaf, 5)]);
        is(&root, &[&root, &leaf], "corrupt").await?;
    }
    let right = Block::file(&[(&leaf, 5), (&leaf, 5)]);
    is(&right, &[&right, &leaf], "proved").await
}

#[tokio::test]
async fn dags_that_unfold_without_end_end() -> Result<()> {
    // A leaf of one byte, and six levels of a thousand links to what is below.
    let mut all = vec![Block::raw(b"x")];
    let mut size = 1_u64;
    for _ in 0..6 {
        let below = all.last().unwrap().clone();
        all.push(Block::file(&vec![(&below, size); 1000]));
        size *= 1000;
    }
    all.reverse();
    is(&all[0], &all.iter().collect::<Vec<_>>(), "too-large").await?;
    // The same without a byte, which no size can limit.
    let mut all = vec![Block::raw(b"")];
    for _ in 0..4 {
        let below = all.last().unwrap().clone();
        all.push(Block::file(&vec![(&below, 0); 1000]));
    }
    all.reverse();
    is(&all[0], &all.iter().collect::<Vec<_>>(), "too-large").await
}

#[tokio::test]
async fn dags_with_a_block_missing_or_of_another_codec_are_not_proved() -> Result<()> {
    let (one, two) = (Block::raw(b"one"), Block::raw(b"two"));
    let root = Block::file(&[(&one, 3), (&two, 3)]);
    is(&root, &[&root, &one], "missing").await?;
    let cbor = Block::new(0x71, vec![0xa0]);
    let root = Block::file(&[(&one, 3), (&cbor, 1)]);
    is(&root, &[&root, &one, &cbor], "unproved").await?;
    let folder = Block::folder(&[("a", &one)]);
    let root = Block::file(&[(&one, 3), (&folder, 0)]);
    is(&root, &[&root, &one, &folder], "corrupt").await
}

#[tokio::test]
async fn names_in_folders_are_shown_as_what_they_are() -> Result<()> {
    let file = Block::raw(b"a file");
    let names = ["..", "a/b", "nul\0", "\u{202e}gpj.exe", "\u{1b}[31mred", "zero\u{200b}width"];
    let entries: Vec<(&str, &Block)> = names.iter().map(|name| (*name, &file)).collect();
    let root = Block::folder(&entries);
    let gateway = Web::of_blocks(&[&root, &file], None).await?;
    let everhold = Everhold::new()?;
    let reference = format!("ipfs://{}", root.cid);
    let arguments = ["check", &reference, "--gateway", gateway.url()];
    let (status, out, err) = everhold_e2e::run::plain(&everhold, arguments).await?;
    assert_eq!(status, 0, "{err}");
    let strange = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{200b}".contains(c);
    assert!(!out.contains(strange), "{out:?}");
    for shown in ["..", "nul\\0", "\\u{202e}gpj.exe", "\\u{1b}[31mred"] {
        assert!(out.contains(shown), "{shown} {out}");
    }
    // A path that steps out of its folder, or says what it does not mean, has no content.
    for path in ["..", "%2e%2e/x", "a%2Fb", "nul%00"] {
        let reference = format!("ipfs://{}/{path}", root.cid);
        let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
        let checked = run.gives(3)?;
        assert_ne!(text(&checked["verdict"]), "proved", "{checked}");
    }
    let twice = Block::folder(&[("x", &file), ("x", &root)]);
    let gateway = Web::of_blocks(&[&twice, &file, &root], None).await?;
    let reference = format!("ipfs://{}/x", twice.cid);
    let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
    assert_eq!(text(&run.gives(3)?["verdict"]), "corrupt");
    Ok(())
}

#[tokio::test]
async fn archives_of_more_prove_what_is_in_them() -> Result<()> {
    let (one, two) = (Block::raw(b"one"), Block::raw(b"two"));
    let root = Block::folder(&[("1", &one), ("2", &two)]);
    let everhold = Everhold::new()?;
    let path = everhold.dir().join("folder.car");
    fs::write(&path, car(&root, &[&root, &one, &two])).unwrap();
    let whole = format!("ipfs://{}", root.cid);
    let inside = format!("{whole}/2");
    for reference in [&whole, &inside, &two.cid] {
        let checked = everhold.run(["check", reference, "--car", "folder.car"]).await?.gives(0)?;
        assert!(text(&checked["answers"][0]["detail"]).contains("more blocks"), "{checked}");
    }
    // What is besides must be what it is called, and the header must not name what is not there.
    let mut wrong = Block::raw(b"three");
    wrong.bytes[0] ^= 1;
    fs::write(&path, car(&root, &[&root, &one, &two, &wrong])).unwrap();
    everhold.run(["check", &inside, "--car", "folder.car"]).await?.gives(3)?;
    fs::write(&path, car(&wrong, &[&root, &one, &two])).unwrap();
    everhold.run(["check", &inside, "--car", "folder.car"]).await?.gives(3)?;
    // Over the network nobody sends more than was asked for.
    let gateway = Web::of_blocks(&[], Some(car(&two, &[&two, &one]))).await?;
    let reference = format!("ipfs://{}", Block::file(&[(&two, 3)]).cid);
    let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
    assert_eq!(text(&run.gives(3)?["verdict"]), "missing");
    Ok(())
}

#[tokio::test]
async fn sharded_folders_may_come_with_all_their_shards() -> Result<()> {
    // `dag-scope=entity` of a folder is all that listing it takes.
    let everhold = Everhold::new()?;
    let top = everhold.dir().join("many");
    fs::create_dir(&top).unwrap();
    for at in 0..60 {
        fs::write(top.join(format!("{at}.json")), format!("{at}")).unwrap();
    }
    let dag = everhold_e2e::dag::Dag::import(&top, json!({"shardAbove": 0})).await?;
    let archive = dag.car.clone();
    let gateway = Web::of_blocks(&[], Some(archive)).await?;
    let reference = format!("ipfs://{}", dag.root);
    let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
    let checked = run.gives(0)?;
    assert_eq!(checked["answers"][0]["sha256"], Value::Null, "a folder has no bytes of its own");
    Ok(())
}

#[tokio::test]
async fn an_aleph_url_with_more_behind_its_hash_is_only_a_place() -> Result<()> {
    let world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    node::leave_there(&world.nodes[0], b"a picture".to_vec()).await?;
    let node = world.nodes[0].url();
    let everhold = Everhold::new()?;
    fs::write(everhold.config(), format!("[web]\nprivate_hosts = [\"{node}\"]\n")).unwrap();
    let url = format!("{node}/api/v0/storage/raw/{}", sha256(b"a picture"));
    everhold.run(["check", &url]).await?.gives(0)?;
    for more in ["/no/such/file.png", "/1.json"] {
        let checked = everhold.run(["check", &format!("{url}{more}")]).await?.gives(3)?;
        assert_ne!(text(&checked["verdict"]), "proved", "{checked}");
    }
    Ok(())
}

#[tokio::test]
async fn bodies_that_never_end_or_end_too_early_are_given_up() -> Result<()> {
    let everhold = Everhold::new()?;
    let limits = "[limits]\nmax_content = 1000000\ntotal_timeout = \"2s\"\nidle_timeout = \"1s\"\n";
    fs::write(everhold.config(), limits).unwrap();
    let bytes = vec![7_u8; 100_000];
    let cid = raw_uri(&bytes);
    let endless = || {
        let more =
            futures::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[7; 4096])));
        Body::from_stream(more)
    };
    let silent = || Body::from_stream(futures::stream::pending::<Piece>());
    let web = Web::start(move |uri| match uri.path().split('/').nth(1) {
        Some("endless") => endless().into_response(),
        Some("page") => {
            ([(header::CONTENT_TYPE, "text/html")], "<h1>Not found</h1>").into_response()
        }
        Some("same-length") => vec![8_u8; 100_000].into_response(),
        Some("short") => vec![7_u8; 99_999].into_response(),
        Some("silent") => silent().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await?;
    for (habit, verdict) in [
        ("endless", "too-large"),
        ("page", "corrupt"),
        ("same-length", "corrupt"),
        ("short", "corrupt"),
        ("silent", "unreachable"),
        ("gone", "missing"),
    ] {
        let gateway = format!("{}/{habit}", web.url());
        let run = everhold.run(["check", &cid, "--gateway", &gateway]).await?;
        assert_eq!(text(&run.gives(3)?["verdict"]), verdict, "{habit}");
    }
    Ok(())
}

/// Follows metadata at a place of this machine.
async fn follow(files: &[(&str, &str, Vec<u8>)], path: &str, status: i32) -> Result<Value> {
    let web = Web::of_files(files).await?;
    let everhold = Everhold::new()?;
    let config = format!("[web]\nprivate_hosts = [\"{}\"]\n", web.url());
    fs::write(everhold.config(), config).unwrap();
    let run = everhold.run(["check", "--follow", &format!("{}{path}", web.url())]).await?;
    run.gives(status)
}

#[tokio::test]
async fn metadata_that_cannot_be_read_is_said_and_never_proved() -> Result<()> {
    let json = "application/json";
    let nested = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let links: Vec<Value> = (0..1000).map(|n| json!({"uri": format!("{n}.png")})).collect();
    let many = json!({"properties": {"files": links}}).to_string().into_bytes();
    let large = [b"{\"name\":\"".to_vec(), vec![b'x'; 100 << 20], b"\"}".to_vec()].concat();
    for (document, why) in [
        (b"<html>".to_vec(), "not JSON"),
        (nested, "levels deep"),
        (many, "references"),
        (large, "bytes"),
        (b"{\"image\":\"\xff\"}".to_vec(), "UTF-8"),
    ] {
        let followed = follow(&[("/1.json", json, document)], "/1.json", 3).await?;
        let error = text(&followed["graph"]["nodes"][0]["document"]["error"]);
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(followed["proved"], false);
    }
    // Of a link more than may be, none is hidden by a document that is itself proved.
    let data = format!("data:application/json,{}", "[".repeat(5000));
    let everhold = Everhold::new()?;
    assert_eq!(everhold.run(["check", "--follow", &data]).await?.gives(3)?["proved"], false);
    Ok(())
}

#[tokio::test]
async fn metadata_that_refers_to_itself_is_read_once() -> Result<()> {
    let document = json!({"image": "1.json", "animation_url": "2.json"}).to_string().into_bytes();
    let other = json!({"image": "1.json", "animation_url": "2.json"}).to_string().into_bytes();
    let json = "application/json";
    let followed =
        follow(&[("/1.json", json, document), ("/2.json", json, other)], "/1.json", 3).await?;
    assert_eq!(report::items(&followed["graph"]["nodes"]).len(), 2);
    assert_eq!(report::items(&followed["checks"]).len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_picture_that_is_a_folder_is_no_picture() -> Result<()> {
    let file = Block::raw(b"a file");
    let folder = Block::folder(&[("v.bin", &file)]);
    let document = Block::raw(format!("{{\"image\":\"ipfs://{}\"}}", folder.cid).as_bytes());
    let gateway = Web::of_blocks(&[&document, &folder, &file], None).await?;
    let everhold = Everhold::new()?;
    let uri = format!("ipfs://{}", document.cid);
    let arguments = ["check", "--follow", &uri, "--gateway", gateway.url()];
    let followed = everhold.run(arguments).await?.gives(3)?;
    assert_eq!(text(&followed["graph"]["nodes"][1]["state"]["outcome"]), "folder", "{followed}");
    Ok(())
}
