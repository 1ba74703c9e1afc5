//! The stages of the article, and what it claims about each. Expectations are written down here and nowhere else.

mod cast;
mod inside;
mod outside;

use super::claim::Claim;
use inside::{NO_POLICY, WITH_DNS, WITH_PROMETHEUS, WITHIN_NAMESPACE};
use outside::{WITH_CILIUM_IO, WITH_ONE_CLIENT, WITH_THE_WORLD};

pub(super) use inside::STILL_IN_FORCE;

/// A policy, and what holds once it is in force.
#[derive(Debug)]
pub(super) struct Stage {
    /// How people call it.
    pub(super) id: &'static str,
    /// The file in `examples/empire/stages`.
    pub(super) file: &'static str,
    /// The policy in a sentence.
    pub(super) title: &'static str,
    pub(super) claims: &'static [Claim],
}

/// All stages, in the order of the article.
pub(super) const STAGES: [Stage; 7] = [
    Stage {
        id: "0",
        file: "0-no-policy.yaml",
        title: "no policy: everybody may call everybody",
        claims: NO_POLICY,
    },
    Stage {
        id: "1",
        file: "1-within-namespace.yaml",
        title: "pods of empire may call each other, and nobody else",
        claims: WITHIN_NAMESPACE,
    },
    Stage {
        id: "2",
        file: "2-kube-dns.yaml",
        title: "… and may ask kube-dns",
        claims: WITH_DNS,
    },
    Stage {
        id: "3",
        file: "3-prometheus.yaml",
        title: "… and Prometheus may GET /metrics on 8080",
        claims: WITH_PROMETHEUS,
    },
    Stage {
        id: "4",
        file: "4-cilium-io.yaml",
        title: "as stage 2, and pods of empire may call cilium.io",
        claims: WITH_CILIUM_IO,
    },
    Stage {
        id: "5",
        file: "5-outside-client.yaml",
        title: "all of it, and one client outside may call",
        claims: WITH_ONE_CLIENT,
    },
    Stage {
        id: "5b",
        file: "5b-world.yaml",
        title: "all of it, and everybody outside may call",
        claims: WITH_THE_WORLD,
    },
];

/// The stage after which broken policies are pushed.
pub(super) const BREAK_AFTER: &str = "2";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;
    use crate::demo::claim::{Expect, To};
    use crate::demo::world::World;

    fn example(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples/empire")
            .join(file)
    }

    fn specs(file: &str) -> Vec<Value> {
        let text = fs::read_to_string(example(file)).unwrap();
        let policy: Value = serde_saphyr::from_str(&text).unwrap();
        policy["specs"].as_array().unwrap().clone()
    }

    #[test]
    fn claims_are_about_this_world() {
        let world = World::read(&example("world.yaml")).unwrap();
        for stage in &STAGES {
            for claim in stage.claims {
                world.source(claim.from).unwrap();
                match claim.request.to {
                    To::Pod(pod) => world.pod(pod).unwrap(),
                    To::Name(name) => world.resolve(name).unwrap(),
                    To::Lie(name, host) => world.resolve(name).and(world.resolve(host)).unwrap(),
                };
                if let Expect::Answer(app) = claim.expect {
                    world.pod(app).or_else(|_| world.resolve(app)).unwrap();
                }
            }
        }
    }

    #[test]
    fn no_claim_is_made_twice_in_a_stage() {
        for stage in &STAGES {
            let questions = stage
                .claims
                .iter()
                .map(|claim| format!("{} {:?}", claim.from, claim.request));
            let distinct: BTreeSet<String> = questions.collect();
            assert_eq!(distinct.len(), stage.claims.len(), "stage {}", stage.id);
        }
    }

    #[test]
    fn the_whole_policy_is_what_the_stages_add_up_to() {
        let stages = ["1-within-namespace", "2-kube-dns", "3-prometheus", "4-cilium-io"];
        let last = stages.map(|stage| specs(&format!("stages/{stage}.yaml")).pop().unwrap());
        let whole = specs("policy.yaml");
        assert_eq!(whole, last);
        for stage in ["5-outside-client", "5b-world"] {
            let extended = specs(&format!("stages/{stage}.yaml"));
            assert_eq!(extended[..4], whole, "{stage}");
            assert_eq!(extended.len(), 5, "{stage}");
        }
    }

    #[test]
    fn every_stage_has_its_file_and_both_answers() {
        for stage in &STAGES {
            assert!(example("stages").join(stage.file).is_file(), "{}", stage.file);
            let allowed = stage.claims.iter().any(|claim| claim.expect.allowed());
            let denied = stage.claims.iter().any(|claim| !claim.expect.allowed());
            // A plugin that always says the same must fail everywhere, except where there is no policy to break.
            assert!(allowed && (denied || stage.id == "0"), "stage {}", stage.id);
        }
    }
}
