//! The packed bundle: what proxies are pushed.
//!
//! A [`Bundle`] says what people and tools want to read; a packed bundle says the same in the form that an engine uses as
//! it is. Packing does all checks and all work that needs the whole bundle at once; what opens a packed one reads what a
//! question needs, when it is first asked. So taking a policy costs hardly more than copying it, however large it is, and
//! memory holds what traffic asked for.

mod codec;
#[cfg(feature = "json")]
mod configuration;
mod frame;
mod pack;
mod prefixes;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use serde::{Deserialize, Serialize};

#[cfg(feature = "json")]
pub use configuration::{Form, PackError, configuration};

use crate::{
    bundle::{Bundle, BundleError, Options, Policy, ReservedEntity, Rule},
    engine::{Contradiction, PolicyHead},
};
pub(crate) use codec::to_bytes;
pub(crate) use frame::{Records, Section};
pub(crate) use prefixes::{Owner, owner_of};

/// What a packed bundle begins with; the last byte is the version of the form. No text begins so: JSON has no zero bytes.
pub const MAGIC: [u8; 8] = *b"\0PCLS\r\n\x01";

/// The most bytes of a packed rule. No object of Kubernetes is as large, and a worker has to have room for what becomes of
/// a rule when the first question needs it.
pub(crate) const MAX_RULE: usize = 2 << 20;

/// A packed bundle. It is whole; whether all of it makes sense is up to who packed it.
#[derive(Clone)]
pub struct Packed {
    bytes: Vec<u8>,
    sections: [Range<usize>; Section::COUNT],
    head: Head,
}

/// What every engine reads at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) digest: String,
    pub(crate) options: Options,
    pub(crate) has_audit: bool,
    /// The identities of addresses that no prefix holds.
    pub(crate) world_v4: u32,
    pub(crate) world_v6: u32,
    /// The selectors of each entity.
    pub(crate) entities: Vec<(ReservedEntity, Vec<u32>)>,
    pub(crate) contradiction: Option<Contradiction>,
}

impl core::fmt::Debug for Packed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Packed")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Packed {}

impl Packed {
    /// Checks a bundle and packs it. All or nothing: every error is returned.
    pub fn new(bundle: &Bundle) -> Result<Self, Vec<BundleError>> {
        pack::pack(bundle)
    }

    /// Takes a packed bundle that was stored or sent. One that was cut off or damaged on its way is refused.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BundleError> {
        let sections = frame::sections(&bytes)?;
        let [head, ..] = &sections;
        let head = bytes.get(head.clone()).and_then(decode).ok_or(BundleError::Packed {
            reason: "its head is not readable",
        })?;
        Ok(Self { bytes, sections, head })
    }

    /// What to store or send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the bundle; empty if it had none, which is never so for one that was read from JSON.
    pub fn digest(&self) -> &str {
        &self.head.digest
    }

    /// How the policies are read.
    pub fn options(&self) -> &Options {
        &self.head.options
    }

    /// The policies, in the order of the bundle.
    pub fn policies(&self) -> Result<Vec<Policy>, BundleError> {
        let read = || {
            let heads = self.records(Section::Policies);
            let heads = (0..heads.len()).map(|position| decode::<PolicyHead>(heads.get(position)?));
            let mut policies: Vec<Policy> = heads.map(|head| head.map(Policy::from)).collect::<Option<_>>()?;
            let rules = self.records(Section::Rules);
            for position in 0..rules.len() {
                let (policy, rule): (u32, Rule) = decode(rules.get(position)?)?;
                policies.get_mut(usize::try_from(policy).ok()?)?.rules.push(rule);
            }
            Some(policies)
        };
        read().ok_or(BundleError::Packed {
            reason: "its policies are not readable",
        })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn section(&self, section: Section) -> &[u8] {
        let range = self.sections.get(section as usize).cloned();
        range.and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    pub(crate) fn records(&self, section: Section) -> Records<'_> {
        Records::of(self.section(section))
    }
}

/// A value of a packed bundle; `None` if these bytes are no such value.
pub(crate) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    codec::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests;
