//! The command line: one type for each command, and the parsers of what people type.

mod flow;
mod input;
mod peer;
mod reach;
mod replay;
mod suite;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(crate) use flow::{Header, KafkaLine, Port, RequestLine};
pub(crate) use input::{InputArgs, Name, ReadingArgs, Validation};
pub(crate) use peer::{Peer, Reserved};
pub(crate) use reach::{DiffArgs, FailOn, MatrixArgs, MatrixFormat};
pub(crate) use replay::{AskedDirection, LoggedDestination, PortMap, ReplayArgs};
pub(crate) use suite::TestArgs;

/// Validate, compile, trace and evaluate network policy.
///
/// Exit status: 0 when the answer is yes, 1 when it is no (invalid, denied, different), 2 when the question could not
/// be asked (usage, unreadable files).
#[derive(Parser, Debug)]
#[command(name = "portcullis", version, propagate_version = true)]
#[command(
    after_help = "Example:\n  portcullis trace -f examples/empire --from empire/tiefighter --to empire/deathstar --port 80"
)]
pub(crate) struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Check objects as strictly as the agent and the API server together, and warn of what looks like a mistake
    Validate(ValidateArgs),
    /// Turn objects into the bundle: who is who, and who may do what
    Compile(CompileArgs),
    /// Turn a plugin configuration with its bundle into what Envoy hands the plugin
    Pack(PackArgs),
    /// Ask whether one flow may pass, and why
    Trace(Box<TraceArgs>),
    /// Show who can reach whom, for every port and request that policies tell apart
    Matrix(MatrixArgs),
    /// Compare two policy sets by what they allow, with a flow for every difference
    Diff(DiffArgs),
    /// Judge recorded flows again, from access logs or Hubble, and show which verdicts change
    Replay(ReplayArgs),
    /// Answer many questions: JSON lines in, JSON lines out
    Eval(EvalArgs),
    /// Compare verdicts with those that corpora expect
    Conformance(ConformanceArgs),
    /// Run suites of questions about policies, with the answers that are expected
    Test(TestArgs),
    /// Ask a running Envoy whether its listeners are really guarded
    Doctor(DoctorArgs),
}

/// When to use colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of an answer.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: stable, one document.
    Json,
}

/// How much of the way to a verdict is shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Explain {
    /// The rule that decided, or the one that came closest and what it missed.
    #[default]
    Short,
    /// Also who both ends are, where each of their labels comes from, and every rule that was considered.
    Full,
}

/// Who decides.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum EngineChoice {
    /// The engine in this program.
    #[default]
    Native,
    /// The plugin that Envoy loads, in a WebAssembly host. It cannot read Kafka and DNS messages yet: the native engine
    /// decides on those, once the plugin has let their connection pass.
    Wasm,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis validate -f examples/empire")]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Fail on warnings too.
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis compile -f examples/empire --for empire/deathstar -o bundle.json")]
pub(crate) struct CompileArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Keep only what concerns this workload, as `namespace/pod`: the bundle of its sidecar.
    #[arg(long = "for", value_name = "NS/POD")]
    pub(crate) workload: Option<String>,
    /// Put all policies in audit mode: nothing is denied, and what would be is told.
    #[arg(long)]
    pub(crate) audit: bool,
    /// Where to write; standard output without it, or with `-`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the plugin configuration that holds the bundle, for a proxy with this view of the traffic. It is for people
    /// to read and to change; `pack` makes of it what Envoy gets.
    #[arg(long, value_enum, value_name = "DIRECTION")]
    pub(crate) plugin_config: Option<PluginDirection>,
}

/// The `direction` of a plugin configuration: whose policy the proxy enforces.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PluginDirection {
    /// What the metadata or the traffic direction of the listener says.
    Listener,
    /// The ingress policy of the destination.
    Ingress,
    /// The egress policy of the source.
    Egress,
    /// Both: a proxy between two endpoints.
    Both,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  portcullis trace -f examples/empire --from empire/tiefighter --to empire/deathstar \\\n      --port 80 --http 'GET /v1'"
)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Who opens the flow: `ns/pod`, an address, `ns=NAMESPACE,key=value…` or `reserved:NAME`.
    #[arg(long, value_name = "PEER")]
    pub(crate) from: Peer,
    /// Where it goes, in the same forms; the address of a service stands for its endpoints.
    #[arg(long, value_name = "PEER")]
    pub(crate) to: Peer,
    /// The destination port, `8080`, `53/UDP`; for ICMP the type, `8/ICMP`.
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: Port,
    /// An HTTP request on the connection, for example `GET /metrics`.
    #[arg(long, group = "message", value_name = "METHOD PATH")]
    pub(crate) http: Option<RequestLine>,
    /// The host that the request names.
    #[arg(long, requires = "http", value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// A header of the request; may be repeated.
    #[arg(long, requires = "http", action = ArgAction::Append, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<Header>,
    /// The server name that the client asks for in its TLS handshake; empty for a client that asks for none.
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// A Kafka request on the connection, for example `produce orders,returns billing`: its kind, topics and client id.
    #[arg(long, group = "message", value_name = "KIND [TOPIC,TOPIC [CLIENT]]")]
    pub(crate) kafka: Option<KafkaLine>,
    /// A DNS query on the connection.
    #[arg(long, group = "message", value_name = "NAME")]
    pub(crate) dns: Option<String>,
    /// The peer has not proven who it is. Without this it counts as authenticated.
    #[arg(long)]
    pub(crate) unauthenticated: bool,
    /// Put all policies in audit mode: nothing is denied, and what would be is told.
    #[arg(long)]
    pub(crate) audit: bool,
    /// Who decides; the explanation is always that of the native engine.
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    pub(crate) engine: EngineChoice,
    /// How much of the way to the verdict to show to people; JSON always has all of it.
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub(crate) explain: Explain,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  portcullis compile -f examples/empire --plugin-config listener | portcullis pack --form text"
)]
pub(crate) struct PackArgs {
    /// The plugin configuration, as `compile --plugin-config` writes it; standard input without it, or with `-`.
    #[arg(value_name = "CONFIGURATION")]
    pub(crate) configuration: Option<PathBuf>,
    /// How the bundle stands in what comes out.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) form: PackForm,
    /// Where to write; standard output without it, or with `-`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How a packed bundle stands in a plugin configuration.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum PackForm {
    /// Behind the JSON, as it is: the value of a `BytesValue`.
    #[default]
    Bytes,
    /// In the JSON, in base64: the value of a `StringValue`, or the `pluginConfig` of Istio.
    Text,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis eval questions.jsonl > answers.jsonl")]
pub(crate) struct EvalArgs {
    /// Who decides.
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    pub(crate) engine: EngineChoice,
    /// Where the lines come from; standard input without it, or with `-`.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  portcullis conformance --known conformance/known-differences.toml ../shared/corpus"
)]
pub(crate) struct ConformanceArgs {
    /// Who decides; `both` also demands the same bytes of both.
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    pub(crate) engine: EnginesChoice,
    /// A list of differences that are known and do not count; one that is none fails.
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// How many differences to print.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub(crate) show: usize,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Corpora: `.jsonl` files, or folders that hold some.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis doctor --admin 127.0.0.1:9901 --bundle bundle.json")]
pub(crate) struct DoctorArgs {
    /// Where Envoy's admin interface listens.
    #[arg(long, default_value = "127.0.0.1:9901", value_name = "HOST:PORT")]
    pub(crate) admin: String,
    /// Read saved pages of the admin interface from this folder instead: config_dump.json, listeners.json, stats.json
    /// and, if there, server_info.json.
    #[arg(long, conflicts_with = "admin", value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// The bundle that should be in force.
    #[arg(long, group = "policy", value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// The digest of the bundle that should be in force.
    #[arg(long, group = "policy", value_name = "sha256:HEX")]
    pub(crate) digest: Option<String>,
    /// Look at every listener, also at those that neither have the plugin nor metadata for it.
    #[arg(long)]
    pub(crate) all: bool,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Who decides, for comparisons.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum EnginesChoice {
    /// The engine in this program.
    #[default]
    Native,
    /// The plugin that Envoy loads, in a WebAssembly host.
    Wasm,
    /// Both, which must agree byte by byte.
    Both,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
