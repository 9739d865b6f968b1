//! `everhold check` of IPFS references, against gateways of every habit.

use std::{fs, path::PathBuf};

use everhold_e2e::{
    Everhold, Result,
    dag::Dag,
    ended::Ended,
    gateway::{Gateway, Habit},
    report::text,
};
use serde_json::{Value, json};

/// A file of a hundred thousand bytes, the same each time.
fn bytes() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The product, and a file cut in a way that no profile knows (1,000 bytes a chunk) or, usual, in
/// the way that all know.
async fn file(usual: bool) -> Result<(Everhold, PathBuf, Dag)> {
    let everhold = Everhold::new()?;
    let path = everhold.dir().join("file");
    fs::write(&path, bytes()).unwrap();
    let options = if usual { json!({}) } else { json!({"chunker": "size-1000"}) };
    let dag = Dag::import(&path, options).await?;
    Ok((everhold, path, dag))
}

async fn check(everhold: &Everhold, dag: &Dag, habit: Habit, status: i32) -> Result<Value> {
    let (whole, root) = (bytes(), dag.root.as_str());
    let v1 = dag.blocks[0].0.as_str();
    let gateway = Gateway::start(habit, dag, &[(root, &whole), (v1, &whole)]).await?;
    let reference = format!("ipfs://{root}");
    let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
    run.gives(status)
}

#[tokio::test]
async fn unusual_files_are_proved_where_there_are_blocks() -> Result<()> {
    let (everhold, _, dag) = file(false).await?;
    for (habit, way) in [(Habit::Trustless, "car"), (Habit::BlocksOnly, "blocks")] {
        let checked = check(&everhold, &dag, habit, 0).await?;
        let answer = &checked["answers"][0];
        assert_eq!((text(&answer["verdict"]), text(&answer["way"])), ("proved", way));
        assert_eq!(answer["bytes"], 100_000);
        assert_eq!(text(&answer["sha256"]), everhold_e2e::sha256(&bytes()));
    }
    for habit in [Habit::FilesOnly, Habit::FilesAndSaysSo] {
        let checked = check(&everhold, &dag, habit, 3).await?;
        assert_eq!(checked["verdict"], "unproved", "{checked}");
    }
    Ok(())
}

#[tokio::test]
async fn usual_files_are_proved_by_their_bytes_too() -> Result<()> {
    let (everhold, _, dag) = file(true).await?;
    for (habit, way) in [
        (Habit::Trustless, "car"),
        (Habit::BlocksOnly, "blocks"),
        (Habit::FilesOnly, "bytes"),
        (Habit::FilesAndSaysSo, "bytes"),
    ] {
        let checked = check(&everhold, &dag, habit, 0).await?;
        assert_eq!(text(&checked["answers"][0]["way"]), way, "{habit:?}");
    }
    Ok(())
}

#[tokio::test]
async fn lying_archives_prove_nothing() -> Result<()> {
    let (everhold, _, dag) = file(false).await?;
    for (habit, verdict) in [
        (Habit::WrongBlock, "corrupt"),
        (Habit::ExtraBlock, "corrupt"),
        (Habit::MissingBlock, "missing"),
        (Habit::CutArchive, "corrupt"),
        (Habit::ErrorPage, "unproved"),
    ] {
        let checked = check(&everhold, &dag, habit, 3).await?;
        assert_eq!(text(&checked["verdict"]), verdict, "{habit:?} {checked}");
    }
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_lies_is_passed_over_for_one_that_does_not() -> Result<()> {
    let (everhold, _, dag) = file(false).await?;
    let liar = Gateway::start(Habit::WrongBlock, &dag, &[]).await?;
    let honest = Gateway::start(Habit::Trustless, &dag, &[]).await?;
    let reference = format!("ipfs://{}", dag.root);
    let gateways = ["--gateway", liar.url(), "--gateway", honest.url()];
    let run = everhold.run(["check", &reference].iter().chain(&gateways)).await?;
    let checked = run.gives(0)?;
    let verdicts: Vec<&str> =
        checked["answers"].as_array().unwrap().iter().map(|a| text(&a["verdict"])).collect();
    assert_eq!(verdicts, ["corrupt", "proved"]);
    Ok(())
}

#[tokio::test]
async fn paths_are_proved_through_their_folders() -> Result<()> {
    let everhold = Everhold::new()?;
    let top = everhold.dir().join("collection");
    fs::create_dir(&top).unwrap();
    for at in 0..40 {
        fs::write(top.join(format!("{at}.json")), format!("{{\"n\":{at}}}")).unwrap();
    }
    for shard_above in [262_144, 0] {
        let dag = Dag::import(&top, json!({"shardAbove": shard_above})).await?;
        let named = format!("{}/7.json", dag.blocks[0].0);
        for (habit, status, verdict) in
            [(Habit::BlocksOnly, 0, "proved"), (Habit::FilesAndSaysSo, 3, "unproved")]
        {
            let gateway = Gateway::start(habit, &dag, &[(&named, b"{\"n\":7}")]).await?;
            let reference = format!("ipfs://{}/7.json", dag.root);
            let run = everhold.run(["check", &reference, "--gateway", gateway.url()]).await?;
            let checked = run.gives(status)?;
            assert_eq!(text(&checked["verdict"]), verdict, "{checked}");
            assert_eq!(checked["answers"][0]["bytes"], 7);
        }
        let gateway = Gateway::start(Habit::BlocksOnly, &dag, &[]).await?;
        let absent = format!("ipfs://{}/40.json", dag.root);
        let run = everhold.run(["check", &absent, "--gateway", gateway.url()]).await?;
        assert_eq!(run.gives(3)?["verdict"], "missing");
        let folder = format!("ipfs://{}", dag.root);
        let run = everhold.run(["check", &folder, "--gateway", gateway.url()]).await?;
        let checked = run.gives(0)?;
        assert!(!checked["answers"][0]["entries"].as_array().unwrap().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn archives_on_disk_are_checked_without_a_network() -> Result<()> {
    let (everhold, path, dag) = file(false).await?;
    let car = everhold.dir().join("file.car");
    fs::write(&car, &dag.car).unwrap();
    let (car, path) = (car.display().to_string(), path.display().to_string());
    let reference = format!("ipfs://{}", dag.root);
    let checked = everhold.run(["check", &reference, "--car", &car]).await?.gives(0)?;
    assert_eq!(checked["answers"][0]["bytes"], 100_000);
    // The same bytes as a file are no proof: nobody knows how they were cut.
    let checked = everhold.run(["check", &reference, "--file", &path]).await?.gives(3)?;
    assert_eq!(checked["verdict"], "unproved");
    for (at, value) in [(dag.car.len() - 1, 1), (10, 1)] {
        let mut damaged = dag.car.clone();
        damaged[at] ^= value;
        fs::write(&car, damaged).unwrap();
        everhold.run(["check", &reference, "--car", &car]).await?.gives(3)?;
    }
    Ok(())
}
