//! `trace`: may this flow pass, and why?

mod report;
mod scene;
mod text;

use anyhow::{Result, bail};
use policy_core::HttpRequest;
use serde_json::{Value, json};

use crate::{
    Outcome,
    args::{Color, EngineChoice, Format, Peer, TraceArgs},
    eval::natively,
    judge::{BothSides, Content, Handshake, KafkaMessage, Message, judge},
    output::{Stream, Style, print, print_json, render},
    policy,
};
use report::Trace;
use scene::{End, Scene};

/// Asks both sides of one flow.
pub(crate) fn run(args: &TraceArgs, color: Color) -> Result<Outcome> {
    let mut pods = Vec::new();
    let from = as_pod(&args.from, "from", &mut pods);
    let to = as_pod(&args.to, "to", &mut pods);
    let mut compiled = policy::compile(&args.input, &pods, None)?;
    compiled.bundle.options.audit = args.audit;
    eprint!("{}", render(&compiled.diagnostics, Style::new(color, Stream::Error)));
    if compiled.has_errors() {
        return Ok(Outcome::No);
    }

    let content = content(args);
    let from = End {
        peer: &from,
        name: args.from.to_string(),
    };
    let to = End {
        peer: &to,
        name: args.to.to_string(),
    };
    let scene = Scene::build(compiled.bundle.clone(), &from, &to, args.port)?;
    let native = scene.ask(&mut *judge(EngineChoice::Native)?, &content, !args.unauthenticated)?;
    let decided = match args.engine {
        EngineChoice::Native => native,
        EngineChoice::Wasm => ask_plugin(&scene, &content, args, &native)?,
    };
    let trace = Trace::new(args, &compiled, &scene, decided.combined, &content)?;
    match args.output {
        Format::Json => print_json(&trace)?,
        Format::Text => print(&text::render(&trace, args.explain, Style::new(color, Stream::Output)))?,
    }
    Ok(if trace.answer.allows() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn ask_plugin(scene: &Scene, content: &Content, args: &TraceArgs, native: &BothSides) -> Result<BothSides> {
    let mut plugin = judge(EngineChoice::Wasm)?;
    let answer = agreed(scene.ask(&mut *plugin, content, !args.unauthenticated)?, native)?;
    if let Some(note) = natively(plugin.asked_natively()) {
        eprintln!("note: {note}");
    }
    Ok(answer)
}

/// A peer of labels becomes a pod, so that it is labelled as every pod is: by its namespace and cluster too.
fn as_pod(peer: &Peer, side: &str, pods: &mut Vec<Value>) -> Peer {
    let Peer::Labels { namespace, labels } = peer else {
        return peer.clone();
    };
    // No pod can have this name.
    let name = format!("{{{side}}}");
    let labels: serde_json::Map<String, Value> = labels
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    pods.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
    }));
    Peer::Pod {
        namespace: namespace.clone(),
        name,
    }
}

fn content(args: &TraceArgs) -> Content {
    let handshake = args.sni.as_ref().map(|name| Handshake {
        server_name: Some(name.clone()).filter(|name| !name.is_empty()),
    });
    let http = request(args).map(Message::Http);
    let dns = args.dns.as_ref().map(|name| Message::Dns(name.clone().into_bytes()));
    let kafka = args.kafka.as_ref().map(|line| {
        Message::Kafka(KafkaMessage {
            api_key: line.api_key,
            api_version: KafkaMessage::UNKNOWN_VERSION,
            client_id: line.client_id.clone().into_bytes(),
            topics: line.topics.iter().map(|topic| topic.clone().into_bytes()).collect(),
        })
    });
    let message = http.or(dns).or(kafka);
    Content { handshake, message }
}

fn request(args: &TraceArgs) -> Option<HttpRequest> {
    let line = args.http.as_ref()?;
    let headers = args
        .header
        .iter()
        .map(|header| (header.name.clone().into_bytes(), header.value.clone().into_bytes()));
    Some(HttpRequest {
        method: Some(line.method.clone().into_bytes()),
        path: Some(line.path.clone().into_bytes()),
        authority: args.host.clone().map(String::into_bytes),
        headers: headers.collect(),
    })
}

/// What the plugin decided, if the engine in this program says the same. Anything else is a fault of ours.
fn agreed(wasm: BothSides, native: &BothSides) -> Result<BothSides> {
    if wasm != *native {
        let json = |answer| serde_json::to_string(answer).unwrap_or_default();
        bail!(
            "the engines disagree, please report this\n  native: {}\n  wasm:   {}",
            json(native),
            json(&wasm)
        );
    }
    Ok(wasm)
}
