//! `KEEP=1`: all goes on running, to be looked at.

use std::env;

use crate::{stage::Stage, story::Story};

pub(crate) fn is_wanted() -> bool {
    env::var("KEEP").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

pub(crate) fn tell(stage: &Stage, story: &Story) {
    story.step("All goes on running (KEEP=1); Ctrl-C ends it");
    story.fact("Chain", &stage.anvil.url());
    for (name, node) in stage.named_nodes() {
        story.fact(&name, &node.url());
    }
    story.fact("Alert receiver", &stage.receiver.url());
    story.fact("Collection", &stage.collection);
    story.fact("Files", &stage.root.display().to_string());
    story.raw("");
    story.say("Look around, in another terminal:");
    story.raw("");
    let everhold = stage.everhold.binary().display();
    let dir = stage.everhold.dir().display();
    story.raw(&format!("   cd {dir}"));
    story.raw(&format!("   {everhold} status"));
    story.raw(&format!("   {everhold} token {} 1", stage.collection));
    if let Some(watcher) = &stage.watcher {
        story.raw(&format!("   tail -f {}", watcher.log().display()));
    }
    let url = stage.nodes[0].url();
    story.raw(&format!(
        "   curl -X POST -H 'Content-Type: application/json' -d '{{\"all\":true}}' {url}/dev/lose"
    ));
}
