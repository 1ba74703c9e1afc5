//! The engine in this program.

use anyhow::{Context as _, Result, anyhow};
use policy_core::{AddressFacts, Bundle, Direction, Engine, Scope, View};

use super::{Answer, Judge, Question};

/// The engine in this program; without policy until one is loaded.
#[derive(Default)]
pub(crate) struct Native {
    engine: Option<Engine>,
}

impl Native {
    /// The engine, once a policy is loaded.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }
}

impl Judge for Native {
    fn load(&mut self, bundle: &Bundle) -> Result<()> {
        self.engine = Some(engine(bundle.clone())?);
        Ok(())
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<Answer> {
        let engine = self.engine.as_ref().context("no policy is loaded")?;
        let Question {
            direction,
            source,
            destination,
            protocol,
            port,
            authenticated,
            content,
        } = *question;
        let facts = AddressFacts {
            authenticated,
            ..AddressFacts::new(Some(source), Some(destination), protocol, port)
        };
        let scope = match direction {
            Direction::Ingress => Scope::Ingress,
            Direction::Egress => Scope::Egress,
        };
        let judge = |view| {
            let admission = engine.admit_as(view, &facts, scope);
            content.with_carried(|carried| admission.judge(content.server_name(), carried))
        };
        let would = engine.has_audit().then(|| judge(View::Would));
        Ok(Answer::new(judge(View::Enforced), would))
    }
}

/// The engine for a bundle that was compiled here, so that an error in it is a fault of ours.
pub(crate) fn engine(bundle: Bundle) -> Result<Engine> {
    Engine::new(bundle).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("the engine refuses the compiled bundle: {}", errors.join("; "))
    })
}
