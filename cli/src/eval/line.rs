//! One line of input: objects, options, and flows to ask about.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use policy_compiler::CompileOptions;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::flow::Flow;

/// A line that was understood. Keys that are not listed here have no meaning and are ignored.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: Option<String>,
    /// Kubernetes objects.
    pub(crate) objects: Vec<Value>,
    /// What DNS says.
    pub(crate) fqdns: BTreeMap<String, Vec<IpAddr>>,
    /// How the objects are read.
    pub(crate) options: CompileOptions,
    /// Pods of other clusters, `namespace/pod`, with the names of their clusters.
    pub(crate) pod_clusters: BTreeMap<String, String>,
    /// Addresses of Kubernetes API servers outside the cluster.
    pub(crate) apiserver_ips: HashSet<IpAddr>,
    pub(crate) flows: Vec<Flow>,
}

/// A line that was not understood.
#[derive(Debug)]
pub(crate) struct MalformedLine {
    /// Its name, if that could be read.
    pub(crate) name: Option<String>,
    /// What is wrong.
    pub(crate) error: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire {
    objects: Vec<Value>,
    fqdns: BTreeMap<String, Vec<IpAddr>>,
    cluster: Option<String>,
    options: Map<String, Value>,
    pod_clusters: BTreeMap<String, String>,
    apiserver_ips: HashSet<IpAddr>,
    flows: Vec<Value>,
}

impl Line {
    /// Reads a line, all or nothing.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, MalformedLine> {
        // Without the line break, or an error at the end of the line would be on the next one.
        let json: Value = serde_json::from_slice(text.trim_ascii_end()).map_err(|error| MalformedLine {
            name: None,
            error: format!("not JSON: {error}"),
        })?;
        let name = json.get("name").and_then(Value::as_str).map(str::to_owned);
        Self::read(json, name.clone()).map_err(|error| MalformedLine { name, error })
    }

    fn read(json: Value, name: Option<String>) -> Result<Self, String> {
        let Value::Object(mut fields) = json else {
            return Err("a line is a JSON object".into());
        };
        fields.retain(|_, value| !value.is_null());
        if name.is_none() && fields.contains_key("name") {
            return Err("name: must be a string".into());
        }
        let wire: Wire = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        let Wire {
            objects,
            fqdns,
            cluster,
            options,
            pod_clusters,
            apiserver_ips,
            flows,
        } = wire;
        if let Some(i) = objects.iter().position(|object| !object.is_object()) {
            return Err(format!("objects[{i}]: must be a Kubernetes object"));
        }
        let flows = flows.iter().enumerate();
        let flows = flows.map(|(i, flow)| Flow::read(flow).map_err(|error| format!("flows[{i}]: {error}")));
        Ok(Self {
            name,
            objects,
            fqdns,
            options: read_options(options, cluster)?,
            pod_clusters,
            apiserver_ips: apiserver_ips.iter().map(IpAddr::to_canonical).collect(),
            flows: flows.collect::<Result<_, _>>()?,
        })
    }
}

/// An unknown option is an error, unlike an unknown key of the line: it would change what the policies mean.
fn read_options(mut options: Map<String, Value>, cluster: Option<String>) -> Result<CompileOptions, String> {
    // Lines say what an agent does, unless they ask for more.
    options.entry("validation").or_insert_with(|| "agent".into());
    let options = serde_json::from_value::<CompileOptions>(Value::Object(options));
    let options = options.map_err(|error| format!("options: {error}"))?;
    Ok(match cluster {
        Some(cluster) => CompileOptions { cluster, ..options },
        None => options,
    })
}

#[cfg(test)]
mod tests {
    use policy_compiler::Validation;
    use policy_core::bundle::Stack;

    use super::*;

    #[test]
    fn a_line_may_leave_everything_out() {
        let line = Line::parse(b"{}").expect("a line");
        assert_eq!((line.name, line.options.validation), (None, Validation::Agent));
        let line = br#"{"name":"a","options":{"stack":"ipv4","validation":"cluster"},"cluster":"c1","tags":["x"]}"#;
        let line = Line::parse(line).expect("a line");
        assert_eq!(
            (line.options.validation, line.options.stack),
            (Validation::Cluster, Stack::Ipv4)
        );
        assert_eq!((line.name.as_deref(), line.options.cluster.as_str()), (Some("a"), "c1"));
    }

    #[test]
    fn a_malformed_line_says_where_and_keeps_its_name() {
        for (text, name, part, why) in [
            ("{", None, "not JSON", "cut off"),
            ("[]", None, "a JSON object", "a list"),
            (r#"{"name":1}"#, None, "name:", "a name that is no text"),
            (
                r#"{"name":"a","flows":[{}]}"#,
                Some("a"),
                "flows[0]: missing field `from`",
                "a flow without ends",
            ),
            (
                r#"{"name":"a","objects":["text"]}"#,
                Some("a"),
                "objects[0]: must be",
                "an object that is none",
            ),
            (
                r#"{"name":"a","options":{"stak":"dual"}}"#,
                Some("a"),
                "options: unknown field `stak`",
                "a misspelt option",
            ),
            (
                r#"{"name":"a","options":{"stack":"both"}}"#,
                Some("a"),
                "options: unknown variant `both`",
                "an unknown value",
            ),
            (
                r#"{"name":"a","fqdns":{"x.":["1.2.3"]}}"#,
                Some("a"),
                "IP address",
                "no address",
            ),
        ] {
            let error = Line::parse(text.as_bytes()).expect_err(why);
            assert_eq!(error.name.as_deref(), name, "{why}");
            assert!(error.error.contains(part), "{why}: {}", error.error);
        }
    }
}
