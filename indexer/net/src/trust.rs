//! Whose certificates are trusted, and how it is said that one is not.
//!
//! Over HTTP and WebSocket alike, by `rustls-platform-verifier`: those of the operating system; on
//! Linux, those of the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, in their place.

use std::{error::Error, io};

use rustls::CertificateError;

const NOBODY: &str = "nobody whom this machine trusts issued its certificate; put that of a CA of \
                      your own among the system's, or name a file with it in SSL_CERT_FILE";

/// Why a server's certificate is refused, and what to do; nothing where something else went wrong.
pub(crate) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
        NotValidYet, NotValidYetContext, UnknownIssuer,
    };
    let rustls::Error::InvalidCertificate(why) = of_tls(error)? else { return None };
    Some(match why {
        // The latter where it has the name of one that is trusted.
        UnknownIssuer | BadSignature => NOBODY.to_owned(),
        NotValidForNameContext { presented, .. } => {
            let names = crate::text::shown(presented.join(", ").as_bytes());
            format!("its certificate is not for this host, but for {names}")
        }
        NotValidForName => "its certificate is not for this host".to_owned(),
        Expired | ExpiredContext { .. } => {
            "its certificate has expired, or this machine's clock is wrong".to_owned()
        }
        NotValidYet | NotValidYetContext { .. } => {
            "its certificate is not valid yet, or this machine's clock is wrong".to_owned()
        }
        _ => return None,
    })
}

/// The error of TLS within another. Those of I/O do not tell theirs as a source.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = within.and_then(|within| of_tls(within)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
