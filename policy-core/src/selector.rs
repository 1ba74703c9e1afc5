//! Label selectors: conditions on a label set, all of which must hold.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use crate::{
    address::prefix_of_key,
    labels::{Label, Labels, Source},
};

/// The key of a requirement: a label key and the source it must come from, if it matters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SelectorKey {
    /// `None` matches a label of any source.
    source: Option<Source>,
    key: Box<str>,
}

impl SelectorKey {
    /// The source name that selectors use for "any source".
    pub const ANY: &'static str = "any";

    /// Reads `source:key`; a key without a source, or with source `any` or `unspec`, matches every source.
    /// Returns `None` when the source is not alphanumeric or the key is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (source, key) = match text.split_once(':') {
            None => (None, text),
            Some((Self::ANY | Source::UNSPEC, key)) => (None, key),
            Some((source, key)) => (Some(Source::new(source)?), key),
        };
        (!key.is_empty()).then(|| Self {
            source,
            key: key.into(),
        })
    }

    /// The source that a label must have, or `None` for any.
    pub fn source(&self) -> Option<&str> {
        self.source.as_ref().map(Source::as_str)
    }

    /// The label key, without source.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The labels that the key means. A key of source `cidr` means every prefix inside the one that it names.
    fn find<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a Label> {
        let wanted = self.source.as_ref();
        let prefix = (self.source() == Some(Source::CIDR))
            .then(|| prefix_of_key(&self.key))
            .flatten();
        let inside = prefix.map(|prefix| {
            let of_source = labels.iter().filter(|label| label.source().as_str() == Source::CIDR);
            of_source.filter(move |label| prefix_of_key(label.key()).is_some_and(|inner| prefix.contains(&inner)))
        });
        let exact = prefix.is_none().then(|| {
            labels
                .with_key(&self.key)
                .filter(move |label| wanted.is_none_or(|source| source == label.source()))
        });
        inside.into_iter().flatten().chain(exact.into_iter().flatten())
    }
}

impl fmt::Display for SelectorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source().unwrap_or(Self::ANY), self.key)
    }
}

/// One condition of a [`Selector`].
///
/// A key that the label set lacks makes `Equals`, `In` and `Exists` false, `NotIn` and `DoesNotExist` **true**.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Requirement {
    /// The label is there with exactly this value, which may be empty.
    Equals {
        /// Which label.
        key: SelectorKey,
        /// Its value, compared byte by byte.
        value: Box<str>,
    },
    /// The label is there with one of these values.
    In {
        /// Which label.
        key: SelectorKey,
        /// The values; none of them matching is false, so an empty list never holds.
        values: Vec<Box<str>>,
    },
    /// The label is missing, or has none of these values.
    NotIn {
        /// Which label.
        key: SelectorKey,
        /// The values it must not have.
        values: Vec<Box<str>>,
    },
    /// The label is there, whatever its value.
    Exists {
        /// Which label.
        key: SelectorKey,
    },
    /// The label is missing.
    DoesNotExist {
        /// Which label.
        key: SelectorKey,
    },
}

impl Requirement {
    /// Whether the label set meets this condition.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::Equals { key, value } => key.find(labels).any(|label| label.value() == &**value),
            Self::In { key, values } => key.find(labels).any(|label| one_of(values, label)),
            Self::NotIn { key, values } => !key.find(labels).any(|label| one_of(values, label)),
            Self::Exists { key } => key.find(labels).next().is_some(),
            Self::DoesNotExist { key } => key.find(labels).next().is_none(),
        }
    }

    /// The key that the condition is about.
    pub fn key(&self) -> &SelectorKey {
        match self {
            Self::Equals { key, .. }
            | Self::In { key, .. }
            | Self::NotIn { key, .. }
            | Self::Exists { key }
            | Self::DoesNotExist { key } => key,
        }
    }
}

fn one_of(values: &[Box<str>], label: &Label) -> bool {
    values.iter().any(|value| &**value == label.value())
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals { key, value } => write!(f, "{key}={value}"),
            Self::In { key, values } => write!(f, "{key} in ({})", values.join(",")),
            Self::NotIn { key, values } => write!(f, "{key} not in ({})", values.join(",")),
            Self::Exists { key } => write!(f, "{key} exists"),
            Self::DoesNotExist { key } => write!(f, "{key} does not exist"),
        }
    }
}

/// A label query: matches a label set if and only if every requirement does. Without requirements it matches all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// A selector of these requirements, in the order given.
    pub fn new(requirements: Vec<Requirement>) -> Self {
        Self { requirements }
    }

    /// Whether every requirement holds.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.first_unmet(labels).is_none()
    }

    /// The first requirement that the label set does not meet, if any.
    pub fn first_unmet(&self, labels: &Labels) -> Option<&Requirement> {
        self.requirements
            .iter()
            .find(|requirement| !requirement.matches(labels))
    }

    /// The requirements, in the order given.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.requirements.is_empty() {
            return f.write_str("any labels");
        }
        let mut text = String::new();
        for requirement in &self.requirements {
            let separator = if text.is_empty() { "" } else { ", " };
            text.push_str(separator);
            text.push_str(&alloc::format!("{requirement}"));
        }
        f.write_str(&text)
    }
}

mod wire {
    use super::SelectorKey;
    use alloc::string::{String, ToString};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for SelectorKey {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.to_string())
        }
    }

    impl<'de> Deserialize<'de> for SelectorKey {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).ok_or_else(|| D::Error::custom(alloc::format!("`{text}` is not a selector key")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Labels {
        texts.iter().map(|text| text.parse::<Label>().expect("label")).collect()
    }

    fn key(text: &str) -> SelectorKey {
        SelectorKey::parse(text).expect("key")
    }

    #[test]
    fn every_operator_on_present_other_and_missing() {
        let web = labels(&["k8s:app=web", "k8s:empty", "reserved:host"]);
        let list = |values: &[&str]| values.iter().map(|v| Box::from(*v)).collect::<Vec<Box<str>>>();
        let equals = |k: &str, v: &str| Requirement::Equals {
            key: key(k),
            value: v.into(),
        };
        for (requirement, want, why) in [
            (equals("app", "web"), true, "any source"),
            (equals("k8s:app", "web"), true, "the label's own source"),
            (equals("container:app", "web"), false, "another source"),
            (equals("app", "Web"), false, "values are case-sensitive"),
            (equals("empty", ""), true, "an empty value is a value"),
            (equals("app", ""), false, "an empty value must be empty"),
            (
                Requirement::In {
                    key: key("app"),
                    values: list(&["db", "web"]),
                },
                true,
                "one of two",
            ),
            (
                Requirement::In {
                    key: key("app"),
                    values: list(&[]),
                },
                false,
                "one of none",
            ),
            (
                Requirement::In {
                    key: key("none"),
                    values: list(&["web"]),
                },
                false,
                "missing key",
            ),
            (
                Requirement::NotIn {
                    key: key("app"),
                    values: list(&["web"]),
                },
                false,
                "has the value",
            ),
            (
                Requirement::NotIn {
                    key: key("app"),
                    values: list(&["db"]),
                },
                true,
                "has another value",
            ),
            (
                Requirement::NotIn {
                    key: key("none"),
                    values: list(&["web"]),
                },
                true,
                "missing key is not in",
            ),
            (
                Requirement::Exists {
                    key: key("reserved:host"),
                },
                true,
                "present",
            ),
            (
                Requirement::Exists { key: key("k8s:host") },
                false,
                "present under another source",
            ),
            (Requirement::DoesNotExist { key: key("none") }, true, "missing"),
            (Requirement::DoesNotExist { key: key("any:app") }, false, "present"),
        ] {
            assert_eq!(requirement.matches(&web), want, "{requirement}: {why}");
        }
    }

    #[test]
    fn all_requirements_must_hold_and_none_is_all() {
        let web = labels(&["k8s:app=web"]);
        assert!(Selector::default().matches(&web));
        let both = Selector::new(alloc::vec![
            Requirement::Exists { key: key("app") },
            Requirement::Exists { key: key("tier") },
        ]);
        assert_eq!(both.first_unmet(&web), both.requirements().get(1));
    }

    #[test]
    fn keys_keep_their_source() {
        assert_eq!(key("app"), key("any:app"));
        assert_ne!(key("k8s:app"), key("app"));
        for bad in ["", ":app", "k8s:", "k-8:app"] {
            assert!(SelectorKey::parse(bad).is_none(), "{bad}");
        }
    }
}
