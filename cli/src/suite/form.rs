//! The form of a suite: what its keys are, and what they make.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use policy_compiler::{Code, CompileOptions, Diagnostic, Location, Source, document};
use serde_json::{Map, Value as Json};

use super::{
    case::{Case, read_cases},
    read::{Located, Place, Reader},
    table::read_table,
};

const KEYS: [&str; 8] = [
    "name",
    "files",
    "namespace",
    "cluster",
    "fqdns",
    "options",
    "cases",
    "tables",
];

/// Cases, and the policies that they are about.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: String,
    /// As given on the command line.
    pub(super) path: PathBuf,
    pub(super) scene: Scene,
    pub(super) cases: Vec<Case>,
}

/// What cases are asked about. Two suites with the same one share their coverage.
#[derive(Debug)]
pub(super) struct Scene {
    /// Relative to the current folder, with the places where the suite names them.
    pub(super) files: Vec<Located<PathBuf>>,
    /// What DNS says.
    pub(super) names: BTreeMap<String, Vec<IpAddr>>,
    pub(super) options: CompileOptions,
}

impl Suite {
    /// Reads a suite, all or nothing.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let source = Source::new(path.display().to_string(), text);
        let (documents, syntax) = document::parse(&source);
        if !syntax.is_empty() {
            return Err(syntax);
        }
        let mut reader = Reader::new(&source);
        let start = Location::new(Arc::clone(&source), policy_compiler::Span { start: 0, end: 0 });
        match &*documents {
            [document] => {
                let suite = read(&mut reader, &Place::root(document), path);
                match reader.errors.is_empty() {
                    true => Ok(suite),
                    false => Err(reader.errors),
                }
            }
            [] => {
                reader.error_at(start, "", Code::OBJECT, "this suite is empty");
                Err(reader.errors)
            }
            [_, second, ..] => {
                let second = Place::root(second);
                reader.error(&second, Code::OBJECT, "a second document: a file is one suite");
                Err(reader.errors)
            }
        }
    }
}

/// With errors in the reader, the suite is not to be used.
fn read(reader: &mut Reader, root: &Place<'_>, path: &Path) -> Suite {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut suite = Suite {
        name: stem.into_owned(),
        path: path.to_owned(),
        scene: Scene {
            files: Vec::new(),
            names: BTreeMap::new(),
            options: CompileOptions::default(),
        },
        cases: Vec::new(),
    };
    if !reader.is_map_of(root, &KEYS) {
        return suite;
    }
    if let Some(name) = root.get("name").and_then(|place| reader.text(&place)) {
        name.clone_into(&mut suite.name);
    }
    suite.scene = read_scene(reader, root, path.parent().unwrap_or(Path::new("")));
    for place in list(reader, root, "cases") {
        suite.cases.extend(read_cases(reader, &place));
    }
    for place in list(reader, root, "tables") {
        suite.cases.extend(read_table(reader, &place));
    }
    if suite.cases.is_empty() && reader.errors.is_empty() {
        reader
            .error(root, Code::MISSING_FIELD, "this suite has no cases")
            .help("list them under `cases`, or draw them under `tables`");
    }
    check_names(reader, &suite.cases);
    suite
}

fn list<'n>(reader: &mut Reader, root: &Place<'n>, key: &str) -> Vec<Place<'n>> {
    let list = root.get(key);
    list.map(|list| reader.items(&list)).unwrap_or_default()
}

fn read_scene(reader: &mut Reader, root: &Place<'_>, folder: &Path) -> Scene {
    let files = reader.require(root, "files");
    let files = files.map(|files| reader.one_or_many(&files)).unwrap_or_default();
    let files = files.iter().filter_map(|place| {
        let file = folder.join(reader.text(place)?);
        Some(reader.locate(place, file))
    });
    let files = files.collect();
    let mut text = |key| {
        let place = root.get(key)?;
        reader.text(&place).map(str::to_owned)
    };
    let (namespace, cluster) = (text("namespace"), text("cluster"));
    let options = root.get("options").map(|place| read_options(reader, &place));
    let mut options = options.unwrap_or_default();
    options.default_namespace = namespace;
    if let Some(cluster) = cluster {
        options.cluster = cluster;
    }
    let names = root.get("fqdns").map(|place| read_names(reader, &place));
    Scene {
        files,
        names: names.unwrap_or_default(),
        options,
    }
}

/// The options of `eval`, one by one, so that what is wrong with one is said at its place.
fn read_options(reader: &mut Reader, place: &Place<'_>) -> CompileOptions {
    let mut all = Map::new();
    for (key, value) in reader.entries(place) {
        let json = match &value.node.value {
            document::Value::Bool(value) => Json::from(*value),
            document::Value::Str(text) => Json::from(text.as_str()),
            _ => {
                let message = format!("expected a word or a boolean, found {}", value.node.kind());
                reader.error(&value, Code::TYPE, message);
                continue;
            }
        };
        let alone = Map::from_iter([(key.to_owned(), json.clone())]);
        match serde_json::from_value::<CompileOptions>(Json::Object(alone)) {
            Ok(_) => drop(all.insert(key.to_owned(), json)),
            Err(error) => {
                let code = if error.to_string().starts_with("unknown field") {
                    Code::UNKNOWN_FIELD
                } else {
                    Code::VALUE
                };
                reader.error(&value, code, error.to_string());
            }
        }
    }
    // Each of them was read before, so all of them are.
    serde_json::from_value(Json::Object(all)).unwrap_or_default()
}

fn read_names(reader: &mut Reader, place: &Place<'_>) -> BTreeMap<String, Vec<IpAddr>> {
    let mut names = BTreeMap::new();
    for (name, addresses) in reader.entries(place) {
        let addresses = reader.one_or_many(&addresses);
        let addresses = addresses.iter().filter_map(|address| {
            let text = reader.text(address)?;
            let parsed = text.parse().ok();
            if parsed.is_none() {
                reader.error(address, Code::VALUE, format!("`{text}` is not an IP address"));
            }
            parsed
        });
        names.insert(name.to_owned(), addresses.collect());
    }
    names
}

/// Results are known by the names of their cases.
fn check_names(reader: &mut Reader, cases: &[Case]) {
    let mut known: HashMap<&str, &Location> = HashMap::new();
    for case in cases {
        if let Some(other) = known.get(&*case.name) {
            let message = format!("another case on line {} is called `{}` too", other.line(), case.name);
            reader.error_at(case.at.clone(), "", Code::DUPLICATE, message);
        } else {
            known.insert(&case.name, &case.at);
        }
    }
}
