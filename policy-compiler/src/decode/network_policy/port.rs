//! One item of `ports`.

use policy_core::{
    Direction, Protocol,
    bundle::{PortNumbers, PortPattern},
};

use super::super::{Context, Cursor, ports::port as cilium};
use crate::{diagnostic::Code, document::Value};

const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

/// Reads one port; nothing if there is an error. Without `port` it is every port of the protocol.
pub(super) fn port(cx: &mut Context<'_>, at: &Cursor<'_>, direction: Direction) -> Vec<PortPattern> {
    at.fields(cx, &["protocol", "port", "endPort"]);
    let protocols = protocols(cx, at);
    let end = end_port(cx, at);
    let Some(numbers) = numbers(cx, at, end, direction) else {
        return Vec::new();
    };
    let pattern = |protocol: &Protocol| PortPattern::Port {
        protocol: *protocol,
        numbers: numbers.clone(),
    };
    protocols.iter().map(pattern).collect()
}

/// TCP unless it says otherwise. The agent also knows `ANY`, and takes any case.
fn protocols(cx: &mut Context<'_>, at: &Cursor<'_>) -> &'static [Protocol] {
    let Some(value) = at.get("protocol") else {
        return &ALL[..1];
    };
    let Some(text) = value.text(cx) else { return &[] };
    let known = if cx.at_cluster() {
        text.to_owned()
    } else {
        text.to_ascii_uppercase()
    };
    match known.as_str() {
        "TCP" => &ALL[..1],
        "UDP" => &ALL[1..2],
        "SCTP" => &ALL[2..],
        "ANY" | "" if !cx.at_cluster() => &ALL,
        _ => {
            let diagnostic = cx.error(&value, Code::K5, format!("unknown protocol `{text}`"));
            let upper = text.to_ascii_uppercase();
            if ["TCP", "UDP", "SCTP"].contains(&upper.as_str()) {
                diagnostic.help(format!("write `{upper}`"));
            } else {
                diagnostic.help("the protocols are TCP, UDP and SCTP");
            }
            &[]
        }
    }
}

/// The end of the range as written.
fn end_port<'a>(cx: &mut Context<'_>, at: &Cursor<'a>) -> Option<(Cursor<'a>, u16)> {
    let value = at.get("endPort")?;
    let number = value.integer(cx)?;
    match u16::try_from(number) {
        Ok(end) if end > 0 || !cx.at_cluster() => Some((value, end)),
        _ => {
            cx.error(&value, Code::K7, format!("{number} is not a port"))
                .help("ports are numbers from 1 to 65535");
            None
        }
    }
}

/// Which ports. A range must be one for the API server; the agent ignores an end that makes none.
fn numbers(
    cx: &mut Context<'_>,
    at: &Cursor<'_>,
    end: Option<(Cursor<'_>, u16)>,
    direction: Direction,
) -> Option<PortNumbers> {
    let Some(value) = at.get("port") else {
        return without_port(cx, end);
    };
    let first = match &value.node().value {
        Value::Int(number) => checked_number(cx, &value, *number)?,
        Value::Str(text) if cilium::is_service_name(text) => return named(cx, &value, text, end, direction),
        Value::Str(text) if cx.at_cluster() => {
            let diagnostic = cx.error(&value, Code::K6, format!("`{text}` is not the name of a port"));
            if text.parse::<u16>().is_ok() {
                diagnostic.help("write the number without quotes");
            } else {
                diagnostic.help(NAME);
            }
            return None;
        }
        Value::Str(text) => match cilium::number(text) {
            Ok(number) => number,
            Err(problem) => {
                cx.error(&value, Code::K6, format!("`{text}` is not a port: {problem}"));
                return None;
            }
        },
        _ => {
            let message = format!("expected a number or a string, found {}", value.node().kind());
            cx.error(&value, Code::TYPE, message);
            return None;
        }
    };
    let Some((end_at, end)) = end else {
        return Some(single(first));
    };
    if end < first && cx.at_cluster() {
        cx.error(
            &end_at,
            Code::K7,
            format!("the range ends at {end}, below its start {first}"),
        );
        return None;
    }
    Some(match first {
        0 => PortNumbers::All,
        first => PortNumbers::Range(first, end.max(first)),
    })
}

const NAME: &str = "a name has at most 15 lower-case letters, digits and single dashes, with a letter among them";

fn without_port(cx: &mut Context<'_>, end: Option<(Cursor<'_>, u16)>) -> Option<PortNumbers> {
    if cx.at_cluster()
        && let Some((end_at, _)) = end
    {
        cx.error(&end_at, Code::K7, "`endPort` needs a `port`")
            .help("write the first port of the range as `port`");
        return None;
    }
    Some(PortNumbers::All)
}

fn single(number: u16) -> PortNumbers {
    match number {
        // What the agent takes for every port.
        0 => PortNumbers::All,
        number => PortNumbers::Range(number, number),
    }
}

fn checked_number(cx: &mut Context<'_>, at: &Cursor<'_>, number: i64) -> Option<u16> {
    let port = u16::try_from(number).ok();
    let port = port.filter(|port| *port > 0 || !cx.at_cluster());
    if port.is_none() {
        cx.error(at, Code::K6, format!("{number} is not a port"))
            .help("ports are numbers from 1 to 65535");
    }
    port
}

fn named(
    cx: &mut Context<'_>,
    at: &Cursor<'_>,
    text: &str,
    end: Option<(Cursor<'_>, u16)>,
    direction: Direction,
) -> Option<PortNumbers> {
    if cx.at_cluster() {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            cx.error(at, Code::K6, format!("`{text}` is not the name of a port"))
                .help(NAME);
        }
        if let Some((end_at, _)) = &end {
            cx.error(end_at, Code::K7, "`endPort` needs a number as `port`, not a name");
        }
    }
    let end = end.map(|(_, end)| end);
    Some(PortNumbers::Named {
        name: text.to_ascii_lowercase().into(),
        end: end.filter(|end| *end > 0 && direction == Direction::Ingress),
    })
}
