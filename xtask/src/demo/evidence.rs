//! What Envoy itself says about a request: the plugin's verdict in its access log.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use envoy_e2e::run::EnvoyProcess;
use serde_json::Value;

use super::claim::Expect;
use super::client::{Outcome, Seen, Trace};

/// Envoy writes its log every few milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The line about a request, or about its connection if it never became a request.
pub(super) struct Evidence {
    line: Option<Value>,
}

impl Evidence {
    /// Waits for the line about `outcome`.
    pub(super) fn of(envoy: &EnvoyProcess, outcome: &Outcome) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = find(&envoy.access_log()?, outcome);
            if line.is_some() || Instant::now() >= deadline {
                return Ok(Self { line });
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether a request that was expected to end like this ended like this, by the client's account and by Envoy's.
    pub(super) fn confirms(&self, expect: Expect, seen: &Seen) -> bool {
        let verdict = self.text("verdict");
        let denied = verdict == Some("deny");
        // A denial that came after the upstream was asked is none.
        let untouched = self.text("upstream").is_none();
        match (expect, seen) {
            (Expect::Answer(expected), Seen::Response { status: 200, app }) => {
                app.as_deref() == Some(expected) && verdict == Some("allow")
            }
            (Expect::Forbidden | Expect::CutOff, Seen::Denied)
            | (Expect::Closed | Expect::CutOff, Seen::Closed)
            | (Expect::NoName, Seen::NoName) => denied && untouched,
            _ => false,
        }
    }

    /// What decided, in the words of the log: the reason unless it is the usual one, and the rule.
    pub(super) fn decided_by(&self) -> String {
        if self.line.is_none() {
            return "nothing in the access log".to_owned();
        }
        let reason = self.text("reason").filter(|&reason| reason != "allowed-by-rule");
        // All rules are of one object; its name in every row would hide what differs.
        let rule = self
            .text("rule")
            .map(|rule| rule.split_once(' ').map_or(rule, |(_, path)| path));
        let words: Vec<&str> = reason.into_iter().chain(rule).collect();
        words.join(" ")
    }

    /// The whole line.
    pub(super) fn line(&self) -> String {
        self.line.as_ref().map(Value::to_string).unwrap_or_default()
    }

    /// A field of the line, if it says anything.
    fn text(&self, field: &str) -> Option<&str> {
        let text = self.line.as_ref()?.get(field)?.as_str()?;
        Some(text).filter(|text| !matches!(*text, "" | "-"))
    }
}

fn find(log: &[Value], outcome: &Outcome) -> Option<Value> {
    let Trace {
        source,
        since,
        requests,
    } = outcome.trace;
    let source = source.to_string();
    let own = |kind: &'static str| {
        let lines = log.iter().skip(since);
        let text = |line: &Value, field: &str, is: &str| line.get(field).and_then(Value::as_str) == Some(is);
        lines.filter(move |line| text(line, "log", kind) && text(line, "source", &source))
    };
    match outcome.seen {
        Seen::Response { .. } | Seen::Denied => own("request").nth(requests.checked_sub(1)?).cloned(),
        Seen::Closed | Seen::NoName | Seen::Other(_) => own("connection").next().cloned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(seen: Seen, since: usize, requests: usize) -> Outcome {
        let source = "127.0.0.2:4000".parse().unwrap();
        let trace = Trace {
            source,
            since,
            requests,
        };
        Outcome { seen, trace }
    }

    #[test]
    fn each_request_has_its_own_line() {
        let line = |log: &str, source: &str, n: u32| json!({"log": log, "source": source, "n": n});
        let log = [
            line("connection", "127.0.0.2:4000", 0),
            line("request", "127.0.0.2:4000", 1),
            line("request", "127.0.0.2:4001", 2),
            line("request", "127.0.0.2:4000", 3),
            line("connection", "127.0.0.2:4000", 4),
        ];
        let cases = [
            (outcome(Seen::Denied, 1, 1), Some(1), "the first request"),
            (
                outcome(Seen::Denied, 1, 2),
                Some(3),
                "the second on the same connection",
            ),
            (outcome(Seen::Denied, 1, 3), None, "the third, not logged yet"),
            (
                outcome(Seen::Closed, 1, 1),
                Some(4),
                "the connection, not one before with the same port",
            ),
            (outcome(Seen::NoName, 0, 0), Some(0), "the connection from the start"),
        ];
        for (outcome, expected, why) in cases {
            let found = find(&log, &outcome).and_then(|line| line.get("n")?.as_u64());
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn both_accounts_must_agree() {
        let answer = |app: &str| Seen::Response {
            status: 200,
            app: Some(app.to_owned()),
        };
        let denied = json!({"verdict": "deny", "upstream": null});
        let cases = [
            (
                Expect::Answer("a"),
                answer("a"),
                json!({"verdict": "allow"}),
                true,
                "as expected",
            ),
            (
                Expect::Answer("a"),
                answer("b"),
                json!({"verdict": "allow"}),
                false,
                "another application",
            ),
            (
                Expect::Answer("a"),
                answer("a"),
                json!({"verdict": null}),
                false,
                "no verdict in the log",
            ),
            (Expect::Forbidden, Seen::Denied, denied.clone(), true, "403"),
            (
                Expect::Forbidden,
                Seen::Closed,
                denied.clone(),
                false,
                "denied, but too early",
            ),
            (Expect::Closed, Seen::Closed, denied.clone(), true, "closed"),
            (
                Expect::Closed,
                Seen::Closed,
                json!({"verdict": "allow"}),
                false,
                "something else closed it",
            ),
            (
                Expect::Closed,
                Seen::Closed,
                json!({"verdict": "deny", "upstream": "a:1"}),
                false,
                "too late",
            ),
            (Expect::CutOff, Seen::Denied, denied.clone(), true, "cut off by 403"),
            (Expect::CutOff, Seen::Closed, denied.clone(), true, "cut off by the end"),
            (Expect::NoName, Seen::Closed, denied, false, "the lookup worked"),
        ];
        for (expect, seen, line, confirmed, why) in cases {
            let evidence = Evidence { line: Some(line) };
            assert_eq!(evidence.confirms(expect, &seen), confirmed, "{why}");
        }
        assert!(
            !Evidence { line: None }.confirms(Expect::Closed, &Seen::Closed),
            "no line"
        );
    }
}
