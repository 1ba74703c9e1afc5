//! `fromCIDR`, `toCIDR`, `fromCIDRSet` and `toCIDRSet`.

use std::net::IpAddr;

use ipnet::IpNet;
use policy_core::{Requirement, SelectorKey, bundle::PeerPattern};

use super::super::{Context, Cursor, selector};
use crate::{
    diagnostic::Code,
    identity::{CIDR_GROUP_NAME_KEY, CIDR_GROUP_SOURCE},
    resource::{LabelSelector, Peer},
};

/// One item of a plain CIDR list.
pub(super) fn cidr(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<PeerPattern> {
    let prefix = prefix(cx, at, Code::B4)?;
    Some(PeerPattern::Cidr {
        prefix,
        except: Vec::new(),
    })
}

/// One item of a CIDR set.
pub(super) fn cidr_set(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Peer> {
    at.fields(cx, &["cidr", "cidrGroupRef", "cidrGroupSelector", "except"]);
    check_kinds(cx, at);
    let selector = match (at.get("cidrGroupRef"), at.get("cidrGroupSelector")) {
        (_, Some(selector)) => Some(selector::selector_over(cx, &selector, selector::Over::CidrGroups)),
        (Some(name), None) => group_named(cx, &name),
        (None, None) => None,
    };
    if let Some(selector) = selector {
        let items = at.items_of(cx, "except");
        let except = items.iter().filter_map(|item| group_exception(cx, item)).collect();
        return Some(Peer::External { selector, except });
    }
    let prefix = prefix(cx, &at.get("cidr")?, Code::B6)?;
    let items = at.items_of(cx, "except");
    let except: Vec<IpNet> = items.iter().filter_map(|item| exception(cx, item, prefix)).collect();
    if except.contains(&prefix) {
        cx.warning(
            at,
            Code::MATCHES_NOTHING,
            format!("`{prefix}` without `{prefix}` matches no address"),
        );
    }
    Some(Peer::Pattern(PeerPattern::Cidr { prefix, except }))
}

/// Exactly one kind must say something; for the API server, exactly one must be written.
fn check_kinds(cx: &mut Context<'_>, at: &Cursor<'_>) {
    const KINDS: [&str; 3] = ["cidr", "cidrGroupRef", "cidrGroupSelector"];
    let written: Vec<(&str, Cursor<'_>)> = KINDS
        .into_iter()
        .filter_map(|kind| at.get(kind).map(|value| (kind, value)))
        .collect();
    let said: Vec<&str> = written
        .iter()
        .filter(|(_, value)| !is_empty_text(value))
        .map(|(kind, _)| *kind)
        .collect();
    let all = KINDS.join(", ");
    if said.len() != 1 {
        let found = if said.is_empty() {
            "none".to_owned()
        } else {
            said.join(" and ")
        };
        cx.error(at, Code::B5, format!("needs exactly one of {all}, has {found}"));
    } else if cx.at_cluster() && written.len() != 1 {
        cx.error(
            at,
            Code::D5,
            format!("needs exactly one of {all}, even of those that are empty"),
        );
    }
}

fn is_empty_text(at: &Cursor<'_>) -> bool {
    at.node().as_str() == Some("")
}

/// The group of this name; `None` if the item names none.
fn group_named(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<LabelSelector> {
    let name = at.text(cx).filter(|name| !name.is_empty())?;
    if cx.at_cluster() && !selector::is_dns_subdomain(name) {
        cx.error(at, Code::D5, format!("`{name}` is not the name of an object"))
            .help("names are lower-case DNS names");
    }
    let key = SelectorKey::parse(&format!("{CIDR_GROUP_SOURCE}:{CIDR_GROUP_NAME_KEY}/{name}"))?;
    Some(LabelSelector {
        equals: Vec::new(),
        expressions: vec![Requirement::Exists { key }],
    })
}

/// Nothing but the schema says what an exception from a group must be.
fn group_exception(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpNet> {
    if cx.at_cluster() {
        return prefix(cx, at, Code::D5);
    }
    let text = at.text(cx)?;
    match parse_prefix(text) {
        Ok(prefix) => Some(prefix.trunc()),
        Err(problem) => {
            cx.warning(at, Code::NO_EFFECT, format!("`{text}` is not a CIDR: {problem}"));
            None
        }
    }
}

fn exception(cx: &mut Context<'_>, at: &Cursor<'_>, whole: IpNet) -> Option<IpNet> {
    let part = prefix(cx, at, Code::B6)?;
    if !whole.contains(&part) {
        cx.error(at, Code::B6, format!("`{part}` is not inside `{whole}`"))
            .help("an exception must be a part of the `cidr` beside it");
    }
    Some(part)
}

/// A prefix with its host bits cleared.
pub(in crate::decode) fn prefix(cx: &mut Context<'_>, at: &Cursor<'_>, code: Code) -> Option<IpNet> {
    let text = at.text(cx)?;
    match parse_prefix(text) {
        Ok(prefix) => {
            if prefix.trunc() != prefix {
                let message = format!(
                    "`{text}` means `{}`: the other bits of the address are ignored",
                    prefix.trunc()
                );
                cx.warning(at, Code::MATCHES_MORE, message);
            }
            Some(prefix.trunc())
        }
        Err(problem) => {
            let diagnostic = cx.error(at, code, format!("`{text}` is not a CIDR: {problem}"));
            if let Ok(address) = text.parse::<IpAddr>() {
                diagnostic.help(format!("write `{}`", IpNet::from(address)));
            }
            None
        }
    }
}

/// Stricter than the parser of `ipnet`: no sign, no leading zero, no netmask.
pub(in crate::decode) fn parse_prefix(text: &str) -> Result<IpNet, &'static str> {
    let (address, length) = text.split_once('/').ok_or("the prefix length is missing")?;
    let address: IpAddr = address.parse().map_err(|_| "the address is not valid")?;
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    if !digits || (length.len() > 1 && length.starts_with('0')) {
        return Err("the prefix length is not a number");
    }
    let length = length.parse().map_err(|_| "the prefix length is too large")?;
    IpNet::new(address, length).map_err(|_| "the prefix length is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_strict() {
        for (text, valid, why) in [
            ("10.0.0.0/8", true, "IPv4"),
            ("10.0.0.1/32", true, "one address"),
            ("0.0.0.0/0", true, "everything"),
            ("fd00::/128", true, "the longest IPv6 prefix"),
            ("fd00::/129", false, "one too long"),
            ("10.0.0.0/33", false, "one too long for IPv4"),
            ("10.0.0.1", false, "no length"),
            ("10.0.0.300/8", false, "no address"),
            ("01.2.3.4/8", false, "an octal number"),
            ("10.0.0.0/08", false, "a leading zero"),
            ("10.0.0.0/+8", false, "a sign"),
            ("10.0.0.0/255.0.0.0", false, "a netmask"),
            ("fe80::1%eth0/64", false, "a zone"),
            ("", false, "nothing"),
        ] {
            assert_eq!(parse_prefix(text).is_ok(), valid, "{text}: {why}");
        }
    }
}
