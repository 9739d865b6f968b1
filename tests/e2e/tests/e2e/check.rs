//! `everhold check` of every other kind of reference.

use std::fs;

use everhold_e2e::{
    Everhold, Result, Setup, World,
    content::{cid_v1, raw_uri},
    ended::Ended,
    node,
    report::text,
    run::Sig,
    sha256,
};
use serde_json::json;

/// The verdict on a reference, and what was printed.
async fn verdict(
    everhold: &Everhold,
    arguments: &[&str],
    status: i32,
) -> Result<(String, serde_json::Value)> {
    let run = everhold.run(["check"].iter().chain(arguments)).await?;
    let checked = run.gives(status)?;
    Ok((text(&checked["verdict"]).to_owned(), checked))
}

#[tokio::test]
async fn inline_data_is_its_own_proof() -> Result<()> {
    let everhold = Everhold::new()?;
    for (reference, bytes) in [
        ("data:,A%20note", &b"A note"[..]),
        ("data:application/json;base64,eyJuIjoxfQ==", b"{\"n\":1}"),
        ("ipfs://bafkqaaa", b""),
    ] {
        let (verdict, checked) = verdict(&everhold, &[reference], 0).await?;
        assert_eq!((verdict.as_str(), &checked["answers"][0]["way"]), ("proved", &json!("inline")));
        assert_eq!(text(&checked["answers"][0]["sha256"]), sha256(bytes));
    }
    let (broken, _) = verdict(&everhold, &["data:text/plain;base64,*"], 3).await?;
    assert_eq!(broken, "corrupt");
    Ok(())
}

#[tokio::test]
async fn an_aleph_nodes_bytes_are_hashed() -> Result<()> {
    let world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    let bytes = b"a picture".to_vec();
    node::leave_there(&world.nodes[0], bytes.clone()).await?;
    let node = world.nodes[0].url();
    let url = format!("{node}/api/v0/storage/raw/{}", sha256(&bytes));
    for reference in [sha256(&bytes), raw_uri(&bytes)] {
        let arguments = ["--node", &node, &reference];
        assert_eq!(verdict(&world.everhold, &arguments, 0).await?.0, "proved", "{reference}");
    }
    // By the URL alone it is a host on a private address, that nobody configured.
    let everhold = Everhold::new()?;
    let (refused, checked) = verdict(&everhold, &[&url], 3).await?;
    assert_eq!(refused, "unreachable");
    assert!(checked["answers"][0]["detail"].to_string().contains("private_hosts"), "{checked}");
    fs::write(everhold.config(), format!("[web]\nprivate_hosts = [\"{node}\"]\n")).unwrap();
    assert_eq!(verdict(&everhold, &[&url], 0).await?.0, "proved");

    fs::write(world.nodes[0].path(&sha256(&bytes)), b"a picturE").unwrap();
    let arguments = ["--node", &node, &sha256(&bytes)];
    let (corrupt, checked) = verdict(&world.everhold, &arguments, 3).await?;
    assert_eq!(corrupt, "corrupt");
    assert_eq!(text(&checked["answers"][0]["sha256"]), sha256(b"a picturE"));
    let nowhere = cid_v1("55", &sha256(b"nowhere"));
    assert_eq!(verdict(&world.everhold, &["--node", &node, &nowhere], 3).await?.0, "missing");
    Ok(())
}

#[tokio::test]
async fn places_without_a_hash_are_served_and_never_proved() -> Result<()> {
    let world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    let node = world.nodes[0].url();
    let config = world.everhold.config();
    fs::write(&config, format!("[web]\nprivate_hosts = [\"{node}\"]\n")).unwrap();
    let place = format!("{node}/api/v0/storage/limits.json");
    let (served, checked) = verdict(&world.everhold, &[&place], 3).await?;
    assert_eq!((served.as_str(), &checked["class"]), ("served", &json!("http")));
    assert_eq!(checked["provability"]["proof"], "served-now");
    Ok(())
}

#[tokio::test]
async fn what_a_token_refers_to_is_followed() -> Result<()> {
    let world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    let picture = b"a picture".to_vec();
    let document = format!(
        "{{\"name\":\"1\",\"image\":\"{}\",\"animation_url\":\"data:text/html,hi\"}}",
        raw_uri(&picture)
    );
    for bytes in [picture.clone(), document.clone().into_bytes()] {
        node::leave_there(&world.nodes[0], bytes).await?;
    }
    let (node, uri) = (world.nodes[0].url(), raw_uri(document.as_bytes()));
    let arguments = ["check", &uri, "--node", &node, "--follow"];
    let followed = world.everhold.run(arguments).await?.gives(0)?;
    assert_eq!(followed["graph"]["nodes"].as_array().unwrap().len(), 3);
    fs::remove_file(world.nodes[0].path(&sha256(&picture))).unwrap();
    let followed = world.everhold.run(arguments).await?.gives(3)?;
    assert_eq!(followed["checks"][1]["verdict"], "missing", "{followed}");
    Ok(())
}

#[tokio::test]
async fn wrong_usage_is_named() -> Result<()> {
    let everhold = Everhold::new()?;
    for (arguments, name) in [
        (&["check", "1.png", "-q"][..], "--base"),
        (
            &["check", "ipfs://bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4", "-q"],
            "--gateway",
        ),
        (&["check", "x{id}", "--id", "one", "-q"], "`one`"),
        (&["check", "bafkqaaa", "--car", "/nowhere.car", "-q"], "/nowhere.car"),
        (&["check", "data:,x", "--file", "/nowhere", "-q"], "/nowhere"),
        (&["check", "data:,x", "--file", "/dev/zero", "-q"], "/dev/zero"),
        (&["check", "", "-q"], "empty"),
        (&["check", "data:,x", "--id=", "-q"], "token id"),
        (&["check", "1.png", "--base", "data:,{}", "-q"], "--base"),
        (&["check", "bafkqaaa", "--gateway", "mailto:x", "-q"], "--gateway"),
        (&["check", "data:,x", "--config", "x\u{202e}\u{1b}", "-q"], "x\\u{202e}\\u{1b}"),
    ] {
        everhold.run(arguments).await?.refuses(&[name])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_password_in_a_url_is_not_said_again() -> Result<()> {
    let everhold = Everhold::new()?;
    let arguments = ["check", "bafkqaaa", "--gateway", "http://me:secret@:99999", "-q"];
    let run = everhold.run(arguments).await?;
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    run.refuses(&["--gateway"])
}

#[tokio::test]
async fn a_result_that_cannot_be_printed_is_a_failure() -> Result<()> {
    let everhold = Everhold::new()?;
    for arguments in [&["check", "data:,x"][..], &["hash", "everhold.toml"]] {
        fs::write(everhold.config(), "").unwrap();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = std::process::Command::new(everhold.binary())
            .current_dir(everhold.dir())
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("printed"));
    }
    Ok(())
}

#[tokio::test]
async fn a_long_check_of_a_file_ends_by_a_signal() -> Result<()> {
    let everhold = Everhold::new()?;
    let huge = fs::File::create(everhold.dir().join("huge")).unwrap();
    huge.set_len(200 << 30).unwrap();
    for (what, signal) in [("--file", Sig::INT), ("--file", Sig::TERM)] {
        let mut child = tokio::process::Command::new(everhold.binary())
            .current_dir(everhold.dir())
            .args(["check", &sha256(b"other"), what, "huge"])
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Until it listens to signals, they are the system's.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        everhold_e2e::run::signal(child.id().unwrap(), signal)?;
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), child.wait()).await;
        assert_eq!(ended.expect("it goes on").unwrap().code(), Some(130));
    }
    Ok(())
}
