//! Automata for the expressions of rules. They are of another library than the engine's, so what they say about an
//! expression has to be confirmed by the engine, or be said of expressions only that both read alike.

use regex_automata::{
    dfa::{StartKind, dense},
    util::syntax,
};

pub(super) type Automaton = dense::DFA<Vec<u32>>;

/// The largest one, in bytes.
const MAX_SIZE: usize = 1 << 22;

/// Matches whole texts. `None` if the expression is too large, or not written as this syntax wants.
pub(super) fn build(source: &str, syntax: syntax::Config) -> Option<Automaton> {
    let size = Some(MAX_SIZE);
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(size)
        .determinize_size_limit(size);
    dense::Builder::new()
        .configure(config)
        .syntax(syntax)
        .build(&format!(r"\A(?:{source})\z"))
        .ok()
}
