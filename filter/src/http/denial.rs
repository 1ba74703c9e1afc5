//! What the client of a denied request is told: no more than that, unless the operator wants it to know why.

use std::borrow::Cow;

use policy_core::{Carried, Explanation, HttpRequest, NearMiss, View};

use super::{
    Headers, Host, Policy,
    answer::{Question, Target},
};
use crate::{config::ExplainDenials, json::Json, report::Outcome, sni::server_name};

const BODY: &[u8] = b"Access denied\r\n";
const REASON_HEADER: &str = "x-portcullis-reason";
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/json");

/// The longest value of the header, in bytes.
const MAX_HEADER: usize = 1024;
/// The longest text in a body, in bytes, before it is escaped.
const MAX_TEXT: usize = 1024;
/// How many of the rules that isolate the endpoint are told.
const MAX_RULES: usize = 16;

/// The response to a denied request.
pub(super) struct Denial {
    pub(super) body: Cow<'static, [u8]>,
    pub(super) header: Option<(&'static str, Cow<'static, str>)>,
}

impl Denial {
    /// The response to this request, as the policy in force wants denials to be answered. Without a policy or a request
    /// that it could be asked about, and for gRPC, whose clients expect a message and not a document, it is plain.
    pub(super) fn new<H: Host>(
        host: &H,
        policy: Option<&Policy>,
        question: Option<&Question>,
        outcome: &Outcome,
    ) -> Self {
        let plain = Self {
            body: BODY.into(),
            header: None,
        };
        let Some((policy, question)) = policy.zip(question) else {
            return plain;
        };
        match policy.settings.explain.denials {
            ExplainDenials::None => plain,
            ExplainDenials::Header => {
                let words = words(outcome, explain(host, policy, question, outcome).as_ref());
                Self {
                    header: Some((REASON_HEADER, words.into())),
                    ..plain
                }
            }
            ExplainDenials::Body if question.headers.as_ref().is_some_and(is_grpc) => plain,
            ExplainDenials::Body => {
                let (name, value) = CONTENT_TYPE;
                let document = document(outcome, explain(host, policy, question, outcome).as_ref());
                Self {
                    body: document.into_bytes().into(),
                    header: Some((name, value.into())),
                }
            }
        }
    }
}

/// As Envoy tells gRPC, which `application/grpc-web` is not.
fn is_grpc(headers: &Headers) -> bool {
    let suffix = headers
        .first(b"content-type")
        .and_then(|value| value.strip_prefix(b"application/grpc"));
    suffix.is_some_and(|suffix| matches!(suffix.first(), None | Some(b'+')))
}

/// What led to this outcome. `None` if it was the plugin that refused, or if an earlier policy speaks for the endpoint.
fn explain<H: Host>(host: &H, policy: &Policy, question: &Question, outcome: &Outcome) -> Option<Explanation> {
    let Ok(Target::At(destination, port)) = question.target() else {
        return None;
    };
    let facts = question.facts.to(destination, port);
    let scope = question.facts.scope;
    let name = server_name(host, &policy.admit(View::Enforced, &facts, scope));
    let nothing = HttpRequest::default();
    let carried = question
        .headers
        .as_ref()
        .map_or(Carried::Http(&nothing), |headers| Carried::Http(headers));
    let explanation = policy
        .engine
        .explain_refusal(&facts, scope, Some(name.as_deref()), Some(carried));
    explanation.filter(|explanation| outcome.is(&explanation.verdict))
}

/// `REASON; RULE: what it missed`, or what there is of it, in printable ASCII.
fn words(outcome: &Outcome, explanation: Option<&Explanation>) -> String {
    let mut words = outcome.reason().to_owned();
    let rules = outcome.rules();
    if let Some(NearMiss { rule, missed }) = explanation.and_then(|explanation| explanation.nearest.as_ref()) {
        words.extend(["; ", rule.as_str(), ": ", &missed.to_string()]);
    } else if !rules.is_empty() {
        words.extend(["; ", &*rules]);
    }
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    words.chars().map(printable).take(MAX_HEADER).collect()
}

fn document(outcome: &Outcome, explanation: Option<&Explanation>) -> String {
    let mut document = Json::object();
    document.key("verdict").show(&outcome.decision(), MAX_TEXT);
    document.key("reason").show(&outcome.reason(), MAX_TEXT);
    let rules = outcome.rules();
    if !rules.is_empty() {
        document.key("rule").show(&rules, MAX_TEXT);
    }
    let Some(explanation) = explanation else {
        return document.finish();
    };
    document.key("isolated_by").open('[');
    for rule in explanation.isolated_by.iter().take(MAX_RULES) {
        document.show(rule, MAX_TEXT);
    }
    document.close(']');
    if let Some(NearMiss { rule, missed }) = &explanation.nearest {
        document.key("nearest").open('{');
        document.key("rule").show(rule, MAX_TEXT);
        document.key("missed").show(missed, MAX_TEXT);
        document.close('}');
    }
    document.finish()
}
