//! A node loses files.

use everhold_harness::Result;

use super::damage::{Damage, Opened};
use crate::{
    Checklist, Promise, Stage, Story,
    ledger::text,
    stage::{LARGE, NODES, TOKENS},
    story::{count, seconds},
};

const NODE: usize = 1;
const VICTIMS: [(u64, &str); 3] = [(3, "metadata"), (3, "image"), (LARGE, "image")];

pub(super) async fn tell(stage: &Stage, story: &Story, checklist: &mut Checklist) -> Result<()> {
    story.step("A node loses files");
    let mut damage = Damage::prepare(stage, NODE, &VICTIMS, "missing").await?;
    damage.begin();
    for victim in &damage.victims {
        damage.node.lose(&victim.id).await?;
        story.fact(&damage.name, &format!("Deleted: {}", victim.text()));
    }
    let opened = damage.wait_opened().await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            checklist.judge(story, Promise::Degraded, Err(error));
            return Ok(());
        }
    };
    let seen = degraded(&damage, &opened, story);
    checklist.judge(story, Promise::Degraded, Ok(seen));
    let alerted = alerted(&damage, &opened, story).await;
    checklist.judge(story, Promise::LossAlert, alerted);
    let repaired = repaired(&damage, &opened, story).await;
    checklist.judge(story, Promise::LossRepaired, repaired);
    Ok(())
}

fn degraded(damage: &Damage<'_>, opened: &Opened, story: &Story) -> String {
    let files = count(damage.victims.len(), "file");
    let live = match opened.degraded {
        0 => String::new(),
        tokens => format!(" While it lasted, status showed {tokens} tokens as degraded."),
    };
    story.fact(
        "Everhold",
        &format!(
            "After {}: {files} missing on {} ({}), so degraded: {} of {NODES} replicas are left.{live}",
            seconds(opened.after),
            damage.name,
            damage.node.url(),
            NODES - 1
        ),
    );
    let incidents = count(opened.incidents.len(), "incident");
    format!("ledger: {incidents}, health degraded; replica history: verified → missing")
}

async fn alerted(damage: &Damage<'_>, opened: &Opened, story: &Story) -> Result<String> {
    let alerts = damage.wait_alerts(&opened.incidents, "incident.opened").await?;
    for alert in &alerts {
        damage.check_names(alert)?;
    }
    let number = count(alerts.len(), "alert");
    if let Some(first) = alerts.first() {
        let message = text(&first.body["message"]);
        let signed = format!("{number}, each with the right signature. The first: \"{message}\"");
        story.fact("Alert", &signed);
    }
    Ok(format!("receiver: {number} with the right HMAC-SHA256"))
}

async fn repaired(damage: &Damage<'_>, opened: &Opened, story: &Story) -> Result<String> {
    let (actions, after) = damage.wait_repaired(TOKENS).await?;
    let history = damage.check_restored().await?;
    story.fact(
        "Everhold",
        &format!(
            "After {}: fetched the files from other nodes, gave them back to {} ({actions}), and \
             fetched them from there again: only that proves a repair. Its history of the last \
             one on {}: {history}.",
            seconds(after),
            damage.name,
            damage.name
        ),
    );
    let recovered = damage.wait_alerts(&opened.incidents, "incident.recovered").await?;
    story.fact("Alert", &format!("{} that it is well again.", count(recovered.len(), "alert")));
    story.good(&format!(
        "All {TOKENS} tokens are healthy; the files on {}'s disk have the SHA-256 they had.",
        damage.name
    ));
    Ok(format!(
        "ledger: {} closed as recovered, missing → verified; SHA-256 on the disk",
        count(recovered.len(), "incident")
    ))
}
