//! A mail server that keeps what it gets: as much of SMTP (RFC 5321), AUTH PLAIN (RFC 4616) and
//! STARTTLS (RFC 3207) as a mail program needs to hand in mail.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{Context, Result};

/// A message that was handed in.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Head and body, with `\n` at the ends of lines.
    pub text: String,
    /// What AUTH PLAIN said, in Base64.
    pub auth: Option<String>,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

#[derive(Debug, Default)]
struct Inbox {
    mails: Vec<Mail>,
    refusal: Option<String>,
    /// By recipient: what `RCPT` is answered, and how often still.
    unknown: HashMap<String, (String, u32)>,
    /// What a mail must not say, and what it is answered else.
    disliked: Option<(String, String)>,
}

/// The server, at `localhost`.
#[derive(Debug)]
pub struct MailServer {
    inbox: Arc<Mutex<Inbox>>,
    address: SocketAddr,
    authority: PathBuf,
    server: JoinHandle<()>,
    _dir: TempDir,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

impl MailServer {
    /// Starts one on a free port; it takes mail over STARTTLS, and asks who one is if `auth`.
    pub async fn start(auth: bool) -> Result<Self> {
        let dir = tempfile::tempdir().context("mail server")?;
        let authority = dir.path().join("ca.pem");
        let acceptor = acceptor(&authority)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("mail server")?;
        let address = listener.local_addr().context("mail server")?;
        let inbox: Arc<Mutex<Inbox>> = Arc::default();
        let kept = Arc::clone(&inbox);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = Session { inbox: Arc::clone(&kept), auth, mail: Mail::default() };
                let stream: Box<dyn Stream> = Box::new(stream);
                tokio::spawn(session.run(BufReader::new(stream), acceptor.clone()));
            }
        });
        Ok(Self { inbox, address, authority, server, _dir: dir })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("smtp://localhost:{}", self.address.port())
    }

    /// File with the certificate that its own goes back to.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Everything that was handed in.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.inbox).mails.clone()
    }

    /// Answers `RCPT` of one recipient so, the next so many times.
    pub fn refuse_for(&self, recipient: &str, answer: &str, times: u32) {
        lock(&self.inbox).unknown.insert(recipient.to_owned(), (answer.to_owned(), times));
    }

    /// Answers so, from now on, to a whole mail in which a word is; the empty word is in none.
    pub fn refuse_mail(&self, word: &str, answer: &str) {
        lock(&self.inbox).disliked = Some((word.to_owned(), answer.to_owned()));
    }

    /// Answers `RCPT` so from now on.
    pub fn refuse(&self, answer: &str) {
        lock(&self.inbox).refusal = Some(answer.to_owned());
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A certificate for `localhost`, by an authority whose own is written to a file.
fn acceptor(authority: &Path) -> Result<TlsAcceptor> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let what = "certificate";
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().context(what)?);
    let issuer = issuer.context(what)?;
    std::fs::write(authority, issuer.pem()).context(what)?;
    let params = CertificateParams::new(["localhost".to_owned()]).context(what)?;
    let key = KeyPair::generate().context(what)?;
    let certificate = params.signed_by(&key, &issuer).context(what)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context(what)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .context(what)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Whether a connection goes on after a command.
enum Next {
    Say(String),
    Encrypt,
    End,
}

struct Session {
    inbox: Arc<Mutex<Inbox>>,
    auth: bool,
    mail: Mail,
}

impl Session {
    async fn run(mut self, connection: Connection, acceptor: TlsAcceptor) {
        // Who hangs up has nothing more to say.
        let _ = self.talk(connection, acceptor).await;
    }

    async fn talk(
        &mut self,
        mut connection: Connection,
        acceptor: TlsAcceptor,
    ) -> std::io::Result<()> {
        connection.write_all(b"220 localhost ready\r\n").await?;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            if line.eq_ignore_ascii_case("DATA") {
                connection.write_all(b"354 go on\r\n").await?;
                let answer = self.data(&mut connection).await?;
                connection.write_all(format!("{answer}\r\n").as_bytes()).await?;
                continue;
            }
            match self.command(&line) {
                Next::Say(answer) => connection.write_all(answer.as_bytes()).await?,
                Next::End => return connection.write_all(b"221 bye\r\n").await,
                Next::Encrypt => {
                    connection.write_all(b"220 go on\r\n").await?;
                    let stream: Box<dyn Stream> =
                        Box::new(acceptor.accept(connection.into_inner()).await?);
                    connection = BufReader::new(stream);
                    self.mail = Mail { encrypted: true, ..Mail::default() };
                }
            }
        }
    }

    fn command(&mut self, line: &str) -> Next {
        let upper = line.to_ascii_uppercase();
        let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let path = path.map(|(path, _)| path.to_owned()).unwrap_or_default();
        let answer = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if self.mail.encrypted => "250-localhost\r\n250 AUTH PLAIN\r\n",
            "EHLO" => "250-localhost\r\n250 STARTTLS\r\n",
            "STARTTLS" => return Next::Encrypt,
            "AUTH" => {
                self.mail.auth = line.split(' ').nth(2).map(str::to_owned);
                "235 welcome\r\n"
            }
            "MAIL" if self.auth && self.mail.auth.is_none() => "530 who are you\r\n",
            "MAIL" => {
                self.mail.from = path;
                self.mail.to.clear();
                "250 ok\r\n"
            }
            "RCPT" => match self.refusal(&path) {
                Some(refusal) => return Next::Say(format!("{refusal}\r\n")),
                None => {
                    self.mail.to.push(path);
                    "250 ok\r\n"
                }
            },
            "QUIT" => return Next::End,
            _ => "250 ok\r\n",
        };
        Next::Say(answer.to_owned())
    }

    /// Why a recipient gets nothing.
    fn refusal(&self, recipient: &str) -> Option<String> {
        let mut inbox = lock(&self.inbox);
        match inbox.unknown.get_mut(recipient) {
            Some((answer, times)) if *times > 0 => {
                *times -= 1;
                Some(answer.clone())
            }
            _ => inbox.refusal.clone(),
        }
    }

    /// Up to the line with a dot alone; gives the answer.
    async fn data(&mut self, connection: &mut Connection) -> std::io::Result<String> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 || line == ".\r\n" {
                break;
            }
            let line = line.trim_end_matches("\r\n");
            text += line.strip_prefix('.').unwrap_or(line);
            text.push('\n');
        }
        let (encrypted, auth) = (self.mail.encrypted, self.mail.auth.clone());
        let mail = std::mem::replace(&mut self.mail, Mail { encrypted, auth, ..Mail::default() });
        let mut inbox = lock(&self.inbox);
        if let Some((word, answer)) = &inbox.disliked
            && !word.is_empty()
            && text.contains(word)
        {
            return Ok(answer.clone());
        }
        inbox.mails.push(Mail { text, ..mail });
        Ok("250 kept".to_owned())
    }
}
