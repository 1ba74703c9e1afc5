//! Meeting one condition, and no other: in the question, or where no question can, in the rule.

mod in_rule;
mod message;
mod sample;
mod who;

use std::rc::Rc;

use policy_core::{
    Missed, PortOwner, Protocol, RuleRef,
    bundle::{NamedPort, Peers, PortNumbers, PortPattern},
};

use super::scenario::Scenario;
use crate::judge::Handshake;

/// Changes what the condition is about so that it holds. Returns whether the peers of the rule had to be changed for it,
/// because nobody can be what they ask for.
pub(super) fn meet(scenario: &mut Scenario, rule: &RuleRef, missed: &Missed) -> bool {
    match missed {
        Missed::NoPeer => {
            anyone(scenario, rule);
            // That is what it says: there is nobody else to ask for.
            return false;
        }
        Missed::NoPort => in_rule::element(Rc::make_mut(&mut scenario.bundle), rule).ports = None,
        Missed::Port { .. } => meet_port(scenario, missed),
        Missed::ServerName { wanted, .. } => {
            let name = sample::name(wanted.first().expect("a rule with names"));
            let server_name = Some(name);
            scenario.content.handshake = Some(Handshake { server_name });
        }
        Missed::Labels { .. }
        | Missed::Endpoints { .. }
        | Missed::Entity { .. }
        | Missed::Cidr { .. }
        | Missed::Address { .. }
        | Missed::CidrGroup { .. }
        | Missed::Name { .. } => {
            if who::meet(scenario, missed).is_none() {
                anyone(scenario, rule);
                return true;
            }
        }
        _ => message::meet(scenario, rule, missed),
    }
    false
}

fn anyone(scenario: &mut Scenario, rule: &RuleRef) {
    in_rule::element(Rc::make_mut(&mut scenario.bundle), rule).peers = Peers::Any;
}

fn meet_port(scenario: &mut Scenario, missed: &Missed) {
    let Missed::Port {
        wanted, owner, named, ..
    } = missed
    else {
        return;
    };
    let is_easy = |pattern: &&PortPattern| matches!(pattern, PortPattern::Port { protocol, .. } if *protocol == scenario.protocol);
    let pattern = wanted.iter().find(is_easy).or(wanted.first()).expect("a port");
    match pattern {
        PortPattern::Icmp { family, message_type } => {
            scenario.protocol = match family {
                policy_core::IcmpFamily::V4 => Protocol::Icmp,
                policy_core::IcmpFamily::V6 => Protocol::IcmpV6,
            };
            scenario.port = message_type.unwrap_or(8).into();
        }
        PortPattern::Port { protocol, numbers } => {
            scenario.protocol = *protocol;
            match numbers {
                PortNumbers::All => {}
                PortNumbers::Range(first, _) => scenario.port = *first,
                PortNumbers::Named { name, .. } => {
                    let known = named
                        .iter()
                        .find(|known| known.name == *name && known.protocol == *protocol);
                    match known {
                        Some(known) => scenario.port = known.port,
                        None => name_port(scenario, *owner, name.clone()),
                    }
                }
            }
        }
    }
}

/// Gives the port of the flow a name where the flow goes.
fn name_port(scenario: &mut Scenario, owner: PortOwner, name: Box<str>) {
    let address = match owner {
        PortOwner::Subject => scenario.subject,
        PortOwner::Peer => scenario.peer,
        PortOwner::Unknown => panic!("a flow between addresses has an owner"),
    };
    let (protocol, port) = (scenario.protocol, scenario.port);
    let bundle = Rc::make_mut(&mut scenario.bundle);
    let mut identity = who::identity_at(bundle, address).unwrap_or_default();
    identity.ports.push(NamedPort { name, protocol, port });
    who::be(bundle, address, identity);
}
