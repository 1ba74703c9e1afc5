//! The question to an engine and its answer, the same for every engine.

mod both;
mod carried;
mod native;
#[cfg(feature = "wasm")]
mod wasm;

use std::{borrow::Cow, net::IpAddr};

use anyhow::Result;
use policy_core::{Bundle, Decision, Direction, Layer, Protocol, Reason, RuleRef, Verdict, bundle::Authentication};
use serde::{Serialize, Serializer};

pub(crate) use both::BothSides;
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
    /// What all policies say as if audit were off. Absent if no policy is in audit mode: it would be the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would: Option<Box<Answer>>,
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
            would: None,
        }
    }

    /// What a policy set says in both views; the second is there if they may differ.
    pub(crate) fn new(enforced: Verdict, would: Option<Verdict>) -> Self {
        Self {
            would: would.map(|would| Box::new(would.into())),
            ..enforced.into()
        }
    }

    /// The answer when the side that is asked has none of the policies of this bundle: it is outside, or in another
    /// cluster.
    pub(crate) fn unknown_subject(bundle: &Bundle) -> Self {
        let refusal = Verdict::refusal(Reason::UnknownSubject);
        let enforced = match bundle.options.audit {
            true => Verdict::audited(),
            false => refusal.clone(),
        };
        Self::new(enforced, bundle.has_audit().then_some(refusal))
    }

    pub(crate) fn allows(&self) -> bool {
        self.verdict == Decision::Allow
    }

    /// What would be the answer if audit were off.
    pub(crate) fn as_if_enforced(&self) -> &Self {
        self.would.as_deref().unwrap_or(self)
    }

    /// Whether the side that was asked has no policy of ours.
    pub(crate) fn is_unknown_subject(&self) -> bool {
        self.as_if_enforced().reason == Reason::UnknownSubject.as_str()
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
            would: None,
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
