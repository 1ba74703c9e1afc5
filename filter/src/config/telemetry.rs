//! What the plugin tells beside its verdicts. All of it is off unless it is asked for.

use serde::Deserialize;

/// Whether those who are refused are told why.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ExplainSettings {
    /// How the response to a denied request explains the denial.
    pub(crate) denials: ExplainDenials,
}

/// How a denial is explained to the client.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExplainDenials {
    /// Not at all.
    #[default]
    None,
    /// By the header `x-portcullis-reason`.
    Header,
    /// By a body of JSON.
    Body,
}
