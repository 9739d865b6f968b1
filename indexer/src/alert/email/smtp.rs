//! A mail on its way, command by command (RFC 5321, section 3.3): so it is known who takes it, and whether
//! it is us, a recipient or the mail itself that is refused.

use std::{error::Error, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Tls},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
    },
};

/// For each command.
const PATIENCE: Duration = Duration::from_secs(15);

/// A mail server, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status, where there is an answer.
    pub(super) code: Option<u16>,
    /// What was said, or what happened.
    pub(super) said: String,
}

/// Why nobody got a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The server does not take mail from us, or is not there.
    Server(Reply),
    /// It does not take this one.
    Message(Reply),
}

/// A recipient who is refused.
pub(super) type Unserved = (Address, Reply);

impl Reply {
    /// Whether it will be the same next time.
    pub(super) fn is_permanent(&self) -> bool {
        self.code.is_some_and(|code| code >= 500)
    }
}

impl From<SmtpError> for Reply {
    fn from(error: SmtpError) -> Self {
        let code = error.status().and_then(|code| code.to_string().parse().ok());
        let mut inner: &dyn Error = &error;
        while let Some(source) = inner.source() {
            inner = source;
        }
        Self { code, said: inner.to_string() }
    }
}

impl Server {
    /// Hands a mail in for all of these, once; gives those who are refused. Where that is everybody, nothing
    /// was sent.
    pub(super) async fn deliver(
        &self,
        from: &Address,
        to: &[Address],
        mail: &[u8],
    ) -> Result<Vec<Unserved>, Failed> {
        let server = |error: SmtpError| Failed::Server(error.into());
        let mut connection = self.connect().await.map_err(server)?;
        let done = converse(&mut connection, from, to, mail).await;
        // It says goodbye, unless there is nobody any more who could hear it.
        connection.abort().await;
        done
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let wrapper = match &self.tls {
            Tls::Wrapper(tls) => Some(tls.clone()),
            _ => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(PATIENCE),
            &self.hello,
            wrapper,
            None,
        )
        .await?;
        match &self.tls {
            Tls::Opportunistic(tls) if connection.can_starttls() => {
                connection.starttls(tls.clone(), &self.hello).await?;
            }
            Tls::Required(tls) => connection.starttls(tls.clone(), &self.hello).await?,
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

async fn converse(
    connection: &mut AsyncSmtpConnection,
    from: &Address,
    to: &[Address],
    mail: &[u8],
) -> Result<Vec<Unserved>, Failed> {
    let server = |error: SmtpError| Failed::Server(error.into());
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    // RFC 6531. The mail itself is ASCII: its texts are encoded.
    let international = !is_ascii(from) || !to.iter().all(is_ascii);
    if international && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        let said = "an address is not ASCII, and the server does not support SMTPUTF8".to_owned();
        return Err(Failed::Server(Reply { code: None, said }));
    }
    let options = if international { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    connection.command(Mail::new(Some(from.clone()), options)).await.map_err(server)?;
    let mut unserved = Vec::new();
    for one in to {
        match connection.command(Rcpt::new(one.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => unserved.push((one.clone(), error.into())),
            Err(error) => return Err(server(error)),
        }
    }
    if unserved.len() == to.len() {
        return Ok(unserved);
    }
    let message = |error: SmtpError| match error.status() {
        Some(_) => Failed::Message(error.into()),
        None => Failed::Server(error.into()),
    };
    connection.command(Data).await.map_err(message)?;
    connection.message(mail).await.map_err(message)?;
    Ok(unserved)
}
