//! The plugin that Envoy loads, in a WebAssembly host.
//!
//! A connection goes through the network filter, a request on it through the HTTP filter, and the answer is what the
//! plugin leaves for access logs: verdict, reason and rule. The plugin does not tell the layer or whether the
//! connection is proxied; these are taken from the engine in this program.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, anyhow, bail};
use policy_core::{Bundle, Decision, Direction, HttpRequest, Layer, Reason};
use serde::Serialize;
use wasm_host::{Connection, Plugin, Request, Vm, VmConfig, artefact};

use super::{Answer, Judge, Native, Question};

/// A memory larger than this is given back by starting anew: WebAssembly memory never shrinks.
const MAX_MEMORY: usize = 256 << 20;
/// The reason by which the plugin refuses a connection whose verdict depends on requests, when nobody looks at them.
const HTTP_REQUIRED: &str = "http-required";
/// A client port; no policy looks at it.
const CLIENT_PORT: u16 = 40_000;

/// The plugin in a virtual machine.
pub(crate) struct Wasm {
    plugin: Plugin,
    vm: Vm,
    native: Native,
}

/// What the plugin takes as configuration.
#[derive(Serialize)]
struct Configuration<'a> {
    version: u32,
    bundle: &'a Bundle,
}

/// What the plugin leaves for access logs.
struct Logged {
    verdict: Decision,
    reason: String,
    rule: Option<String>,
}

impl Wasm {
    /// Loads the plugin; an error says how to build it.
    pub(crate) fn start() -> Result<Self> {
        let plugin = Plugin::load(artefact::locate()?)?;
        let vm = Vm::new(&plugin, VmConfig::default())?;
        Ok(Self {
            plugin,
            vm,
            native: Native::default(),
        })
    }
}

impl Judge for Wasm {
    fn load(&mut self, bundle: &Bundle) -> Result<()> {
        self.native.load(bundle)?;
        if self.vm.memory_bytes() > MAX_MEMORY {
            self.vm = Vm::new(&self.plugin, VmConfig::default())?;
        }
        // What was counted and logged before is of no interest, and would grow.
        drop(self.vm.take_counters());
        drop(self.vm.take_logs());
        let configuration = serde_json::to_vec(&Configuration { version: 1, bundle })?;
        let accepted = self
            .vm
            .configure(&configuration)
            .map_err(|trap| anyhow!("the plugin trapped: {trap:?}"))?;
        if !accepted {
            let logs: Vec<String> = self.vm.take_logs().into_iter().map(|line| line.message).collect();
            bail!("the plugin refuses the compiled bundle: {}", logs.join("; "));
        }
        Ok(())
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<Answer> {
        let native = self.native.ask(question)?;
        let logged = self.run(question)?;
        if question.http.is_none() && logged.reason == HTTP_REQUIRED {
            // Asked about a connection alone, and it would be allowed: each of its requests is decided on its own.
            let reason = Reason::AllowedByRule.as_str().into();
            let rule = logged.rule;
            return Ok(Answer {
                verdict: Decision::Allow,
                layer: Some(Layer::L4),
                proxied: true,
                reason,
                rule,
            });
        }
        let Logged { verdict, reason, rule } = logged;
        Ok(Answer {
            verdict,
            reason: reason.into(),
            rule,
            ..native
        })
    }
}

impl Wasm {
    fn run(&self, question: &Question<'_>) -> Result<Logged> {
        let mut tcp = self.vm.tcp(connection(question));
        tcp.new_connection();
        match (question.http, tcp.closed()) {
            (Some(request), None) => {
                let http = tcp.http(http_request(request));
                read_state(|key| http.filter_state(key))
            }
            _ => read_state(|key| tcp.filter_state(key)),
        }
    }
}

fn connection(question: &Question<'_>) -> Connection {
    let Question {
        direction,
        source,
        destination,
        protocol,
        port,
        http,
    } = *question;
    let direction = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let chain = if http.is_some() { "http" } else { "tcp" };
    let at = |address: IpAddr, port| SocketAddr::new(address, port);
    let metadata = [
        ("direction", direction.to_owned()),
        ("protocol", chain.to_owned()),
        ("transport", protocol.as_str().to_owned()),
        // The listener is bound to it already, but a type of ICMP may be 0, which is no port.
        ("port", port.to_string()),
    ];
    let connection = Connection::new(at(source, CLIENT_PORT), at(destination, port));
    metadata.into_iter().fold(connection, |connection, (key, value)| {
        connection.listener_metadata("portcullis", key, value)
    })
}

fn http_request(request: &HttpRequest) -> Request {
    let text = |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    let HttpRequest {
        method,
        path,
        authority,
        headers,
    } = request;
    let sent = Request::new(&text(method), &text(authority), &text(path));
    headers.iter().fold(sent, |sent, (name, value)| {
        sent.header(&String::from_utf8_lossy(name), value)
    })
}

fn read_state(get: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Logged> {
    let text = |key: &str| {
        let value = get(key).with_context(|| format!("the plugin left no `{key}`"))?;
        Ok::<_, anyhow::Error>(String::from_utf8(value)?)
    };
    let verdict = text("wasm.portcullis_verdict")?;
    let known = [Decision::Allow, Decision::Deny, Decision::Conflict];
    let decision = known.into_iter().find(|decision| decision.as_str() == verdict);
    let verdict = decision.with_context(|| format!("the plugin says `{verdict}`, which is no verdict"))?;
    let rule = text("wasm.portcullis_rule")?;
    Ok(Logged {
        verdict,
        reason: text("wasm.portcullis_reason")?,
        rule: (!rule.is_empty()).then_some(rule),
    })
}
