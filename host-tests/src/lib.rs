//! A proxy-wasm host for tests: it runs the plugin as Envoy does, without Envoy.
//!
//! The host follows what Envoy 1.40 was *seen* to do, which is not always what the ABI says: which
//! property is readable in which callback, that a repeated header reads as its first value, that a
//! connection a filter paused too early is stuck, that a plugin which traps takes all its streams
//! with it, that an update which fails outside the canary lets traffic through.
//!
//! Tests state facts and look at outcomes; the order of host calls is nobody's business.
//!
//! ```no_run
//! use policy_core::packed::{self, Form};
//! use wasm_host::{
//!     CloseReason, Connection, HttpOutcome, ListenerDirection, Plugin, Request, Vm, VmConfig, artefact,
//! };
//!
//! # fn main() -> anyhow::Result<()> {
//! let plugin = Plugin::load(artefact::locate()?)?;
//! let vm = Vm::new(&plugin, VmConfig::default())?;
//! let configuration = packed::configuration(br#"{"version":1,"bundle":{"version":1}}"#, Form::Bytes)?;
//! assert!(vm.configure(&configuration)?);
//!
//! // A connection through the network filter…
//! let connection = Connection::new("10.0.0.1:40000".parse()?, "10.0.0.2:8080".parse()?)
//!     .direction(ListenerDirection::Inbound)
//!     .sni("reviews.default");
//! let mut tcp = vm.tcp(connection);
//! tcp.new_connection();
//! assert_eq!(tcp.closed(), None);
//!
//! // …and a request over it, through the HTTP filter.
//! let http = tcp.http(Request::get("reviews", "/admin").header("x-role", b"\xff"));
//! match http.outcome() {
//!     HttpOutcome::Continue { headers, .. } => println!("{} headers go on", headers.len()),
//!     HttpOutcome::LocalReply(reply) => assert_eq!(reply.status, 403),
//!     other => panic!("{other:?}"),
//! }
//! assert_eq!(http.filter_state("wasm.portcullis_http").as_deref(), Some(&b"deny"[..]));
//!
//! // Costs can be bounded, and nothing may be left behind.
//! assert!(vm.counters().calls_in("proxy_on_request_headers") <= 10);
//! drop((http, tcp));
//! assert_eq!(vm.live_contexts(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what is in it |
//! |---|---|
//! | `plugin`, `artefact` | compile a plugin; find the one that was built |
//! | `vm`, `update`, `machine`, `exports` | instances, configuration, callbacks, traps |
//! | `abi` | the host calls, one file for each family |
//! | `connection`, `tls`, `link` | facts of a connection, and its life |
//! | `tcp`, `delivery` | the plugin as network filter |
//! | `request`, `http`, `response`, `ending`, `reply` | requests; the plugin as HTTP filter; local replies |
//! | `properties`, `value`, `metadata`, `filter_state`, `headers` | what a plugin reads and writes |
//! | `process`, `metrics` | what virtual machines share |
//! | `counters`, `trap` | what a test measures |
//!
//! **What it does not do**: trailers, outbound calls (they fail at once), foreign functions (they are
//! not found), whole protobuf messages as properties (they do not serialize).

mod abi;
pub mod artefact;
mod config;
mod connection;
mod counters;
mod delivery;
mod ending;
mod exports;
mod filter_state;
mod headers;
mod http;
mod link;
mod machine;
mod metadata;
mod metrics;
mod plugin;
mod process;
mod properties;
mod reply;
mod request;
mod response;
mod state;
mod tcp;
mod tls;
mod trap;
mod update;
mod value;
mod vm;

pub use abi::Status;
pub use config::{Node, VmConfig};
pub use connection::{ConnectMode, Connection, ListenerDirection};
pub use counters::Counters;
pub use delivery::{Action, CloseReason, Delivery, Peer};
pub use filter_state::FilterState;
pub use headers::Headers;
pub use http::{HttpOutcome, HttpStream};
pub use machine::ALLOCATIONS;
pub use metadata::{Metadata, MetadataValue};
pub use metrics::MetricKind;
pub use plugin::Plugin;
pub use process::Process;
pub use reply::LocalReply;
pub use request::Request;
pub use state::{LogLevel, LogLine};
pub use tcp::TcpStream;
pub use tls::{Certificate, Tls};
pub use trap::{Trap, TrapKind};
pub use update::Update;
pub use vm::Vm;
