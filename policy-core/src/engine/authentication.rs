//! Authentication (semantics §7.7): which proof of who the peer is a connection needs.

use alloc::{rc::Rc, vec::Vec};

use super::{merge::Entry, resolve::Side};
use crate::bundle::{Authentication, PortNumbers, PortPattern};

/// How specific an entry is: for these peers more than for any, then the narrower its ports the more. Smaller is more.
type Specificity = (bool, u32);

/// The mode of the entry that is chosen for a connection, out of all that allow it. Of several that are equally
/// specific, the strictest mode counts. If it has none, it inherits the stricter of two: the mode of the next broader
/// entry for this peer that has one, and that of the entries for any peer.
pub(super) fn required(side: &Side<'_, '_>, allows: &[Rc<Entry>]) -> Option<Authentication> {
    let mut ranked: Vec<(Specificity, &Entry)> = allows
        .iter()
        .map(|entry| (specificity(side, entry), &**entry))
        .collect();
    ranked.sort_by_key(|(specificity, _)| *specificity);
    let chosen = ranked.first()?.0;
    let with_mode = |(specificity, entry): &(Specificity, &Entry)| Some((*specificity, entry.authentication?));
    let modes: Vec<(Specificity, Authentication)> = ranked.iter().filter_map(with_mode).collect();
    let strictest = |wanted: Specificity| {
        let equal = modes.iter().filter(move |(specificity, _)| *specificity == wanted);
        equal.map(|(_, mode)| *mode).max()
    };
    let inherited = |any_peer: bool| {
        let (nearest, _) = modes.iter().find(|((any, _), _)| *any == any_peer)?;
        strictest(*nearest)
    };
    strictest(chosen).or_else(|| inherited(false).max(inherited(true)))
}

fn specificity(side: &Side<'_, '_>, entry: &Entry) -> Specificity {
    (entry.key.peer.is_none(), width(side, entry.key.port.as_ref()))
}

/// How many ports a pattern is for.
pub(super) fn width(side: &Side<'_, '_>, port: Option<&PortPattern>) -> u32 {
    const ALL: u32 = 1 << 16;
    let span = |first: u16, last: u16| u32::from(last.saturating_sub(first)).saturating_add(1);
    match port {
        None => u32::MAX,
        Some(PortPattern::Icmp { message_type, .. }) => message_type.map_or(ALL, |_| 1),
        Some(PortPattern::Port { numbers, .. }) => match numbers {
            PortNumbers::All => ALL,
            PortNumbers::Range(0, u16::MAX) => ALL,
            PortNumbers::Range(first, last) => span(*first, *last),
            PortNumbers::Named { name, end } => side
                .ports_named(name, *end)
                .filter(|(first, last)| (*first..=*last).contains(&side.flow.port))
                .map(|(first, last)| span(first, last))
                .min()
                .unwrap_or(1),
        },
    }
}
