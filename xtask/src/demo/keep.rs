//! Leaving the world running, for people to play with.

use std::fmt::Write as _;
use std::io::{self, BufRead as _};

use anyhow::Result;
use envoy_e2e::run::EnvoyProcess;

use super::claim::{Claim, Connection, Request, To};
use super::policy::{self, Compiler};
use super::stages::{STAGES, Stage};
use super::world::{World, listening};

/// Prints what can be tried, and changes stages as people ask for them, until they press Enter.
pub(super) fn keep(world: &World, envoy: &EnvoyProcess, compiler: &Compiler<'_>, last: &Stage) -> Result<()> {
    println!("\nStill running. Requests to try, from anywhere on this machine:\n");
    for claim in last
        .claims
        .iter()
        .filter(|claim| claim.request.connection == Connection::Fresh)
    {
        println!("  {}    # {}", curl(world, claim)?, claim.expect);
    }
    println!("\nEnvoy's verdicts: tail -f {}", envoy.node().access_log.display());
    println!(
        "Its statistics:   curl http://{}/stats?filter=portcullis",
        envoy.node().admin
    );
    let ids = STAGES.map(|stage| stage.id).join(", ");
    println!("\nType a stage ({ids}) and Enter to push it, or just Enter to end.");
    for line in io::stdin().lock().lines() {
        let line = line?;
        match STAGES.iter().find(|stage| stage.id == line.trim()) {
            Some(stage) => {
                let (pushed, took) = policy::push(envoy, &compiler.compile(stage)?)?;
                println!(
                    "stage {}: {} after {} ms",
                    stage.id,
                    policy::answer(pushed),
                    took.as_millis()
                );
            }
            None if line.trim().is_empty() => break,
            None => println!("no such stage; there are {ids}"),
        }
    }
    Ok(())
}

/// The claim's request as a command line. It leaves out the lookup: curl asks DNS over UDP, which no policy sees here.
fn curl(world: &World, claim: &Claim) -> Result<String> {
    let Request {
        method, to, port, path, ..
    } = claim.request;
    let (address, host) = match to {
        To::Pod(pod) => (world.pod(pod)?, world.pod(pod)?.to_string()),
        To::Name(name) => (world.resolve(name)?, name.to_owned()),
        To::Lie(name, host) => (world.resolve(name)?, host.to_owned()),
    };
    let mut line = format!("curl --interface {}", world.source(claim.from)?);
    if method != "GET" {
        write!(line, " --request {method}")?;
    }
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    let url = format!("http://{host}{port}{path}");
    write!(
        line,
        " --connect-to ::{} '{url}'",
        listening(address, claim.request.port)
    )?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::claim::{Because, Expect, claim, get};

    #[test]
    fn a_request_becomes_a_command_line() {
        let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/empire/world.yaml");
        let world = World::read(manifests.as_ref()).unwrap();
        let cases = [
            (
                get(To::Pod("empire/deathstar"), 80, "/v1"),
                "curl --interface 127.10.0.11 --connect-to ::127.10.0.20:20080 'http://127.10.0.20/v1'",
            ),
            (
                get(To::Name("cilium.io"), 8080, "/?a").method("POST"),
                "curl --interface 127.10.0.11 --request POST --connect-to ::127.20.0.14:28080 'http://cilium.io:8080/?a'",
            ),
            (
                get(To::Lie("google.com", "cilium.io"), 80, "/"),
                "curl --interface 127.10.0.11 --connect-to ::127.20.0.15:20080 'http://cilium.io/'",
            ),
        ];
        for (request, expected) in cases {
            let claim = claim("empire/tiefighter", request, Expect::Closed, Because::Follows(""));
            assert_eq!(curl(&world, &claim).unwrap(), expected);
        }
    }
}
