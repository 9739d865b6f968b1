//! Discord: a webhook (Discord developer documentation, "Execute Webhook").
//!
//! One embed: its title has at most 256 characters, its description 4,096, a field's value 1,024, its
//! footer 2,048, and all of them together 6,000 ("Embed Limits"). `allowed_mentions` with an empty
//! `parse` mentions nobody, whatever the text is ("Allowed Mentions Object"); a backslash before a sign
//! keeps Markdown from it.

use serde_json::json;
use url::Url;

use super::{Notice, Post, answer::Advice, text::markdown};
use crate::incident::Severity;

pub(super) const ADVICE: Advice = Advice {
    unknown: "Discord knows this webhook no more: make a new one in the channel's settings under \
              Integrations and put its URL in the place of the old one",
    disliked: "Discord does not take the message: look whether the URL is that of a webhook of Discord's",
};

const TITLE: usize = 256;
const DESCRIPTION: usize = 1_500;
/// Of up to five, whose names have 20 characters at most.
const FIELD: usize = 700;
const FOOTER: usize = 300;

/// A webhook of a channel.
pub(super) struct Discord {
    url: Url,
}

impl Discord {
    pub(super) fn new(url: Url) -> Self {
        Self { url }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn request(&self, notice: &Notice) -> Post {
        let mut embed = json!({
            "title": markdown(&notice.label(), TITLE),
            "description": markdown(&notice.summary, DESCRIPTION),
            "color": color(notice),
            "fields": [],
            "footer": { "text": super::text::cut(&notice.about(), FOOTER) },
        });
        let fields = notice.paragraphs().into_iter().map(|(name, text)| {
            let value = match notice.link() {
                // In angle brackets, a link has no preview.
                Some(link) if name == "Evidence" && link.len() < FIELD => format!("<{link}>"),
                _ => markdown(text, FIELD),
            };
            json!({ "name": name, "value": value })
        });
        embed["fields"] = fields.collect();
        if !notice.at.is_empty() {
            embed["timestamp"] = notice.at.as_str().into();
        }
        let body = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } });
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Post { url: self.url.clone(), headers, body: body.to_string() }
    }
}

/// Of the bar beside the embed.
fn color(notice: &Notice) -> u32 {
    match (notice.is_over(), notice.severity()) {
        (true, _) => 0x002e_7d32,
        (false, Severity::Critical) => 0x00c6_2828,
        (false, Severity::Warning) => 0x00ef_8a17,
        (false, Severity::Info) => 0x0054_6e7a,
    }
}
