//! The real curl, unmodified, in a namespace: it resolves names and connects like any program of a pod.

use std::fmt;

use anyhow::{Context as _, Result};

use super::Namespace;

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An HTTP response.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The name could not be resolved.
    NoName,
    /// Nobody listens there.
    Refused,
    /// The connection was made, then closed or reset without an answer: what a denied connection looks like.
    Closed,
    /// There is no TLS: one side does not accept the other's certificate.
    NoTls,
    /// Nothing came back in time.
    Silent,
    /// Anything else: curl's exit code and words.
    Other(i32, String),
}

/// Longer than anything takes that will come, short enough to wait for what will not.
const MAX_SECONDS: &str = "4";

/// Calls with these arguments (the URL among them), in `namespace`.
///
/// # Errors
///
/// curl cannot be run, or does not report.
pub fn curl(namespace: &Namespace, arguments: &[&str]) -> Result<Outcome> {
    let mut command = namespace.command("curl");
    // The status goes last, on a line of its own. No configuration of the user, no proxy of the environment.
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error"]);
    command.args(["--max-time", MAX_SECONDS, "--write-out", "\n%{http_code}"]);
    let output = command.args(arguments).output().context("could not run curl")?;
    let code = output.status.code().context("curl was killed")?;
    if code == 0 {
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').context("curl tells no status")?;
        return Ok(Outcome::Answer {
            status: status.parse()?,
            body: body.to_owned(),
        });
    }
    Ok(failure(code, &String::from_utf8_lossy(&output.stderr)))
}

/// What an exit code means, with curl's words.
fn failure(code: i32, words: &str) -> Outcome {
    match code {
        6 => Outcome::NoName,
        7 => Outcome::Refused,
        28 => Outcome::Silent,
        // With TLS 1.3 a server's refusal of the certificate arrives when the client already reads.
        55 | 56 if words.contains("alert") => Outcome::NoTls,
        52 | 55 | 56 => Outcome::Closed,
        // Closed in the middle of the handshake, which for the one who closed it was a connection like others.
        35 if words.contains("SSL_ERROR_SYSCALL") || words.contains("reset") => Outcome::Closed,
        35 | 58 | 60 => Outcome::NoTls,
        _ => Outcome::Other(code, words.trim().to_owned()),
    }
}

impl Outcome {
    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The field of an [`HttpApp`](crate::world::http::HttpApp)'s echo, if the answer is one.
    #[must_use]
    pub fn echo(&self, field: &str) -> Option<String> {
        let Self::Answer { body, .. } = self else {
            return None;
        };
        let echo: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(echo.get(field)?.as_str()?.to_owned())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, body } => write!(f, "{status} {}", body.trim_end()),
            Self::NoName => f.write_str("no such name"),
            Self::Refused => f.write_str("refused"),
            Self::Closed => f.write_str("closed"),
            Self::NoTls => f.write_str("no TLS"),
            Self::Silent => f.write_str("no answer"),
            Self::Other(code, words) => write!(f, "curl ended with {code}: {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_told_from_a_closed_connection() {
        let alert =
            "curl: (56) OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0";
        let reset = "curl: (56) Recv failure: Connection reset by peer";
        let handshake = "curl: (35) OpenSSL SSL_connect: Connection reset by peer in connection to 10.0.0.1:443";
        for (code, words, expected) in [
            (56, alert, Outcome::NoTls),
            (56, reset, Outcome::Closed),
            (52, "curl: (52) Empty reply from server", Outcome::Closed),
            (35, handshake, Outcome::Closed),
            (
                35,
                "curl: (35) error:0A000410: sslv3 alert handshake failure",
                Outcome::NoTls,
            ),
            (
                3,
                "curl: (3) URL malformed\n",
                Outcome::Other(3, "curl: (3) URL malformed".into()),
            ),
        ] {
            assert_eq!(failure(code, words), expected, "{words}");
        }
    }

    #[test]
    fn an_echo_has_fields_and_other_answers_have_none() {
        let answer = |body: &str| Outcome::Answer {
            status: 200,
            body: body.into(),
        };
        assert_eq!(answer(r#"{"app":"x","n":1}"#).echo("app").as_deref(), Some("x"));
        assert_eq!(answer(r#"{"app":"x","n":1}"#).echo("n"), None);
        assert_eq!(answer("Access denied\r\n").echo("app"), None);
        assert_eq!(Outcome::Closed.echo("app"), None);
    }
}
