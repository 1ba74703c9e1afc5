//! The answers of both sides of a flow, put together.

use policy_core::{Layer, Reason, Verdict};
use serde::Serialize;

use super::Answer;

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
    /// refused. In audit mode this holds for both verdicts.
    pub(crate) fn combine(egress: Option<Answer>, ingress: Option<Answer>) -> Self {
        let (egress, ingress) = match (egress, ingress) {
            (Some(nobody), Some(answer)) if nobody.is_unknown_subject() => (None, Some(answer)),
            (Some(answer), Some(nobody)) if nobody.is_unknown_subject() => (Some(answer), None),
            asked => asked,
        };
        let sides: Vec<&Answer> = egress.iter().chain(&ingress).collect();
        let as_if_enforced: Vec<&Answer> = sides.iter().map(|answer| answer.as_if_enforced()).collect();
        let has_audit = sides.iter().any(|answer| answer.would.is_some());
        let combined = Answer {
            would: has_audit.then(|| Box::new(spokesman(&as_if_enforced))),
            ..spokesman(&sides)
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

/// The answer that speaks for all.
fn spokesman(sides: &[&Answer]) -> Answer {
    let refusing = sides.iter().find(|answer| !answer.allows());
    // Of two equally deep answers the first: `max_by_key` would take the last.
    let deepest = sides
        .iter()
        .rev()
        .max_by_key(|answer| (answer.layer == Some(Layer::L7), answer.rule.is_some()));
    match (refusing, deepest) {
        (Some(refusal), _) => (*refusal).clone(),
        (None, Some(deepest)) => Answer {
            proxied: sides.iter().any(|answer| answer.proxied),
            auth: sides.iter().filter_map(|answer| answer.auth).max(),
            ..(*deepest).clone()
        },
        (None, None) => Verdict::refusal(Reason::UnknownSubject).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use policy_core::{Bundle, Decision};

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
            would: None,
        }
    }

    #[test]
    fn the_first_refusal_or_the_deepest_allow_speaks() {
        let nobody = || Some(Answer::unknown_subject(&Bundle::default()));
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

    #[test]
    fn both_verdicts_are_combined() {
        let plain = |verdict| answer(verdict, Layer::L4, None);
        let audited = |enforced, would| {
            Some(Answer {
                would: Some(Box::new(plain(would))),
                ..plain(enforced)
            })
        };
        let (allow, deny) = (Decision::Allow, Decision::Deny);
        let mut everything = Bundle::default();
        everything.options.audit = true;
        let nobody = || Some(Answer::unknown_subject(&everything));
        for (egress, ingress, enforced, would, why) in [
            (
                audited(allow, deny),
                audited(allow, allow),
                true,
                false,
                "one side would refuse",
            ),
            (audited(allow, deny), Some(plain(deny)), false, false, "one does"),
            (
                audited(deny, allow),
                audited(allow, allow),
                false,
                true,
                "an audited rule would allow",
            ),
            (
                nobody(),
                audited(allow, allow),
                true,
                true,
                "an outside source has no say",
            ),
            (
                nobody(),
                nobody(),
                true,
                false,
                "but somebody must have, once audit is off",
            ),
        ] {
            let combined = BothSides::combine(egress, ingress).combined;
            let seen = (combined.allows(), combined.would.map(|would| would.allows()));
            assert_eq!(seen, (enforced, Some(would)), "{why}");
        }
    }
}
