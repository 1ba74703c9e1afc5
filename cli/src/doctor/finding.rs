//! What was found, where.

use policy_compiler::Severity;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::fault::Fault;

/// One fault, at one place of one listener or of several.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) fault: &'static Fault,
    /// The listeners that have it; none if it is of Envoy as a whole.
    pub(super) listeners: Vec<String>,
    /// Where in the listener, or which resource.
    pub(super) place: String,
    /// What is wrong: lower case, no full stop.
    pub(super) message: String,
}

/// Everything that was found, errors first, and otherwise in the order of the checks.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one. The same at the same place of another listener is no second one.
    pub(super) fn add(
        &mut self,
        fault: &'static Fault,
        listener: &str,
        place: impl Into<String>,
        message: impl Into<String>,
    ) {
        let (place, message) = (place.into(), message.into());
        let mut known = self.0.iter_mut();
        let known = known.find(|known| (known.fault, &known.place, &known.message) == (fault, &place, &message));
        match known {
            Some(known) if known.listeners.iter().any(|other| other == listener) => {}
            Some(known) => known.listeners.push(listener.to_owned()),
            None => self.0.push(Finding {
                fault,
                listeners: vec![listener.to_owned()],
                place,
                message,
            }),
        }
    }

    /// Adds one that several listeners share, or nobody in particular.
    pub(super) fn add_shared(&mut self, fault: &'static Fault, listeners: Vec<String>, message: impl Into<String>) {
        self.0.push(Finding {
            fault,
            listeners,
            place: String::new(),
            message: message.into(),
        });
    }

    /// All of them.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.fault.severity);
        self.0
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Finding {
    /// Whether it is an error.
    pub(super) fn is_error(&self) -> bool {
        self.fault.severity == Severity::Error
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            fault,
            listeners,
            place,
            message,
        } = self;
        let mut fields = serializer.serialize_struct("Finding", 7)?;
        fields.serialize_field("severity", &fault.severity)?;
        fields.serialize_field("code", fault.code)?;
        fields.serialize_field("listeners", listeners)?;
        fields.serialize_field("place", place)?;
        fields.serialize_field("message", message)?;
        fields.serialize_field("consequence", fault.consequence)?;
        fields.serialize_field("remedy", fault.remedy)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fault, *};

    #[test]
    fn what_listeners_share_is_found_once() {
        let mut findings = Findings::default();
        assert!(findings.is_empty());
        findings.add(&fault::PROXY_PROTOCOL, "a", "listener_filters", "x");
        findings.add(&fault::GUARD_MISSING, "a", "filter_chains[0]", "y");
        for listener in ["b", "a"] {
            findings.add(&fault::GUARD_MISSING, listener, "filter_chains[0]", "y");
        }
        findings.add(&fault::GUARD_MISSING, "a", "filter_chains[1]", "y");
        let found = findings.into_sorted();
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.fault.code, finding.listeners.join(" ")))
            .collect();
        let expected = [
            ("guard-missing", "a b"),
            ("guard-missing", "a"),
            ("proxy-protocol", "a"),
        ];
        assert_eq!(found, expected.map(|(code, listeners)| (code, listeners.to_owned())));
    }
}
