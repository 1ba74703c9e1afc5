//! What rules come to when they are merged.

use alloc::rc::Rc;

use crate::{
    bundle::{Authentication, PortPattern},
    engine::compile::{L7, PeerMatcher, Settings},
    http::{Finder, HttpPattern},
    verdict::RuleRef,
};

/// What the rules of a subject allow to some peers on some ports.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The first rule that it was made of.
    pub(crate) rule: RuleRef,
    pub(crate) key: Key,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) settings: Settings,
    /// If there are rules on requests: a rule for the same peers and ports that has none, so that all pass.
    pub(crate) unrestricted: Option<RuleRef>,
    /// Finds those of its rules on HTTP requests that match one.
    pub(crate) finder: Finder,
    /// Whether one of them may change the headers of requests.
    pub(crate) changes_headers: bool,
}

/// What must be identical for two rules to be merged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    /// `None` for every protocol and port.
    pub(crate) port: Option<PortPattern>,
    /// `None` for every peer.
    pub(crate) peer: Option<PeerMatcher>,
}

/// What a connection has to go through, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Parser {
    None,
    Tls,
    Http,
    Kafka,
    Dns,
    Listener,
}

impl Parser {
    /// Whether it reads requests or queries. Where nobody does, whatever is carried passes.
    pub(crate) fn reads_messages(self) -> bool {
        match self {
            Self::Http | Self::Kafka | Self::Dns => true,
            Self::None | Self::Tls | Self::Listener => false,
        }
    }
}

impl Settings {
    pub(crate) fn parser(&self) -> Parser {
        match &self.l7 {
            Some(L7::Http(_)) => Parser::Http,
            Some(L7::Kafka(_)) => Parser::Kafka,
            Some(L7::Dns(_)) => Parser::Dns,
            None if self.listener.is_some() => Parser::Listener,
            None if self.looks_at_tls() => Parser::Tls,
            None => Parser::None,
        }
    }

    /// Whether a connection with this TLS server name is one that they are for.
    pub(crate) fn allows_server_name(&self, name: Option<&[u8]>) -> bool {
        let patterns = &self.server_names;
        patterns.is_empty() || name.is_some_and(|name| patterns.iter().any(|pattern| pattern.matches(name)))
    }

    /// The rules on HTTP requests.
    pub(crate) fn http(&self) -> &[Rc<HttpPattern>] {
        match &self.l7 {
            Some(L7::Http(rules)) => rules,
            Some(L7::Dns(_) | L7::Kafka(_)) | None => &[],
        }
    }

    fn looks_at_tls(&self) -> bool {
        !self.server_names.is_empty() || self.terminating_tls.is_some() || self.originating_tls.is_some()
    }
}

impl Entry {
    /// Whether a connection with this TLS server name is one that the entry allows.
    pub(crate) fn allows_server_name(&self, name: Option<&[u8]>) -> bool {
        self.settings.allows_server_name(name)
    }

    /// The rule that allows everything on a connection that goes through `parser`, if there is one. Rules that another
    /// parser reads restrict nothing there.
    pub(crate) fn allows_everything(&self, parser: Parser) -> Option<&RuleRef> {
        match self.settings.l7 {
            Some(_) if self.settings.parser() == parser => self.unrestricted.as_ref(),
            Some(_) | None => Some(&self.rule),
        }
    }
}
