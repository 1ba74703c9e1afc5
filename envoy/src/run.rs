//! The real Envoy as a child process: started, asked, pushed to, and ended with its owner.

mod admin;
pub mod artefact;
mod process;
mod push;

pub use admin::Admin;
pub use process::{EnvoyProcess, Options};
pub use push::{Answer, Pushed};
