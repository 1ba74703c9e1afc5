//! The plugin in wasmtime: the same questions, through the host calls that Envoy would answer.
//!
//! Times include the host, which is not Envoy's. Fuel does not: it counts what the plugin itself executes, and is the
//! same every time. So are host calls, and the allocations that they force.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, ensure};
use policy_core::{Bundle, Packed};
use wasm_host::{Connection, Plugin, Request, TcpStream, Update, Vm, VmConfig, artefact};

use crate::engine::extremes;
use crate::report::{Report, Wanted};
use crate::sampler::{Case, Effort, Series, processor_time, sample};
use crate::world::{PORT, Path, Shape, address, request_path};

/// A repeated verdict in the largest world may cost so much of one in the smallest.
const FLAT: Wanted = Wanted::AtMost(1.2, "≤ 1.2");

/// A VM may grow by so much over all pushes, in MiB.
const MEMORY: Wanted = Wanted::AtMost(64.0, "≤ 64");
/// How often the policy changes.
const PUSHES: u32 = 20;

const CONNECTION: &str = "connection, again";
const REQUEST: &str = "request, prefix";

/// The world in the plugin.
struct Loaded {
    shape: Shape,
    vm: Vm,
    took: f64,
    bytes: usize,
}

/// Measures the section.
pub(crate) fn measure(effort: Effort, short: bool) -> Result<Report> {
    let mut report = Report::new("wasm");
    let path = artefact::locate()?;
    report.add_exact("plugin", "size", "bytes", std::fs::metadata(&path)?.len() as f64);
    time(&mut report, &Plugin::load(&path)?, effort, short)?;
    grow(&mut report, &Plugin::load(&path)?, short)?;
    count(&mut report, &Plugin::load_metered(&path)?, short)?;
    Ok(report)
}

impl Loaded {
    fn new(plugin: &Plugin, shape: Shape) -> Result<Self> {
        let vm = Vm::new(plugin, VmConfig::default())?;
        let configuration = configuration(&shape.bundle())?;
        let (accepted, took) = processor_time(|| vm.configure(&configuration));
        let accepted = accepted.map_err(|trap| anyhow!("{trap}"))?;
        let took = took.as_secs_f64() * 1e3;
        ensure!(accepted, "the plugin refuses the world: {:?}", vm.logs().last());
        Ok(Self {
            shape,
            vm,
            took,
            bytes: configuration.len(),
        })
    }

    /// A connection from this identity to the subject of the asked policy.
    fn connection(&self, from: u32) -> TcpStream {
        let at = |identity, port| SocketAddr::new(address(identity), port);
        let subject = self.shape.subject(self.shape.asked());
        let metadata = [
            ("direction", "ingress".to_owned()),
            ("protocol", "http".to_owned()),
            ("port", PORT.to_string()),
        ];
        let connection = Connection::new(at(from, 40_000), at(subject, PORT));
        let connection = metadata.into_iter().fold(connection, |connection, (key, value)| {
            connection.listener_metadata("portcullis", key, value)
        });
        let mut tcp = self.vm.tcp(connection);
        tcp.new_connection();
        tcp
    }

    fn peer(&self) -> u32 {
        self.shape.peer(self.shape.asked())
    }

    fn request(&self, path: Path) -> Request {
        let request = Request::get("web.example", &request_path(self.shape.asked(), path));
        request.header("user-agent", "bench/1").header("accept", "*/*")
    }
}

/// What the plugin is configured with, as Envoy hands it over. Packing is not what is measured.
pub(crate) fn configuration(bundle: &Bundle) -> Result<Vec<u8>> {
    let packed = Packed::new(bundle).map_err(|errors| anyhow!("the world is wrong: {errors:?}"))?;
    Ok([br#"{"version":1}"#, packed.as_bytes()].concat())
}

/// Adds how the memory of a VM grows while two policies take turns in it, whose bundles differ in one policy.
fn grow(report: &mut Report, plugin: &Plugin, short: bool) -> Result<()> {
    let (_, large) = extremes(short);
    let mut other = large.bundle();
    other.policies.pop();
    let configurations = [configuration(&large.bundle())?, configuration(&other)?];
    let vm = Vm::new(plugin, VmConfig::default())?;
    let mut sizes = Vec::new();
    for push in 0..=PUSHES {
        let [even, odd] = &configurations;
        let next = if push % 2 == 0 { even } else { odd };
        ensure!(
            vm.configure_like_envoy(next) == Update::Accepted,
            "the policy was refused"
        );
        sizes.push(vm.memory_bytes() as f64);
    }
    let mebibytes = |bytes: f64| bytes / f64::from(1 << 20);
    if let [start, first, .., last] = sizes[..] {
        let name = large.name();
        report.add_exact("memory of the VM, at start", &name, "MiB", mebibytes(start));
        report.add_exact(
            "memory of the VM, grown after 1 push",
            &name,
            "MiB",
            mebibytes(first - start),
        );
        let grown = mebibytes(last - start);
        report.add_exact(
            &format!("memory of the VM, grown after {PUSHES} pushes"),
            &name,
            "MiB",
            grown,
        );
        report.add_ratio(
            &format!("memory of the VM, grown in MiB, {name}"),
            &Series(vec![grown]),
            MEMORY,
        );
    }
    Ok(())
}

/// Adds times, and how they grow with the world.
fn time(report: &mut Report, plugin: &Plugin, effort: Effort, short: bool) -> Result<()> {
    // The ends of the scale are what is compared; what is in between shows how configuring grows.
    let (small, large) = extremes(short);
    let between = [(1000, 1000), (10_000, 10_000)].map(|(policies, identities)| Shape::cluster(policies, identities));
    let between = between.into_iter().filter(|_| !short);
    let kept = |shape: &Shape| *shape == small || *shape == large;
    let mut worlds = Vec::new();
    for shape in [small].into_iter().chain(between).chain([large]) {
        let loaded = Loaded::new(plugin, shape)?;
        report.add_exact("configured", &shape.name(), "ms", loaded.took);
        report.add_exact("configuration", &shape.name(), "bytes", loaded.bytes as f64);
        report.add_exact("memory", &shape.name(), "bytes", loaded.vm.memory_bytes() as f64);
        if kept(&shape) {
            worlds.push(loaded);
        }
    }
    let open: Vec<TcpStream> = worlds.iter().map(|world| world.connection(world.peer())).collect();
    let mut cases = Vec::new();
    for (world, tcp) in worlds.iter().zip(&open) {
        let (name, request) = (world.shape.name(), world.request(Path::Prefix));
        ensure!(tcp.http(request.clone()).outcome().is_continue(), "the plugin denies");
        cases.push(Case::new(CONNECTION, name.clone(), || {
            world.connection(world.peer()).closed()
        }));
        cases.push(Case::new(REQUEST, name, move || {
            tcp.http(request.clone()).outcome().is_continue()
        }));
    }
    let series = sample(&mut cases, effort);
    for (case, series) in cases.iter().zip(&series) {
        report.add(&case.group, &case.name, "ns", series);
    }
    if let [connection, request, large_connection, large_request] = &series[..] {
        let over = |group| format!("{group}: {} over {}", large.name(), small.name());
        report.add_ratio(&over(CONNECTION), &large_connection.over(connection), FLAT);
        report.add_ratio(&over(REQUEST), &large_request.over(request), FLAT);
    }
    Ok(())
}

/// Adds what is the same every time: fuel, host calls, and allocations for their results.
fn count(report: &mut Report, plugin: &Plugin, short: bool) -> Result<()> {
    let (small, large) = extremes(short);
    let mut fuel = Vec::new();
    for shape in [small, large] {
        let world = Loaded::new(plugin, shape)?;
        let (name, vm) = (shape.name(), &world.vm);
        report.add_exact("configured: fuel", &name, "", vm.fuel_used() as f64);
        let add = |report: &mut Report, what: &str| {
            let used = vm.fuel_used() as f64;
            report.add_exact(&format!("{what}: fuel"), &name, "", used);
            used
        };
        let open = world.connection(world.peer());
        add(report, "connection, first");
        let refused = world.connection(shape.stranger());
        drop(refused);
        let again = world.connection(world.peer());
        let connection = add(report, CONNECTION);
        drop(again);
        let mut request = 0.0;
        for (group, path) in [
            ("request, literal", Path::Literal),
            (REQUEST, Path::Prefix),
            ("request, regex", Path::Regex),
        ] {
            // Twice: what is found out once does not count.
            drop(open.http(world.request(path)));
            let stream = open.http(world.request(path));
            let used = add(report, group);
            if path == Path::Prefix {
                request = used;
            }
            drop(stream);
        }
        fuel.push((connection, request));
        if shape == large {
            host_calls(report, &world, &open);
        }
    }
    if let [(small_connection, small_request), (connection, request)] = fuel[..] {
        let over = |group| format!("{group}: fuel, {} over {}", large.name(), small.name());
        report.add_ratio(&over(CONNECTION), &Series(vec![connection / small_connection]), FLAT);
        report.add_ratio(&over(REQUEST), &Series(vec![request / small_request]), FLAT);
    }
    Ok(())
}

/// Adds the host calls of one allowed connection, and of one allowed request on it from its start to its end.
fn host_calls(report: &mut Report, world: &Loaded, open: &TcpStream) {
    drop(world.vm.take_counters());
    drop(world.connection(world.peer()));
    add_calls(report, "connection", &world.vm.take_counters());
    drop(open.http(world.request(Path::Prefix)));
    add_calls(report, "request", &world.vm.take_counters());
}

const CALLBACKS: [&str; 6] = [
    "proxy_on_context_create",
    "proxy_on_new_connection",
    "proxy_on_request_headers",
    "proxy_on_log",
    "proxy_on_done",
    "proxy_on_delete",
];

const CALLS: [&str; 9] = [
    "proxy_get_property",
    "proxy_set_property",
    "proxy_get_header_map_value",
    "proxy_get_header_map_pairs",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_effective_context",
    "proxy_log",
];

fn add_calls(report: &mut Report, of: &str, counters: &wasm_host::Counters) {
    let group = format!("{of}: host calls");
    for name in CALLBACKS {
        if counters.calls_in(name) > 0 {
            report.add_exact(&group, &format!("in {name}"), "", counters.calls_in(name) as f64);
        }
    }
    for name in CALLS {
        if counters.calls_of(name) > 0 {
            report.add_exact(&group, name, "", counters.calls_of(name) as f64);
        }
    }
    report.add_exact(
        &format!("{of}: values fetched"),
        "count",
        "",
        counters.allocations() as f64,
    );
    report.add_exact(
        &format!("{of}: values fetched"),
        "bytes",
        "",
        counters.allocated_bytes() as f64,
    );
}
