//! The engine in this program.

use anyhow::{Context as _, Result, anyhow};
use policy_core::{AddressFacts, Admission, Bundle, Direction, Engine, Scope};

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
        let admission = engine.admit(&facts, scope);
        let judge =
            |admission: &Admission| content.with_carried(|carried| admission.judge(content.server_name(), carried));
        Ok(Answer::new(judge(&admission), admission.would().map(judge)))
    }
}

/// The engine for a bundle that was compiled here, so that an error in it is a fault of ours.
pub(crate) fn engine(bundle: Bundle) -> Result<Engine> {
    Engine::new(bundle).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("the engine refuses the compiled bundle: {}", errors.join("; "))
    })
}
