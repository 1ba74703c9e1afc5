//! The same policies in Cedar.

use std::fmt::Write as _;
use std::hint::black_box;

use anyhow::{Result, anyhow};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression};

use crate::world::{PORT, Path, Shape, app, prefix, request_path};

/// An authorizer with its policies, and a request that one of them permits.
pub(super) struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    request: Request,
}

impl Cedar {
    /// The policies of a world in which one subject has all of them.
    pub(super) fn new(shape: Shape) -> Result<Self> {
        let mut text = String::new();
        for policy in 0..shape.policies {
            writeln!(
                text,
                r#"permit (principal == App::"{peer}", action == Action::"GET", resource == App::"{subject}")
                   when {{ context.port == {PORT} && context.path like "{prefix}*" }};"#,
                peer = app(shape.peer(policy)),
                subject = app(shape.subject(policy)),
                prefix = prefix(policy),
            )?;
        }
        let asked = shape.asked();
        let uid = |text: String| text.parse::<EntityUid>().map_err(|error| anyhow!("{text}: {error}"));
        let context = [
            ("port".to_owned(), RestrictedExpression::new_long(PORT.into())),
            (
                "path".to_owned(),
                RestrictedExpression::new_string(request_path(asked, Path::Prefix)),
            ),
        ];
        let request = Request::new(
            uid(format!(r#"App::"{}""#, app(shape.peer(asked))))?,
            uid(r#"Action::"GET""#.to_owned())?,
            uid(format!(r#"App::"{}""#, app(shape.subject(asked))))?,
            Context::from_pairs(context)?,
            None,
        )?;
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: text.parse()?,
            entities: Entities::empty(),
            request,
        })
    }

    /// Whether the request is permitted.
    pub(super) fn allows(&self) -> bool {
        let request = black_box(&self.request);
        let response = self.authorizer.is_authorized(request, &self.policies, &self.entities);
        response.decision() == Decision::Allow
    }
}
