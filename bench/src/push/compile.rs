//! How long the tool takes to compile the objects of a large cluster.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::report::Report;
use crate::sampler::Series;
use crate::world::{PORT, Path as Asked, Shape, address, app, namespace, prefix, request_path};

/// The built tool; without it, nothing is measured.
const TOOL: &str = "PORTCULLIS_CLI";
/// How often it runs.
const RUNS: usize = 5;

/// Adds the time of `portcullis compile`, for a cluster and for one of its workloads.
pub(super) fn measure(report: &mut Report, short: bool) -> Result<()> {
    let Some(tool) = env::var_os(TOOL) else {
        eprintln!("compiling is not measured: {TOOL} does not name the tool");
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (small, large) = (Shape::cluster(100, 1000), Shape::cluster(10_000, 100_000));
    for shape in if short { vec![small] } else { vec![small, large] } {
        let objects = dir.path().join("objects.yaml");
        fs::write(&objects, yaml(shape)?)?;
        let subject = shape.subject(shape.asked());
        let workload = format!("{}/{}", namespace(subject), app(subject));
        for (group, own) in [
            ("portcullis compile", None),
            ("portcullis compile --for", Some(&workload)),
        ] {
            let output = dir.path().join("bundle.json");
            let mut took = Series::default();
            for _ in 0..if short { 1 } else { RUNS } {
                let mut command = Command::new(&tool);
                command.arg("compile").arg("-f").arg(&objects).arg("-o").arg(&output);
                command.args(own.into_iter().flat_map(|own| ["--for", own]));
                took.0.push(run(&mut command)?);
            }
            report.add(group, &shape.name(), "ms", &took);
            report.add_exact(&format!("{group}: bundle"), &shape.name(), "bytes", size(&output)?);
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let output = command.output().context("the tool does not start")?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

fn size(path: &Path) -> Result<f64> {
    Ok(fs::metadata(path)?.len() as f64)
}

/// The objects of a world, as `kubectl` prints them.
fn yaml(shape: Shape) -> Result<String> {
    let mut text = String::new();
    for number in 0..shape.policies {
        let (subject, peer) = (shape.subject(number), shape.peer(number));
        writeln!(
            text,
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n\
             metadata: {{name: p{number}, namespace: {}}}\nspec:\n  endpointSelector:\n    matchLabels: {{app: {}}}\n  \
             ingress:\n  - fromEndpoints:\n    - matchLabels: {{app: {}, io.kubernetes.pod.namespace: {}}}\n    \
             toPorts:\n    - ports: [{{port: \"{PORT}\", protocol: TCP}}]\n      rules:\n        http:\n        \
             - {{method: GET, path: {}}}\n        - {{method: GET, path: {}.*}}",
            namespace(subject),
            app(subject),
            app(peer),
            namespace(peer),
            request_path(number, Asked::Literal),
            prefix(number),
        )?;
    }
    for number in 0..shape.identities {
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {app}\n  namespace: {}\n  \
             labels: {{app: {app}, tier: tier-{}}}\nspec:\n  serviceAccountName: default\n  containers:\n  \
             - name: main\nstatus:\n  podIP: {}",
            namespace(number),
            number % 7,
            address(number),
            app = app(number),
        )?;
    }
    Ok(text)
}
