//! The rules: which of them select a subject, each compiled when the first subject needs it.
//!
//! A rule is found by its *anchor*: a label that its selector requires of every subject. So a subject asks only about
//! rules that require one of its own labels, and about the few that have no anchor.

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};
use core::cell::{OnceCell, RefCell};

use super::{
    compile::{CompiledRule, Compiler},
    entities::Selectors,
};
use crate::{
    bundle::{Mode, Policy, Rule},
    http::PatternCache,
    labels::Labels,
    packed::{MAX_RULE, Packed, Section, decode},
};

/// A policy without its rules.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct PolicyHead {
    kind: String,
    namespace: Option<String>,
    name: String,
    mode: Mode,
}

impl PolicyHead {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            kind: policy.kind.clone(),
            namespace: policy.namespace.clone(),
            name: policy.name.clone(),
            mode: policy.mode,
        }
    }

    /// The object, as places of rules begin.
    pub(crate) fn object(&self) -> String {
        let Self {
            kind, namespace, name, ..
        } = self;
        match namespace {
            Some(namespace) => format!("{kind}/{namespace}/{name}"),
            None => format!("{kind}/{name}"),
        }
    }
}

impl From<PolicyHead> for Policy {
    fn from(head: PolicyHead) -> Self {
        Self {
            kind: head.kind,
            namespace: head.namespace,
            name: head.name,
            mode: head.mode,
            rules: Vec::new(),
        }
    }
}

/// All rules.
#[derive(Debug)]
pub(crate) struct Rules {
    packed: Rc<Packed>,
    compiled: Box<[OnceCell<Rc<CompiledRule>>]>,
    /// Equal patterns are compiled once.
    patterns: RefCell<PatternCache>,
}

impl Rules {
    pub(super) fn open(packed: Rc<Packed>) -> Self {
        let count = packed.records(Section::Rules).len();
        Self {
            packed,
            compiled: (0..count).map(|_| OnceCell::new()).collect(),
            patterns: RefCell::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.compiled.len()
    }

    /// All of them, in the order of the bundle.
    pub(super) fn iter<'a>(&'a self, selectors: &'a Selectors) -> impl Iterator<Item = &'a Rc<CompiledRule>> {
        (0..self.len()).filter_map(|position| self.get(position, selectors))
    }

    /// Those that select a subject with these labels, in the order of the bundle.
    pub(super) fn selecting<'a>(
        &'a self,
        labels: &'a Labels,
        selectors: &'a Selectors,
    ) -> impl Iterator<Item = &'a Rc<CompiledRule>> {
        let rules = self.candidates(labels).into_iter();
        let rules = rules.filter_map(|position| self.get(usize::try_from(position).ok()?, selectors));
        rules.filter(|rule| rule.selects(labels, selectors))
    }

    /// All that may select a subject with these labels.
    fn candidates(&self, labels: &Labels) -> Vec<u32> {
        let anchors = self.packed.records(Section::Anchors);
        let anchored = self.packed.records(Section::AnchoredRules);
        let own = labels.iter().map(|label| anchor(label.key(), label.value()));
        let found = own
            .chain([NO_ANCHOR.to_vec()])
            .filter_map(|key| anchors.search(&key).ok());
        let lists = found.filter_map(|position| decode::<Vec<u32>>(anchored.get(position)?));
        let mut rules: Vec<u32> = lists.flatten().collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn get(&self, position: usize, selectors: &Selectors) -> Option<&Rc<CompiledRule>> {
        let rule = self.compiled.get(position)?;
        Some(rule.get_or_init(|| Rc::new(self.compile(position, selectors))))
    }

    fn compile(&self, position: usize, selectors: &Selectors) -> CompiledRule {
        let compiled = || {
            let record = self.packed.records(Section::Rules).get(position)?;
            let small = (record.len() <= MAX_RULE).then_some(record)?;
            let (policy, rule): (u32, Rule) = decode(small)?;
            let policies = self.packed.records(Section::Policies);
            let policy: PolicyHead = decode(policies.get(usize::try_from(policy).ok()?)?)?;
            let mut patterns = self.patterns.try_borrow_mut().ok()?;
            let has_selector = |index| selectors.get(index).is_some();
            let mut compiler = Compiler::new(&has_selector, &mut patterns);
            let rule = compiler.rule(&policy.object(), policy.mode, rule);
            compiler.errors.is_empty().then_some(rule)
        };
        // Packing has read and compiled it, so this is for bytes that nobody packed.
        compiled().unwrap_or_else(CompiledRule::unreadable)
    }
}

/// By which the rules that require this label are found, whatever the source of the label.
pub(crate) fn anchor(key: &str, value: &str) -> Vec<u8> {
    [key.as_bytes(), &[0], value.as_bytes()].concat()
}

/// By which all other rules are found.
pub(crate) const NO_ANCHOR: &[u8] = b"";
