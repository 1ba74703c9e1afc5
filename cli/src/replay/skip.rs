//! Lines that nobody can judge, each with the reason: none is dropped without a word.

use std::borrow::Cow;

/// Why a line was not judged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Skip {
    pub(super) why: Why,
    /// What exactly, if that is more than the reason says.
    pub(super) detail: Cow<'static, str>,
}

impl Skip {
    pub(super) fn new(why: Why, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            why,
            detail: detail.into(),
        }
    }
}

impl From<Why> for Skip {
    fn from(why: Why) -> Self {
        Self::new(why, "")
    }
}

/// The kinds of lines that are not judged. The codes are stable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Why {
    Malformed,
    NoFlow,
    Reply,
    NoVerdict,
    ToldByRequests,
    DroppedOtherwise,
    DecidedElsewhere,
    NoPort,
    UnknownPeer,
    NobodyToAsk,
    RequestsNotRecorded,
    HeadersNotRecorded,
    ServerNameNotRecorded,
    TooManyPeers,
}

impl Why {
    /// The code for programs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoFlow => "no-flow",
            Self::Reply => "reply",
            Self::NoVerdict => "no-verdict",
            Self::ToldByRequests => "told-by-requests",
            Self::DroppedOtherwise => "dropped-otherwise",
            Self::DecidedElsewhere => "decided-elsewhere",
            Self::NoPort => "no-port",
            Self::UnknownPeer => "unknown-peer",
            Self::NobodyToAsk => "nobody-to-ask",
            Self::RequestsNotRecorded => "requests-not-recorded",
            Self::HeadersNotRecorded => "headers-not-recorded",
            Self::ServerNameNotRecorded => "server-name-not-recorded",
            Self::TooManyPeers => "too-many-peers",
        }
    }

    /// The sentence for people.
    pub(super) const fn explanation(self) -> &'static str {
        match self {
            Self::Malformed => "the line is not as it should be",
            Self::NoFlow => "the line tells of something else than a flow",
            Self::Reply => "an answer goes where the question came from",
            Self::NoVerdict => "the line does not say whether the flow passed",
            Self::ToldByRequests => "a connection whose requests have lines of their own",
            Self::DroppedOtherwise => "it was dropped, but not by policy",
            Self::DecidedElsewhere => "it was refused, or left to somebody else, for a reason that is no policy's",
            Self::NoPort => "the line has no protocol, or no port",
            Self::UnknownPeer => "the line does not say who that is",
            Self::NobodyToAsk => "the side whose policy was asked is not in the cluster",
            Self::RequestsNotRecorded => {
                "policies look into the connection, and the line does not tell what it carried"
            }
            Self::HeadersNotRecorded => "the verdict depends on headers or a host that the line does not tell",
            Self::ServerNameNotRecorded => "the verdict depends on a TLS server name that the line does not tell",
            Self::TooManyPeers => "there are more peers without an object than are kept in memory",
        }
    }
}
