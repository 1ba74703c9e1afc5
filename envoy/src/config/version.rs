//! The versions of Envoy that a configuration can be for, and what the older ones lack.
//!
//! Envoy refuses a bootstrap with a field that it does not know, so what is left out for a version is what that version
//! refuses. **In what is pushed it only ignores such a field.** `docs/versions.md` says how each was found out.

use std::fmt;
use std::str::FromStr;

/// A minor version of Envoy. Versions after the newest one here are taken for that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnvoyVersion {
    /// The oldest one that the plugin is tested with.
    V1_36,
    /// The first one whose admin interface can be restricted.
    V1_37,
    /// The first one that logs why it closed a connection, and that shows filters whole certificates.
    V1_38,
    /// The first one that can judge the address that a name led to.
    V1_39,
    /// The first one in which capabilities belong to the VM.
    #[default]
    V1_40,
}

/// A version that no configuration can be made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownVersion {
    /// Not `1.36.2`, `1.40`, …
    #[error("`{0}` is not a version of Envoy")]
    Malformed(String),
    /// Older than all that were tried.
    #[error("Envoy {0} is older than {oldest}", oldest = EnvoyVersion::V1_36)]
    TooOld(String),
}

impl EnvoyVersion {
    /// Whether the admin interface can be limited to paths (`allow_paths`).
    pub(super) fn restricts_admin(self) -> bool {
        self >= Self::V1_37
    }

    /// Whether a filter gets to see a client's whole certificate (`connection.peer_certificate`). The plugin needs it:
    /// of the URIs in a certificate, the older ones tell the first only. With it comes a TCP proxy that can wait for
    /// the certificate (`upstream_connect_mode`, since 1.37).
    #[must_use]
    pub fn shows_certificates(self) -> bool {
        self >= Self::V1_38
    }

    /// Whether access logs know `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
    pub(super) fn logs_close_reasons(self) -> bool {
        self >= Self::V1_38
    }

    /// Whether RBAC can be an upstream HTTP filter. It is what keeps names from leading into the cluster.
    #[must_use]
    pub fn guards_names(self) -> bool {
        self >= Self::V1_39
    }

    /// Whether the capabilities of a plugin are a property of its VM. Older ones know them as one of the plugin, and
    /// newer ones warn of that.
    pub(super) fn restricts_vms(self) -> bool {
        self >= Self::V1_40
    }
}

impl fmt::Display for EnvoyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_36 => "1.36",
            Self::V1_37 => "1.37",
            Self::V1_38 => "1.38",
            Self::V1_39 => "1.39",
            Self::V1_40 => "1.40",
        })
    }
}

/// From a version with or without its last number.
impl FromStr for EnvoyVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let number = |part: &str| part.parse::<u32>().ok();
        let mut parts = text.splitn(3, '.').map(number);
        let (Some(Some(major)), Some(Some(minor)), None | Some(Some(_))) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(UnknownVersion::Malformed(text.to_owned()));
        };
        match (major, minor) {
            (0, _) | (1, ..36) => Err(UnknownVersion::TooOld(text.to_owned())),
            (1, 36) => Ok(Self::V1_36),
            (1, 37) => Ok(Self::V1_37),
            (1, 38) => Ok(Self::V1_38),
            (1, 39) => Ok(Self::V1_39),
            _ => Ok(Self::V1_40),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_by_their_minor_number() {
        let malformed = |text: &str| Err(UnknownVersion::Malformed(text.to_owned()));
        let too_old = |text: &str| Err(UnknownVersion::TooOld(text.to_owned()));
        let rows = [
            ("1.36.2", Ok(EnvoyVersion::V1_36), "the oldest"),
            ("1.35.9", too_old("1.35.9"), "before it"),
            ("1.38", Ok(EnvoyVersion::V1_38), "the last number says nothing"),
            ("1.41.0", Ok(EnvoyVersion::V1_40), "newer ones can do no less"),
            ("2.0.0", Ok(EnvoyVersion::V1_40), "also much newer ones"),
            ("0.99.0", too_old("0.99.0"), "much older"),
            ("1", malformed("1"), "which one?"),
            ("1.36.x", malformed("1.36.x"), "no number"),
            ("", malformed(""), "nothing"),
        ];
        for (text, expected, why) in rows {
            assert_eq!(text.parse(), expected, "{why}");
        }
    }
}
