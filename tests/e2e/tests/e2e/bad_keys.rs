//! Keys that can't be used, and keys that must never be seen.

use std::fs;

use everhold_e2e::{Alerting, Result, Setup, World, accounts, ended::Ended};

use crate::support::{chain_commands, refused, small, words};

/// The creator's key, encrypted by Foundry's `cast wallet import` with the password `right`.
const KEYSTORE: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6f70e565e6a837a26f5751075f2304e5"},"ciphertext":"90d24d50cfbfb23252d6bf9fee5858c699b963f2543103e92ea5acad8203923d","kdf":"scrypt","kdfparams":{"dklen":32,"n":8192,"p":1,"r":8,"salt":"691b1cc8bf4b77429a7c2474156c9b11b4db4a12c37a0ae62dbfac08ffb5a63a"},"mac":"d24a410714db364c9a0e6a90159b2126882f8d0a7dadff542769cce2cf7985d8"},"id":"c466e8ec-7cef-4168-97c4-a1d579b290a9","version":3}"#;

/// A command line with another key.
fn with_key<'a>(line: &'a [String], key: &[&'a str]) -> Vec<&'a str> {
    let at = line.iter().position(|word| word == "--private-key-file");
    let (before, after) = line.split_at(at.unwrap_or(line.len()));
    [&words(before)[..], key, &words(after.get(2..).unwrap_or_default())[..]].concat()
}

#[tokio::test]
async fn a_keystore_that_does_not_open_is_named() -> Result<()> {
    let world = World::healthy(small()).await?;
    let dir = world.everhold.dir();
    fs::write(dir.join("good.json"), KEYSTORE).unwrap();
    fs::write(dir.join("junk.json"), "{\"crypto\": 3}").unwrap();
    fs::write(dir.join("empty.json"), "").unwrap();
    fs::write(dir.join("right.txt"), "right\n").unwrap();
    fs::write(dir.join("wrong.txt"), "wr0ng-password\n").unwrap();
    for line in chain_commands(&world) {
        let line: Vec<_> = line.into_iter().collect();
        for (file, password, names) in [
            ("good.json", "wrong.txt", &["good.json", "wrong password"][..]),
            ("junk.json", "right.txt", &["junk.json"]),
            ("empty.json", "right.txt", &["empty.json"]),
            ("gone.json", "right.txt", &["gone.json"]),
            ("/tmp", "right.txt", &["/tmp"]),
            ("good.json", "gone.txt", &["gone.txt"]),
        ] {
            let key = ["--keystore", file, "--password-file", password];
            refused(&world, &with_key(&line, &key), names).await?;
        }
        // Without a terminal nothing asks.
        refused(&world, &with_key(&line, &["--keystore", "good.json"]), &["good.json"]).await?;
    }
    let run = world
        .everhold
        .run_with(
            ["publish", "art", "--collection", &world.collection, "--keystore", "good.json", "-q"],
            &[("EVERHOLD_KEYSTORE_PASSWORD", "right")],
        )
        .await?;
    run.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_key_file_that_holds_no_key_is_named_and_not_shown() -> Result<()> {
    let world = World::healthy(small()).await?;
    let key = accounts::CREATOR.key;
    let file = world.everhold.dir().join("bad.key");
    for text in ["", &key[..63], &format!("{key}0"), &key.replace('a', "g"), &format!("{key} x")] {
        fs::write(&file, text).unwrap();
        for line in chain_commands(&world) {
            let line = with_key(&line, &["--private-key-file", "bad.key"]);
            let run = world.everhold.run(line.iter().chain(&["-vv"])).await?;
            assert!(!run.stderr.contains(&key[8..24]), "the key is shown: {}", run.stderr);
            refused(&world, &line, &["bad.key"]).await?;
        }
    }
    for line in chain_commands(&world).iter().filter(|line| line[0] != "watch") {
        refused(&world, &with_key(line, &[]), &["--private-key-file"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_key_than_the_creators_does_not_publish() -> Result<()> {
    let world = World::healthy(small()).await?;
    let stranger = world.everhold.key_file("stranger", &accounts::STRANGER)?;
    let line = world.publishing(world.art.dir(), &[]);
    let line = with_key(&line, &["--private-key-file", &stranger]);
    refused(&world, &line, &[accounts::CREATOR.address, accounts::STRANGER.address]).await
}

#[tokio::test]
async fn keys_and_secrets_are_in_no_output() -> Result<()> {
    let secret = "s3cret-of-the-webhook";
    let alert = Alerting { url: "http://127.0.0.1:1/alerts".into(), secret: secret.into() };
    let mut world = World::start(Setup { alert: Some(alert), ..small() }).await?;
    fs::write(world.everhold.dir().join("good.json"), KEYSTORE).unwrap();
    let password = [("EVERHOLD_KEYSTORE_PASSWORD", "right")];
    world.deploy(&[]).await?;
    let mut outputs = String::new();
    let deploy = ["deploy", "--name", "N", "--symbol", "S", "--keystore", "good.json"];
    let deploy: Vec<_> = deploy.into_iter().map(str::to_owned).collect();
    let publish = world.publishing(world.art.dir(), &[]);
    let payer = ["--payer", "repairer.key"].map(str::to_owned);
    let others = chain_commands(&world).into_iter().filter(|line| line[0] != "publish");
    let others = others.map(|mut line| {
        if line[0] == "update" {
            line.extend(payer.clone());
        }
        line
    });
    for line in [deploy, publish].into_iter().chain(others) {
        let words = words(&line).into_iter().chain(["-vv"]);
        let run = world.everhold.run_with(words, &password).await?;
        assert_eq!(run.status, 0, "{line:?}: {}", run.stderr);
        assert!(run.stderr.contains("DEBUG"), "-vv says nothing more: {}", run.stderr);
        outputs += &(run.stdout + &run.stderr);
    }
    // Something to repair, and an alert that can't be delivered.
    fs::remove_file(world.nodes[0].path(&world.id(1, "image").await?)).unwrap();
    let run = world.once(&["--no-repair", "-vv"]).await?;
    assert_eq!(run.status, 3);
    outputs += &(run.stdout + &run.stderr);
    let outputs = outputs.to_lowercase();
    for hidden in [accounts::CREATOR.key, accounts::REPAIRER.key, secret] {
        assert!(!outputs.contains(hidden), "{hidden} is shown");
    }
    Ok(())
}
