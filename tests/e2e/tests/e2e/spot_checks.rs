//! Spot checks between full probes, by the whole process: `watch --once` again and again.

use std::{fs, time::Duration};

use everhold_e2e::{
    Result, Setup, World,
    dag::Dag,
    ended::Ended,
    eventually,
    gateway::{Gateway, Habit, State},
    report::{history, replica, text},
};
use serde_json::{Value, json};

/// More than 1 MiB, the same each time.
fn bytes() -> Vec<u8> {
    (0..1_500_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// 300 leaves below two nodes below a root.
async fn dag() -> Result<Dag> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, bytes()).unwrap();
    Dag::import(&path, json!({"chunker": "size-5000"})).await
}

/// A token whose picture is at these gateways, looked at once; full probes come once a day, and spot
/// checks every second.
async fn world(dag: &Dag, gateways: &[&str]) -> Result<World> {
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    world.settings.recheck = "24h".to_owned();
    world.settings.more =
        format!("[ipfs]\ngateways = {gateways:?}\n[probes]\nspot_check = \"1s\"\n");
    world.configure()?;
    let dir = world.everhold.dir().join("documents");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("1.json"), format!("{{\"image\":\"ipfs://{}\"}}", dag.root)).unwrap();
    world.deploy(&[]).await?;
    world.everhold.json(world.publishing(&dir, &[])).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    Ok(world)
}

/// What a round does that begins when spot checks are due.
async fn round(world: &World) -> Result<Value> {
    tokio::time::sleep(Duration::from_millis(1100)).await;
    Ok(world.once(&["--no-repair"]).await?.gives(0)?["round"].clone())
}

async fn picture(world: &World, gateway: &Gateway) -> Result<Value> {
    Ok(replica(&world.token(1).await?, "image", gateway.url())?.clone())
}

#[tokio::test]
async fn find_losses_that_full_probes_then_decide() -> Result<()> {
    let (dag, whole) = (dag().await?, bytes());
    let files: &[(&str, &[u8])] = &[(&dag.blocks[0].0, &whole)];
    let keeper = Gateway::start(Habit::Trustless, &dag, files).await?;
    let loser = Gateway::start(Habit::Trustless, &dag, files).await?;
    let rotting = Gateway::start(Habit::Trustless, &dag, files).await?;
    let other = Gateway::start(Habit::FilesOnly, &dag, files).await?;
    let all = [&keeper, &loser, &rotting, &other];
    let world = world(&dag, &all.map(Gateway::url)).await?;
    let mut before = Vec::new();
    for gateway in all {
        let seen = picture(&world, gateway).await?;
        assert_eq!((text(&seen["state"]), &seen["spot_checked_at"]), ("verified", &Value::Null));
        gateway.asked_for_blocks();
        before.push(seen);
    }

    let done = round(&world).await?;
    assert_eq!((&done["spot_checks"], &done["probes"]), (&json!(4), &json!(0)), "{done}");
    for (gateway, before) in all.iter().zip(&before) {
        let mut seen = picture(&world, gateway).await?;
        let blocks = gateway.url() != other.url();
        assert_eq!(text(&seen["spot_checked_at"]).ends_with('Z'), blocks, "{seen}");
        let asked = gateway.asked_for_blocks();
        // The root, and a node and a leaf for each of three offsets, unless they share them.
        assert!(if blocks { (3..=7).contains(&asked) } else { asked == 1 }, "{asked} blocks");
        seen["spot_checked_at"] = Value::Null;
        assert_eq!(seen, *before, "and nothing else is changed");
    }

    loser.set_state(State::Lost);
    rotting.set_state(State::Rotten);
    let done = round(&world).await?;
    assert_eq!((&done["spot_checks"], &done["probes"]), (&json!(3), &json!(2)), "{done}");
    for (gateway, state) in [(&loser, "missing"), (&rotting, "corrupt")] {
        let seen = picture(&world, gateway).await?;
        assert_eq!(history(&seen), ["verified", state], "{seen}");
    }
    assert_eq!(text(&picture(&world, &keeper).await?["state"]), "verified");
    let done = round(&world).await?;
    assert_eq!((&done["spot_checks"], &done["probes"]), (&json!(1), &json!(0)), "{done}");

    // What is well again is so by a full probe, which is due ten minutes after the last: not now.
    loser.set_state(State::Whole);
    let done = round(&world).await?;
    assert_eq!((&done["spot_checks"], &done["probes"]), (&json!(1), &json!(0)), "{done}");
    assert_eq!(text(&picture(&world, &loser).await?["state"]), "missing");

    // What is denied is asked for by nobody.
    keeper.asked_for_blocks();
    world.everhold.json(["deny", "add", &dag.root, "--reason", "by order"]).await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.once(&["--no-repair"]).await?;
    assert_eq!(keeper.asked_for_blocks(), 0);
    Ok(())
}

/// A `watch` that runs checks again and again by itself, and probes what a check doubts at once.
#[tokio::test]
async fn are_made_by_a_watch_that_runs() -> Result<()> {
    let (dag, whole) = (dag().await?, bytes());
    let files: &[(&str, &[u8])] = &[(&dag.blocks[0].0, &whole)];
    let gateway = Gateway::start(Habit::Trustless, &dag, files).await?;
    let world = world(&dag, &[gateway.url()]).await?;
    let verified_at = picture(&world, &gateway).await?["verified_at"].clone();
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    let (patience, look) = (Duration::from_secs(20), Duration::from_millis(100));
    let mut times = Vec::new();
    for _ in 0..2 {
        let next = eventually("another spot check", patience, look, async || {
            let at = picture(&world, &gateway).await?["spot_checked_at"].clone();
            Ok((at.is_string() && !times.contains(&at)).then_some(at))
        });
        times.push(next.await?);
    }
    let seen = picture(&world, &gateway).await?;
    assert_eq!((history(&seen), &seen["verified_at"]), (vec!["verified"], &verified_at));
    gateway.set_state(State::Lost);
    eventually("the loss", patience, look, async || {
        Ok((picture(&world, &gateway).await?["state"] == "missing").then_some(()))
    })
    .await?;
    watcher.terminate().await?;
    let told = watcher.log_tail(50).iter().any(|line| line.contains("it is probed in full"));
    assert!(told, "{:?}", watcher.log_tail(50));
    Ok(())
}
