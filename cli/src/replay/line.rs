//! One line of a log: which form it has, and the flow that it tells of.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::error::Category;

use super::{
    envoy::{self, Reading},
    hubble,
    record::Record,
    skip::{Skip, Why},
};

/// The flow of a line, or why it cannot be judged.
pub(super) fn read(line: &[u8], reading: &Reading) -> Result<Record, Skip> {
    match parsed::<Form>(line)? {
        Form::Exported => match parsed::<Exported<'_>>(line)?.flow {
            Some(flow) => flow.record(),
            None => Err(Why::NoVerdict.into()),
        },
        Form::Flow => parsed::<hubble::Flow<'_>>(line)?.record(),
        Form::Access => parsed::<envoy::Line<'_>>(line)?.record(reading),
        Form::Other => Err(Why::NoFlow.into()),
    }
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Skip> {
    serde_json::from_slice(line).map_err(|error| {
        let what = match error.classify() {
            Category::Data => "",
            Category::Io | Category::Syntax | Category::Eof => "not JSON: ",
        };
        // Of a place in the line only the column is news.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Skip::new(Why::Malformed, format!("{what}{message} at column {}", error.column()))
    })
}

/// A line of `hubble observe -o json`, and of the plugin's flow log.
#[derive(Deserialize)]
struct Exported<'a> {
    #[serde(borrow)]
    flow: Option<hubble::Flow<'a>>,
}

/// What kind of line it is. The later ones win: a flow has a `source` as access logs have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Form {
    Other,
    /// A line of Envoy's access log.
    Access,
    /// A flow itself.
    Flow,
    /// A flow in `flow`.
    Exported,
}

impl Form {
    /// The form of which the key is a sign, with a value that is an object or none. Access logs say in words what
    /// flows say with objects.
    fn of(key: &str, value: &Kind) -> Self {
        match (key, value) {
            ("flow", _) => Self::Exported,
            ("IP" | "l4" | "l7" | "source" | "destination", Kind::Object) => Self::Flow,
            ("source" | "downstream_direct_remote_address" | "downstream_remote_address", Kind::Other) => Self::Access,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Form, A::Error> {
                let mut form = Form::Other;
                while let Some((key, value)) = map.next_entry::<Cow<'de, str>, Kind>()? {
                    form = form.max(Form::of(&key, &value));
                }
                Ok(form)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// Whether a value is an object.
enum Kind {
    Object,
    Other,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Only the first byte matters: raw text is read without being taken apart.
        let raw = <&serde_json::value::RawValue>::deserialize(deserializer)?;
        Ok(match raw.get().starts_with('{') {
            true => Self::Object,
            false => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        args::LoggedDestination,
        replay::record::{Asked, Message, ServerName, To},
    };

    fn reading() -> Reading {
        Reading {
            destination: LoggedDestination::Address,
            port_maps: vec!["20080=80".parse().expect("ports")],
        }
    }

    fn record(line: &str) -> Record {
        read(line.as_bytes(), &reading()).unwrap_or_else(|skip| panic!("{line}: {skip:?}"))
    }

    fn why(line: &str) -> &'static str {
        read(line.as_bytes(), &reading()).expect_err(line).why.as_str()
    }

    /// A line of an access log with these members too, and a flow with these.
    fn access(more: &str) -> String {
        format!(r#"{{"source":"10.0.0.2:1","destination":"[fd00::1]:20080"{more}}}"#)
    }

    fn flow(more: &str) -> String {
        format!(
            r#"{{"flow":{{"verdict":"FORWARDED","IP":{{"source":"10.0.0.2","destination":"10.0.0.1"}},"l4":{{"TCP":{{"source_port":1,"destination_port":80}}}}{more}}}}}"#
        )
    }

    #[test]
    fn lines_that_are_not_judged_say_why() {
        for (line, want, why_so) in [
            ("{", "malformed", "cut off"),
            ("[]", "malformed", "a list"),
            (r#"{"flow":{}} x"#, "malformed", "more than one value"),
            (r#"{"flow":3}"#, "malformed", "a flow that is none"),
            ("{}", "no-flow", "nothing"),
            (
                r#"{"lost_events":{"num_events_lost":3}}"#,
                "no-flow",
                "something else of Hubble",
            ),
            (r#"{"flow":null}"#, "no-verdict", "the plugin told nothing"),
            (r#"{"flow":{}}"#, "no-verdict", "a flow without any"),
            (&access(""), "no-verdict", "neither the plugin's, nor an upstream"),
            (
                &access(r#","verdict":"allow","l4":"allow""#).replace(":20080", ""),
                "unknown-peer",
                "no address",
            ),
            (
                &access(r#","verdict":null,"l4":"allow""#),
                "told-by-requests",
                "a connection with requests",
            ),
            (
                &access(r#","verdict":null,"l4":"pending""#),
                "no-verdict",
                "never decided",
            ),
            (&access(r#","verdict":"maybe""#), "malformed", "no verdict"),
            (
                &access(r#","verdict":"deny","reason":"ambiguous-path""#),
                "decided-elsewhere",
                "no policy's refusal",
            ),
            (
                &access(r#","verdict":"allow","reason":"left-to-upstream""#),
                "decided-elsewhere",
                "not yet",
            ),
            (
                &access(r#","peer":"stranger","verdict":"allow""#),
                "unknown-peer",
                "words of nobody",
            ),
            (&flow(r#","is_reply":true"#), "reply", "an answer"),
            (&flow(r#","l7":{"type":"RESPONSE"}"#), "reply", "an answer to a request"),
            (&flow(r#","l4":null"#), "malformed", "the same key twice"),
            (
                &flow("").replace(r#""destination_port":80"#, ""),
                "malformed",
                "a comma too many",
            ),
            (&flow("").replace("destination_port", "port"), "no-port", "no port"),
            (&flow("").replace("FORWARDED", "TRACED"), "no-verdict", "only seen"),
            (
                &flow("").replace("FORWARDED", "DROPPED"),
                "dropped-otherwise",
                "nobody says why",
            ),
            (
                &flow(r#","drop_reason":134"#).replace("FORWARDED", "DROPPED"),
                "dropped-otherwise",
                "not by policy",
            ),
            (&flow("").replace("10.0.0.1", "here"), "malformed", "no address"),
            (
                &flow(r#","l7":{"kafka":{"api_key":"grab"}}"#),
                "malformed",
                "no such request",
            ),
            (
                &flow(r#","l7":{"http":{"url":"/"}}"#),
                "malformed",
                "a request without a method",
            ),
        ] {
            assert_eq!(why(line), want, "{why_so}: {line}");
        }
    }

    #[test]
    fn what_an_access_log_tells() {
        let plain = record(&access(r#","verdict":"allow","rule":"-","sni":null"#));
        let To::End(destination) = &plain.destination else {
            panic!("{plain:?}")
        };
        let address = destination.address.map(|address| address.to_string());
        assert_eq!(
            (address.as_deref(), plain.port),
            (Some("fd00::1"), 80),
            "the port that policies know"
        );
        assert_eq!((plain.then.rule, plain.server_name), (None, ServerName::Absent));
        let request = r#","verdict":"deny","reason":"default-deny","method":"GET","path":"/a?b","authority":"c:80""#;
        let request = record(&access(request));
        assert_eq!(
            (request.then.allowed, request.server_name),
            (false, ServerName::NotRecorded)
        );
        let Some(Message::Http(http)) = request.message else {
            panic!("no request")
        };
        assert_eq!(
            (http.path.as_str(), http.authority.as_deref(), http.headers),
            ("/a?b", Some("c:80"), None)
        );
        for (more, allowed, why) in [
            (r#","upstream":"10.0.0.1:80""#, true, "Envoy had somewhere to go"),
            (r#","upstream_host":"10.0.0.1:80""#, true, "in the words of Istio"),
            (
                r#","verdict":null,"http":"deny","method":"GET","path":"/""#,
                false,
                "only the guard's state is there",
            ),
            (
                r#","connection_termination_details":"rbac_access_denied_matched_policy[none]""#,
                false,
                "another filter",
            ),
        ] {
            assert_eq!(record(&access(more)).then.allowed, allowed, "{why}");
        }
        for (more, asked) in [
            (
                r#","verdict":"allow","traffic_direction":"INBOUND""#,
                Some(Asked::Ingress),
            ),
            (
                r#","verdict":"allow","traffic_direction":"OUTBOUND""#,
                Some(Asked::Egress),
            ),
            (r#","verdict":"allow","traffic_direction":"UNSPECIFIED""#, None),
        ] {
            assert_eq!(record(&access(more)).asked, asked, "{more}");
        }
    }

    #[test]
    fn what_a_flow_tells() {
        let whole = flow(r#","source":{"namespace":"shop","pod_name":"web","labels":["k8s:b=","k8s:a=1"]}"#);
        let bare = whole
            .strip_prefix(r#"{"flow":"#)
            .and_then(|rest| rest.strip_suffix('}'))
            .expect("a flow");
        assert_eq!(record(&whole), record(bare), "with and without what is around it");
        let source = record(bare).source;
        assert_eq!(
            (source.pod.as_deref(), source.labels[0].as_str()),
            (Some("shop/web"), "k8s:a=1")
        );
        for (change, allowed, reason) in [
            (("FORWARDED", "REDIRECTED"), true, None),
            (("FORWARDED", "AUDIT"), true, Some("audited")),
            (("\"FORWARDED\"", r#""DROPPED","drop_reason":133"#), false, None),
            (
                ("\"FORWARDED\"", r#""DROPPED","drop_reason_desc":"POLICY_DENY""#),
                false,
                Some("POLICY_DENY"),
            ),
            (
                (
                    "\"FORWARDED\"",
                    r#""DROPPED","drop_reason_desc":"X","portcullis":{"reason":"default-deny"}"#,
                ),
                false,
                Some("default-deny"),
            ),
        ] {
            let then = record(&flow("").replace(change.0, change.1)).then;
            assert_eq!((then.allowed, then.reason.as_deref()), (allowed, reason), "{change:?}");
        }
        let by = flow(r#","ingress_allowed_by":[{"kind":"K","namespace":"n","name":"a"},{"name":"b"}]"#);
        assert_eq!(record(&by).then.rule.as_deref(), Some("K/n/a; b"));
        let named = flow(r#","destination_names":["a.example"]"#).replace(r#","destination":"10.0.0.1""#, "");
        assert_eq!(
            record(&named).destination,
            To::Name("a.example".into()),
            "a name in place of an address"
        );
    }

    #[test]
    fn a_url_is_whole_or_a_path() {
        let parts = |url: &str| {
            let line = flow(&format!(r#","l7":{{"http":{{"method":"GET","url":"{url}"}}}}"#));
            match record(&line).message {
                Some(Message::Http(request)) => (request.authority, request.path),
                other => panic!("{other:?}"),
            }
        };
        for (url, authority, path, why) in [
            ("http://a:80/b?c", Some("a:80"), "/b?c", "whole"),
            ("http://a", Some("a"), "/", "no path"),
            ("http://a?b", Some("a"), "/?b", "only a query"),
            ("http://me:secret@a/", Some("a"), "/", "who asks is no part of the host"),
            ("http:///b", None, "/b", "no host"),
            ("/b?u=http://c/", None, "/b?u=http://c/", "a path with a URL in it"),
        ] {
            assert_eq!(parts(url), (authority.map(str::to_owned), path.to_owned()), "{why}");
        }
    }

    #[test]
    fn a_proof_is_read_as_it_is_written() {
        let line = access(r#","verdict":"allow","peer":"ns=empire sa=tie pod=tie-7 address=10.0.0.1 app=x""#);
        let claim = record(&line).claim.expect("a claim");
        assert_eq!(
            (claim.namespace.as_deref(), claim.pod.as_deref()),
            (Some("empire"), Some("tie-7"))
        );
        assert_eq!(claim.labels, [("app".to_owned(), "x".to_owned())]);
        assert!(claim.address.is_some() && claim.service_account.is_some());
        let line = flow(r#","source":{"pod_name":"a","namespace":"b"},"portcullis":{"peer":"ns=b pod=a"}"#);
        let record = record(&line);
        assert_eq!(record.source.pod, None, "the address is what the proof must agree with");
        assert!(record.claim.is_some());
    }
}
