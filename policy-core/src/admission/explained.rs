//! The explanation of what the sides of a connection say together.

use super::{AddressFacts, Scope};
use crate::{engine::Engine, explain::Explanation, flow::Carried};

impl Engine {
    /// Why [`Engine::admit`], judged with the same server name and contents, refuses: the explanation of the side whose
    /// refusal decides.
    ///
    /// `None` if no side refuses, and if none could be asked: then the reason of the verdict says it all.
    pub fn explain_refusal(
        &self,
        facts: &AddressFacts<'_>,
        scope: Scope,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
    ) -> Option<Explanation> {
        let mut refusal = None;
        let asked = self.each_side(facts, scope, &mut |flow| {
            if refusal.is_none() {
                let explanation = self.explain(flow, server_name, carried);
                refusal = Some(explanation).filter(|explanation| !explanation.verdict.allows());
            }
        });
        asked.ok().and(refusal)
    }
}
