//! Spot checks between full probes, by the whole process: `watch --once` again and again.

use std::{fs, time::Duration};

use everhold_e2e::{
    Result, Setup, World,
    dag::Dag,
    ended::Ended,
    gateway::{Gateway, Habit, State},
    report::{history, replica, text},
};
use serde_json::{Value, json};

/// More than 1 MiB, the same each time.
fn bytes() -> Vec<u8> {
    (0..1_500_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
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
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = (dir.path().join("file"), bytes());
    fs::write(&path, &whole).unwrap();
    // 300 leaves below two nodes below a root.
    let dag = Dag::import(&path, json!({"chunker": "size-5000"})).await?;
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
