//! Aleph nodes by the network's own list, honest and not.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use everhold::{
    config::{AlephConfig, Config},
    content::ListedNode,
    nodes::{Fetcher, Network, NetworkError, sample},
};
use everhold_net::Limits;
use serde_json::{Value, json};
use url::Url;

use crate::support::Server;

fn owner(at: usize) -> String {
    format!("0x{at:040x}")
}

fn entry(multiaddress: &str, at: usize) -> Value {
    json!({
        "hash": "00", "owner": owner(at), "status": "active", "multiaddress": multiaddress,
        // The clock of whoever wrote it is of no account.
        "time": 99_999_999_999_i64,
    })
}

fn machine(ip: &str, at: usize) -> Value {
    entry(&format!("/ip4/{ip}/tcp/4025/p2p/QmNode"), at)
}

fn list(nodes: &[Value]) -> Vec<u8> {
    json!({"data": {"corechannel": {"nodes": nodes}}}).to_string().into_bytes()
}

/// An entry node that answers with this.
async fn answering(body: Vec<u8>) -> Server {
    Server::start(move |asked| {
        let path =
            "/api/v0/aggregates/0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10.json?keys=corechannel";
        match asked.path == path {
            true => body.clone().into_response(),
            false => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await
}

fn network(entries: &[&Server], private: &[&str]) -> Network {
    let network = entries.iter().map(|entry| entry.url.clone()).collect();
    let private_hosts = private.iter().map(|url| url.parse().unwrap()).collect();
    let aleph = AlephConfig { network, private_hosts, ..AlephConfig::default() };
    let config = Config { aleph, ..Config::default() };
    let fetcher = Fetcher::new(Limits::default(), config.origins()).unwrap();
    Network::configured(&config, &fetcher).unwrap()
}

fn urls(nodes: &[ListedNode]) -> Vec<&str> {
    nodes.iter().map(|node| node.url.as_str()).collect()
}

#[tokio::test]
async fn nodes_of_nowhere_and_of_private_networks_are_passed_over() {
    let mut nodes = vec![machine("8.8.4.4", 1), machine("9.9.9.9", 2)];
    for nonsense in ["", "/", "/ip4/1.2.3/tcp/1", "/dns4/127.0.0.1/tcp/1", "/unix/x", "x"] {
        nodes.push(entry(nonsense, 3));
    }
    for private in
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "127.9.9.9"]
    {
        nodes.push(machine(private, 4));
    }
    nodes.push(entry("/ip6/::1/tcp/4025", 5));
    nodes.push(entry("/ip6/::ffff:10.0.0.9/tcp/4025", 5));
    nodes.push(entry("/ip6/fe80::1/tcp/4025", 5));
    let node = answering(list(&nodes)).await;
    let (found, passed) = network(&[&node], &[]).nodes(&[]).await.unwrap();
    assert_eq!(urls(&found), ["http://8.8.4.4:4024/", "http://9.9.9.9:4024/"]);
    assert_eq!((passed.nonsense, passed.private), (6, 9));
    // What is meant is named, by host and port.
    let meant = network(&[&node], &["http://127.9.9.9:4024", "http://10.0.0.1:1"]);
    let (found, passed) = meant.nodes(&[]).await.unwrap();
    assert_eq!(urls(&found)[0], "http://127.9.9.9:4024/");
    assert_eq!((found.len(), passed.private), (3, 8));
}

#[tokio::test]
async fn most_of_those_who_are_asked_must_answer_and_agree() {
    let honest = list(&[machine("8.8.4.4", 1), machine("9.9.9.9", 2)]);
    let crowd: Vec<_> =
        (0..1000).map(|at| machine(&format!("8.7.{}.{}", at / 250, at % 250), at)).collect();
    let [first, second] = [answering(honest.clone()).await, answering(honest).await];
    let liar = answering(list(&crowd)).await;
    let (found, passed) = network(&[&liar, &first, &second], &[]).nodes(&[]).await.unwrap();
    assert_eq!((urls(&found).len(), passed.minority), (2, 1000));

    // Two of three that are silent leave the third no say, whoever silenced them.
    let silent = || Server::start(|_| StatusCode::SERVICE_UNAVAILABLE.into_response());
    let (quiet, quieter) = (silent().await, silent().await);
    let error = network(&[&liar, &quiet, &quieter], &[]).nodes(&[]).await.unwrap_err();
    assert!(matches!(error, NetworkError::TooFew { answered: 1, asked: 3, .. }), "{error}");
    let (found, _) = network(&[&first, &quiet, &second], &[]).nodes(&[]).await.unwrap();
    assert_eq!(found.len(), 2);
    let error = network(&[&first, &liar], &[]).nodes(&[]).await.unwrap_err();
    assert!(matches!(error, NetworkError::None(passed) if passed.minority == 1002), "{error}");
    assert!(matches!(network(&[], &[]).nodes(&[]).await, Err(NetworkError::TooFew { .. })));
}

#[tokio::test]
async fn other_answers_are_no_list() {
    for body in [b"".to_vec(), b"[]".to_vec(), b"<html>ok</html>".to_vec(), vec![b'['; 1 << 20]] {
        let node = answering(body).await;
        let error = network(&[&node], &[]).nodes(&[]).await.unwrap_err();
        assert!(matches!(error, NetworkError::TooFew { answered: 0, .. }), "{error}");
    }
    let node = Server::start(|_| Response::new(vec![b' '; 20 << 20].into())).await;
    let error = network(&[&node], &[]).nodes(&[]).await.unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

/// From the list to what is used: one owner's thousand take one place.
#[tokio::test]
async fn a_thousand_nodes_of_one_owner_are_one() {
    let mut nodes: Vec<_> =
        (0..1000).map(|at| machine(&format!("8.7.{}.{}", at / 250, at % 250), 99)).collect();
    nodes.extend((1..=9).map(|at| machine(&format!("9.9.9.{at}"), at)));
    let node = answering(list(&nodes)).await;
    let (found, _) = network(&[&node], &[]).nodes(&[]).await.unwrap();
    assert_eq!(found.len(), 1009);
    let chosen = sample(&found, &[7; 32], 10);
    let mut owners: Vec<_> = chosen.iter().map(|node| node.owner.clone()).collect();
    owners.sort();
    let mut expected: Vec<_> = (1..=9).chain([99]).map(owner).collect();
    expected.sort();
    assert_eq!(owners, expected);
}

#[test]
fn named_nodes_are_all_there_are() {
    let none = AlephConfig { nodes: Some(Vec::new()), ..AlephConfig::default() };
    let config = Config { aleph: none, ..Config::default() };
    let fetcher = Fetcher::new(Limits::default(), Vec::<Url>::new()).unwrap();
    assert!(Network::configured(&config, &fetcher).is_none());
    assert!(Network::configured(&Config::default(), &fetcher).is_some());
}
