//! What the lints found, with places in the documents.

use std::{collections::HashMap, sync::Arc};

use policy_core::bundle::Policy;

use super::site::{Site, is_network_policy};
use crate::{
    decode,
    diagnostic::{Code, Diagnostic, ObjectRef, Severity},
    document::{Node, Value},
    input::{Input, Object},
    options::CompileOptions,
    path::steps,
    source::Location,
};

/// Findings so far, and the objects to find places in.
pub(super) struct Findings<'i> {
    /// The names of all objects, in the order of the input.
    names: Vec<ObjectRef>,
    objects: &'i [Object],
    policies: HashMap<ObjectRef, usize>,
    /// Where something is already known to match nothing.
    known: HashMap<ObjectRef, Vec<String>>,
    /// With the position of the object.
    found: Vec<(usize, Diagnostic)>,
}

impl<'i> Findings<'i> {
    pub(super) fn new(input: &'i Input, options: &CompileOptions, diagnostics: &[Diagnostic]) -> Self {
        let objects = input.objects();
        let names: Vec<ObjectRef> = objects.iter().map(|object| decode::name_of(object, options)).collect();
        let is_policy = |name: &ObjectRef| name.kind.ends_with("NetworkPolicy");
        let policies = names.iter().cloned().zip(0..).filter(|(name, _)| is_policy(name));
        let mut known: HashMap<ObjectRef, Vec<String>> = HashMap::new();
        for diagnostic in diagnostics {
            if let (Code::MATCHES_NOTHING, Some(object)) = (diagnostic.code, &diagnostic.object) {
                known.entry(object.clone()).or_default().push(diagnostic.path.clone());
            }
        }
        Self {
            objects,
            policies: policies.collect(),
            known,
            found: Vec::new(),
            names,
        }
    }

    /// Adds a warning about the value at this path of a policy.
    pub(super) fn warn(&mut self, policy: &Policy, path: String, code: Code, message: String) -> &mut Diagnostic {
        let index = self.index_of(policy);
        let mut diagnostic = Diagnostic::new(Severity::Warning, code, message);
        diagnostic.location = self.locate(index, &path);
        diagnostic.object = self.names.get(index).cloned();
        diagnostic.path = path;
        &mut self.found.push_mut((index, diagnostic)).1
    }

    /// Whether decoding already said that what stands here, or a part of it, matches nothing.
    pub(super) fn is_known(&self, policy: &Policy, path: &str) -> bool {
        let name = self.names.get(self.index_of(policy));
        let known = name.and_then(|name| self.known.get(name));
        known.into_iter().flatten().any(|known| known.starts_with(path))
    }

    /// An element by its path, object and line, as far as they differ from those of the reader's element.
    pub(super) fn describe(&self, site: &Site<'_>, from: &Site<'_>) -> String {
        let index = self.index_of(site.policy);
        let path = site.path();
        let place = self.locate(index, &path);
        let object = self.names.get(index).map(ToString::to_string).unwrap_or_default();
        match (std::ptr::eq(site.policy, from.policy), place) {
            (true, Some(at)) => format!("`{path}` in line {}", at.line()),
            (true, None) => format!("`{path}`"),
            (false, Some(at)) => format!("`{path}` of {object} ({}:{})", at.source().name(), at.line()),
            (false, None) => format!("`{path}` of {object}"),
        }
    }

    /// The path of one of the peers of an element: that of the whole list, or of the element, if there is no item of
    /// its own for it.
    pub(super) fn peer_path(&self, site: &Site<'_>, item: usize, count: usize) -> String {
        let path = site.path();
        let Some(Value::Map(entries)) = self.value(site.policy, &path).map(|node| &node.value) else {
            return path;
        };
        let is_list = |key: &str| (key.starts_with("from") || key.starts_with("to")) && key != "toPorts";
        let mut lists = entries.iter().filter_map(|entry| match &entry.value.value {
            Value::Seq(items) if is_list(&entry.key) && !items.is_empty() => Some((&entry.key, items.len())),
            _ => None,
        });
        match lists.next_back() {
            Some((key, length)) if length == count => format!("{path}.{key}[{item}]"),
            Some((key, _)) => format!("{path}.{key}"),
            None => path,
        }
    }

    /// The value at this path of a policy.
    pub(super) fn value(&self, policy: &Policy, path: &str) -> Option<&'i Node> {
        let root = &*self.objects.get(self.index_of(policy))?.node;
        steps(path).iter().try_fold(root, |node, step| step.follow(node))
    }

    /// The place of the value at this path; of the last one on the way that is there.
    fn locate(&self, index: usize, path: &str) -> Option<Location> {
        let object = self.objects.get(index)?;
        let mut node = &*object.node;
        for step in steps(path) {
            let Some(next) = step.follow(node) else { break };
            node = next;
        }
        let (source, span) = object.source.as_ref().zip(node.span)?;
        Some(Location::new(Arc::clone(source), span))
    }

    fn index_of(&self, policy: &Policy) -> usize {
        let name = |namespace: &str| ObjectRef {
            kind: policy.kind.clone(),
            namespace: namespace.to_owned(),
            name: policy.name.clone(),
        };
        let namespace = policy.namespace.as_deref().unwrap_or_default();
        let index = self.policies.get(&name(namespace));
        // A `NetworkPolicy` without namespace got the default one.
        let index = index.or_else(|| self.policies.get(&name("")).filter(|_| is_network_policy(policy)));
        // The bundle is made of these very objects.
        index.copied().unwrap_or(usize::MAX)
    }

    /// Puts every finding where a reader of the input expects it: with what else there is to say about its object, in
    /// the order of the text.
    pub(super) fn merge_into(self, diagnostics: &mut Vec<Diagnostic>) {
        // They are in order already, and stay so.
        let mut last = (0, 0);
        let mut keyed: Vec<((usize, usize), Diagnostic)> = Vec::new();
        for diagnostic in diagnostics.drain(..) {
            if let Some(object) = &diagnostic.object {
                let ahead = self.names.iter().skip(last.0).position(|name| name == object);
                last = last.max((last.0 + ahead.unwrap_or_default(), start_of(&diagnostic)));
            }
            keyed.push((last, diagnostic));
        }
        let found = self.found.into_iter();
        keyed.extend(found.map(|(index, diagnostic)| ((index, start_of(&diagnostic)), diagnostic)));
        keyed.sort_by_key(|(key, _)| *key);
        diagnostics.extend(keyed.into_iter().map(|(_, diagnostic)| diagnostic));
    }
}

fn start_of(diagnostic: &Diagnostic) -> usize {
    diagnostic.location.as_ref().map_or(0, |at| at.span().start)
}
