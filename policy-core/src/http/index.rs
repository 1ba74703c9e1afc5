//! Finding the rules that match a request: one after the other, or by how its path begins if they are many.
//!
//! Literals, prefixes and most regular expressions begin with text that is given. All such texts are sorted, and each
//! knows the longest other one that it begins with. So a binary search leads to the longest text that a path begins
//! with, and from there a chain to all others. What is found has yet to match; what is not found cannot.

use alloc::{boxed::Box, collections::BTreeMap, rc::Rc, vec::Vec};
use core::cell::OnceCell;

use super::{HeaderChange, HttpPattern, Request};
use crate::re2::Pattern;

/// Lists of rules that are no longer are searched faster without an index.
const SHORT: usize = 8;

/// Finds rules in one list, which whoever asks must hand over each time.
#[derive(Default, Debug)]
pub(crate) struct Finder {
    /// Made for the first request, if the list is long.
    index: OnceCell<Index>,
}

impl Finder {
    /// The first rule that matches.
    #[inline]
    pub(crate) fn first<'r>(&self, rules: &'r [Rc<HttpPattern>], request: &Request<'_>) -> Option<&'r HttpPattern> {
        if rules.len() > SHORT {
            return self.first_of_many(rules, request);
        }
        rules.iter().map(|rule| &**rule).find(|rule| rule.matches(request))
    }

    #[inline(never)]
    fn first_of_many<'r>(&self, rules: &'r [Rc<HttpPattern>], request: &Request<'_>) -> Option<&'r HttpPattern> {
        let mut first = None;
        self.index(rules).candidates(request, &mut |positions| {
            let earlier = positions
                .iter()
                .take_while(|position| first.is_none_or(|(first, _)| **position < first));
            let mut rules = earlier.filter_map(|position| Some((*position, &**rules.get(*position)?)));
            first = rules.find(|(_, rule)| rule.matches(request)).or(first);
        });
        first.map(|(_, rule)| rule)
    }

    /// Adds the changes of all rules that match, in their order.
    pub(crate) fn changes(&self, rules: &[Rc<HttpPattern>], request: &Request<'_>, changes: &mut Vec<HeaderChange>) {
        let mut candidates = Vec::new();
        self.index(rules)
            .candidates(request, &mut |positions| candidates.extend(positions));
        candidates.sort_unstable();
        let candidates = candidates.into_iter().filter_map(|position: usize| rules.get(position));
        for rule in candidates.filter(|rule| rule.has_actions() && rule.matches(request)) {
            rule.changes(request, changes);
        }
    }

    fn index(&self, rules: &[Rc<HttpPattern>]) -> &Index {
        self.index.get_or_init(|| Index::new(rules))
    }
}

/// The rules of a list, by their positions.
#[derive(Debug)]
struct Index {
    by_path: Leads,
    /// Those that any path may meet.
    by_host: Leads,
}

impl Index {
    fn new(rules: &[Rc<HttpPattern>]) -> Self {
        fn lead(pattern: Option<&Pattern>) -> &[u8] {
            pattern.map_or(&[], Pattern::lead)
        }
        let (mut by_path, mut by_host) = (BTreeMap::new(), BTreeMap::new());
        for (position, rule) in rules.iter().enumerate() {
            let (map, text) = match lead(rule.path.as_deref()) {
                [] => (&mut by_host, lead(rule.host.as_deref())),
                path => (&mut by_path, path),
            };
            map.entry(text).or_insert_with(Vec::new).push(position);
        }
        Self {
            by_path: Leads::new(by_path),
            by_host: Leads::new(by_host),
        }
    }

    /// Calls `each` with lists of positions in which all rules are that can match the request. Positions ascend in each
    /// list, and no two lists share one.
    fn candidates<'i>(&'i self, request: &Request<'_>, each: &mut dyn FnMut(&'i [usize])) {
        if let Some(path) = request.path {
            self.by_path.beginning(path, each);
        }
        if !self.by_host.is_empty() {
            self.by_host.beginning(request.authority().unwrap_or_default(), each);
        }
    }
}

/// Texts, and for each of them those whose lead it is.
#[derive(Debug)]
struct Leads(Box<[Lead]>);

#[derive(Debug)]
struct Lead {
    text: Box<[u8]>,
    /// The place of the longest other text that this one begins with.
    shorter: Option<usize>,
    positions: Box<[usize]>,
}

impl Leads {
    fn new(sorted: BTreeMap<&[u8], Vec<usize>>) -> Self {
        let mut leads: Vec<Lead> = Vec::with_capacity(sorted.len());
        for (text, positions) in sorted {
            // The texts that this one begins with are the one before it, or among those that that one begins with.
            let before = leads.len().checked_sub(1);
            let shorter = chain(&leads, before).find(|(_, lead)| text.starts_with(&lead.text));
            leads.push(Lead {
                text: text.into(),
                shorter: shorter.map(|(place, _)| place),
                positions: positions.into(),
            });
        }
        Self(leads.into())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls `each` with the positions of every lead that the text begins with, the longest first.
    fn beginning<'i>(&'i self, text: &[u8], each: &mut dyn FnMut(&'i [usize])) {
        let after = self.0.partition_point(|lead| *lead.text <= *text);
        let leads = chain(&self.0, after.checked_sub(1)).skip_while(|(_, lead)| !text.starts_with(&lead.text));
        leads.for_each(|(_, lead)| each(&lead.positions));
    }
}

/// A lead, the longest one that it begins with, and so on.
fn chain(leads: &[Lead], from: Option<usize>) -> impl Iterator<Item = (usize, &Lead)> {
    let with_lead = |place: usize| leads.get(place).map(|lead| (place, lead));
    core::iter::successors(from.and_then(with_lead), move |(_, lead)| {
        lead.shorter.and_then(with_lead)
    })
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{
        bundle::{ExpectedHeader, HeaderMatch, HttpRule, MismatchAction},
        http::{HttpRequest, PatternCache},
        verdict::RuleRef,
    };

    const METHODS: &[&str] = &["", "GET", "GET|PUT"];
    /// Each way in which a pattern may begin with text, or not; texts that begin with others, and their neighbours.
    const PATHS: &[&str] = &[
        "",
        "/",
        "/a",
        "/a/.*",
        "/a/.+",
        "/a/b",
        "/a/b/.*",
        "/a/b/c",
        "/ab",
        "/a-b.*",
        "/b|/ba",
        "/a/[0-9]+",
        "/a(/b)?",
        "/(a|b)/c",
        "(?i)/A",
        "/é/.*",
        "/(é|è)",
        ".*",
        ".+c",
        ".*b.*",
        "[^a]*",
        "/a.*c",
        r"/\bb.*",
    ];
    const HOSTS: &[&str] = &["", "a.io", "a\\.io", ".*\\.io", "b\\.io|b\\.com", "[ab]\\..*"];
    const PIECES: &[&str] = &["/", "/a", "/b", "a", "/c", "7", "-b", "/é", "/è", "\u{0}", "~"];

    /// Rule `number`, which adds a header of its own number to what it matches.
    fn rule(number: usize, [method, path, host]: [&str; 3]) -> Rc<HttpPattern> {
        let [method, path, host] = [method, path, host].map(|source| Some(source.into()));
        let header = HeaderMatch {
            name: format!("x-{number}").into(),
            expected: ExpectedHeader::Value("1".into()),
            mismatch: Some(MismatchAction::Add),
            secret: false,
        };
        let wire = HttpRule {
            method,
            path,
            host,
            header_matches: if number.is_multiple_of(2) {
                [header].into()
            } else {
                Vec::new()
            },
            ..HttpRule::default()
        };
        let (mut patterns, mut errors) = (PatternCache::default(), Vec::new());
        let place = RuleRef::new(&format!("{number}"));
        let rule = HttpPattern::compile(wire, place, &mut patterns, &mut errors);
        assert_eq!(errors, []);
        Rc::new(rule)
    }

    fn rules() -> impl Strategy<Value = Vec<Rc<HttpPattern>>> {
        let sources = (select(METHODS), select(PATHS), select(HOSTS)).prop_map(<[&str; 3]>::from);
        prop::collection::vec(sources, 0..4 * SHORT).prop_map(|sources| {
            (0..)
                .zip(sources)
                .map(|(number, sources)| rule(number, sources))
                .collect()
        })
    }

    fn request() -> impl Strategy<Value = HttpRequest> {
        let path = prop::collection::vec(select(PIECES), 0..5).prop_map(|pieces| pieces.concat());
        let authority = select(&["", "a.io", "a.io:80", "b.com", "c.io", "b.iot"][..]).prop_map(String::from);
        let maybe = |text: BoxedStrategy<String>| prop::option::weighted(0.9, text.prop_map(String::into_bytes));
        let method = select(&["GET", "PUT", "get"][..]).prop_map(String::from);
        (maybe(method.boxed()), maybe(path.boxed()), maybe(authority.boxed())).prop_map(|(method, path, authority)| {
            HttpRequest {
                method,
                path,
                authority,
                headers: Vec::new(),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_found_is_what_one_after_the_other_finds(rules in rules(), requests in prop::collection::vec(request(), 8)) {
            let finder = Finder::default();
            for facts in &requests {
                let request = Request::new(facts);
                let matching: Vec<&HttpPattern> =
                    rules.iter().map(|rule| &**rule).filter(|rule| rule.matches(&request)).collect();
                let (first, wanted) = (finder.first(&rules, &request), matching.first());
                prop_assert_eq!(first.map(|rule| &rule.rule), wanted.map(|rule| &rule.rule), "{:?}", facts);
                let (mut changes, mut wanted) = (Vec::new(), Vec::new());
                finder.changes(&rules, &request, &mut changes);
                matching.iter().for_each(|rule| rule.changes(&request, &mut wanted));
                prop_assert_eq!(changes, wanted, "{:?}", facts);
            }
        }
    }

    #[test]
    fn a_lead_is_found_with_all_that_it_begins_with() {
        let texts = ["", "/", "/a", "/a/b", "/a/b/c", "/a/c", "/aa", "/b", "b"];
        let sorted = (0..)
            .zip(texts)
            .map(|(position, text)| (text.as_bytes(), Vec::from([position])));
        let leads = Leads::new(sorted.collect());
        for (text, wanted, why) in [
            (
                "/a/b/c",
                &["/a/b/c", "/a/b", "/a", "/", ""][..],
                "itself first, then ever shorter ones",
            ),
            ("/a/b/cd", &["/a/b/c", "/a/b", "/a", "/", ""], "and what goes on"),
            (
                "/a/bz",
                &["/a/b", "/a", "/", ""],
                "the lead before it in order is none of its own",
            ),
            ("/a/d", &["/a", "/", ""], "nor the one before that"),
            ("/", &["/", ""], "the shortest of them"),
            ("", &[""], "nothing begins with nothing"),
            ("a", &[""], "between two that are no leads of it"),
            ("zzz", &[""], "after the last one"),
        ] {
            let mut found = Vec::new();
            leads.beginning(text.as_bytes(), &mut |positions| {
                found.extend(positions.iter().filter_map(|position| texts.get(*position)).copied());
            });
            assert_eq!(found, wanted, "{text}: {why}");
        }
        Leads::new(BTreeMap::new()).beginning(b"/", &mut |_| panic!("there are none"));
    }
}
