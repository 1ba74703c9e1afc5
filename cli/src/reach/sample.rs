//! Texts that tell regular expressions apart: one in each, one in none, one in each that is not in another.
//!
//! The expressions are policies', which only the engine reads exactly. So every text is found by automata of another
//! library, and kept only if the engine's own matcher says the same of it.

use std::collections::{BTreeSet, HashMap, VecDeque};

use policy_core::re2::Pattern;
use regex_automata::{
    Anchored,
    dfa::Automaton as _,
    util::{primitives::StateID, start, syntax},
};

use super::automaton::{self, Automaton};

/// A field of requests.
pub(super) struct Field {
    /// Values that people know; the first that fits is taken.
    natural: &'static [&'static str],
    /// What values must look like for a command line to take them.
    shape: &'static str,
}

pub(super) const METHOD: Field = Field {
    natural: &["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"],
    shape: "[A-Z]+",
};
pub(super) const PATH: Field = Field {
    natural: &["/", "/other"],
    shape: "/[!-~]*",
};
pub(super) const HOST: Field = Field {
    natural: &["example.com", "other.example"],
    shape: "[a-z0-9][a-z0-9.:-]*",
};

/// Above so many expressions, texts that tell two of them apart are no longer looked for.
const MAX_PAIRED: usize = 24;
/// How far to look for a text: combined states of all automata.
const MAX_STATES: usize = 20_000;
/// The bytes of texts, the most readable first.
const BYTES: &[u8] =
    b"abcdefghijklmnopqrstuvwxyz0123456789/-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ:?=&%+~!$'()*,;@[]#\"<>\\^`{|}";

/// Texts of the field that tell the expressions apart, without repetitions.
pub(super) fn texts<'a>(field: &Field, sources: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let sources: BTreeSet<&str> = sources.into_iter().filter(|source| !source.is_empty()).collect();
    let languages: Vec<Language> = sources.into_iter().filter_map(Language::new).collect();
    let search = Search {
        field,
        shape: automaton(field.shape),
        languages: &languages,
    };
    let all: Vec<usize> = (0..languages.len()).collect();
    let mut texts: Vec<String> = search.find(&[], &all).into_iter().collect();
    for one in &all {
        texts.extend(search.find(&[*one], &[]));
        if languages.len() <= MAX_PAIRED {
            let others = all.iter().filter(|other| *other != one);
            texts.extend(others.filter_map(|other| search.find(&[*one], &[*other])));
        }
    }
    let mut known = BTreeSet::new();
    texts.retain(|text| known.insert(text.clone()));
    texts
}

/// One expression, as the engine reads it and as an automaton that can be searched.
struct Language {
    exact: Pattern,
    automaton: Option<Automaton>,
}

impl Language {
    /// `None` if the engine does not take the expression, which no bundle has then.
    fn new(source: &str) -> Option<Self> {
        Some(Self {
            exact: Pattern::parse(source).ok()?,
            automaton: automaton(source),
        })
    }
}

/// `None` if the expression is too large, or written in a way that only RE2 knows.
fn automaton(source: &str) -> Option<Automaton> {
    automaton::build(source, syntax::Config::new().unicode(false).utf8(false))
}

struct Search<'a> {
    field: &'a Field,
    shape: Option<Automaton>,
    languages: &'a [Language],
}

impl Search<'_> {
    /// A text that is in all of these languages and in none of those.
    fn find(&self, inside: &[usize], outside: &[usize]) -> Option<String> {
        let exactly = |indices: &[usize], wanted: bool, text: &str| {
            let mut languages = indices.iter().filter_map(|i| self.languages.get(*i));
            languages.all(|language| language.exact.is_match(text.as_bytes()) == wanted)
        };
        let fits = |text: &str| exactly(inside, true, text) && exactly(outside, false, text);
        let natural = self.field.natural.iter().find(|text| fits(text));
        natural
            .map(|text| (*text).to_owned())
            .or_else(|| self.shortest(inside, outside).filter(|text| fits(text)))
            .or_else(|| self.plain(inside).filter(|text| fits(text)))
    }

    /// The source of the expression itself: many are plain text, and then it need not be searched for.
    fn plain(&self, inside: &[usize]) -> Option<String> {
        let source = self.languages.get(*inside.first()?)?.exact.source();
        let text: String = source.chars().filter(|character| *character != '\\').collect();
        let shape = Pattern::parse(self.field.shape).ok()?;
        shape.is_match(text.as_bytes()).then_some(text)
    }

    /// The shortest text, by a search through the product of the automata.
    fn shortest(&self, inside: &[usize], outside: &[usize]) -> Option<String> {
        let automaton = |i: &usize| self.languages.get(*i)?.automaton.as_ref();
        let mut automata = vec![(self.shape.as_ref()?, true)];
        for i in inside {
            automata.push((automaton(i)?, true));
        }
        // One that cannot be searched is left to the check at the end.
        automata.extend(outside.iter().filter_map(automaton).map(|automaton| (automaton, false)));

        let config = start::Config::new().anchored(Anchored::Yes);
        let starts = automata
            .iter()
            .map(|(automaton, _)| automaton.start_state(&config).ok());
        let start: Vec<StateID> = starts.collect::<Option<_>>()?;
        // For each combined state, the one before it and the byte between them.
        let mut before: HashMap<Vec<StateID>, Option<(Vec<StateID>, u8)>> = HashMap::from([(start.clone(), None)]);
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            let accepts = automata.iter().zip(&at).all(|((automaton, wanted), state)| {
                automaton.is_match_state(automaton.next_eoi_state(*state)) == *wanted
            });
            if accepts {
                return text_to(at, &before);
            }
            for byte in BYTES {
                let states = automata
                    .iter()
                    .zip(&at)
                    .map(|((automaton, _), state)| automaton.next_state(*state, *byte));
                let states: Vec<StateID> = states.collect();
                let hopeless = automata.iter().zip(&states).any(|((automaton, wanted), state)| {
                    *wanted && (automaton.is_dead_state(*state) || automaton.is_quit_state(*state))
                });
                if !hopeless && before.len() < MAX_STATES && !before.contains_key(&states) {
                    before.insert(states.clone(), Some((at.clone(), *byte)));
                    queue.push_back(states);
                }
            }
        }
        None
    }
}

fn text_to(mut at: Vec<StateID>, before: &HashMap<Vec<StateID>, Option<(Vec<StateID>, u8)>>) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(Some((previous, byte))) = before.get(&at) {
        bytes.push(*byte);
        at.clone_from(previous);
    }
    bytes.reverse();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_expressions_apart() {
        for (field, sources, want, why) in [
            (
                METHOD,
                &[][..],
                &["GET"][..],
                "no expression: a request that matches none is any",
            ),
            (METHOD, &["GET"], &["POST", "GET"], "one in none, one in it"),
            (
                METHOD,
                &["GET|POST", "GET"],
                &["PUT", "GET", "POST"],
                "in the wider and not in the narrower",
            ),
            (PATH, &["/metrics"], &["/", "/metrics"], "a path"),
            (
                PATH,
                &["/public/.*", "/public.*"],
                &["/", "/public", "/public/"],
                "two that look alike",
            ),
            (PATH, &[".*"], &["/"], "none is in none of them"),
            (PATH, &["/a[0-9]{3}$"], &["/", "/a000"], "a class, and an anchor"),
            (
                PATH,
                &["/a{b}"],
                &["/", "/a{b}"],
                "only RE2 can read it, but it is plain",
            ),
            (
                PATH,
                &[r"/\Qa\E+"],
                &["/"],
                "only RE2 can read it, and no text is found",
            ),
            (HOST, &[r".*\.cilium\.io"], &["example.com", "a.cilium.io"], "a host"),
        ] {
            let want: Vec<&str> = want.to_vec();
            assert_eq!(texts(&field, sources.iter().copied()), want, "{sources:?}: {why}");
        }
    }

    #[test]
    fn a_text_is_in_what_it_was_found_for() {
        let sources = [
            "/v[12]/(users|groups)(/.*)?",
            "/v1/.*",
            "/v2/users",
            "(?i)/V1/USERS",
            "/[^v].*|/v[^12].*",
        ];
        let found = texts(&PATH, sources);
        let patterns = sources.map(|source| Pattern::parse(source).expect(source));
        for (i, one) in patterns.iter().enumerate() {
            for (j, other) in patterns.iter().enumerate().filter(|(j, _)| *j != i) {
                let apart = found
                    .iter()
                    .any(|text| one.is_match(text.as_bytes()) && !other.is_match(text.as_bytes()));
                // The third and the fourth are part of the first and the second.
                let part = matches!((i, j), (2, 0));
                assert_eq!(apart, !part, "{} without {}: {found:?}", sources[i], sources[j]);
            }
        }
    }
}
