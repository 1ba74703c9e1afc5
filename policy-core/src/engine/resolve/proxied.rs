//! A connection that some rule looks into: the entries that count, and what they say whatever it carries.

use alloc::{rc::Rc, vec::Vec};

use crate::{
    bundle::{Authentication, Listener},
    engine::merge::{Entry, Parser},
    verdict::{Reason, RuleRef},
};

/// A connection that some rule looks into.
///
/// What can be said without looking is found once, since many requests may follow.
#[derive(Debug)]
pub(crate) struct Proxied {
    /// What it has to go through: that of the entry that comes first.
    pub(crate) parser: Parser,
    /// Every entry that allows it and counts on the listener that takes it. For the DNS proxy: those for exactly this
    /// port.
    entries: Vec<Rc<Entry>>,
    pub(crate) authentication: Option<Authentication>,
    /// What allows it before anything is known of what it carries.
    pub(crate) at_first: Grounds,
    /// What allows it with any TLS server name and without one, if anything does.
    pub(crate) any_name: Option<Grounds>,
    /// What allows all messages on it, if anything does.
    pub(crate) everything: Option<Grounds>,
    /// The first entry that wants to look into it.
    pub(crate) first_rule: Option<RuleRef>,
}

/// What allows something.
#[derive(Clone, Debug)]
pub(crate) struct Grounds {
    pub(crate) reason: Reason,
    pub(crate) rule: Option<RuleRef>,
}

impl Grounds {
    pub(crate) fn rule(rule: &RuleRef) -> Self {
        Self {
            reason: Reason::AllowedByRule,
            rule: Some(rule.clone()),
        }
    }
}

impl Proxied {
    /// The entries of `allows` go through `parser`, on `listener` if it is a custom one. `implied` is what of lower
    /// precedence allows everything.
    pub(super) fn new(
        parser: Parser,
        listener: Option<Rc<Listener>>,
        allows: Vec<Rc<Entry>>,
        implied: Option<Reason>,
        authentication: Option<Authentication>,
    ) -> Self {
        let counts_here = |entry: &Rc<Entry>| {
            let own = entry.settings.listener.as_ref();
            own.is_none_or(|own| listener.as_ref().is_some_and(|here| here.name == own.name))
        };
        let entries: Vec<Rc<Entry>> = allows.into_iter().filter(counts_here).collect();
        let implied = implied.map(|reason| Grounds { reason, rule: None });
        let for_any_name = |entry: &&Rc<Entry>| entry.settings.server_names.is_empty();
        let allows_everything = |entry: &Rc<Entry>| entry.allows_everything(parser).map(Grounds::rule);
        let mut looking = entries.iter().filter(|entry| entry.settings.parser() != Parser::None);
        let first_rule = looking.next().map(|entry| entry.rule.clone());
        let any_name = entries.iter().find(for_any_name);
        let any_name = any_name.map(|entry| Grounds::rule(&entry.rule));
        let mut plain = entries.iter().filter(for_any_name).filter_map(allows_everything);
        let at_first = plain.next().or_else(|| implied.clone());
        Self {
            parser,
            authentication,
            at_first: at_first.unwrap_or_else(|| Grounds {
                reason: Reason::AllowedByRule,
                rule: first_rule.clone(),
            }),
            any_name: any_name.or_else(|| implied.clone()),
            everything: entries.iter().find_map(allows_everything).or(implied),
            first_rule,
            entries,
        }
    }

    /// The entries that count.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        self.entries.iter().map(|entry| &**entry)
    }
}
