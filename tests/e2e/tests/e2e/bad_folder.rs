//! Folders that can't be published as they are: what is wrong is found before anything is sent.

use std::{fs, path::Path};

use everhold_e2e::{Result, World, chain};

use crate::support::{refused, small, words};

/// Publishes a folder of these files; it must be refused, and nothing may have been sent.
async fn folder(world: &World, files: &[(&str, &[u8])], names: &[&str]) -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    publish(world, dir.path(), names).await
}

async fn publish(world: &World, dir: &Path, names: &[&str]) -> Result<()> {
    for more in [&[][..], &["--dry-run"]] {
        refused(world, &words(&world.publishing(dir, more)), names).await?;
    }
    assert_eq!(world.count("POST").await?, 0);
    assert_eq!(chain::next_token_id(&world.anvil, &world.collection).await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_folder_is_named() -> Result<()> {
    let mut world = World::start(small()).await?;
    world.deploy(&[]).await?;
    let world = &world;
    let fine = (r#"{"name":"x"}"#).as_bytes();
    folder(world, &[("1.json", fine), ("2.json", b"{\"name\": ")], &["2.json", "not JSON"]).await?;
    folder(world, &[("1.json", b"\xff\xfe{}")], &["1.json", "UTF-8"]).await?;
    folder(world, &[("1.json", b"[]")], &["1.json", "object"]).await?;
    folder(world, &[("1.json", b"")], &["1.json", "not JSON"]).await?;
    folder(world, &[("1.json", br#"{"image":7}"#)], &["1.json", "image"]).await?;
    let gone: &[(&str, &[u8])] =
        &[("1.json", fine), ("2.json", br#"{"image":"gone.png"}"#), ("other.png", b"x")];
    folder(world, gone, &["2.json", "gone.png", "image"]).await?;
    let outside: &[(&str, &[u8])] = &[("1.json", br#"{"image":"../../../../etc/hostname"}"#)];
    folder(world, outside, &["1.json", "etc/hostname"]).await?;
    folder(world, &[("1.json", fine), ("3.json", fine)], &["2.json"]).await?;
    folder(world, &[("0.json", fine), ("1.json", fine)], &["0.json", "--first-id 0"]).await?;
    folder(world, &[("2.json", fine)], &["2.json", "1.json"]).await?;
    folder(world, &[("1.json", fine), ("01.json", fine)], &["01.json", "token 1"]).await?;
    folder(world, &[("1.json", fine), ("json/2.json", fine)], &["json", "keep them in one"])
        .await?;
    folder(world, &[("readme.txt", fine)], &["no metadata"]).await?;
    publish(world, Path::new("/no/such/folder"), &["/no/such/folder"]).await
}

#[tokio::test]
async fn another_folder_than_the_one_published_is_refused() -> Result<()> {
    let world = World::healthy(small()).await?;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1.json"), r#"{"name":"another"}"#).unwrap();
    let line = world.publishing(dir.path(), &[]);
    refused(&world, &words(&line), &["token 1", "other content"]).await
}
