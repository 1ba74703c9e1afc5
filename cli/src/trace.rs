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
    judge::{BothSides, judge},
    output::{Stream, Style, print, print_json, render},
    policy,
};
use report::Trace;
use scene::{End, Scene};

/// Asks both sides of one flow.
pub(crate) fn run(args: &TraceArgs, color: Color) -> Result<Outcome> {
    refuse_unsupported(args)?;
    let mut pods = Vec::new();
    let from = as_pod(&args.from, "from", &mut pods);
    let to = as_pod(&args.to, "to", &mut pods);
    let compiled = policy::compile(&args.input, &pods, None)?;
    eprint!("{}", render(&compiled.diagnostics, Style::new(color, Stream::Error)));
    if compiled.has_errors() {
        return Ok(Outcome::No);
    }

    let http = request(args);
    let from = End {
        peer: &from,
        name: args.from.to_string(),
    };
    let to = End {
        peer: &to,
        name: args.to.to_string(),
    };
    let scene = Scene::build(compiled.bundle, &from, &to, args.port)?;
    let native = scene.ask(&mut *judge(EngineChoice::Native)?, http.as_ref())?;
    let decided = match args.engine {
        EngineChoice::Native => native,
        EngineChoice::Wasm => agreed(scene.ask(&mut *judge(EngineChoice::Wasm)?, http.as_ref())?, &native)?,
    };
    let trace = Trace::new(args, &scene, decided.combined, http.as_ref())?;
    match args.output {
        Format::Json => print_json(&trace)?,
        Format::Text => print(&text::render(&trace, Style::new(color, Stream::Output)))?,
    }
    Ok(if trace.answer.allows() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn refuse_unsupported(args: &TraceArgs) -> Result<()> {
    let flags = [("--sni", &args.sni), ("--kafka", &args.kafka), ("--dns", &args.dns)];
    match flags.into_iter().find(|(_, value)| value.is_some()) {
        Some((flag, _)) => bail!("{flag} is not supported yet: no engine decides on it"),
        None => Ok(()),
    }
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
