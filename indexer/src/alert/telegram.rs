//! Telegram: `sendMessage` of the Bot API (core.telegram.org/bots/api).
//!
//! A message has at most 4,096 characters, counted as UTF-16. Texts of strangers are in `<code>`, within
//! which no other entity can be ("HTML style"): nothing is linked or mentioned there. An answer of 429
//! says in `parameters.retry_after` for how many seconds to wait ("ResponseParameters").

use std::{fmt, time::Duration};

use everhold_net::MAX_RETRY_AFTER;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    Notice, Post,
    answer::{Advice, Answer, Refused, Retry},
    text::entities,
};
use crate::config::{ConfigError, TelegramConfig, secret};

pub(super) const ADVICE: Advice = Advice {
    unknown: "look whether token_file holds the bot's token as @BotFather shows it, and whether the bot \
              is in the chat still",
    disliked: "look whether `chat` is the id of a chat that the bot is in, or `@` and a public channel",
};

/// The whole message.
const LIMIT: usize = 4_096;
/// Each of its up to six paragraphs, so that all of them fit, with their headings and the last line.
const PARAGRAPH: usize = 560;

/// A chat, and the bot that writes there.
pub(super) struct Telegram {
    chat: String,
    token: String,
    url: Url,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").field("chat", &self.chat).finish_non_exhaustive()
    }
}

/// What the Bot API answers.
#[derive(Deserialize)]
struct Said {
    ok: bool,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Telegram {
    /// # Errors
    /// Where the token can't be read, or can be none.
    pub(super) fn new(config: &TelegramConfig) -> Result<Self, ConfigError> {
        let token = secret("telegram token_file", &config.token_file)?;
        let is_of_a_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        if !token.chars().all(is_of_a_token) {
            let path = config.token_file.display();
            let said = "it holds no token, which has letters, digits, `:`, `_` and `-` alone";
            return Err(ConfigError::Invalid(format!(
                "[[alert]] telegram token_file {path}: {said}"
            )));
        }
        let mut url = config.url.clone();
        let path = format!("{}/bot{token}/sendMessage", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { chat: config.chat.clone(), token, url })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn request(&self, notice: &Notice) -> Post {
        let code = |text: &str| format!("<code>{}</code>", entities(text, PARAGRAPH));
        let mut text = format!("<b>{}</b>\n{}", notice.label(), code(&notice.summary));
        for (heading, paragraph) in notice.paragraphs() {
            text += &match notice.link() {
                Some(link) if heading == "Evidence" => {
                    let link = entities(&link.replace('"', "%22"), PARAGRAPH);
                    format!("\n\n<a href=\"{link}\">{heading}</a>")
                }
                _ => format!("\n\n<b>{heading}</b>\n{}", code(paragraph)),
            };
        }
        let about = format!("\n\n{}", code(&notice.about()));
        if text.encode_utf16().count() + about.encode_utf16().count() <= LIMIT {
            text += &about;
        }
        let body = json!({
            "chat_id": self.chat,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        });
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Post { url: self.url.clone(), headers, body: body.to_string() }
    }

    /// Whether it was taken: the API says so in its body, too.
    pub(super) fn judge(answer: &Answer) -> Result<(), Refused> {
        let said = serde_json::from_slice::<Said>(&answer.body);
        let judged = answer.judge(ADVICE);
        match (judged, said) {
            (Ok(()), Ok(said)) if said.ok => Ok(()),
            (Ok(()), _) => Err(Refused {
                said: format!("no answer of the Bot API's: {}", answer.text()),
                gist: "no answer of the Bot API's".to_owned(),
                todo: Some("look whether telegram's url is right".to_owned()),
                retry: Retry::Soon,
                this_alone: false,
            }),
            (Err(refused), Ok(said)) => Err(said.parameters.improve(refused)),
            (Err(refused), Err(_)) => Err(refused),
        }
    }
}

impl Parameters {
    /// What the API says of when, or where, it would be taken.
    fn improve(&self, mut refused: Refused) -> Refused {
        if let Some(seconds) = self.retry_after {
            refused.retry = Retry::After(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
            refused.this_alone = false;
        }
        if let Some(chat) = self.migrate_to_chat_id {
            refused.todo = Some(format!("the chat has a new id: write chat = \"{chat}\""));
            refused.this_alone = false;
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, body: &str) -> Result<(), Refused> {
        Telegram::judge(&Answer { status, retry_after: None, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn heeds_what_the_api_says() {
        assert_eq!(judge(200, r#"{"ok":true,"result":{}}"#), Ok(()));
        assert_eq!(judge(200, "<html>").unwrap_err().retry, Retry::Soon);
        let busy = r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}"#;
        assert_eq!(judge(429, busy).unwrap_err().retry, Retry::After(Duration::from_secs(35)));
        let forever = r#"{"ok":false,"parameters":{"retry_after":99999999}}"#;
        assert_eq!(judge(429, forever).unwrap_err().retry, Retry::After(MAX_RETRY_AFTER));
        let moved = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001}}"#;
        let refused = judge(400, moved).unwrap_err();
        assert!(refused.to_string().contains("chat = \"-1001\""), "{refused}");
        assert_eq!(
            judge(401, r#"{"ok":false,"error_code":401}"#).unwrap_err().retry,
            Retry::Seldom
        );
    }
}
