//! `icmps`: ICMP message types.

use policy_core::{
    IcmpFamily,
    bundle::{PortPattern, PortRule},
};

use super::{Context, Cursor, cursor::closest, ports::MAX_PORTS};
use crate::{diagnostic::Code, document::Value};

/// Reads one item of `icmps`.
pub(super) fn icmp(cx: &mut Context<'_>, at: &Cursor<'_>) -> PortRule {
    at.fields(cx, &["fields"]);
    let fields = at.items_of(cx, "fields");
    if fields.len() > MAX_PORTS {
        cx.error(
            at,
            Code::C2,
            format!("has {} fields, more than {MAX_PORTS}", fields.len()),
        )
        .help("split it into several items of `icmps`");
    }
    if fields.is_empty() {
        cx.warning(
            at,
            Code::MATCHES_NOTHING,
            "an item of `icmps` without fields matches no traffic",
        )
        .help("list the types that should match");
    }
    PortRule {
        ports: fields.iter().filter_map(|field| message(cx, field)).collect(),
        ..PortRule::default()
    }
}

fn message(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<PortPattern> {
    at.fields(cx, &["family", "type"]);
    let family = family(cx, at)?;
    let Some(value) = at.get("type") else {
        if matches!(at.node().value, Value::Map(_)) {
            cx.error(at, Code::D12, "`type` is missing")
                .help("types are numbers, or names such as `EchoRequest`");
        }
        return None;
    };
    let number = match &value.node().value {
        Value::Int(number) => *number,
        Value::Str(name) => named(cx, &value, family, name)?,
        _ => {
            cx.error(
                &value,
                Code::TYPE,
                format!("expected a number or a name, found {}", value.node().kind()),
            );
            return None;
        }
    };
    let Ok(message_type) = u8::try_from(number) else {
        cx.error(&value, Code::C6, format!("{number} is not an ICMP type"))
            .help("types are numbers from 0 to 255");
        return None;
    };
    if message_type == 0 {
        cx.warning(&value, Code::MATCHES_MORE, "type 0 matches every type of the family")
            .help("list the other types, if only those are meant");
    }
    Some(PortPattern::Icmp {
        family,
        message_type: (message_type != 0).then_some(message_type),
    })
}

fn family(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IcmpFamily> {
    let Some(value) = at.get("family") else {
        return Some(IcmpFamily::V4);
    };
    match value.text(cx)? {
        "IPv4" => Some(IcmpFamily::V4),
        "IPv6" => Some(IcmpFamily::V6),
        "" if !cx.at_cluster() => Some(IcmpFamily::V4),
        "" => {
            cx.error(&value, Code::D12, "the API server does not admit an empty family")
                .help("remove it for IPv4, or write `IPv6`");
            None
        }
        other => {
            cx.error(&value, Code::C6, format!("unknown family `{other}`"))
                .help("the families are IPv4 and IPv6");
            None
        }
    }
}

fn named(cx: &mut Context<'_>, at: &Cursor<'_>, family: IcmpFamily, name: &str) -> Option<i64> {
    let types = types_of(family);
    let by_name = types
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| i64::from(*number));
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    let found = by_name.or_else(|| if digits { name.parse().ok() } else { None });
    if found.is_none() {
        let names: Vec<&str> = types.iter().map(|(known, _)| *known).collect();
        let diagnostic = cx.error(at, Code::C6, format!("unknown type `{name}` for {}", shown(family)));
        let other = other(family);
        diagnostic.help(if let Some(close) = closest(name, &names) {
            format!("did you mean `{close}`?")
        } else if types_of(other).iter().any(|(known, _)| *known == name) {
            format!("it is a type of {0}: write `family: {0}`", shown(other))
        } else {
            format!("the types are {}, and numbers", names.join(", "))
        });
    }
    found
}

fn shown(family: IcmpFamily) -> &'static str {
    match family {
        IcmpFamily::V4 => "IPv4",
        IcmpFamily::V6 => "IPv6",
    }
}

fn other(family: IcmpFamily) -> IcmpFamily {
    match family {
        IcmpFamily::V4 => IcmpFamily::V6,
        IcmpFamily::V6 => IcmpFamily::V4,
    }
}

fn types_of(family: IcmpFamily) -> &'static [(&'static str, u8)] {
    match family {
        IcmpFamily::V4 => &V4,
        IcmpFamily::V6 => &V6,
    }
}

const V4: [(&str, u8); 14] = [
    ("EchoReply", 0),
    ("DestinationUnreachable", 3),
    ("Redirect", 5),
    ("Echo", 8),
    ("EchoRequest", 8),
    ("RouterAdvertisement", 9),
    ("RouterSelection", 10),
    ("TimeExceeded", 11),
    ("ParameterProblem", 12),
    ("Timestamp", 13),
    ("TimestampReply", 14),
    ("Photuris", 40),
    ("ExtendedEchoRequest", 42),
    ("ExtendedEchoReply", 43),
];

const V6: [(&str, u8); 27] = [
    ("DestinationUnreachable", 1),
    ("PacketTooBig", 2),
    ("TimeExceeded", 3),
    ("ParameterProblem", 4),
    ("EchoRequest", 128),
    ("EchoReply", 129),
    ("MulticastListenerQuery", 130),
    ("MulticastListenerReport", 131),
    ("MulticastListenerDone", 132),
    ("RouterSolicitation", 133),
    ("RouterAdvertisement", 134),
    ("NeighborSolicitation", 135),
    ("NeighborAdvertisement", 136),
    ("RedirectMessage", 137),
    ("RouterRenumbering", 138),
    ("ICMPNodeInformationQuery", 139),
    ("ICMPNodeInformationResponse", 140),
    ("InverseNeighborDiscoverySolicitation", 141),
    ("InverseNeighborDiscoveryAdvertisement", 142),
    ("HomeAgentAddressDiscoveryRequest", 144),
    ("HomeAgentAddressDiscoveryReply", 145),
    ("MobilePrefixSolicitation", 146),
    ("MobilePrefixAdvertisement", 147),
    ("DuplicateAddressRequestCodeSuffix", 157),
    ("DuplicateAddressConfirmationCodeSuffix", 158),
    ("ExtendedEchoRequest", 160),
    ("ExtendedEchoReply", 161),
];
