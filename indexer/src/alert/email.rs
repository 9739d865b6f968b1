//! E-mail: SMTP (RFC 5321) over TLS, or with STARTTLS (RFC 3207).
//!
//! A message is plain text. Its `Message-ID` is the alert's id, and it answers the incident's, so that
//! mail programs show an incident as one thread and drop what comes twice.

mod smtp;
mod taken;

use std::{fmt, time::Duration, time::SystemTime};

use everhold_net::root_cause;
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use url::{Host, Url};

use self::{
    smtp::{Failed, Reply, Server, Unserved},
    taken::{Came, Taken},
};
use super::{
    Notice, Outgoing,
    answer::{Refused, Retry},
    text::{cut, unlinked},
};
use crate::config::{ConfigError, EmailConfig, secret};

/// For a whole message.
const ALTOGETHER: Duration = Duration::from_secs(60);
/// Of a subject: what mail programs show of it.
const SUBJECT: usize = 200;

/// A mail server, and who gets what.
pub(super) struct Email {
    from: Mailbox,
    to: Vec<Mailbox>,
    password: Option<String>,
    /// The server's name.
    name: String,
    server: Server,
    taken: Taken,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("server", &self.name).finish_non_exhaustive()
    }
}

impl Email {
    /// # Errors
    /// Where an address is none, or the password can't be read.
    pub(super) fn new(config: &EmailConfig) -> Result<Self, ConfigError> {
        let mailbox = |text: &String| {
            text.parse::<Mailbox>().map_err(|error| {
                ConfigError::Invalid(format!("[[alert]] email: `{text}` is no address: {error}"))
            })
        };
        let password = config.password_file.as_deref();
        let password = password.map(|path| secret("email password_file", path)).transpose()?;
        let from = mailbox(&config.from)?;
        let server = server(config, from.email.domain(), password.as_deref())?;
        Ok(Self {
            from,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            password,
            name: format!("{}:{}", server.host, server.port),
            server,
            taken: Taken::default(),
        })
    }

    /// By what it is the same after a restart.
    pub(super) fn identity(&self) -> String {
        let mut to: Vec<_> = self.to.iter().map(|to| to.email.to_string()).collect();
        to.sort();
        format!("{}\n{}", self.name, to.join("\n"))
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Sends an alert to those who don't have it yet; gives why some don't get it, where others do.
    pub(super) async fn send(
        &self,
        alert: Outgoing<'_>,
        notice: &Notice,
    ) -> Result<Option<Refused>, Refused> {
        let message = self.message(alert, notice, SystemTime::now()).map_err(|error| Refused {
            said: format!("the message can't be made: {error}"),
            gist: "no message".to_owned(),
            todo: None,
            retry: Retry::Seldom,
            this_alone: true,
        })?;
        let to = self.taken.lacking(alert.id, self.to.iter().map(|to| &to.email));
        let mail = message.formatted();
        let sending = self.server.deliver(&self.from.email, &to, &mail);
        match tokio::time::timeout(ALTOGETHER, sending).await {
            Ok(Ok(unserved)) => self.judge(self.taken.note(alert.id, to, unserved)),
            Ok(Err(Failed::Server(reply))) => Err(self.refused(&reply)),
            Ok(Err(Failed::Message(reply))) => Err(self.disliked(&reply)),
            Err(_) => {
                Err(self
                    .passing(&Reply { code: None, said: format!("not done after {ALTOGETHER:?}") }))
            }
        }
    }

    /// What it means that some are refused.
    fn judge(&self, came: Came) -> Result<Option<Refused>, Refused> {
        match came {
            Came::All => Ok(None),
            Came::But(unserved) => Ok(Some(self.unserved(&unserved, Retry::Seldom))),
            Came::Again(unserved) => {
                Err(Refused { this_alone: true, ..self.unserved(&unserved, Retry::Soon) })
            }
            Came::None(unserved) => {
                let never = unserved.iter().all(|(_, reply)| reply.is_permanent());
                Err(self.unserved(&unserved, if never { Retry::Seldom } else { Retry::Soon }))
            }
        }
    }

    fn unserved(&self, unserved: &[Unserved], retry: Retry) -> Refused {
        let each =
            unserved.iter().map(|(address, reply)| format!("not to {address}: {}", text_of(reply)));
        let names: Vec<_> = unserved.iter().map(|(address, _)| address.to_string()).collect();
        let todo = "look whether the server takes mail from `from` to each of `to`: it refuses";
        Refused {
            said: format!("{}: {}", self.name, each.collect::<Vec<_>>().join("; ")),
            gist: format!("not to {}", names.join(", ")),
            todo: (retry == Retry::Seldom).then(|| format!("{todo} {}", names.join(", "))),
            retry,
            this_alone: false,
        }
    }

    fn message(
        &self,
        alert: Outgoing<'_>,
        notice: &Notice,
        date: SystemTime,
    ) -> Result<Message, lettre::error::Error> {
        let host = self.from.email.domain();
        let thread = format!("<{}@{host}>", notice.incident);
        // The texts are of one line each: none can begin another header.
        let subject = cut(&format!("[Everhold] {}: {}", notice.label(), notice.summary), SUBJECT);
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(date)
            .message_id(Some(format!("<{}@{host}>", alert.id)))
            .references(thread.clone())
            .in_reply_to(thread)
            .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()))
            .raw_header(raw("X-Everhold-Event", alert.event.to_owned()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(text(notice))
    }

    /// The server takes nothing from us.
    fn refused(&self, reply: &Reply) -> Refused {
        if !reply.is_permanent() {
            return self.passing(reply);
        }
        // 530, 534, 535 and 538 are about who we are (RFC 4954, section 6).
        let todo = match reply.code {
            Some(530..=539) => "look whether username and password_file are right",
            _ => "look whether the server takes mail from `from`",
        };
        Refused { todo: Some(todo.to_owned()), retry: Retry::Seldom, ..self.passing(reply) }
    }

    /// It does not take this message, after all of it was sent; the next may be another matter.
    fn disliked(&self, reply: &Reply) -> Refused {
        if !reply.is_permanent() {
            return self.passing(reply);
        }
        let todo = "look why the server does not take this message; others are sent all the same";
        Refused {
            todo: Some(todo.to_owned()),
            retry: Retry::Seldom,
            this_alone: true,
            ..self.passing(reply)
        }
    }

    fn passing(&self, reply: &Reply) -> Refused {
        Refused {
            said: format!("{}: {}", self.name, text_of(reply)),
            gist: match reply.code {
                Some(code) => format!("SMTP {code}"),
                None => reply.said.clone(),
            },
            todo: None,
            retry: Retry::Soon,
            this_alone: false,
        }
    }
}

fn text_of(reply: &Reply) -> String {
    match reply.code {
        Some(code) => format!("SMTP {code}: {}", reply.said),
        None => reply.said.clone(),
    }
}

/// A header whose value is written as it is.
fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The body. What strangers say links nowhere; the link to the evidence, which is ours, does.
fn text(notice: &Notice) -> String {
    let mut text = format!("{}\n", unlinked(&notice.summary));
    for (heading, paragraph) in notice.paragraphs() {
        let paragraph = match (heading, notice.link()) {
            ("Evidence", Some(link)) => link.to_owned(),
            _ => unlinked(paragraph),
        };
        text += &format!("\n{heading}: {paragraph}\n");
    }
    text + &format!("\n-- \n{}\n", notice.about())
}

/// The way to the server. Passwords and mail go over TLS, but on this machine.
fn server(
    config: &EmailConfig,
    domain: &str,
    password: Option<&str>,
) -> Result<Server, ConfigError> {
    let failed = |what: String| ConfigError::Invalid(format!("[[alert]] email smtp: {what}"));
    let url = &config.smtp;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let wrapped = url.scheme() == "smtps";
    let port = url.port().unwrap_or(if wrapped { 465 } else { 587 });
    let tls = || TlsParameters::new(host.clone()).map_err(|error| failed(root_cause(&error)));
    let tls = match (wrapped, is_loopback(url)) {
        (true, _) => Tls::Wrapper(tls()?),
        (false, true) => Tls::Opportunistic(tls()?),
        (false, false) => Tls::Required(tls()?),
    };
    let credentials = config.username.clone().zip(password.map(str::to_owned));
    let credentials = credentials.map(|(name, password)| Credentials::new(name, password));
    Ok(Server { host, port, tls, hello: ClientId::Domain(domain.to_owned()), credentials })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // Of a scheme that is not the web's, an address is not told from a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(smtp: &str) -> Email {
        let config = EmailConfig {
            to: vec!["Ann <a@example.org>".to_owned(), "b@example.org".to_owned()],
            from: "Everhold <e@example.org>".to_owned(),
            smtp: smtp.parse().unwrap(),
            username: None,
            password_file: None,
        };
        Email::new(&config).unwrap()
    }

    #[test]
    fn no_name_begins_a_header_or_a_link() {
        let notice = serde_json::json!({
            "event": "incident.opened", "incident": "i", "severity": "warning", "id": "a",
            "summary": "Art\r\nBcc: all@evil.example\r\n\r\nhttp://evil.example is ill",
            "todo": "Look at http://evil.example, www.evil.example or evil.example/x.", "evidence": "https://ours.example/x",
        });
        let notice = Notice::read(&notice.to_string()).unwrap();
        let alert = Outgoing { id: "a", event: "incident.opened", payload: "" };
        let made =
            email("smtps://mail.example.org").message(alert, &notice, SystemTime::UNIX_EPOCH);
        let text = String::from_utf8(made.unwrap().formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: Everhold <e@example.org>",
            "To: Ann <a@example.org>, b@example.org",
            "Message-ID: <a@example.org>",
            "In-Reply-To: <i@example.org>",
            "Auto-Submitted: auto-generated",
            "X-Everhold-Event: incident.opened",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
        ] {
            assert!(head.lines().any(|known| known == line), "{line}: {head}");
        }
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(
            head.contains("Subject: [Everhold] WARNING opened: Art Bcc: all@evil.example"),
            "{head}"
        );
        assert!(body.contains("https://ours.example/x"), "{body}");
        for linked in ["http://evil", "www.evil", "evil.example"] {
            assert!(!body.contains(linked), "{linked}: {body}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for (url, loopback) in [
            ("smtp://127.0.0.1:25", true),
            ("smtp://[::1]:25", true),
            ("smtp://localhost", true),
            ("smtp://mail.example.org", false),
            ("smtp://10.0.0.1", false),
            ("smtp://127.0.0.1.example.org", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
        assert_eq!(email("smtp://mail.example.org").name, "mail.example.org:587");
        assert_eq!(email("smtps://mail.example.org").name, "mail.example.org:465");
    }
}
