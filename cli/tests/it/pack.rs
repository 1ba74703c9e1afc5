//! `pack`.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use policy_core::{Bundle, Packed};
use serde_json::Value;

use crate::run::{portcullis, portcullis_with};

/// The settings of the packed configuration, its bundle, and the bundle that was packed.
fn packed(form: &str) -> (Value, Packed, Bundle) {
    let folder = tempfile::tempdir().expect("a folder");
    let [json, to] = ["plugin.json", "plugin.packed"].map(|name| folder.path().join(name));
    let [json_name, to_name] = [&json, &to].map(|path| path.to_str().expect("text"));
    let compile = ["compile", "-f", "world.yaml", "policy.yaml"];
    portcullis(&[&compile[..], &["--plugin-config", "both", "-o", json_name]].concat());
    let output = portcullis(&["pack", json_name, "--form", form, "-o", to_name]);
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (0, "", "")
    );
    let bundle = portcullis(&compile).stdout;
    let bundle = Bundle::from_json(bundle.as_bytes()).expect("a bundle");
    let mut bytes = fs::read(to).expect("what came out");
    let behind = bytes.iter().position(|byte| *byte == 0);
    let behind = behind.map(|start| bytes.split_off(start));
    let settings: Value = serde_json::from_slice(&bytes).expect("settings");
    let packed = behind.unwrap_or_else(|| {
        let text = settings["bundle"].as_str().expect("a string");
        STANDARD.decode(text).expect("base64")
    });
    (settings, Packed::from_bytes(packed).expect("a packed bundle"), bundle)
}

#[test]
fn a_packed_configuration_has_the_same_settings_and_the_same_bundle() {
    for (form, bundle_in_json) in [("bytes", false), ("text", true)] {
        let (settings, packed, bundle) = packed(form);
        assert_eq!(
            (&settings["version"], &settings["direction"], &settings["destination"]),
            (&1.into(), &"both".into(), &"address".into()),
            "{form}"
        );
        assert_eq!(settings.get("bundle").is_some(), bundle_in_json, "{form}");
        assert_eq!(Some(packed.digest()), bundle.digest.as_deref(), "{form}");
        assert_eq!(packed.policies(), Ok(bundle.policies), "{form}");
    }
}

#[test]
fn it_is_a_filter_of_text() {
    let configuration = r#"{"version":1,"bundle":{"version":1}}"#;
    for args in [
        &["pack", "--form", "text"][..],
        &["pack", "-", "--form", "text", "-o", "-"],
    ] {
        let output = portcullis_with(args, configuration);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{args:?}");
        let packed: Value = serde_json::from_str(&output.stdout).expect("JSON");
        assert!(packed["bundle"].is_string(), "{packed}");
        assert!(!output.stdout.ends_with('\n'), "exactly what the plugin gets");
    }
}

#[test]
fn what_cannot_be_packed_is_said_and_nothing_is_written() {
    for (configuration, part, why) in [
        ("", "error: not a configuration: unexpected end", "nothing"),
        (
            r#"{"version":1}"#,
            "error: the configuration has no `bundle`",
            "no bundle is not an empty one",
        ),
        (
            r#"{"version":1,"bundle":"AAAA"}"#,
            "error: the bundle of the configuration is packed already",
            "twice",
        ),
        (
            r#"{"version":1,"bundle":{"version":1,"digest":"sha256:0"}}"#,
            "error: bundle: bundle digest is sha256:0",
            "changed on its way",
        ),
        (
            r#"{"version":1,"bundle":{"version":1,"endpoints":[{"name":"a/b","identity":7}]}}"#,
            "error: bundle: endpoints[0]: no identity number 7",
            "an identity that is not there",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("packed");
        let output = portcullis_with(&["pack", "-o", path.to_str().expect("text")], configuration);
        assert_eq!((output.status, path.exists()), (1, false), "{why}: {output:?}");
        assert!(output.stderr.starts_with(part), "{why}: {}", output.stderr);
    }
    let output = portcullis(&["pack", "none.json"]);
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("cannot read none.json"), "{output:?}");
}
