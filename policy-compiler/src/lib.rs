//! Kubernetes objects in, one versioned policy bundle out.
//!
//! ```
//! use policy_compiler::{CompileOptions, Input, compile};
//!
//! let mut input = Input::new();
//! input.add_text("web.yaml", r#"
//! apiVersion: cilium.io/v2
//! kind: CiliumNetworkPolicy
//! metadata: {name: web, namespace: shop}
//! spec:
//!   endpointSelector: {matchLabels: {app: web}}
//!   ingress:
//!   - fromEntities: [wrld]
//! "#);
//! let compiled = compile(&input, &CompileOptions::default());
//!
//! assert_eq!(
//!     compiled.diagnostics[0].to_string(),
//!     "web.yaml:8:20: error[B3]: CiliumNetworkPolicy/shop/web: spec.ingress[0].fromEntities[0]: unknown entity `wrld`"
//! );
//! assert!(compiled.bundle.policies.is_empty(), "an object with an error is left out as a whole");
//! ```
//!
//! The steps, in order: [`document`] reads YAML and JSON into trees with places; *decode* checks every object against
//! its schema and the rules of Cilium and the API server, and collects every error; *scope* completes selectors by
//! the namespace and cluster they are meant for; [`compile`] resolves names to addresses and ports and interns what
//! is shared. Kubernetes exists only in this crate; it knows no proxy, prints nothing, and reads only the files it is
//! told to.

mod compile;
mod decode;
mod diagnostic;
pub mod document;
mod identity;
mod input;
mod lint;
mod options;
mod origin;
mod path;
mod places;
mod resource;
mod scope;
mod source;
mod world;

pub use compile::{Compiled, Rejected, compile};
pub use diagnostic::{Code, Diagnostic, ObjectRef, Severity};
pub use input::{Input, InputError};
pub use options::{CompileOptions, NetworkPolicyDialect, UnresolvedServices, Validation};
pub use origin::LabelOrigin;
pub use source::{Location, Source, Span};
