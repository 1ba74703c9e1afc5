//! Rules that change nothing because of others with the same subject.

use std::collections::HashMap;

use policy_core::{
    Direction,
    bundle::{Authentication, Bundle, L7Rules, Mode, PortPattern, PortRule},
};

use super::{
    coverage::{Coverage, Who, Wider},
    findings::Findings,
    site::Site,
};
use crate::diagnostic::Code;

pub(super) fn check(bundle: &Bundle, findings: &mut Findings<'_>) {
    let wider = Wider::new(bundle);
    let mut groups: HashMap<Key, Group<'_>> = HashMap::new();
    for site in Site::all(bundle) {
        // What has no effect takes none from what has one.
        for mode in [Mode::Enforce, Mode::Audit] {
            if mode == Mode::Audit || site.policy.mode == Mode::Enforce {
                groups.entry(key(&site, mode)).or_insert_with(Group::new).add(site);
            }
        }
    }
    for group in groups.values_mut() {
        group.allowed.finish();
        group.denied.finish();
    }
    for site in Site::all(bundle).filter(|site| !site.section.is_deny) {
        if let Some(group) = groups.get(&key(&site, site.policy.mode)) {
            check_site(&site, group, &wider, findings);
        }
    }
}

/// A subject, a direction, and the mode of the rules that are judged there.
type Key = (u32, bool, Mode);

fn key(site: &Site<'_>, mode: Mode) -> Key {
    (site.rule.subject, site.section.direction == Direction::Ingress, mode)
}

/// The rules of one direction for one subject, as far as they count beside those of one mode: for audited rules all of
/// them, for enforced ones those that are enforced too.
struct Group<'b> {
    /// What is allowed without a look into the connection.
    allowed: Coverage<'b>,
    denied: Coverage<'b>,
}

impl<'b> Group<'b> {
    fn new() -> Self {
        Self {
            allowed: Coverage::new(),
            denied: Coverage::new(),
        }
    }

    fn add(&mut self, site: Site<'b>) {
        let coverage = if site.section.is_deny {
            &mut self.denied
        } else {
            &mut self.allowed
        };
        if !matches!(site.element.authentication, None | Some(Authentication::Disabled)) {
            return;
        }
        match &site.element.ports {
            None => coverage.add(site, None),
            Some(rules) => {
                for rule in rules.iter().filter(|rule| is_plain(rule)) {
                    coverage.add(site, Some(&rule.ports));
                }
            }
        }
    }
}

/// Whether the ports are allowed whatever the connection shows.
fn is_plain(rule: &PortRule) -> bool {
    let PortRule {
        ports: _,
        rules,
        server_names,
        terminating_tls,
        originating_tls,
        listener,
    } = rule;
    rules.is_none()
        && server_names.is_empty()
        && terminating_tls.is_none()
        && originating_tls.is_none()
        && listener.is_none()
}

fn check_site(site: &Site<'_>, group: &Group<'_>, wider: &Wider<'_>, findings: &mut Findings<'_>) {
    let peers: Vec<Vec<Who>> = Who::of(&site.element.peers).iter().map(|who| wider.of(who)).collect();
    if peers.is_empty() {
        return;
    }
    let Some(rules) = &site.element.ports else {
        if let Some(deny) = covering(&group.denied, &peers, None, false) {
            warn_denied(site, site.path(), &deny, findings);
        } else if let Some(other) = covering(&group.allowed, &peers, None, false) {
            warn_allowed(site, site.path(), &other, findings);
        }
        return;
    };
    for (item, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.ports.is_empty()) {
        let path = site.ports_path(item);
        if let Some(deny) = covering(&group.denied, &peers, Some(&rule.ports), false) {
            warn_denied(site, path, &deny, findings);
            continue;
        }
        let is_dns = matches!(rule.rules, Some(L7Rules::Dns(_)));
        let Some(other) = covering(&group.allowed, &peers, Some(&rule.ports), is_dns) else {
            continue;
        };
        match (&rule.rules, is_plain(rule)) {
            (_, true) => warn_allowed(site, path, &other, findings),
            (Some(rules), false) => warn_unrestricted(site, path, rules, &other, findings),
            // Server names and listeners merge with a plain rule for the same peers and ports instead of losing to it.
            (None, false) => {}
        }
    }
}

/// A site that covers all these ports for all these peers, or the first of several that do so together.
fn covering<'b>(
    coverage: &Coverage<'b>,
    peers: &[Vec<Who>],
    ports: Option<&[PortPattern]>,
    exactly: bool,
) -> Option<Site<'b>> {
    let mut first = None;
    for who in peers {
        match ports {
            None => {
                let site = coverage.find(who, None, exactly)?;
                first.get_or_insert(site);
            }
            Some(ports) => {
                for port in ports {
                    let site = coverage.find(who, Some(port), exactly)?;
                    first.get_or_insert(site);
                }
            }
        }
    }
    first
}

fn warn_denied(site: &Site<'_>, path: String, deny: &Site<'_>, findings: &mut Findings<'_>) {
    let message = format!("allows nothing: {} denies all of it", findings.describe(deny, site));
    findings
        .warn(site.policy, path, Code::NO_EFFECT, message)
        .help("a deny beats every allow; remove one of them, or narrow the deny");
}

/// A plain rule that another one already contains. Two equal ones find the first of them.
fn warn_allowed(site: &Site<'_>, path: String, other: &Site<'_>, findings: &mut Findings<'_>) {
    if site.is(other) || !site.isolates() || site.element.authentication.is_some() {
        return;
    }
    let message = format!(
        "allows nothing that {} does not allow already",
        findings.describe(other, site)
    );
    findings
        .warn(site.policy, path, Code::NO_EFFECT, message)
        .help("remove one of them");
}

fn warn_unrestricted(site: &Site<'_>, path: String, rules: &L7Rules, other: &Site<'_>, findings: &mut Findings<'_>) {
    if !site.isolates() {
        return;
    }
    let (field, what) = match rules {
        L7Rules::Http(_) => ("http", "HTTP"),
        L7Rules::Dns(_) => ("dns", "DNS"),
        L7Rules::Kafka(_) => ("kafka", "Kafka"),
    };
    let message = format!(
        "these {what} rules restrict nothing: {} allows the same peers the same ports without them",
        findings.describe(other, site)
    );
    findings
        .warn(site.policy, format!("{path}.rules.{field}"), Code::NO_EFFECT, message)
        .help("what any rule allows is allowed; remove the broader rule, or narrow it to other peers or ports");
}
