//! What an alert says besides what happened: what it means, what was done, what to do, where to look.

use serde_json::{Value, json};
use url::Url;

use super::halt::reindex_command;
use crate::{
    health::Health,
    incident::{Kind, Severity, Transition},
    ledger::{Incident, Repair, RepairState},
};

/// Repairs that are told one by one.
const MOST_REPAIRS: usize = 5;

/// Adds to the body of an alert what all have in words; what it says already stays.
pub(super) fn complete(
    body: &mut Value,
    incident: &Incident,
    (transition, severity): (Transition, Severity),
    repairs: &[Repair],
    api: Option<&Url>,
) {
    let kind = incident.subject.kind();
    let health = body["health"].as_str().and_then(|health| health.parse().ok());
    let over = transition == Transition::Recovered;
    let token = body["tokens"][0].as_str().map(str::to_owned);
    let evidence = evidence(incident, token.as_deref(), api);
    let words = [
        ("severity", json!(severity)),
        ("meaning", meaning(kind, over, health).into()),
        ("done", done(kind, over, repairs).into()),
        ("todo", todo(incident, over, health, token.as_deref()).into()),
        ("evidence", evidence.into()),
    ];
    let Some(body) = body.as_object_mut() else { return };
    for (name, value) in words {
        body.entry(name).or_insert(value);
    }
}

/// What it means for owners.
fn meaning(kind: Kind, over: bool, health: Option<Health>) -> &'static str {
    match (kind, over, health) {
        (Kind::Content, true, Some(_)) => {
            "As many independent nodes as the policy asks for serve the right bytes again."
        }
        (Kind::Content | Kind::Path | Kind::Removal, true, None) => {
            "It is over: what it was about is kept, found, or looked after no more."
        }
        (Kind::Content, _, Some(Health::Lost)) => {
            "No node that was asked serves the right bytes: whoever looks at these tokens may see nothing, \
             or something else."
        }
        (Kind::Content, ..) => {
            "It can still be seen, and fewer independent nodes than the policy asks for keep it: each \
             that fails next brings it nearer to being lost."
        }
        (Kind::Path, ..) => {
            "Tokens point to a place below a folder where nothing is found: whoever looks at them sees \
             nothing there."
        }
        (Kind::Removal, ..) => {
            "A node will delete its copy soon, since nothing pays for it there any more."
        }
        (Kind::Credits, true, _) => "What Everhold stored for it goes on being kept.",
        (Kind::Credits, false, _) => {
            "When the credits are used up, the STOREs that Everhold signed end, and about a day later \
             nodes delete what only those keep."
        }
        (Kind::Halted, true, _) => "Its mints and updates are followed again.",
        (Kind::Halted, false, _) => {
            "Mints and updates of this collection are not seen until somebody has looked at it; what is \
             known of it is still checked."
        }
    }
}

/// What Everhold did since it began.
fn done(kind: Kind, over: bool, repairs: &[Repair]) -> String {
    let told = |repair: &Repair| {
        let Repair { action, node, state, detail, cost, .. } = repair;
        let detail = detail.as_deref().unwrap_or("no reason is known");
        if action == "none" {
            return format!("nothing more to try at {node}: {detail}");
        }
        let came = match state {
            RepairState::Waiting => detail,
            RepairState::Done => "a later probe saw the right bytes",
            RepairState::Sent => "the node took it, and is probed again",
            RepairState::Planned => "under way",
            RepairState::Failed => "failed",
        };
        match cost.credits.0 {
            0 => format!("{action} at {node}: {came}"),
            _ => format!("{action} at {node}, {} credits an hour: {came}", cost.credits),
        }
    };
    let newest = repairs.iter().rev().take(MOST_REPAIRS).rev().map(told).collect::<Vec<_>>();
    match (kind, repairs.len()) {
        (Kind::Halted, _) if !over => {
            "It stopped reading the collection, and changed nothing.".to_owned()
        }
        (Kind::Credits, _) => "It signs no STORE beyond `[repair.budget]`.".to_owned(),
        (_, 0) => "It wrote down what it saw; it has repaired nothing.".to_owned(),
        (_, 1) => format!("One repair: {}.", newest.join("; ")),
        (_, all) if all <= MOST_REPAIRS => format!("{all} repairs: {}.", newest.join("; ")),
        (_, all) => format!("{all} repairs; the last of them: {}.", newest.join("; ")),
    }
}

/// What the reader should do.
fn todo(incident: &Incident, over: bool, health: Option<Health>, token: Option<&str>) -> String {
    let (address, chain) = (incident.collection.to_checksum(None), incident.chain_id);
    let look = look(incident, token);
    match (incident.subject.kind(), over, health) {
        (_, true, _) => "Nothing.".to_owned(),
        (Kind::Content, _, Some(Health::Lost)) => format!(
            "Put the original back: `everhold publish DIR --collection {address} --chain-id {chain}` with \
             the folder it was published from stores what is missing. `{look}` shows what each node said."
        ),
        (Kind::Content, ..) => format!(
            "Nothing, if a later alert says that it recovered. If none does within a day, look which nodes \
             lack it (`{look}`), and whether `[repair]` has a key that can pay."
        ),
        (Kind::Path, ..) => format!(
            "Have whoever made the folder publish it whole, or the tokens point elsewhere. `{look}` shows \
             which they are."
        ),
        (Kind::Credits, ..) => {
            "Give the account credits, or let go of what need not be kept. `everhold repairs` shows what is \
             signed, and what it costs."
                .to_owned()
        }
        (Kind::Removal, ..) => format!("Pay for it, or store it anew. `{look}` shows its STOREs."),
        (Kind::Halted, ..) => {
            format!(
                "When the chain is as it will stay, run `{}`.",
                reindex_command(&address, chain)
            )
        }
    }
}

/// The command that shows the evidence.
fn look(incident: &Incident, token: Option<&str>) -> String {
    let (address, chain) = (incident.collection.to_checksum(None), incident.chain_id);
    match token {
        Some(token) => format!("everhold token {address} {token} --chain-id {chain}"),
        None => "everhold status".to_owned(),
    }
}

/// A link to the evidence, or the command that shows it.
fn evidence(incident: &Incident, token: Option<&str>, api: Option<&Url>) -> String {
    let Some(api) = api else { return look(incident, token) };
    let base = api.as_str().trim_end_matches('/');
    let (address, chain) = (incident.collection.to_checksum(None), incident.chain_id);
    match token {
        Some(token) => {
            format!("{base}/api/v1/collections/{address}/tokens/{token}?chain_id={chain}")
        }
        None => format!("{base}/api/v1/status"),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::{ledger::Subject, repair::Cost};

    fn incident(subject: Subject) -> Incident {
        Incident {
            id: "i".to_owned(),
            collection_id: 1,
            chain_id: 5,
            collection: Address::repeat_byte(1),
            subject,
            health: Health::Lost,
            summary: String::new(),
            opened_at: 0,
            closed_at: None,
            close_reason: None,
            care: crate::ledger::Care::default(),
        }
    }

    #[test]
    fn says_everything_and_where_to_look() {
        let path = Subject::Path { reference: "ipfs://x/1".to_owned() };
        for subject in [path, Subject::Halted] {
            for over in [Transition::Recovered, Transition::Opened] {
                let mut body = json!({ "health": null, "tokens": ["7"] });
                let incident = incident(subject.clone());
                complete(&mut body, &incident, (over, Severity::Warning), &[], None);
                for name in ["severity", "meaning", "done", "todo", "evidence"] {
                    assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
                }
                let address = incident.collection.to_checksum(None);
                assert_eq!(body["evidence"], format!("everhold token {address} 7 --chain-id 5"));
            }
        }
    }

    #[test]
    fn links_to_where_the_api_is_and_keeps_what_is_said() {
        let api = "https://e.example/x/".parse().unwrap();
        let mut body = json!({ "health": "lost", "tokens": [], "todo": "Call." });
        let incident = incident(Subject::Halted);
        complete(&mut body, &incident, (Transition::Opened, Severity::Critical), &[], Some(&api));
        assert_eq!(body["evidence"], "https://e.example/x/api/v1/status");
        assert_eq!((&body["todo"], &body["severity"]), (&json!("Call."), &json!("critical")));
    }

    #[test]
    fn tells_repairs_and_only_the_last_of_many() {
        let repair = |number: i64, state| Repair {
            id: number,
            content: 1,
            node: format!("http://n{number}"),
            action: "upload".to_owned(),
            state,
            message_hash: None,
            detail: None,
            cost: Cost::default(),
            payer: None,
            started_at: 0,
            sent_at: None,
            finished_at: None,
        };
        assert!(done(Kind::Content, false, &[]).contains("repaired nothing"));
        let one = done(Kind::Content, true, &[repair(1, RepairState::Done)]);
        assert!(one.contains("upload at http://n1: a later probe saw the right bytes"), "{one}");
        let many: Vec<_> = (0..9).map(|number| repair(number, RepairState::Failed)).collect();
        let many = done(Kind::Content, false, &many);
        assert!(
            many.starts_with("9 repairs") && many.contains("n8") && !many.contains("n3"),
            "{many}"
        );
    }
}
