//! Audit mode: what is enforced is as if the audited policies were not there, what would be is as if audit were off.

use std::cell::Cell;

use policy_core::{Decision, Reason, View};
use proptest::{collection::vec, prelude::*};

use crate::{
    agreement::{ask_as, case, engine, summary},
    evaluator::evaluate_as,
    generate,
    runner::check,
};

const VIEWS: [View; 2] = [View::Enforced, View::Would];

#[test]
fn engine_and_oracle_agree_in_both_views() {
    let differing = Cell::new(0);
    check(
        500,
        (generate::audited_bundle(), vec(generate::question(), 50)),
        |(bundle, questions)| {
            let engine = engine(bundle.clone());
            for question in &questions {
                let verdicts = VIEWS.map(|view| ask_as(view, &engine, question));
                for (view, verdict) in VIEWS.into_iter().zip(&verdicts) {
                    let answer = evaluate_as(view, &bundle, question);
                    prop_assert_eq!(summary(verdict), answer, "{:?}: {}", view, case(&bundle, question));
                }
                differing.set(differing.get() + u32::from(verdicts[0].decision != verdicts[1].decision));
            }
            Ok(())
        },
    );
    assert!(
        differing.get() > 1000,
        "the views differ in only {} questions",
        differing.get()
    );
}

#[test]
fn each_view_is_that_of_a_policy_set_without_audit() {
    check(
        400,
        (generate::audited_bundle(), vec(generate::question(), 40)),
        |(bundle, questions)| {
            let audited = engine(bundle.clone());
            let all = engine(bundle.clone().without_audit());
            let effective = engine(bundle.clone().only_enforced());
            prop_assert_eq!(audited.has_audit(), bundle.has_audit());
            prop_assert_eq!((all.has_audit(), effective.has_audit()), (false, bundle.options.audit));
            for question in &questions {
                let [enforced, would] = VIEWS.map(|view| ask_as(view, &audited, question));
                let want = ask_as(View::Enforced, &all, question);
                prop_assert_eq!(would, want, "would: {}", case(&bundle, question));
                if bundle.options.audit {
                    prop_assert_eq!((enforced.decision, enforced.reason), (Decision::Allow, Reason::Audited));
                }
                let want = ask_as(View::Enforced, &effective, question);
                prop_assert_eq!(enforced, want, "enforced: {}", case(&bundle, question));
                let one = ask_as(View::Would, &all, question);
                prop_assert_eq!(
                    one,
                    ask_as(View::Enforced, &all, question),
                    "without audit there is one view"
                );
            }
            Ok(())
        },
    );
}
