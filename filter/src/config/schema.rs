//! `docs/plugin-configuration.schema.json`: the configuration as a JSON Schema, made from the types that read it.
//!
//! After a change of them, `PORTCULLIS_BLESS=1 cargo test -p policy-filter schema` writes it anew.

use std::{env, fs, path::Path};

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Configuration;
use crate::fake;

const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Configuration>();
    schema.insert("title".to_owned(), "The configuration of the Portcullis plugin".into());
    schema.to_value()
}

/// The names of all properties, wherever they are.
fn properties(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                found.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| properties(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_types() {
    let path = Path::new(DOCUMENTS).join("plugin-configuration.schema.json");
    let made = format!("{:#}\n", schema());
    if env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::write(&path, &made).expect("the schema is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written, made,
        "the types have changed: PORTCULLIS_BLESS=1 writes the schema anew"
    );
}

fn documentation() -> String {
    fs::read_to_string(Path::new(DOCUMENTS).join("configuration.md")).expect("docs/configuration.md")
}

#[test]
fn the_documentation_names_every_field() {
    let text = documentation();
    let mut names = Vec::new();
    properties(&schema(), &mut names);
    assert!(
        names.iter().any(|name| name == "trustDomains"),
        "fields of fields, too: {names:?}"
    );
    for name in names {
        assert!(
            text.contains(&format!("`{name}`")) || text.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
}

#[test]
fn the_examples_in_the_documentation_are_accepted() {
    let text = documentation();
    let examples = text
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut found = 0;
    for example in examples {
        Configuration::parse(fake::packed(example)).expect(example);
        found += 1;
    }
    assert_eq!(found, 3, "one for each shape");
}
