//! Explanations, held against every question of the project's own cases and of the corpora beside it.

mod change;
mod questions;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};

use policy_core::{Missed, Reason, RuleRef};

use questions::{Question, Questioned, questions};
use scenario::{Scenario, engine_of};

/// How many denials are drawn.
const DRAWN: usize = 300;
/// More conditions than any rule has.
const MAX_STEPS: usize = 12;

#[test]
fn explaining_decides_like_deciding_on_every_line() {
    let mut count = 0_usize;
    for line in questions().lines {
        let engine = engine_of(&line.bundle);
        for question in &line.questions {
            let scenario = Scenario::new(&line.bundle, question);
            for (decided, explained) in scenario.verdicts(&engine) {
                assert_eq!(decided, explained, "{}", question.name);
                count += 1;
            }
        }
    }
    println!("{count} questions");
    assert!(count > 100, "only {count} questions");
}

/// For each denial: the nearest miss is changed, in the flow or in the rule, and nothing else; then that condition must
/// hold. What is missed next is changed in turn, until the rule matches.
#[test]
fn the_nearest_miss_is_the_condition_to_change() {
    let questions = questions();
    let denials: Vec<(Scenario, String)> = questions.lines.iter().flat_map(denials).collect();
    let drawn = draw(&denials);
    assert!(
        !questions.has_corpora || drawn.len() == DRAWN,
        "{} denials",
        drawn.len()
    );
    let mut conditions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut in_rules = 0;
    for (scenario, condition) in drawn {
        *conditions.entry(condition).or_default() += 1;
        in_rules += usize::from(flip(scenario.clone()));
    }
    println!("{conditions:?}, of which {in_rules} needed a change of the rule's peers");
    let unseen: Vec<&str> = CONDITIONS
        .into_iter()
        .filter(|condition| !conditions.contains_key(condition))
        .collect();
    assert!(unseen.is_empty(), "no denial for {unseen:?}");
    assert!(in_rules * 10 < DRAWN, "{in_rules} conditions that no flow can meet");
}

/// Every condition that a rule can have, and a flow can fail.
const CONDITIONS: [&str; 21] = [
    "api-key",
    "api-version",
    "cidr",
    "cidr-group",
    "client-id",
    "endpoints",
    "entity",
    "header",
    "host",
    "labels",
    "method",
    "name",
    "no-peer",
    "no-port",
    "path",
    "port",
    "query",
    "secret",
    "server-name",
    "topic",
    "address",
];

/// The denials of a line that have a nearest miss, and what that missed.
fn denials(line: &Questioned) -> Vec<(Scenario, String)> {
    let engine = engine_of(&line.bundle);
    let scenarios = line
        .questions
        .iter()
        .map(|question| Scenario::new(&line.bundle, question));
    let missed = scenarios.filter_map(|scenario| {
        let nearest = scenario.explain_by(&engine).nearest?;
        let name = name_of(&nearest.missed);
        Some((scenario, name.split(' ').take(1).collect()))
    });
    missed.collect()
}

/// Some of every file and condition, always the same: a round takes one of each, from all over it.
fn draw(denials: &[(Scenario, String)]) -> Vec<(&Scenario, &str)> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Scenario>> = BTreeMap::new();
    for (scenario, condition) in denials {
        groups.entry((condition, scenario.file())).or_default().push(scenario);
    }
    let mut drawn = Vec::new();
    for round in 0..DRAWN {
        for ((condition, _), group) in &mut groups {
            if drawn.len() < DRAWN && !group.is_empty() {
                // A prime, so that neighbours, which are often alike, are not drawn one after the other.
                let scenario = group.remove((round * 7919) % group.len());
                drawn.push((scenario, *condition));
            }
        }
    }
    drawn
}

/// Changes conditions of the nearest rule until it matches. Returns whether one of them could only be changed in the rule.
fn flip(mut scenario: Scenario) -> bool {
    let nearest = scenario.explain().nearest.expect("a near miss");
    let words = nearest.missed.words(None);
    let context = format!("{} {}: {words}", scenario.name(), nearest.rule);
    assert!(!words.is_empty() && !words.contains('\n'), "{context}");
    let (mut changed, mut in_rule) = (BTreeSet::new(), false);
    let mut missed = nearest.missed;
    for _ in 0..MAX_STEPS {
        let condition = name_of(&missed);
        assert!(
            changed.insert(condition.clone()),
            "{context}: {condition} was changed and still fails"
        );
        in_rule |= change::meet(&mut scenario, &nearest.rule, &missed);
        match scenario.missed_by(&nearest.rule) {
            Some(next) => missed = next,
            None => {
                assert_matches(&scenario, &nearest.rule, &context);
                return in_rule;
            }
        }
    }
    panic!("{context}: never matches, after {changed:?}");
}

/// The name of a condition, with that of the header that it is about.
fn name_of(missed: &Missed) -> String {
    let json = serde_json::to_value(missed).expect("JSON");
    let condition = json["condition"].as_str().expect("every condition has a name");
    match missed {
        Missed::Header { name, .. } => format!("{condition} {name}"),
        _ => condition.to_owned(),
    }
}

/// That another part of the engine agrees that the rule matches.
fn assert_matches(scenario: &Scenario, rule: &RuleRef, context: &str) {
    let verdict = scenario.explain().verdict;
    let is_inside = rule.path().contains(".rules.");
    let is_list = rule.path().contains("].toPorts[") && !is_inside;
    if is_inside {
        let passes = verdict.allows() || verdict.reason == Reason::NotAuthenticated;
        assert!(passes, "{context}: matches, and yet {}", verdict.reason);
    } else if is_list {
        assert_ne!(verdict.reason, Reason::ServerNameNotAllowed, "{context}");
    } else {
        assert!(
            scenario.matching().contains(rule),
            "{context}: another walk sees no match"
        );
    }
}
