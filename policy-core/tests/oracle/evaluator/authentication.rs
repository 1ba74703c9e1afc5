//! §7.7: which authentication mode applies.

use policy_core::bundle::Authentication;

use super::merge::Allow;

/// The mode for a flow that these entries allow; each comes with the number of ports it is for.
pub(super) fn mode(matching: &[(&Allow, u32)]) -> Option<Authentication> {
    // An entry for this peer comes before those for any, and among them the one for the fewest ports.
    let specificity = |(allow, width): &(&Allow, u32)| (allow.peer.is_any(), *width);
    let chosen = matching.iter().map(specificity).min()?;
    let equal = matching.iter().filter(|entry| specificity(entry) == chosen);
    let explicit = equal.filter_map(|(allow, _)| allow.authentication).max();
    // What is said is never overridden. What is left open comes from broader entries, whichever asks for more.
    explicit.or_else(|| most_specific(matching, false).max(most_specific(matching, true)))
}

/// What the most specific of the entries says that say anything: those for any peer, or those for this one.
fn most_specific(matching: &[(&Allow, u32)], any: bool) -> Option<Authentication> {
    let asking = || {
        let entries = matching.iter().filter(|(allow, _)| allow.peer.is_any() == any);
        entries.filter_map(|(allow, width)| Some((*width, allow.authentication?)))
    };
    let narrowest = asking().map(|(width, _)| width).min()?;
    let strongest = asking().filter(|(width, _)| *width == narrowest).map(|(_, mode)| mode);
    strongest.max()
}
