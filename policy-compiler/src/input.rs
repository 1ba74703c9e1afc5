//! Objects from files, folders, streams and memory.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    document::{self, Entry, Node, Value},
    source::{Location, Source},
};

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// What a compilation starts from: objects, and what is known about the world besides.
#[derive(Debug, Default)]
pub struct Input {
    objects: Vec<Object>,
    diagnostics: Vec<Diagnostic>,
    /// What DNS said, in any case, with or without trailing dot. Used by FQDN peers only.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Pods (`namespace/name`) of other clusters, and the names of those clusters. They are for use as peers: the
    /// bundle does not keep anybody from asking for their own policy, which their own cluster has.
    pub pod_clusters: BTreeMap<String, String>,
    /// Addresses of Kubernetes API servers outside the cluster.
    pub apiserver_addresses: Vec<IpAddr>,
}

/// One object and where it came from.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) node: Arc<Node>,
    pub(crate) source: Option<Arc<Source>>,
}

/// Input that could not be read at all; its source says why.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", path.display())]
pub struct InputError {
    path: PathBuf,
    #[source]
    problem: io::Error,
}

impl Input {
    /// No objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file, or the files of a folder that are named `*.yaml`, `*.yml` or `*.json`, in the order of their
    /// names. Hidden files and folders inside the folder are left out; a folder without any such file is an error.
    pub fn add_path(&mut self, path: &Path) -> Result<(), InputError> {
        let failed = |problem| InputError {
            path: path.to_owned(),
            problem,
        };
        if !path.is_dir() {
            return self.add_file(path);
        }
        let entries = fs::read_dir(path).map_err(failed)?;
        let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut files = paths.map_err(failed)?;
        files.retain(|file| is_manifest(file));
        files.sort();
        if files.is_empty() {
            return Err(failed(io::Error::new(
                io::ErrorKind::NotFound,
                "no *.yaml, *.yml or *.json in this folder",
            )));
        }
        files.iter().try_for_each(|file| self.add_file(file))
    }

    fn add_file(&mut self, path: &Path) -> Result<(), InputError> {
        let file = fs::File::open(path).map_err(|problem| InputError {
            path: path.to_owned(),
            problem,
        })?;
        self.add_reader(&path.display().to_string(), file)
    }

    /// Reads YAML or JSON to its end. `name` is what messages call it.
    pub fn add_reader(&mut self, name: &str, mut reader: impl io::Read) -> Result<(), InputError> {
        let mut text = String::new();
        reader.read_to_string(&mut text).map_err(|problem| InputError {
            path: name.into(),
            problem,
        })?;
        self.add_text(name, text.strip_prefix('\u{feff}').unwrap_or(&text));
        Ok(())
    }

    /// Adds the objects of a YAML or JSON text. What is wrong with the text is reported by the compilation.
    pub fn add_text(&mut self, name: &str, text: &str) {
        let source = Source::new(name, text);
        let (nodes, errors) = document::parse(&source);
        self.diagnostics.extend(errors);
        for node in nodes {
            self.add_node(node, Some(&source));
        }
    }

    /// Adds one object, or a list of them.
    pub fn add_value(&mut self, object: &serde_json::Value) {
        self.add_node(object.into(), None);
    }

    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }

    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    fn add_node(&mut self, node: Node, source: Option<&Arc<Source>>) {
        if !matches!(node.value, Value::Map(_)) {
            self.diagnostics.push(not_an_object(&node, source));
            return;
        }
        let Some(item_kind) = list_item_kind(&node) else {
            self.objects.push(Object {
                node: Arc::new(node),
                source: source.map(Arc::clone),
            });
            return;
        };
        let api_version = node.get("apiVersion").cloned();
        for mut item in items(node) {
            if let Value::Map(entries) = &mut item.value {
                complete(entries, "kind", item_kind.as_ref());
                complete(
                    entries,
                    "apiVersion",
                    api_version.as_ref().filter(|_| item_kind.is_some()),
                );
            }
            self.add_node(item, source);
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && path.is_file() && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn not_an_object(node: &Node, source: Option<&Arc<Source>>) -> Diagnostic {
    let message = format!("expected an object, found {}", node.kind());
    let mut diagnostic = Diagnostic::new(Severity::Error, Code::TYPE, message);
    diagnostic.help("an object is a map with `apiVersion`, `kind` and `metadata`");
    let place = source.zip(node.span);
    diagnostic.location = place.map(|(source, span)| Location::new(Arc::clone(source), span));
    diagnostic
}

/// For a list of objects: the kind of the items that do not name their own, if the list does. `None` for an object.
fn list_item_kind(node: &Node) -> Option<Option<Node>> {
    let kind = node.get("kind")?;
    let stem = kind.as_str()?.strip_suffix("List")?;
    matches!(node.get("items")?.value, Value::Seq(_)).then_some(())?;
    Some((!stem.is_empty()).then(|| Node {
        value: Value::Str(stem.to_owned()),
        span: kind.span,
    }))
}

fn items(list: Node) -> Vec<Node> {
    let Value::Map(entries) = list.value else {
        return Vec::new();
    };
    let items = entries.into_iter().find(|entry| entry.key == "items");
    match items.map(|entry| entry.value.value) {
        Some(Value::Seq(items)) => items,
        _ => Vec::new(),
    }
}

/// The API server leaves out `kind` and `apiVersion` of the items of a typed list.
fn complete(entries: &mut Vec<Entry>, key: &str, value: Option<&Node>) {
    if let Some(value) = value
        && !entries.iter().any(|entry| entry.key == key)
    {
        entries.push(Entry {
            key: key.to_owned(),
            key_span: value.span,
            value: value.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn kinds(input: &Input) -> Vec<String> {
        let text = |object: &Object, key| object.node.get(key).and_then(Node::as_str).unwrap_or("?").to_owned();
        input
            .objects
            .iter()
            .map(|object| format!("{}.{}", text(object, "apiVersion"), text(object, "kind")))
            .collect()
    }

    #[test]
    fn lists_are_their_items() {
        for (text, want, why) in [
            ("{apiVersion: v1, kind: Pod}", vec!["v1.Pod"], "an object"),
            (
                "{kind: List, items: [{apiVersion: v1, kind: Pod}, {kind: X}]}",
                vec!["v1.Pod", "?.X"],
                "a mixed list",
            ),
            (
                "{apiVersion: v1, kind: PodList, items: [{metadata: {}}]}",
                vec!["v1.Pod"],
                "a typed list names the kind",
            ),
            (
                "{kind: List, items: [{kind: List, items: [{kind: X}]}]}",
                vec!["?.X"],
                "a list in a list",
            ),
            ("{kind: List, items: []}", vec![], "an empty list"),
            (
                "{kind: AllowList, spec: {}}",
                vec!["?.AllowList"],
                "an object whose kind ends in List",
            ),
        ] {
            let mut input = Input::new();
            input.add_text("t", text);
            assert_eq!(kinds(&input), want, "{why}");
        }
    }

    #[test]
    fn what_is_no_object_is_an_error_where_it_stands() {
        for (text, want, why) in [
            (
                "hello",
                "t:1:1: error[type]: expected an object, found a string",
                "a text",
            ),
            (
                "{kind: Pod}\n---\n[1]",
                "t:3:1: error[type]: expected an object, found a list",
                "a bare list",
            ),
            (
                "{kind: List, items: [{kind: Pod}, 7]}",
                "t:1:35: error[type]: expected an object, found a number",
                "an item of a list",
            ),
            ("---\n---\n# nothing\n", "", "nothing is not wrong"),
        ] {
            let mut input = Input::new();
            input.add_text("t", text);
            let found: Vec<String> = input.diagnostics.iter().map(ToString::to_string).collect();
            assert_eq!(found.join("\n"), want, "{why}");
        }
    }

    #[test]
    fn folders_are_read_in_order() {
        let folder = tempfile::tempdir().expect("folder");
        for (name, kind) in [
            ("b.yaml", "B"),
            ("a.json", "A"),
            (".c.yaml", "hidden"),
            ("d.txt", "other"),
            ("e.yml", "E"),
        ] {
            fs::write(folder.path().join(name), format!("{{\"kind\": \"{kind}\"}}")).expect("file");
        }
        fs::create_dir(folder.path().join("sub.yaml")).expect("folder");
        let mut input = Input::new();
        input.add_path(folder.path()).expect("readable");
        assert_eq!(kinds(&input), ["?.A", "?.B", "?.E"]);

        let empty = tempfile::tempdir().expect("folder");
        let error = input.add_path(empty.path()).expect_err("empty");
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(source.contains("no *.yaml"), "{source}");
        assert!(!error.to_string().contains(&source), "said once: {error}");
        assert!(input.add_path(&empty.path().join("none.yaml")).is_err());
        assert!(input.add_reader("bytes", &[0xff, 0xfe][..]).is_err(), "not UTF-8");
    }
}
