//! Slack: an incoming webhook (Slack API documentation, "Sending messages using incoming webhooks").
//!
//! Texts of strangers are `plain_text` objects, in which nothing is formatted, linked or mentioned, and
//! have `&`, `<` and `>` escaped all the same ("Formatting text for app surfaces"). A header has at most
//! 150 characters, a section 3,000, a message 50 blocks, its `text` 40,000 ("Block Kit reference").

use serde_json::{Value, json};
use url::Url;

use super::{Notice, Post, answer::Advice, text::entities};

pub(super) const ADVICE: Advice = Advice {
    unknown: "Slack knows this webhook no more, or its channel is gone: make a new incoming webhook at \
              api.slack.com/apps and put its URL in the place of the old one",
    disliked: "Slack does not take the message: look whether the URL is that of an incoming webhook of \
               Slack's",
};

const HEADER: usize = 150;
/// Of up to six: together they stay below some 13,000, above which Slack refuses a message
/// (`msg_blocks_too_long`), whatever each may have.
const SECTION: usize = 1_800;

/// An incoming webhook.
pub(super) struct Slack {
    url: Url,
}

impl Slack {
    pub(super) fn new(url: Url) -> Self {
        Self { url }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn request(&self, notice: &Notice) -> Post {
        let mut blocks = vec![
            json!({ "type": "header", "text": plain(&notice.label(), HEADER) }),
            json!({ "type": "section", "text": plain(&notice.summary, SECTION) }),
        ];
        for (heading, text) in notice.paragraphs() {
            blocks.push(match notice.link() {
                Some(link) if heading == "Evidence" => section_with_link(link),
                _ => json!({ "type": "section", "text": plain(&format!("{heading}: {text}"), SECTION) }),
            });
        }
        blocks.push(json!({ "type": "context", "elements": [plain(&notice.about(), SECTION)] }));
        let fallback = format!("{}: {}", notice.label(), notice.summary);
        let body = json!({
            // For notifications, which show no blocks.
            "text": entities(&fallback, SECTION),
            "mrkdwn": false,
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "blocks": blocks,
        });
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Post { url: self.url.clone(), headers, body: body.to_string() }
    }
}

fn plain(text: &str, limit: usize) -> Value {
    json!({ "type": "plain_text", "text": entities(text, limit), "emoji": false })
}

/// The one link there is leads to the configured `[api] url`.
fn section_with_link(link: &str) -> Value {
    // In a link, `|` ends the URL.
    let link = entities(&link.replace('|', "%7C"), SECTION - 20);
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("<{link}|Evidence>"), "verbatim": true } })
}
