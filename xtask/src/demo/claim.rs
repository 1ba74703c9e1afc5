//! What a claim is: a request, what shall come of it, and who says so.

use std::fmt;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// A pod as `namespace/name`, or an address outside the cluster.
    pub(super) from: &'static str,
    pub(super) request: Request,
    pub(super) expect: Expect,
    pub(super) because: Because,
}

/// An HTTP request, as a command line would give it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) to: To,
    pub(super) port: u16,
    pub(super) path: &'static str,
    pub(super) connection: Connection,
}

/// The host in the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum To {
    /// The address of a pod, given as `namespace/name`.
    Pod(&'static str),
    /// A name, which the client resolves first, as every program does.
    Name(&'static str),
    /// The address of the first name, with the second in the `Host` header: a client that lies about where it goes.
    Lie(&'static str, &'static str),
}

/// Which connection carries the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// A new one.
    Fresh,
    /// The one on which this client sent its last kept request to this place, however many policies ago; a new one only
    /// the first time.
    Kept,
}

/// What shall come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// 200, from the application of that name.
    Answer(&'static str),
    /// 403 from the proxy: the connection is allowed, this request is not.
    Forbidden,
    /// The connection ends before a single byte comes back.
    Closed,
    /// The client does not get that far: its DNS query ends this way.
    NoName,
    /// A connection from before this policy carries nothing any more: 403, or the end of it.
    CutOff,
}

/// Who says so.
#[derive(Clone, Copy, Debug)]
pub(super) enum Because {
    /// The article that the example follows, in its own words.
    Article(&'static str),
    /// Nobody in these words; it follows from what the policy means.
    Follows(&'static str),
}

/// `from` sends `request`, and gets `expect`.
pub(super) const fn claim(from: &'static str, request: Request, expect: Expect, because: Because) -> Claim {
    Claim {
        from,
        request,
        expect,
        because,
    }
}

/// A GET request on a new connection.
pub(super) const fn get(to: To, port: u16, path: &'static str) -> Request {
    Request {
        method: "GET",
        to,
        port,
        path,
        connection: Connection::Fresh,
    }
}

impl Request {
    /// The same with another method.
    pub(super) const fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The same on the kept connection.
    pub(super) const fn kept(self) -> Self {
        Self {
            connection: Connection::Kept,
            ..self
        }
    }
}

impl Expect {
    /// Whether the policy shall let the request pass.
    pub(super) fn allowed(self) -> bool {
        matches!(self, Self::Answer(_))
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Answer(_) => "200",
            Self::Forbidden => "403",
            Self::Closed => "closed",
            Self::NoName => "no DNS",
            Self::CutOff => "cut off",
        })
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Article(sentence) => write!(f, "the article: \"{sentence}\""),
            Self::Follows(sentence) => write!(f, "it follows: {sentence}"),
        }
    }
}
