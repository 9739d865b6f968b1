//! Aleph nodes that nobody configured: found through the network's own list.

use std::time::Duration;

use everhold_e2e::{
    DevNode, NodeOptions, Result, Setup, World,
    ended::Ended,
    eventually,
    list::{ListHost, entry, own_address},
    report::{content, history, items, replica, text},
};
use serde_json::Value;

/// Nodes as the network has them, on addresses of their own, and those who list them.
struct Net {
    nodes: Vec<(String, DevNode)>,
    hosts: Vec<ListHost>,
}

impl Net {
    async fn start(nodes: usize) -> Result<Self> {
        let mut net = Self { nodes: Vec::new(), hosts: Vec::new() };
        for _ in 0..nodes {
            let ip = own_address();
            let options =
                NodeOptions { no_ipfs: true, trusting: Some(true), ..NodeOptions::default() };
            let node = DevNode::start_at(&format!("{ip}:4024"), options).await?;
            net.nodes.push((ip, node));
        }
        for _ in 0..3 {
            net.hosts.push(ListHost::start(Vec::new()).await?);
        }
        Ok(net)
    }

    /// An entry for each of some nodes, owner by owner.
    fn list(&self, nodes: std::ops::Range<usize>) -> Vec<Value> {
        let owned = nodes.map(|at| (at, &self.nodes[at].0));
        owned.map(|(at, ip)| entry(ip, u32::try_from(at).unwrap())).collect()
    }

    /// Has most hosts give this list; the first gives its own.
    fn publish(&self, list: &[Value]) {
        self.hosts[1..].iter().for_each(|host| host.set(Some(list.to_vec())));
    }

    /// `[aleph]`.
    fn settings(&self, more: &str) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(ListHost::url).collect();
        let private: Vec<_> = self.nodes.iter().map(|(_, node)| node.url()).collect();
        format!("network = {hosts:?}\nprivate_hosts = {private:?}\n{more}")
    }

    fn urls(&self, nodes: std::ops::Range<usize>) -> Vec<String> {
        let mut urls: Vec<_> = self.nodes[nodes].iter().map(|(_, node)| node.url()).collect();
        urls.sort();
        urls
    }
}

/// A collection of two tokens on the first nodes, which are found when it is published.
async fn published(net: &Net, nodes: usize, database: Option<String>) -> Result<World> {
    let mut world = World::start(Setup { nodes: 0, database, ..Setup::default() }).await?;
    net.publish(&net.list(0..nodes));
    world.settings.aleph = Some(net.settings(""));
    world.settings.min = u32::try_from(nodes).unwrap();
    world.configure()?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    Ok(world)
}

fn nodes_of(status: &Value) -> Vec<String> {
    let mut urls: Vec<_> =
        items(&status["nodes"]).iter().map(|node| text(&node["url"]).to_owned()).collect();
    urls.sort();
    urls
}

#[tokio::test]
async fn nodes_are_found_and_a_lost_list_leaves_the_last() -> Result<()> {
    let net = Net::start(3).await?;
    let world = published(&net, 3, None).await?;
    // Who lists a thousand, a machine of this network that nobody meant, and nonsense.
    let mut list = net.list(0..3);
    list.extend((0..1000).map(|at| entry(&format!("10.1.{}.{}", at / 250, at % 250), 99)));
    list.push(entry("127.0.0.1", 98));
    list.push(entry("nowhere", 97));
    net.publish(&list);
    net.hosts[0].set(Some((0..300).map(|at| entry("127.0.0.1", 200 + at)).collect()));

    let run = world.once(&["--no-repair"]).await?;
    run.clone().gives(0)?;
    assert!(run.stderr.contains("3 are used"), "{}", run.stderr);
    assert!(run.stderr.contains("1001 on private addresses"), "{}", run.stderr);
    assert_eq!(nodes_of(&world.everhold.status().await?), net.urls(0..3));
    let token = world.token(1).await?;
    for url in net.urls(0..3) {
        let replica = replica(&token, "image", &url)?;
        assert_eq!((text(&replica["state"]), &replica["held"]), ("verified", &true.into()));
    }

    net.hosts.iter().for_each(|host| host.set(None));
    let run = world.once(&["--no-repair"]).await?;
    run.clone().gives(0)?;
    assert!(run.stderr.contains("3 nodes of the last list are used"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn too_few_nodes_are_said_by_every_command() -> Result<()> {
    let net = Net::start(2).await?;
    let mut world = published(&net, 2, None).await?;
    net.publish(&net.list(0..2));
    world.once(&["--no-repair"]).await?.gives(0)?;
    world.settings.min = 3;
    world.configure()?;
    let why = "2 independent nodes are configured or found";
    world.once(&["-q"]).await?.refuses(&[why, "min = 3"])?;
    let token = ["token", &world.collection, "1"];
    for command in [&["status"][..], &token] {
        let run = world.everhold.run(command.iter().copied()).await?;
        assert!(run.stderr.contains(why), "{command:?}: {}", run.stderr);
    }
    // What the sample can't reach is known before any list is read.
    world.settings.aleph = Some(net.settings("sample = 2"));
    world.configure()?;
    world.once(&["-q"]).await?.refuses(&["sample = 2", "min = 3"])?;
    Ok(())
}

#[tokio::test]
async fn the_list_is_read_again_while_it_watches() -> Result<()> {
    let net = Net::start(4).await?;
    let mut world = published(&net, 3, None).await?;
    net.publish(&net.list(0..3));
    world.settings.aleph = Some(net.settings("refresh = \"1s\""));
    world.configure()?;
    let _watcher = world.everhold.watch(&[])?;
    let becomes = async |nodes: std::ops::Range<usize>| {
        let (urls, patience) = (net.urls(nodes), Duration::from_secs(60));
        eventually("the nodes are others", patience, Duration::from_millis(200), async || {
            let status = world.everhold.status().await?;
            Ok((nodes_of(&status) == urls).then_some(()))
        })
        .await
    };
    becomes(0..3).await?;
    net.publish(&net.list(1..4));
    becomes(1..4).await?;
    // The one that came is asked, and sent what it lacks.
    let came = net.nodes[3].1.url();
    eventually(
        "it has the picture",
        Duration::from_secs(60),
        Duration::from_millis(200),
        async || {
            let token = world.token(1).await?;
            let states = content(&token, "image")?["replicas"].clone();
            let came = items(&states).iter().find(|replica| replica["node"] == came.as_str());
            Ok(came.filter(|replica| replica["state"] == "verified").map(|_| ()))
        },
    )
    .await?;
    // A list that can't be read takes no node away.
    net.hosts.iter().for_each(|host| host.set(None));
    tokio::time::sleep(Duration::from_secs(3)).await;
    becomes(1..4).await
}

/// Processes that share a ledger see the list at other times: none calls a node unreachable that
/// another has found.
#[tokio::test]
async fn a_node_that_another_process_found_is_asked() -> Result<()> {
    let net = Net::start(4).await?;
    let database = crate::postgres::server::new_database().await;
    let mut world = published(&net, 3, Some(database)).await?;
    world.settings.aleph = Some(net.settings("refresh = \"24h\""));
    world.configure()?;
    let (patience, look) = (Duration::from_secs(60), Duration::from_millis(100));
    let _watcher = world.everhold.watch(&["--no-repair"])?;
    eventually("it watches", patience, look, async || {
        let status = world.everhold.status().await?;
        Ok((nodes_of(&status) == net.urls(0..3)).then_some(()))
    })
    .await?;

    net.publish(&net.list(1..4));
    world.publish(&[]).await?.gives(0)?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(nodes_of(&world.everhold.status().await?), net.urls(1..4));
    // From here on only the first process looks, which read another list.
    let came = net.nodes[3].1.url();
    let mut checked = String::new();
    for _ in 0..5 {
        checked = eventually("it is asked again", patience, look, async || {
            let token = world.token(1).await?;
            let replica = replica(&token, "image", &came)?;
            assert_eq!(
                (text(&replica["state"]), history(replica).len()),
                ("verified", 1),
                "{replica}"
            );
            let at = text(&replica["checked_at"]).to_owned();
            Ok((at != checked).then_some(at))
        })
        .await?;
    }
    Ok(())
}
