//! The decision engine of Portcullis: facts about a flow in, verdict and its reason out.
//!
//! A [`Bundle`] is the pushed policy. [`Engine::new`] checks and compiles it, all or nothing; from then on every
//! question has an answer: a verdict is a pure and total function of the compiled policy and the facts. What is
//! unknown never allows.
//!
//! ```
//! use policy_core::{AddressFacts, Bundle, Engine, Protocol, Scope};
//!
//! let bundle = Bundle::from_json(br#"{
//!   "version": 1,
//!   "selectors": [[{"equals": {"key": "any:app", "value": "web"}}], [{"equals": {"key": "any:app", "value": "db"}}]],
//!   "policies": [{
//!     "kind": "CiliumNetworkPolicy", "namespace": "shop", "name": "web",
//!     "rules": [{"path": "spec", "subject": 0, "defaultDeny": {"ingress": true, "egress": false},
//!                "ingress": [{"peers": {"oneOf": [{"selector": 1}]}}]}]
//!   }],
//!   "identities": [{"labels": ["k8s:app=web"]}, {"labels": ["k8s:app=db"]}],
//!   "endpoints": [{"name": "shop/web", "identity": 0, "addresses": ["10.0.0.1"]},
//!                 {"name": "shop/db", "identity": 1, "addresses": ["10.0.0.2"]}]
//! }"#).map_err(|e| e.to_string())?;
//! let engine = Engine::new(bundle).map_err(|e| format!("{e:?}"))?;
//!
//! let facts = AddressFacts::new("10.0.0.2".parse().ok(), "10.0.0.1".parse().ok(), Protocol::Tcp, 80);
//! let verdict = engine.admit(&facts, Scope::Ingress).verdict();
//! assert!(verdict.allows());
//! # Ok::<(), String>(())
//! ```
//!
//! The crate knows no Kubernetes, no Envoy, no clock, no I/O, no log and no global. It is `no_std` + `alloc`
//! unconditionally; the feature `json` adds the JSON form of the bundle.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use(test)]
extern crate wasm_test;

mod address;
mod admission;
pub mod bundle;
mod claim;
mod engine;
mod explain;
mod flow;
mod fqdn;
mod http;
pub mod json;
pub mod kafka;
mod labels;
pub mod packed;
pub mod re2;
mod selector;
mod sni;
mod verdict;

pub use address::{AddressTable, parse_address};
pub use admission::{AddressFacts, Admission, Destination, Scope};
pub use bundle::{Bundle, BundleError};
pub use claim::{Claim, Workload};
pub use engine::{Connection, Contradiction, Engine, IdentityId, View};
pub use explain::{Considered, Explanation, Found, Missed, MissedLabel, NearMiss, PortOwner};
pub use flow::{Carried, Direction, Flow, IcmpFamily, Peer, Protocol};
pub use fqdn::{FqdnError, FqdnPattern};
pub use http::{Change, HeaderChange, HttpFacts, HttpRequest};
pub use kafka::KafkaRequest;
pub use labels::{Label, LabelError, Labels, Source};
pub use packed::Packed;
pub use selector::{Requirement, Selector, SelectorKey};
pub use sni::{SniError, SniPattern};
pub use verdict::{Decision, Layer, Reason, RuleRef, Verdict};
