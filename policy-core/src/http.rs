//! HTTP rules: compiled patterns, and the facts of a request they look at.

use alloc::{borrow::ToOwned, boxed::Box, format, rc::Rc, string::String, vec::Vec};
use core::cell::OnceCell;
use hashbrown::HashMap;

mod headers;
mod index;

use crate::{
    bundle::{BundleError, ExpectedHeader, HeaderMatch, HeaderRule, HttpRule},
    re2::{Budget, Pattern},
    verdict::RuleRef,
};

pub(crate) use headers::HeaderCondition;
pub use headers::{Change, HeaderChange};
use headers::{HeaderAction, HeaderState, header_state};
pub(crate) use index::Finder;

/// How many conditions come before those on headers: on method, path and host.
const FIELDS: usize = 3;

/// The facts of one HTTP request, borrowed from the host as bytes.
///
/// A pseudo-header that the request does not have is `None`, and no pattern matches it.
pub trait HttpFacts {
    /// `:method`.
    fn method(&self) -> Option<&[u8]>;
    /// `:path`, with its query.
    fn path(&self) -> Option<&[u8]>;
    /// `:authority`, with its port if the client sent one.
    fn authority(&self) -> Option<&[u8]>;
    /// Calls `each` for every value of the header, in order. The name is in lower case; the request's own spelling
    /// may differ in case.
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}

/// A request that owns its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpRequest {
    /// `:method`.
    pub method: Option<Vec<u8>>,
    /// `:path`.
    pub path: Option<Vec<u8>>,
    /// `:authority`.
    pub authority: Option<Vec<u8>>,
    /// All other headers: name and value, repeated as often as they were sent.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl HttpFacts for HttpRequest {
    fn method(&self) -> Option<&[u8]> {
        self.method.as_deref()
    }

    fn path(&self) -> Option<&[u8]> {
        self.path.as_deref()
    }

    fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes());
        self.headers
            .iter()
            .filter(|(other, _)| same(other))
            .for_each(|(_, value)| each(value));
    }
}

/// A request as rules look at it: whoever has the facts is asked once for what nearly every rule wants to know.
pub(crate) struct Request<'a> {
    facts: &'a dyn HttpFacts,
    method: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    authority: OnceCell<Option<&'a [u8]>>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(facts: &'a dyn HttpFacts) -> Self {
        Self {
            facts,
            method: facts.method(),
            path: facts.path(),
            authority: OnceCell::new(),
        }
    }

    fn authority(&self) -> Option<&'a [u8]> {
        *self.authority.get_or_init(|| self.facts.authority())
    }
}

/// A compiled [`HttpRule`].
#[derive(Debug)]
pub(crate) struct HttpPattern {
    pub(crate) rule: RuleRef,
    method: Option<Rc<Pattern>>,
    path: Option<Rc<Pattern>>,
    host: Option<Rc<Pattern>>,
    headers: Vec<HeaderCondition>,
    /// Headers whose expected value nobody could read: the rule never matches.
    unobtainable: Option<Box<str>>,
    actions: Vec<HeaderAction>,
}

/// The first condition of an HTTP rule that a request does not meet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HttpMiss<'a> {
    Method(&'a Pattern),
    Path(&'a Pattern),
    Host(&'a Pattern),
    HeaderMissing(&'a HeaderCondition),
    HeaderDiffers(&'a HeaderCondition),
    HeaderUnobtainable(&'a str),
}

impl HttpPattern {
    /// Compiles a rule; every pattern that cannot be compiled is an error.
    pub(crate) fn compile(
        wire: HttpRule,
        rule: RuleRef,
        patterns: &mut PatternCache,
        errors: &mut Vec<BundleError>,
    ) -> Self {
        let HttpRule {
            method,
            path,
            host,
            headers,
            header_matches,
        } = wire;
        let plain = |header| HeaderCondition { header, secret: false };
        let mut headers: Vec<HeaderCondition> = headers.into_iter().map(plain).collect();
        let mut actions = Vec::new();
        let mut unobtainable = None;
        for HeaderMatch {
            name,
            expected,
            mismatch,
            secret,
        } in header_matches
        {
            let value = match expected {
                ExpectedHeader::Present => None,
                ExpectedHeader::Value(value) => Some(value),
                ExpectedHeader::Unobtainable => {
                    unobtainable.get_or_insert(name);
                    continue;
                }
            };
            let header = HeaderRule { name, value };
            match mismatch {
                None => headers.push(HeaderCondition { header, secret }),
                Some(action) => actions.push(HeaderAction { header, action, secret }),
            }
        }
        let mut compile = |source: Option<_>, field| patterns.compile(source, &rule, field, errors);
        Self {
            method: compile(method, "method"),
            path: compile(path, "path"),
            host: compile(host, "host"),
            headers,
            unobtainable,
            actions,
            rule,
        }
    }

    /// `None` if every condition holds, else the first that does not and how many held before it.
    pub(crate) fn first_miss(&self, facts: &dyn HttpFacts) -> Option<(HttpMiss<'_>, usize)> {
        self.first_difference(&Request::new(facts))
    }

    /// Whether every condition holds.
    #[inline]
    fn matches(&self, request: &Request<'_>) -> bool {
        self.first_difference(request).is_none()
    }

    // Whoever only asks whether there is one must not pay for saying which.
    #[inline(always)]
    fn first_difference(&self, request: &Request<'_>) -> Option<(HttpMiss<'_>, usize)> {
        if let Some(method) = differs(self.method.as_deref(), || request.method) {
            return Some((HttpMiss::Method(method), 0));
        }
        if let Some(path) = differs(self.path.as_deref(), || request.path) {
            return Some((HttpMiss::Path(path), 1));
        }
        if let Some(host) = differs(self.host.as_deref(), || request.authority()) {
            return Some((HttpMiss::Host(host), 2));
        }
        // Most rules end here.
        match (&self.unobtainable, &*self.headers) {
            (None, []) => None,
            (Some(name), _) => Some((HttpMiss::HeaderUnobtainable(name), FIELDS)),
            (None, headers) => first_header_difference(headers, request.facts),
        }
    }

    /// Whether a request that the rule matches may be changed.
    pub(crate) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// What to change in a request that the rule matches.
    fn changes(&self, request: &Request<'_>, changes: &mut Vec<HeaderChange>) {
        changes.extend(self.actions.iter().filter_map(|action| action.change(request.facts)));
    }
}

fn first_header_difference<'h>(headers: &'h [HeaderCondition], facts: &dyn HttpFacts) -> Option<(HttpMiss<'h>, usize)> {
    headers
        .iter()
        .zip(FIELDS..)
        .find_map(|(condition, held)| match header_state(&condition.header, facts) {
            HeaderState::Matches => None,
            HeaderState::Missing => Some((HttpMiss::HeaderMissing(condition), held)),
            HeaderState::Differs => Some((HttpMiss::HeaderDiffers(condition), held)),
        })
}

/// The pattern, if there is one and the value is not as it says.
#[inline]
fn differs<'p, 'v>(pattern: Option<&'p Pattern>, value: impl FnOnce() -> Option<&'v [u8]>) -> Option<&'p Pattern> {
    pattern.filter(|pattern| !value().is_some_and(|value| pattern.is_match(value)))
}

/// Compiles each distinct pattern of a bundle once, all of them within one budget.
#[derive(Debug, Default)]
pub(crate) struct PatternCache {
    patterns: HashMap<String, Rc<Pattern>>,
    budget: Budget,
}

impl PatternCache {
    fn compile(
        &mut self,
        source: Option<Box<str>>,
        rule: &RuleRef,
        field: &str,
        errors: &mut Vec<BundleError>,
    ) -> Option<Rc<Pattern>> {
        // An empty pattern is no condition, as if it were absent.
        let source = source.filter(|source| !source.is_empty())?;
        if let Some(pattern) = self.patterns.get(&*source) {
            return Some(Rc::clone(pattern));
        }
        match Pattern::parse_within(&source, &mut self.budget) {
            Ok(pattern) => {
                let pattern = Rc::new(pattern);
                self.patterns.insert((*source).to_owned(), Rc::clone(&pattern));
                Some(pattern)
            }
            Err(error) => {
                let at = format!("{rule}.{field}");
                errors.push(BundleError::Pattern {
                    at,
                    input: source.into(),
                    reason: format!("{error}"),
                });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(wire: HttpRule) -> HttpPattern {
        let mut errors = Vec::new();
        let compiled = HttpPattern::compile(wire, RuleRef::new("test"), &mut PatternCache::default(), &mut errors);
        assert_eq!(errors, []);
        compiled
    }

    fn request(headers: &[(&str, &str)]) -> HttpRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        HttpRequest {
            method: Some(b"GET".to_vec()),
            path: Some(b"/public?x=1".to_vec()),
            authority: Some(b"foo.com:8080".to_vec()),
            headers,
        }
    }

    #[test]
    fn fields_must_match_whole_values() {
        for (method, path, host, want, why) in [
            (None, None, None, true, "no condition"),
            (Some(""), None, None, true, "an empty pattern is no condition"),
            (
                Some("GET"),
                Some("/public(\\?.*)?"),
                None,
                true,
                "the query is part of the path",
            ),
            (Some("GET|HEAD"), None, None, true, "one of two"),
            (Some("GE"), None, None, false, "a prefix is not the whole"),
            (Some("get"), None, None, false, "methods are case-sensitive"),
            (None, Some("/public"), None, false, "the query is not ignored"),
            (None, None, Some("foo.com"), false, "the port is part of the authority"),
            (None, None, Some("foo.com:8080"), true, "authority with its port"),
            (None, None, Some("fooXcom:8080"), false, "another host"),
        ] {
            let [method, path, host] = [method, path, host].map(|text| text.map(Into::into));
            let rule = pattern(HttpRule {
                method,
                path,
                host,
                ..HttpRule::default()
            });
            assert_eq!(rule.first_miss(&request(&[])).is_none(), want, "{why}");
        }
        let any_path = pattern(HttpRule {
            path: Some(".*".into()),
            ..HttpRule::default()
        });
        let connect = HttpRequest {
            path: None,
            ..request(&[])
        };
        assert!(
            any_path.first_miss(&connect).is_some(),
            "CONNECT has no path, so no path pattern matches"
        );
    }

    #[test]
    fn headers_compare_joined_by_commas() {
        let rule = |value: Option<&str>| {
            let header = HeaderRule {
                name: "x-key".into(),
                value: value.map(Into::into),
            };
            pattern(HttpRule {
                headers: alloc::vec![header],
                ..HttpRule::default()
            })
        };
        for (value, headers, want, why) in [
            (None, &[("X-Key", "")][..], true, "present, though empty"),
            (None, &[("x-keys", "a")][..], false, "another name"),
            (Some("true"), &[("x-KEY", "true")][..], true, "names in any case"),
            (
                Some("true"),
                &[("x-key", "TRUE")][..],
                false,
                "values are case-sensitive",
            ),
            (
                Some("true"),
                &[("x-key", "true"), ("x-key", "true")][..],
                false,
                "twice is true,true",
            ),
            (
                Some("a,b"),
                &[("x-key", "a"), ("x-key", "b")][..],
                true,
                "repeated values join",
            ),
            (Some("a,b"), &[("x-key", "a,b")][..], true, "or come joined"),
            (
                Some("a,"),
                &[("x-key", "a"), ("x-key", "")][..],
                true,
                "an empty second value",
            ),
            (
                Some("ab"),
                &[("x-key", "a"), ("x-key", "b")][..],
                false,
                "the comma counts",
            ),
            (Some(""), &[("x-key", "")][..], true, "empty wanted, empty found"),
            (Some(""), &[][..], false, "empty wanted, but missing"),
        ] {
            assert_eq!(rule(value).first_miss(&request(headers)).is_none(), want, "{why}");
        }
    }
}
