//! Labels with sources, and the label sets that identities are made of.

use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};
use core::{fmt, str::FromStr};

/// Where a label comes from: `k8s`, `reserved`, `cidr`, …
///
/// Any text of ASCII letters and digits is a source; the few with a meaning to the engine have constructors.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source(Box<str>);

impl Source {
    /// The source of Kubernetes labels.
    pub const K8S: &'static str = "k8s";
    /// The source of reserved identities such as `reserved:host`.
    pub const RESERVED: &'static str = "reserved";
    /// The source of the label that the longest known prefix around an address gives it.
    pub const CIDR: &'static str = "cidr";
    /// The source of the labels of CIDR groups.
    pub const CIDR_GROUP: &'static str = "cidrgroup";
    /// The source of the labels that DNS answers give an address.
    pub const FQDN: &'static str = "fqdn";
    /// The source of a label written without one. Only selectors have a wildcard source; labels do not.
    pub const UNSPEC: &'static str = "unspec";

    /// A source by name. Returns `None` unless the name is one or more ASCII letters or digits.
    pub fn new(name: &str) -> Option<Self> {
        let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| Self(name.into()))
    }

    /// The name of the source.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One label: `source:key=value`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Label {
    // The order of the fields is the order of a label set: by key, then source.
    key: Box<str>,
    source: Source,
    value: Box<str>,
}

impl Label {
    /// A label from its parts. The key must not be empty and the source must be a valid [`Source`].
    pub fn new(source: &str, key: &str, value: &str) -> Result<Self, LabelError> {
        let invalid = || LabelError {
            input: alloc::format!("{source}:{key}={value}"),
        };
        let source = Source::new(source).ok_or_else(invalid)?;
        if key.is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            key: key.into(),
            source,
            value: value.into(),
        })
    }

    /// The source, for example `k8s`.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The key, without its source.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value, which may be empty.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl FromStr for Label {
    type Err = LabelError;

    /// Reads `source:key=value`, `source:key`, `key=value` or `key`; a leading `$` means source `reserved`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let (source, key) = match name.strip_prefix('$') {
            Some(key) => (Source::RESERVED, key),
            None => name.split_once(':').unwrap_or((Source::UNSPEC, name)),
        };
        Self::new(source, key, value).map_err(|_| LabelError { input: text.to_owned() })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.as_str(), self.key)?;
        if self.value.is_empty() {
            Ok(())
        } else {
            write!(f, "={}", self.value)
        }
    }
}

/// A text that is not a label.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{input}` is not a label of the form source:key=value")]
pub struct LabelError {
    input: String,
}

/// The label set of one identity: sorted, with at most one label per key and source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Labels(Vec<Label>);

impl Labels {
    /// A set from any number of labels. Of two with the same key and source, the later one stays.
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let mut set: Vec<Label> = labels.into_iter().collect();
        set.reverse();
        set.sort_by(|a, b| (&a.key, &a.source).cmp(&(&b.key, &b.source)));
        set.dedup_by(|a, b| a.key == b.key && a.source == b.source);
        Self(set)
    }

    /// A set of all of them. A key may then have several values, as an address has that is in several groups.
    pub fn union(labels: impl IntoIterator<Item = Label>) -> Self {
        let mut set: Vec<Label> = labels.into_iter().collect();
        set.sort();
        set.dedup();
        Self(set)
    }

    /// A set that was one before, in the order of its [`iter`](Self::iter).
    pub(crate) fn in_order(labels: Vec<Label>) -> Self {
        Self(labels)
    }

    /// Every label with this key, one for each source unless the set is a [union](Self::union).
    pub fn with_key<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Label> {
        let start = self.0.partition_point(|label| &*label.key < key);
        self.0.iter().skip(start).take_while(move |label| &*label.key == key)
    }

    /// Whether the set holds `reserved:<name>`.
    pub fn has_reserved(&self, name: &str) -> bool {
        self.with_key(name)
            .any(|label| label.source.as_str() == Source::RESERVED)
    }

    /// All labels, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }

    /// Whether the set has no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        Self::new(labels)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, label) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            write!(f, "{separator}{label}")?;
        }
        Ok(())
    }
}

mod wire {
    use super::{Label, Labels};
    use alloc::{string::String, vec::Vec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Labels {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(alloc::string::ToString::to_string))
        }
    }

    impl<'de> Deserialize<'de> for Labels {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let texts = Vec::<String>::deserialize(deserializer)?;
            texts
                .iter()
                .map(|text| text.parse::<Label>().map_err(D::Error::custom))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_label_reads_and_prints_every_form() {
        for (text, source, key, value, why) in [
            ("k8s:app=web", "k8s", "app", "web", "all three parts"),
            ("app=web", "unspec", "app", "web", "no source"),
            ("reserved:host", "reserved", "host", "", "no value"),
            ("$host", "reserved", "host", "", "dollar is reserved"),
            (
                "k8s:a/b.c=x=y",
                "k8s",
                "a/b.c",
                "x=y",
                "only the first equals sign separates",
            ),
            (
                "cidr:10.0.0.0/8=",
                "cidr",
                "10.0.0.0/8",
                "",
                "an empty value is no value",
            ),
        ] {
            let label: Label = text.parse().expect(why);
            assert_eq!(
                (label.source().as_str(), label.key(), label.value()),
                (source, key, value),
                "{why}"
            );
            assert_eq!(label.to_string().parse::<Label>().expect(why), label, "{why}");
        }
        for text in ["", ":app=web", "k8s:", "k-8:app", "k8s:=x"] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_set_is_sorted_and_finds_by_key() {
        let parse = |text: &str| text.parse::<Label>().expect("label");
        let set = Labels::new(["k8s:b=1", "k8s:a=1", "k8s:ab=2", "reserved:host", "k8s:b=2"].map(parse));
        assert_eq!(set.to_string(), "k8s:a=1,k8s:ab=2,k8s:b=2,reserved:host");
        assert_eq!(set.with_key("a").count(), 1, "a prefix is another key");
        assert_eq!(set.with_key("c").count(), 0);
        assert!(set.has_reserved("host") && !set.has_reserved("a"));
    }
}
