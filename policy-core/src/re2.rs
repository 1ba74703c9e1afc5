//! RE2 patterns matched against entire texts, exactly as RE2 matches them.
//!
//! The rules of HTTP policies are RE2 expressions that must match a whole value. Every difference between dialects
//! is a difference between verdicts, so this module implements RE2's own: a [`Pattern`] accepts what
//! `RE2::FullMatch` accepts under default options. Classes such as `\w` are ASCII, `.` excludes the newline unless
//! `(?s)`, `^` and `$` are the edges of the text unless `(?m)`, `[`, `&&`, `--` and `~~` mean nothing inside
//! brackets, `{,n}` is literal text, bounds end at 1000, and bytes that are not UTF-8 are matched by nothing.
//!
//! # What is refused although RE2 accepts it
//!
//! These fail with a kind for which [`PatternErrorKind::is_unsupported`] holds; nothing is approximated.
//!
//! - `\C`: it could match half a character.
//! - `\pN`, `\p{Greek}` and the like: the Unicode tables are not shipped.
//! - `(?i)` on a character outside ASCII, except U+017F and U+212A (which fold to `s` and `k`), or on a class range
//!   that reaches outside ASCII, except one that contains all of it.
//! - Group names outside ASCII.
//! - More than 100 nested groups, sources above 64 KiB, and programs above 16 384 instructions.
//!
//! # Where matches differ
//!
//! Only on bytes that are not UTF-8, and only towards not matching. RE2 lets a class that contains everything from
//! U+0080 up, such as `.`, also match overlong forms, surrogates and code points above U+10FFFF. So does this module,
//! class by class; but RE2 merges some alternatives into one class first. `[^é]|é` matches the bytes `E0 80 80`
//! there and not here.
//!
//! # How it works
//!
//! A pattern takes the cheapest sound [`Strategy`]: comparison with one text or several, with text around anything,
//! or else an automaton over bytes. The automaton is a table, built for the first text that begins as every match does;
//! where that would be too large, its program is followed instead, in time proportional to the product of both sizes. No
//! input makes it backtrack.

mod automaton;
mod class;
mod cursor;
mod dfa;
mod error;
mod escape;
mod hir;
mod literal;
mod nfa;
mod parse;
mod program;
mod runes;
#[cfg(test)]
mod tests;
mod utf8;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::AtomicUsize;

pub use error::{PatternError, PatternErrorKind};

use automaton::Automaton;
use literal::Affixes;
use program::Program;

/// The longest source.
const MAX_SOURCE: usize = 64 << 10;

/// How much larger than its source a set of literals may be; beyond that an automaton is smaller.
const LITERALS_SLACK: usize = 64;

/// What many expressions may cost together, so that a list of them cannot stall whoever loads it, or asks it first.
///
/// When the work for tables is used up, expressions are [simulated](Strategy::Simulation): slower, with the same
/// answers. When the instructions are used up, expressions are [too large](PatternErrorKind::TooLarge).
#[derive(Clone, Debug)]
pub struct Budget {
    /// Instructions to look at while building tables. Shared with the expressions, each of which builds its own when it
    /// is first asked.
    work: Arc<AtomicUsize>,
    /// Instructions of all programs.
    instructions: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            work: Arc::new(AtomicUsize::new(1 << 23)),
            instructions: 1 << 20,
        }
    }
}

/// A compiled RE2 expression that matches entire texts. It always gives the same answers.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    matcher: Matcher,
}

/// How a [`Pattern`] decides. Each is exact; they differ in cost only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Equality with one text.
    Literal,
    /// Equality with one of so many texts, found by binary search; of none, nothing matches.
    AnyOf(usize),
    /// Given text, then anything.
    Prefix,
    /// Anything, then given text.
    Suffix,
    /// Given text, then anything, then given text.
    PrefixAndSuffix,
    /// Any text, or any that is not empty; newlines may be excluded, and bytes that are not UTF-8 are.
    Any,
    /// A table-driven automaton.
    Automaton,
    /// An automaton whose table would be too large; the only strategy that allocates while matching.
    Simulation,
}

#[derive(Clone)]
enum Matcher {
    Literal(Box<[u8]>),
    // INVARIANT(sorted): ascending and distinct.
    AnyOf(Box<[Vec<u8>]>),
    Affixes(Affixes),
    Automaton(Box<Automaton>),
}

impl Pattern {
    /// Compiles an expression. Refuses what RE2 refuses, and what is listed in the [module documentation](self).
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        Self::parse_within(source, &mut Budget::default())
    }

    /// Compiles one of many expressions that share a budget.
    pub fn parse_within(source: &str, budget: &mut Budget) -> Result<Self, PatternError> {
        let too_large = || PatternError::new(0, PatternErrorKind::TooLarge);
        if source.len() > MAX_SOURCE {
            return Err(too_large());
        }
        let node = parse::parse(source)?.without_edge_looks();
        let most = source.len() + LITERALS_SLACK;
        let matcher = if let Some(texts) = literal::enumerate(&node, most) {
            match <[Vec<u8>; 1]>::try_from(texts) {
                Ok([text]) => Matcher::Literal(text.into()),
                Err(texts) => Matcher::AnyOf(texts.into()),
            }
        } else if let Some(affixes) = Affixes::of(&node, most) {
            Matcher::Affixes(affixes)
        } else {
            let program = Program::compile(&node).map_err(|_| too_large())?;
            let instructions = program.insts().len();
            budget.instructions = budget.instructions.checked_sub(instructions).ok_or_else(too_large)?;
            let lead = literal::lead(&node).into();
            Matcher::Automaton(Box::new(Automaton::new(program, lead, Arc::clone(&budget.work))))
        };
        Ok(Self {
            source: source.into(),
            matcher,
        })
    }

    /// Whether the expression matches the entire input, first byte to last.
    ///
    /// The input need not be UTF-8, but bytes that are not UTF-8 match nothing. A [`Simulation`](Strategy::Simulation)
    /// gives up after a million steps (a kilobyte of text for a pattern of a thousand states), and then does not match.
    #[inline]
    pub fn is_match(&self, input: &[u8]) -> bool {
        // Small enough to be put where it is called: most patterns are one text, or a prefix.
        match &self.matcher {
            Matcher::Literal(text) => **text == *input,
            Matcher::Affixes(affixes) => affixes.is_match(input),
            matcher => matcher.search(input),
        }
    }

    /// Text that every match begins with; often more than none, and for one text all of it.
    pub(crate) fn lead(&self) -> &[u8] {
        match &self.matcher {
            Matcher::Literal(text) => text,
            Matcher::AnyOf(texts) => {
                // What the first and the last one in order share, all between them have.
                let (first, last) = (texts.first(), texts.last());
                let shared = first
                    .zip(last)
                    .and_then(|(first, last)| first.get(..literal::common(first, last)));
                shared.unwrap_or_default()
            }
            Matcher::Affixes(affixes) => &affixes.prefix,
            Matcher::Automaton(automaton) => automaton.lead(),
        }
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How matches are decided.
    pub fn strategy(&self) -> Strategy {
        match &self.matcher {
            Matcher::Literal(_) => Strategy::Literal,
            Matcher::AnyOf(texts) => Strategy::AnyOf(texts.len()),
            Matcher::Affixes(affixes) => match (affixes.prefix.is_empty(), affixes.suffix.is_empty()) {
                (true, true) => Strategy::Any,
                (false, true) => Strategy::Prefix,
                (true, false) => Strategy::Suffix,
                (false, false) => Strategy::PrefixAndSuffix,
            },
            Matcher::Automaton(automaton) if automaton.has_table() => Strategy::Automaton,
            Matcher::Automaton(_) => Strategy::Simulation,
        }
    }
}

impl Matcher {
    #[inline(never)]
    fn search(&self, input: &[u8]) -> bool {
        match self {
            Self::Literal(text) => **text == *input,
            Self::AnyOf(texts) => texts.binary_search_by(|text| text.as_slice().cmp(input)).is_ok(),
            Self::Affixes(affixes) => affixes.is_match(input),
            Self::Automaton(automaton) => automaton.is_match(input),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}
