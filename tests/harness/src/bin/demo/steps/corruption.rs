//! A node serves wrong bytes.

use everhold_harness::Result;

use super::damage::{Damage, Opened};
use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{is_node, items, text},
    stage::TOKENS,
    story::seconds,
};

const NODE: usize = 2;
const VICTIM: (u64, &str) = (5, "image");

pub(super) async fn tell(stage: &Stage, story: &Story, checklist: &mut Checklist) -> Result<()> {
    story.step("A node serves wrong bytes");
    let mut damage = Damage::prepare(stage, NODE, &[VICTIM], "corrupt").await?;
    damage.begin();
    for victim in &damage.victims {
        damage.node.corrupt(&victim.id).await?;
        story.fact(
            &damage.name,
            &format!(
                "Overwrote: {}. Length and the node's own records stay as they were.",
                victim.text()
            ),
        );
    }
    let opened = match damage.wait_opened().await {
        Ok(opened) => opened,
        Err(error) => {
            checklist.judge(story, Promise::Corrupt, Err(error));
            return Ok(());
        }
    };
    story.fact(
        "Everhold",
        &format!(
            "After {}: {} ({}) answers with other bytes than the hash says: corrupt.",
            seconds(opened.after),
            damage.name,
            damage.node.url()
        ),
    );
    let evidence = "ledger: an incident; replica history: verified → corrupt".to_owned();
    checklist.judge(story, Promise::Corrupt, Ok(evidence));
    let alerted = alerted(&damage, &opened, story).await;
    checklist.judge(story, Promise::CorruptAlert, alerted);
    let repaired = repaired(&damage, story).await;
    checklist.judge(story, Promise::CorruptRepaired, repaired);
    Ok(())
}

async fn alerted(damage: &Damage<'_>, opened: &Opened, story: &Story) -> Result<String> {
    let alerts = damage.wait_alerts(&opened.incidents, "incident.opened").await?;
    for alert in &alerts {
        damage.check_names(alert)?;
        let message = text(&alert.body["message"]);
        story.fact("Alert", &format!("With the right signature: \"{message}\""));
        let replicas = items(&alert.body["replicas"]).iter();
        for replica in replicas.filter(|r| is_node(&r["node"], &damage.node.url())) {
            let computed = text(&replica["computed"]);
            story.fact("", &format!("The bytes that came hash to {computed}."));
        }
    }
    let content = damage.victims.first().map_or("", |victim| &victim.id);
    Ok(format!("receiver: right HMAC-SHA256; names {} and {content}", damage.node.url()))
}

async fn repaired(damage: &Damage<'_>, story: &Story) -> Result<String> {
    let (actions, after) = damage.wait_repaired(TOKENS).await?;
    let history = damage.check_restored().await?;
    story.fact(
        "Everhold",
        &format!(
            "After {}: replaced the file on {} ({actions}) and fetched it again: {history}.",
            seconds(after),
            damage.name
        ),
    );
    story.good(&format!("All {TOKENS} tokens are healthy."));
    Ok("ledger: incident closed as recovered, corrupt → verified; SHA-256 on the disk".to_owned())
}
