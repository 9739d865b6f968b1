//! What is fetched from a node to be kept: its blocks, all or none, and its bytes, as far as there is room.

use std::{
    convert::Infallible,
    env, fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use everhold::{
    nodes::{Gateway, Known, probe_to_file},
    vault::{Blocks, blocks_from},
};
use futures::{StreamExt, stream};

use crate::{
    dag::File,
    support::{Server, fetcher},
};

/// A gateway that gives so many blocks of a file, and then says something else.
async fn blocks_of(file: &File, many: usize, then: StatusCode) -> (Server, Gateway) {
    let (file, given) = (file.clone(), Arc::new(AtomicUsize::new(0)));
    let answer = move |cid: &str| -> Response {
        let found = file.blocks.iter().find(|(block, _)| block.to_string() == cid);
        match found {
            Some((_, block)) if given.fetch_add(1, SeqCst) < many => block.clone().into_response(),
            _ => then.into_response(),
        }
    };
    let server = Server::start(move |asked| {
        let rest = asked.path.strip_prefix("/ipfs/").unwrap();
        answer(rest.split_once('?').map_or(rest, |(cid, _)| cid))
    })
    .await;
    let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
    (server, gateway)
}

#[tokio::test]
async fn all_blocks_make_an_archive() {
    let file = File::of_leaves(9, 1000, 3);
    let blocks = file.blocks.len();
    let (_server, gateway) = blocks_of(&file, blocks, StatusCode::NOT_FOUND).await;
    let given = blocks_from(&gateway, &file.id, 1 << 20).await.unwrap();
    let Blocks::Car(car) = given else { panic!("{given:?}") };
    let car = fs::read(car.path()).unwrap();
    for (_, block) in &file.blocks {
        assert!(car.windows(block.len()).any(|some| some == block));
    }
}

/// Who is busy has them another time; who says that it has none will not.
#[tokio::test]
async fn who_is_busy_is_told_from_who_has_none() {
    use StatusCode as S;
    let file = File::of_leaves(9, 1000, 3);
    for many in [0, 5] {
        for status in [S::TOO_MANY_REQUESTS, S::SERVICE_UNAVAILABLE, S::BAD_GATEWAY] {
            let (_server, gateway) = blocks_of(&file, many, status).await;
            let given = blocks_from(&gateway, &file.id, 1 << 20).await.unwrap();
            assert!(matches!(given, Blocks::NotNow), "{status} after {many}: {given:?}");
        }
        for status in [S::NOT_FOUND, S::NOT_IMPLEMENTED, S::BAD_REQUEST] {
            let (_server, gateway) = blocks_of(&file, many, status).await;
            let given = blocks_from(&gateway, &file.id, 1 << 20).await.unwrap();
            assert!(matches!(given, Blocks::None), "{status} after {many}: {given:?}");
        }
    }
    let (server, gateway) = blocks_of(&file, 0, S::NOT_FOUND).await;
    drop(server);
    let given = blocks_from(&gateway, &file.id, 1 << 20).await.unwrap();
    assert!(matches!(given, Blocks::NotNow), "nobody is there: {given:?}");
}

#[tokio::test]
async fn no_more_is_fetched_than_may_be_kept() {
    // Below so many nodes, its blocks take far more than its bytes.
    let file = File::of_three_blocks(1).below(200);
    let (server, gateway) = blocks_of(&file, usize::MAX, StatusCode::NOT_FOUND).await;
    let most = file.bytes.len() as u64 + 100;
    let given = blocks_from(&gateway, &file.id, most).await.unwrap();
    assert!(matches!(given, Blocks::TooLarge), "{given:?}");
    let fetched = server.asked().len();
    assert!(fetched * 40 < most as usize && fetched < file.blocks.len(), "{fetched} blocks");
}

/// Says that this is the process that may write no large files.
const LIMITED: &str = "EVERHOLD_TEST_NO_ROOM";

/// The rest of the bytes never comes, and is not waited for: there is no room for what came.
#[tokio::test]
async fn nothing_more_is_fetched_where_there_is_no_room() {
    if env::var_os(LIMITED).is_none() {
        let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let limited = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(env::current_exe().unwrap())
            .args([
                "--exact",
                "kept::nothing_more_is_fetched_where_there_is_no_room",
                "--nocapture",
            ])
            .env(LIMITED, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&limited.stdout);
        assert!(limited.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let file = File::raw(&[7; 64 << 10]);
    let bytes = file.bytes.clone();
    let server = Server::start(move |_| {
        let first = stream::iter([Ok::<_, Infallible>(bytes.clone())]);
        Body::from_stream(first.chain(stream::pending())).into_response()
    })
    .await;
    let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
    let probed = probe_to_file(&gateway, &file.id, Known::default());
    let probed = tokio::time::timeout(Duration::from_secs(10), probed).await;
    let error = probed.expect("it does not wait for more").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge, "{error}");
}
