//! The question to an engine and its answer, the same for every engine.

mod carried;
mod native;
#[cfg(feature = "wasm")]
mod wasm;

use std::{borrow::Cow, net::IpAddr};

use anyhow::Result;
use policy_core::{Bundle, Decision, Direction, Layer, Protocol, Reason, RuleRef, Verdict, bundle::Authentication};
use serde::{Serialize, Serializer};

pub(crate) use carried::{Content, Handshake, KafkaMessage, Message};
pub(crate) use native::{Native, engine};

use crate::args::EngineChoice;

/// Who decides.
pub(crate) trait Judge {
    /// Takes the policy for the questions that follow.
    ///
    /// An error is a fault of this program, not of its input: compiled bundles are valid.
    fn load(&mut self, bundle: &Bundle) -> Result<()>;

    /// Decides one side of a flow.
    ///
    /// An error means that the engine did not decide at all.
    fn ask(&mut self, question: &Question<'_>) -> Result<Answer>;

    /// How many questions about messages went to the engine in this program, because this one cannot read them yet.
    fn asked_natively(&self) -> usize {
        0
    }
}

/// The engine that was chosen, without policy.
pub(crate) fn judge(choice: EngineChoice) -> Result<Box<dyn Judge>> {
    Ok(match choice {
        EngineChoice::Native => Box::new(Native::default()),
        #[cfg(feature = "wasm")]
        EngineChoice::Wasm => Box::new(wasm::Wasm::start()?),
        #[cfg(not(feature = "wasm"))]
        EngineChoice::Wasm => anyhow::bail!("this program was built without its feature `wasm`"),
    })
}

/// One side of a flow, as a proxy meets it: by addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// Whose policy is asked: ingress that of the destination, egress that of the source.
    pub(crate) direction: Direction,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: Protocol,
    /// The destination port; the message type for ICMP.
    pub(crate) port: u16,
    /// Whether the peers have proven who they are.
    pub(crate) authenticated: bool,
    pub(crate) content: &'a Content,
}

/// What was decided, in the words that go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Answer {
    #[serde(serialize_with = "decision")]
    pub(crate) verdict: Decision,
    /// `None` when nobody decided.
    #[serde(serialize_with = "layer")]
    pub(crate) layer: Option<Layer>,
    pub(crate) proxied: bool,
    /// A code of [`Reason::as_str`], or [`Answer::UNSUPPORTED`].
    pub(crate) reason: Cow<'static, str>,
    pub(crate) rule: Option<String>,
    /// For a conflict: the rule that contradicts `rule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conflicts_with: Option<String>,
    /// The authentication mode that applies, if any rule asks for one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "authentication")]
    pub(crate) auth: Option<Authentication>,
}

impl Answer {
    /// The reason of an answer that is none: something in the question is not supported yet.
    pub(crate) const UNSUPPORTED: &'static str = "unsupported";

    /// The answer to a question that cannot be answered rightly. It denies, to be safe.
    pub(crate) fn unsupported() -> Self {
        let reason = Cow::Borrowed(Self::UNSUPPORTED);
        Self {
            verdict: Decision::Deny,
            layer: None,
            proxied: false,
            reason,
            rule: None,
            conflicts_with: None,
            auth: None,
        }
    }

    /// The answer when the side that is asked has no policy of ours: it is outside, or in another cluster.
    pub(crate) fn unknown_subject() -> Self {
        Verdict::refusal(Reason::UnknownSubject).into()
    }

    pub(crate) fn allows(&self) -> bool {
        self.verdict == Decision::Allow
    }

    pub(crate) fn is_unknown_subject(&self) -> bool {
        self.reason == Reason::UnknownSubject.as_str()
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        let Verdict {
            decision,
            layer,
            proxied,
            direction: _,
            reason,
            rule,
            authentication,
            conflicts_with,
        } = verdict;
        let text = |rule: RuleRef| rule.as_str().to_owned();
        Self {
            verdict: decision,
            layer: Some(layer),
            proxied,
            reason: reason.as_str().into(),
            rule: rule.map(text),
            conflicts_with: conflicts_with.map(text),
            auth: authentication,
        }
    }
}

/// The answers of both sides, and what follows from them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BothSides {
    #[serde(flatten)]
    pub(crate) combined: Answer,
    /// Absent if the source was not asked, or has no policy of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) egress: Option<Answer>,
    /// Absent if the destination was not asked, or has no policy of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingress: Option<Answer>,
}

impl BothSides {
    /// The first side that refuses decides, the source before the destination. If none refuses, the one that looked
    /// deepest speaks for both, and the stricter authentication mode applies. If nobody is there to ask, the flow is
    /// refused.
    pub(crate) fn combine(egress: Option<Answer>, ingress: Option<Answer>) -> Self {
        let (egress, ingress) = match (egress, ingress) {
            (Some(nobody), Some(answer)) if nobody.is_unknown_subject() => (None, Some(answer)),
            (Some(answer), Some(nobody)) if nobody.is_unknown_subject() => (Some(answer), None),
            asked => asked,
        };
        let sides: Vec<&Answer> = egress.iter().chain(&ingress).collect();
        let refusing = sides.iter().find(|answer| !answer.allows());
        // Of two equally deep answers the first: `max_by_key` would take the last.
        let deepest = || {
            sides
                .iter()
                .rev()
                .max_by_key(|answer| (answer.layer == Some(Layer::L7), answer.rule.is_some()))
        };
        let combined = match (refusing, deepest()) {
            (Some(refusal), _) => (*refusal).clone(),
            (None, Some(deepest)) => Answer {
                proxied: sides.iter().any(|answer| answer.proxied),
                auth: sides.iter().filter_map(|answer| answer.auth).max(),
                ..(*deepest).clone()
            },
            (None, None) => Answer::unknown_subject(),
        };
        Self {
            combined,
            egress,
            ingress,
        }
    }

    /// The answer to a flow that is not supported: nobody was asked.
    pub(crate) fn unsupported() -> Self {
        Self {
            combined: Answer::unsupported(),
            egress: None,
            ingress: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn decision<S: Serializer>(decision: &Decision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(decision.as_str())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn layer<S: Serializer>(layer: &Option<Layer>, serializer: S) -> Result<S::Ok, S::Error> {
    layer.map(Layer::as_str).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn authentication<S: Serializer>(mode: &Option<Authentication>, serializer: S) -> Result<S::Ok, S::Error> {
    mode.map(Authentication::as_str).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(verdict: Decision, layer: Layer, rule: Option<&str>) -> Answer {
        let reason = Cow::Borrowed("reason");
        Answer {
            verdict,
            layer: Some(layer),
            proxied: layer == Layer::L7,
            reason,
            rule: rule.map(Into::into),
            conflicts_with: None,
            auth: None,
        }
    }

    #[test]
    fn the_first_refusal_or_the_deepest_allow_speaks() {
        let nobody = || Some(Answer::unknown_subject());
        let plain = || Some(answer(Decision::Allow, Layer::L4, None));
        let rule = |name| Some(answer(Decision::Allow, Layer::L4, Some(name)));
        let request = |name| Some(answer(Decision::Allow, Layer::L7, Some(name)));
        let deny = |name| Some(answer(Decision::Deny, Layer::L4, Some(name)));
        for (egress, ingress, rule, allows, proxied, why) in [
            (plain(), plain(), None, true, false, "no rule on either side"),
            (plain(), rule("i"), Some("i"), true, false, "a rule is deeper than none"),
            (rule("e"), rule("i"), Some("e"), true, false, "of two equal the source"),
            (
                rule("e"),
                request("i"),
                Some("i"),
                true,
                true,
                "a request is deeper than a connection",
            ),
            (request("e"), rule("i"), Some("e"), true, true, "on either side"),
            (request("e"), deny("i"), Some("i"), false, false, "a refusal decides"),
            (
                deny("e"),
                deny("i"),
                Some("e"),
                false,
                false,
                "the source refuses first",
            ),
            (
                nobody(),
                rule("i"),
                Some("i"),
                true,
                false,
                "an outside source has no say",
            ),
            (
                rule("e"),
                nobody(),
                Some("e"),
                true,
                false,
                "nor an outside destination",
            ),
            (nobody(), nobody(), None, false, false, "but somebody must have"),
            (None, None, None, false, false, "or be asked"),
        ] {
            let both = BothSides::combine(egress, ingress);
            let got = (
                both.combined.rule.as_deref(),
                both.combined.allows(),
                both.combined.proxied,
            );
            assert_eq!(got, (rule, allows, proxied), "{why}");
        }
    }

    #[test]
    fn the_words_of_an_answer() {
        let both = BothSides::combine(Some(answer(Decision::Conflict, Layer::L7, Some("rule"))), None);
        let json = serde_json::to_string(&both).expect("JSON");
        let side = r#""verdict":"conflict","layer":"l7","proxied":true,"reason":"reason","rule":"rule""#;
        assert_eq!(json, format!(r#"{{{side},"egress":{{{side}}}}}"#));
        let unsupported = serde_json::to_string(&BothSides::unsupported()).expect("JSON");
        let want = r#"{"verdict":"deny","layer":null,"proxied":false,"reason":"unsupported","rule":null}"#;
        assert_eq!(unsupported, want);
    }
}
