//! What the compiler has to say about its input: errors, warnings, notes.

mod code;
mod render;

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

pub use code::Code;

use crate::source::Location;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object is rejected as a whole.
    Error,
    /// The object is legal, but probably not what its author meant.
    Warning,
    /// Something that was left out on purpose.
    Note,
}

/// The name of a Kubernetes object. `Display` gives `Kind/namespace/name`, with an empty namespace for a
/// cluster-scoped object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ObjectRef {
    /// For example `CiliumNetworkPolicy`.
    pub kind: String,
    /// Empty for a cluster-scoped object.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One message about the input.
///
/// `Display` is one line; [`render`](Diagnostic::render) shows the source line as well.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which rule speaks.
    pub code: Code,
    /// The object it is about, if the input got as far as being one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// The field, for example `spec.ingress[0].toPorts[0].ports[0].port`; empty for the object as a whole.
    pub path: String,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where in which source. Objects that were never text have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Diagnostic {
    /// A message without object, path, help or location.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            object: None,
            path: String::new(),
            message: message.into(),
            help: None,
            location: None,
        }
    }

    /// Adds what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.location {
            write!(f, "{}:{}:{}: ", at.source().name(), at.line(), at.column())?;
        }
        write!(f, "{}[{}]: ", self.severity, self.code)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

impl Serialize for Location {
    /// `{"file", "line", "column"}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Location", 3)?;
        fields.serialize_field("file", self.source().name())?;
        fields.serialize_field("line", &self.line())?;
        fields.serialize_field("column", &self.column())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Span};

    #[test]
    fn the_machine_form_is_stable() {
        let mut diagnostic = Diagnostic::new(Severity::Warning, Code::C3, "message");
        let json = |diagnostic: &Diagnostic| serde_json::to_string(diagnostic).expect("JSON");
        assert_eq!(
            json(&diagnostic),
            r#"{"severity":"warning","code":"C3","path":"","message":"message"}"#
        );

        diagnostic.object = Some(ObjectRef {
            kind: "Pod".into(),
            namespace: String::new(),
            name: "web".into(),
        });
        diagnostic.help("help");
        diagnostic.location = Some(Location::new(Source::new("a.yaml", "x\ny"), Span { start: 2, end: 3 }));
        assert_eq!(
            json(&diagnostic),
            r#"{"severity":"warning","code":"C3","object":"Pod//web","path":"","message":"message","help":"help","#
                .to_owned()
                + r#""location":{"file":"a.yaml","line":2,"column":1}}"#
        );
    }
}
