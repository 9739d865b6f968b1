//! What the tests share that only they need.

use everhold_e2e::{Result, Setup, World, ended::Ended};

/// The least that can be healthy: one node, one token.
pub(crate) fn small() -> Setup {
    Setup { nodes: 1, tokens: 1, ..Setup::default() }
}

/// Runs a command that must be refused in one line that holds all of `names`, and must leave
/// chain, nodes and ledger as they were.
pub(crate) async fn refused(world: &World, arguments: &[&str], names: &[&str]) -> Result<()> {
    let before = world.facts().await?;
    let run = world.everhold.run(arguments.iter().copied().chain(["-q"])).await?;
    let what = format!("everhold {}", arguments.join(" "));
    run.refuses(names).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(world.facts().await?, before, "{what}: something was changed");
    Ok(())
}

/// Each command that needs the chain, as its owner and creator would give it.
pub(crate) fn chain_commands(world: &World) -> Vec<Vec<String>> {
    let key = ["--private-key-file", &world.key];
    let at = ["--collection", &world.collection];
    let art = world.art.dir().display().to_string();
    let file = world.art.tokens()[0].metadata.display().to_string();
    let line = |words: &[&[&str]]| words.concat().iter().map(|w| (*w).to_owned()).collect();
    vec![
        line(&[&["watch", "--once"]]),
        line(&[&["publish", &art], &at, &key]),
        line(&[&["update", &file, "--token", "1"], &at, &key]),
        line(&[&["freeze", "--token", "1"], &at, &key]),
    ]
}

/// The words of a command line.
pub(crate) fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}
