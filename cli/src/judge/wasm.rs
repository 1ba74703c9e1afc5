//! The plugin that Envoy loads, in a WebAssembly host.
//!
//! A connection goes through the network filter, a request on it through the HTTP filter, and the answer is what the
//! plugin leaves for access logs: verdict, reason and rules. The plugin does not tell the layer, whether the connection
//! is proxied, or which authentication mode applies; these are taken from the engine in this program.
//!
//! The plugin cannot read Kafka and DNS messages yet. It decides on their connections; if it lets one pass, the engine
//! in this program decides on the message, and [`Judge::asked_natively`] counts it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, anyhow, bail};
use policy_core::{Bundle, Decision, Direction, HttpRequest, Packed, Reason};
use wasm_host::{Connection, Plugin, Request, Vm, VmConfig, artefact};

use super::{Answer, Content, Judge, Message, Native, Question};

/// The reasons by which the plugin refuses what the policy allows as far as it was asked: on a chain where nobody looks
/// at requests, it refuses connections whose requests would be decided one by one.
const BEYOND_HANDSHAKE: [&str; 2] = ["http-required", Reason::WrongProtocol.as_str()];
/// Where the plugin leaves verdict, reason and rules. Of an allowed request only what says all: see [`HTTP_GUARD`].
const ENFORCED: [&str; 3] = [
    "wasm.portcullis_verdict",
    "wasm.portcullis_reason",
    "wasm.portcullis_rule",
];
/// Where the guard of requests finds the verdict. If it is to allow, there is either a rule or another reason.
const HTTP_GUARD: &str = "wasm.portcullis_http";
/// The same for what would be decided if audit were off.
const WOULD: [&str; 3] = [
    "wasm.portcullis_would",
    "wasm.portcullis_would_reason",
    "wasm.portcullis_would_rule",
];
/// A client port; no policy looks at it.
const CLIENT_PORT: u16 = 40_000;

/// The plugin in a virtual machine.
pub(crate) struct Wasm {
    plugin: Plugin,
    vm: Vm,
    native: Native,
    asked_natively: usize,
}

/// What stands in front of a packed bundle: everything as it is by default.
const SETTINGS: &[u8] = br#"{"version":1}"#;

/// What the plugin leaves for access logs of a verdict.
struct Logged {
    verdict: Decision,
    reason: String,
    rule: Option<String>,
    conflicts_with: Option<String>,
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
            asked_natively: 0,
        })
    }
}

impl Judge for Wasm {
    fn load(&mut self, bundle: &Bundle) -> Result<()> {
        self.native.load(bundle)?;
        // Anew, because a plugin remembers: where a policy contradicts itself, the one before still counts.
        self.vm = Vm::new(&self.plugin, VmConfig::default())?;
        let packed = Packed::new(bundle).map_err(|errors| anyhow!("the compiled bundle is wrong: {errors:?}"))?;
        let configuration = [SETTINGS, packed.as_bytes()].concat();
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
        match question.content.message {
            None | Some(Message::Http(_)) => self.decide(question),
            Some(Message::Dns(_) | Message::Kafka(_)) => self.decide_on_message(question),
        }
    }

    fn asked_natively(&self) -> usize {
        self.asked_natively
    }
}

impl Wasm {
    fn decide(&mut self, question: &Question<'_>) -> Result<Answer> {
        let mut native = self.native.ask(question)?;
        let (enforced, would) = self.run(question)?;
        let would = match (native.would.take(), would) {
            (Some(native), Some(would)) => Some(Box::new(would.answer(*native, question.content))),
            (None, None) => None,
            (native, _) => bail!(
                "only one engine knows of audit mode: the native one is it: {}",
                native.is_some()
            ),
        };
        Ok(Answer {
            would,
            ..enforced.answer(native, question.content)
        })
    }

    fn decide_on_message(&mut self, question: &Question<'_>) -> Result<Answer> {
        let Content { handshake, message: _ } = question.content;
        let content = Content {
            handshake: handshake.clone(),
            message: None,
        };
        let about_connection = Question {
            content: &content,
            ..*question
        };
        let connection = self.decide(&about_connection)?;
        if !connection.allows() {
            return Ok(connection);
        }
        self.asked_natively += 1;
        self.native.ask(question)
    }

    /// The verdict, and what it would be if a policy is in audit mode.
    fn run(&self, question: &Question<'_>) -> Result<(Logged, Option<Logged>)> {
        let mut tcp = self.vm.tcp(connection(question));
        tcp.new_connection();
        match (question.content.http(), tcp.closed()) {
            (Some(request), None) => {
                let http = tcp.http(http_request(request));
                read_state(|key| http.filter_state(key))
            }
            _ => read_state(|key| tcp.filter_state(key)),
        }
    }
}

impl Logged {
    /// The answer with what the plugin does not tell, which is taken from the native engine.
    fn answer(self, native: Answer, asked: &Content) -> Answer {
        // The plugin decides on more than was asked about, and by another rule. What it says to the rest is of no
        // interest; that it went on to the rest is.
        if native.allows() && native.proxied && self.passes(asked) {
            return native;
        }
        let Self {
            verdict,
            reason,
            rule,
            conflicts_with,
        } = self;
        Answer {
            verdict,
            reason: reason.into(),
            rule,
            conflicts_with,
            ..native
        }
    }

    /// Whether what is asked about passes, and more than that was decided.
    fn passes(&self, asked: &Content) -> bool {
        let allows = self.verdict == Decision::Allow;
        let beyond_handshake = BEYOND_HANDSHAKE.contains(&self.reason.as_str());
        match asked {
            Content { message: Some(_), .. } => false,
            Content { handshake: Some(_), .. } => beyond_handshake,
            Content { handshake: None, .. } => {
                allows || beyond_handshake || self.reason == Reason::ServerNameNotAllowed.as_str()
            }
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
        authenticated,
        content,
    } = *question;
    let direction = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let chain = if content.http().is_some() { "http" } else { "tcp" };
    let at = |address: IpAddr, port| SocketAddr::new(address, port);
    let mut metadata = vec![
        ("direction", direction.to_owned()),
        ("protocol", chain.to_owned()),
        ("transport", protocol.as_str().to_owned()),
        // The listener is bound to it already, but a type of ICMP may be 0, which is no port.
        ("port", port.to_string()),
    ];
    if authenticated {
        metadata.push(("authentication", "network".to_owned()));
    }
    let mut connection = Connection::new(at(source, CLIENT_PORT), at(destination, port));
    if let Some(name) = content
        .handshake
        .as_ref()
        .and_then(|handshake| handshake.server_name.as_deref())
    {
        connection = connection.sni(name);
    }
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

/// The verdict, and what it would be if the plugin says so.
fn read_state(get: impl Fn(&str) -> Option<Vec<u8>>) -> Result<(Logged, Option<Logged>)> {
    let text = |key: &str| get(key).map(String::from_utf8).transpose();
    let read = |[verdict, reason, rule]: [&str; 3]| {
        let of_guard = || {
            if verdict == ENFORCED[0] {
                text(HTTP_GUARD)
            } else {
                Ok(None)
            }
        };
        let rules = text(rule)?.unwrap_or_default();
        let by_rule = || (!rules.is_empty()).then(|| Reason::AllowedByRule.as_str().to_owned());
        let said = match text(verdict)? {
            Some(said) => said,
            None => of_guard()?.with_context(|| format!("the plugin left no `{verdict}`"))?,
        };
        let reason = text(reason)?.or_else(by_rule);
        // Two rules that contradict each other are there together.
        let mut rules = rules.split("; ").filter(|rule| !rule.is_empty()).map(str::to_owned);
        let known = [Decision::Allow, Decision::Deny, Decision::Conflict];
        let decision = known.into_iter().find(|decision| decision.as_str() == said);
        Ok::<_, anyhow::Error>(Logged {
            verdict: decision.with_context(|| format!("the plugin says `{said}`, which is no verdict"))?,
            reason: reason.context("the plugin left neither a reason nor a rule")?,
            rule: rules.next(),
            conflicts_with: rules.next(),
        })
    };
    let would = get(WOULD[0]).is_some().then(|| read(WOULD)).transpose()?;
    Ok((read(ENFORCED)?, would))
}
