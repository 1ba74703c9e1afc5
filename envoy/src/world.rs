//! The world around a node proxy: applications, a DNS server and clients, each on its own loopback address.
//!
//! Everything here speaks real bytes over real sockets and belongs to the host, not to the plugin under test: plain
//! threads, no shared state, and each server counts what reached it, so that a test can say *the upstream was never
//! contacted*. Linux routes all of 127.0.0.0/8 to the loopback interface; other systems need the addresses added.

pub mod certs;
pub mod client;
pub mod dns;
pub mod http;
pub mod net;
pub mod server;
pub mod tcp;
pub mod tls;
