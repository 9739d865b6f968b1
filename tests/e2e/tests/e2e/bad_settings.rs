//! Settings that are wrong: the line is named, and nothing is done.

use std::fs;

use everhold_e2e::{Result, World, ended::Ended};

use crate::support::{chain_commands, refused, small, words};

#[tokio::test]
async fn a_wrong_line_is_named() -> Result<()> {
    let world = World::healthy(small()).await?;
    let path = world.everhold.config();
    let right = fs::read_to_string(&path).unwrap();
    // What is appended, how many lines below the end it is wrong, and what must be named.
    for (text, line, name) in [
        ("[limits]\nspeed = 3\n", 2, "speed"),
        ("[limits]\nconcurrency = \"many\"\n", 2, "many"),
        ("[limits]\n\nidle_timeout = 15\n", 3, "15"),
        ("[limits]\nidle_timeout = \"soon\"\n", 2, "soon"),
        ("[surprise]\n", 1, "surprise"),
        // The value may hold a key: only what is wrong with it is said.
        ("[[alert]]\nwebhook = \"not a url\"\n", 2, "webhook: relative URL"),
        ("[api]\nlisten = \"8080\"\n", 2, "socket address"),
        ("[[collection]]\naddress = \"0x12\"\n", 2, "invalid"),
        ("[ipfs\n", 1, "toml"),
    ] {
        fs::write(&path, format!("{right}\n{text}")).unwrap();
        let number = right.lines().count() + 1 + line;
        let place = format!("everhold.toml:{number}:");
        let status = vec!["status".to_owned()];
        for command in chain_commands(&world).iter().chain([&status]) {
            let run = world.everhold.run(words(command).into_iter().chain(["-q"])).await?;
            assert_eq!(run.status, 2, "{text}: {}", run.stderr);
            run.refuses(&[&place, name]).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
    fs::write(&path, right).unwrap();
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_variable_is_named() -> Result<()> {
    let world = World::healthy(small()).await?;
    for (name, value) in [
        ("EVERHOLD_REPLICAS_MIN", "many"),
        ("EVERHOLD_CHAIN_RPC", "no url"),
        ("EVERHOLD_REPLICAS_RECHECK", "soon"),
    ] {
        let run = world.everhold.run_with(["watch", "--once", "-q"], &[(name, value)]).await?;
        assert_eq!(run.status, 2);
        run.refuses(&[name, value])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_config_that_is_named_must_be_there() -> Result<()> {
    let world = World::healthy(small()).await?;
    refused(&world, &["watch", "--once", "--config", "other.toml"], &["other.toml"]).await
}

#[tokio::test]
async fn fewer_nodes_than_min_are_refused_and_said() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    world.settings.min = 2;
    world.configure()?;
    for line in chain_commands(&world) {
        let run = world.everhold.run(words(&line)).await?;
        assert!(run.stderr.contains("min = 2"), "{}: {}", line[0], run.stderr);
    }
    for line in chain_commands(&world).iter().filter(|l| ["watch", "publish"].contains(&&*l[0])) {
        refused(&world, &words(line), &["1 independent node", "min = 2"]).await?;
    }
    for line in [&["status"][..], &["token", &world.collection, "1"]] {
        let run = world.everhold.run(line).await?;
        assert!(run.stderr.contains("min = 2"), "{line:?}: {}", run.stderr);
        run.gives(0)?;
    }
    // The same node twice is one node, and a mistake.
    let url = world.nodes[0].url();
    world.settings.nodes.push(url.clone());
    world.configure()?;
    refused(&world, &["watch", "--once"], &[&url, "configured twice"]).await
}

#[tokio::test]
async fn nothing_to_watch_and_no_place_for_the_ledger_are_said() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let collections = std::mem::take(&mut world.settings.collections);
    world.configure()?;
    refused(&world, &["watch", "--once"], &["[[collection]]"]).await?;
    world.settings.collections = collections;
    for (database, names) in [
        ("mysql://somewhere/x", &["mysql"][..]),
        ("sqlite:///no/such/folder/everhold.db", &["/no/such/folder/everhold.db"]),
        ("postgres://user:hush@127.0.0.1:1/everhold", &["127.0.0.1"]),
    ] {
        world.settings.database = database.to_owned();
        world.configure()?;
        for command in [&["watch", "--once"][..], &["status"]] {
            let run = world.everhold.run(command.iter().chain(&["-q"])).await?;
            assert!(!run.stderr.contains("hush"), "{}", run.stderr);
            run.refuses(names).unwrap_or_else(|error| panic!("{database}: {error}"));
        }
    }
    Ok(())
}
