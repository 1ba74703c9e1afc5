//! What the tests in network namespaces share.

#![expect(dead_code, reason = "every test binary uses another part of it")]

pub(crate) mod cluster;
pub(crate) mod empire;
pub(crate) mod mesh;
pub(crate) mod proxy;
pub(crate) mod transparent;

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use envoy_e2e::config::EnvoyVersion;
use envoy_e2e::run::artefact;

/// What a test with Envoy needs.
pub(crate) struct Binaries {
    pub(crate) envoy: PathBuf,
    pub(crate) plugin: PathBuf,
    /// Of that Envoy.
    pub(crate) version: EnvoyVersion,
}

/// Whether network namespaces can be made; if not, after a loud message. With `PORTCULLIS_REQUIRE_NETNS=1` that fails
/// the test.
pub(crate) fn available() -> bool {
    required("PORTCULLIS_REQUIRE_NETNS", envoy_e2e::netns::requirements()).is_some()
}

/// Network namespaces, Envoy and the plugin; in the same manner each.
pub(crate) fn binaries() -> Option<Binaries> {
    if !available() {
        return None;
    }
    let envoy = required("PORTCULLIS_REQUIRE_ENVOY", artefact::envoy())?;
    Some(Binaries {
        version: artefact::version(&envoy).unwrap(),
        envoy,
        plugin: required("PORTCULLIS_REQUIRE_WASM", artefact::plugin())?,
    })
}

/// The same, if Envoy is of this version or newer; an older one, which `lacks` something, is met with the same message.
pub(crate) fn binaries_from(version: EnvoyVersion, lacks: &str) -> Option<Binaries> {
    let binaries = binaries()?;
    if binaries.version < version {
        skip(&format!("Envoy {} {lacks}", binaries.version));
        return None;
    }
    Some(binaries)
}

/// The same, if names can lead nowhere but outside.
pub(crate) fn binaries_that_guard_names() -> Option<Binaries> {
    binaries_from(EnvoyVersion::V1_39, "has no listeners for names")
}

/// The command line tool, in the same manner: `PORTCULLIS_CLI`, or the one that cargo built beside this test.
pub(crate) fn portcullis() -> Option<PathBuf> {
    required("PORTCULLIS_REQUIRE_NETNS", find_portcullis())
}

fn find_portcullis() -> Result<PathBuf> {
    if let Some(named) = env::var_os("PORTCULLIS_CLI") {
        return Ok(named.into());
    }
    // `target/debug/deps/test-0123` is this test, `target/debug/portcullis` the tool.
    let test = env::current_exe()?;
    let profile = test.ancestors().nth(2).context("a test lies in `target`")?;
    let found = profile.join("portcullis");
    ensure!(
        found.is_file(),
        "no `{}`: run `cargo build -p portcullis`, or set PORTCULLIS_CLI to its path",
        found.display()
    );
    Ok(found)
}

fn required<T>(variable: &str, found: Result<T>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) if env::var_os(variable).is_some_and(|value| value == "1") => panic!("{variable}=1, and {error:#}"),
        Err(error) => {
            skip(&format!("{error:#}"));
            None
        }
    }
}

/// Says so loudly. Not by `eprintln`, which the test harness hides when a test passes.
fn skip(why: &str) {
    let message = format!("\n==== SKIPPED, NOTHING WAS TESTED: {why} ====\n\n");
    io::stderr().write_all(message.as_bytes()).unwrap();
}
