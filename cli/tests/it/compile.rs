//! `compile`.

use std::fs;

use policy_core::Bundle;

use crate::run::portcullis;

#[test]
fn a_bundle_comes_out_where_it_should() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle.json");
    let to_file = portcullis(&[
        "compile",
        "-f",
        "world.yaml",
        "policy.yaml",
        "-o",
        path.to_str().expect("text"),
    ]);
    assert_eq!((to_file.status, to_file.stdout.as_str()), (0, ""));
    let written = fs::read_to_string(&path).expect("a bundle");
    for args in [
        &["compile", "-f", "world.yaml", "policy.yaml"][..],
        &["compile", "-f", "policy.yaml", "world.yaml", "-o", "-"],
    ] {
        let output = portcullis(args);
        assert_eq!(
            (output.status, output.stdout),
            (0, written.clone()),
            "the order of files does not matter"
        );
    }
    let bundle = Bundle::from_json(written.as_bytes()).expect("a bundle with the right digest");
    let digest = bundle.digest.expect("a digest");
    assert_eq!(
        to_file.stderr,
        format!("{digest}: 1 policy, 4 endpoints, 4 identities, 5 selectors, 1 service, 0 names\n")
    );
}

#[test]
fn a_bundle_for_one_workload_leaves_out_the_rest() {
    let whole = portcullis(&["compile", "-f", "world.yaml", "policy.yaml"]);
    let for_web = portcullis(&["compile", "-f", "world.yaml", "policy.yaml", "--for", "shop/web"]);
    assert_eq!(
        Bundle::from_json(for_web.stdout.as_bytes())
            .expect("a bundle")
            .policies
            .len(),
        1
    );
    let for_db = portcullis(&["compile", "-f", "world.yaml", "policy.yaml", "--for", "shop/db"]);
    assert_eq!(
        Bundle::from_json(for_db.stdout.as_bytes())
            .expect("a bundle")
            .policies
            .len(),
        0
    );
    assert!(for_db.stdout.len() < whole.stdout.len());
    let nobody = portcullis(&["compile", "-f", "world.yaml", "--for", "shop/nobody"]);
    assert_eq!((nobody.status, nobody.stdout.as_str()), (1, ""));
    assert!(
        nobody.stderr.contains("no endpoint is named `shop/nobody`"),
        "{nobody:?}"
    );
}

#[test]
fn invalid_objects_make_no_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle.json");
    let output = portcullis(&["compile", "-f", "invalid.yaml", "-o", path.to_str().expect("text")]);
    assert_eq!((output.status, output.stdout.as_str(), path.exists()), (1, "", false));
    assert!(output.stderr.contains("invalid.yaml:10:20"), "{output:?}");
}

#[test]
fn a_plugin_configuration_holds_the_bundle() {
    let output = portcullis(&["compile", "-f", "world.yaml", "policy.yaml", "--plugin-config", "both"]);
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(
        (&json["version"], &json["direction"], &json["destination"]),
        (&1.into(), &"both".into(), &"address".into())
    );
    // The digest is over the bytes, so they must be those of the bundle on its own.
    let bundle = portcullis(&["compile", "-f", "world.yaml", "policy.yaml"]).stdout;
    let held = output.stdout.split_once(r#""bundle":"#).map(|(_, held)| held);
    assert_eq!(held, Some(format!("{}}}\n", bundle.trim_end()).as_str()));
    let bundle = Bundle::from_json(bundle.as_bytes()).expect("a bundle with the right digest");
    assert!(bundle.digest.is_some_and(|digest| output.stderr.starts_with(&digest)));
}
