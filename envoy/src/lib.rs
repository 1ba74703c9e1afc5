//! Envoy around the plugin: configuration that fails closed, and the real Envoy under test.
//!
//! - [`config`] turns a typed [`Node`](config::Node) into a bootstrap in which no byte passes without the plugin's word;
//! - [`ecds`] publishes the plugin and its policy in a folder that a running Envoy watches;
//! - [`netns`] makes network namespaces for pods and hosts, with traffic that Envoy intercepts;
//! - [`run`] starts the real Envoy, waits until it listens, pushes policies and reads its statistics;
//! - [`world`] holds the servers and clients on loopback addresses that stand for pods and outside hosts.
//!
//! `README.md` of this crate explains each hardened setting in a line; `templates/node.yaml` is the rendered result.

pub mod config;
pub mod ecds;
#[cfg(target_os = "linux")]
pub mod netns;
pub mod run;
pub mod world;

/// The examples of `README.md`, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
