//! What a question exercises, against what decides it.

use std::collections::BTreeSet;

use policy_core::{Engine, Reason, RuleRef};
use proptest::{collection::vec, prelude::*};

use crate::{
    agreement::{ask, case, engine, flow, with_carried},
    evaluator::Question,
    generate::{self, Features},
    runner::check,
};

/// Everything that matches is a place of the bundle, and a rule that decides is one that matches. Server names are left
/// out: lists for the same ports are merged, and then the first of them speaks for the names of all.
#[test]
fn what_decides_matches_and_what_matches_is_a_place() {
    let features = Features {
        http: true,
        dns: true,
        kafka: true,
        tls: false,
        listener: true,
        authentication: true,
    };
    let decided = std::cell::Cell::new(0);
    let cases = (generate::bundle_with(features), vec(generate::question(), 50));
    check(300, cases, |(bundle, questions)| {
        let engine = engine(bundle.clone());
        let places: BTreeSet<String> = engine.places().iter().map(RuleRef::to_string).collect();
        for question in &questions {
            let matching = matching(&engine, question);
            prop_assert!(matching.is_subset(&places), "{matching:?}: {}", case(&bundle, question));
            let verdict = ask(&engine, question);
            let by_rule = [Reason::AllowedByRule, Reason::DeniedByRule].contains(&verdict.reason);
            if let Some(rule) = verdict.rule.filter(|_| by_rule) {
                decided.set(decided.get() + 1);
                prop_assert!(matching.contains(rule.as_str()), "{rule}: {}", case(&bundle, question));
            }
        }
        Ok(())
    });
    assert!(decided.get() > 1000, "rules decided only {} questions", decided.get());
}

fn matching(engine: &Engine, question: &Question) -> BTreeSet<String> {
    let sni = question.sni.map(|sni| sni.map(str::as_bytes));
    let matching = with_carried(question, |carried| {
        engine.matching(&flow(engine, question), sni, carried)
    });
    matching.iter().map(RuleRef::to_string).collect()
}
