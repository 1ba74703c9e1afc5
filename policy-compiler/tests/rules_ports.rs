//! What is wrong with ports, requests and connections: for every rule a policy that breaks it, and one that just does
//! not, with all there is to say about it at both levels of validation.
//!
//! The cases are in `testdata/rules`. Each has a heading with the rule and what is special, perhaps options or a kind,
//! the one line of YAML that makes the difference, and the messages at level `cluster` and, where they differ, at level
//! `agent`. `UPDATE_GOLDEN=1 cargo test -p policy-compiler --test rules_ports` writes the messages anew.

use std::{collections::BTreeSet, env, fs, path::Path};

use policy_compiler::{CompileOptions, Input, Validation, compile};

/// The rules that have to have a case.
const RULES: [&str; 30] = [
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "C6",
    "C7",
    "C8",
    "C9",
    "C10",
    "C11",
    "C12",
    "C13",
    "C14",
    "C15",
    "C17",
    "C18",
    "D6",
    "D7",
    "D8",
    "D9",
    "D10",
    "D11",
    "D12",
    "D13",
    "l7proto",
    "listener",
    "matches-nothing",
    "matches-more",
    "no-effect",
];

#[test]
fn rules_speak_where_they_are_broken() {
    let mut spoken = BTreeSet::new();
    for file in ["ports", "requests", "connections"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/rules/{file}.txt"));
        let recorded = fs::read_to_string(&path).expect("cases");
        let cases = recorded.split("=== ").skip(1).map(Case::read);
        let mut actual = String::new();
        for case in cases {
            let text = case.judge();
            let rule = case.rule;
            if text.contains(&format!("[{rule}]: ")) {
                spoken.insert(rule.to_owned());
            }
            actual.push_str(&text);
        }
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &actual).expect("writable");
        } else {
            assert_eq!(
                actual,
                recorded,
                "{}: run with UPDATE_GOLDEN=1 if the new messages are right",
                path.display()
            );
        }
    }
    let silent: Vec<&str> = RULES.into_iter().filter(|rule| !spoken.contains(*rule)).collect();
    assert!(silent.is_empty(), "no case shows the message of {silent:?}");
}

/// One case, as far as its input goes.
struct Case<'a> {
    heading: &'a str,
    rule: &'a str,
    options: Option<&'a str>,
    kind: Option<&'a str>,
    yaml: &'a str,
}

impl<'a> Case<'a> {
    fn read(text: &'a str) -> Self {
        let heading = text.lines().next().unwrap_or_default();
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
        Self {
            heading,
            rule: heading.split(':').next().unwrap_or_default(),
            options: field("options: "),
            kind: field("kind: "),
            yaml: text.lines().find(|line| line.starts_with("  ")).expect("YAML"),
        }
    }

    /// The whole case, with the messages.
    fn judge(&self) -> String {
        let fields = [("options", self.options), ("kind", self.kind)];
        let fields = fields.map(|(name, value)| value.map(|value| format!("{name}: {value}\n")).unwrap_or_default());
        let [cluster, agent] = [Validation::Cluster, Validation::Agent].map(|level| self.messages(level));
        let mut text = format!(
            "=== {}\n{}{}\n--- cluster\n{cluster}",
            self.heading,
            fields.concat(),
            self.yaml
        );
        if agent != cluster {
            text.push_str(&format!("--- agent\n{agent}"));
        }
        text + "\n"
    }

    /// One message on a line, and what to do about it on the next.
    fn messages(&self, level: Validation) -> String {
        let kind = self.kind.unwrap_or("CiliumNetworkPolicy");
        let metadata = if self.kind.is_some() {
            "{name: p}"
        } else {
            "{name: p, namespace: shop}"
        };
        let text = format!(
            "apiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {metadata}\nspec:\n  endpointSelector: {{}}\n{}\n",
            self.yaml
        );
        let mut options: CompileOptions = serde_json::from_str(self.options.unwrap_or("{}")).expect("options");
        options.validation = level;
        let mut input = Input::new();
        input.add_text("p.yaml", &text);
        let compiled = compile(&input, &options);
        let messages = compiled.diagnostics.iter().map(|diagnostic| {
            let help = diagnostic.help.as_ref().map(|help| format!("help: {help}\n"));
            format!("{diagnostic}\n{}", help.unwrap_or_default())
        });
        let messages: String = messages.collect();
        if messages.is_empty() {
            "nothing\n".to_owned()
        } else {
            messages
        }
    }
}
