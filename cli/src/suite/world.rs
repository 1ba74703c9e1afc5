//! The policies that suites are about, compiled once for all suites that name the same ones, and the addresses of
//! everybody whom their cases mention.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use policy_compiler::{Code, CompileOptions, Compiled, Diagnostic, Input, Severity};
use policy_core::{
    Bundle,
    bundle::{Endpoint, Identity},
};
use serde_json::{Map, Value as Json, json};

use super::{
    case::Case,
    form::{Scene, Suite},
    read::Located,
};
use crate::{args::Peer, placement::Placement};

/// Policies, and where everybody is.
pub(super) struct World {
    /// Positions of the suites that are about it.
    pub(super) suites: Vec<usize>,
    pub(super) state: State,
}

pub(super) enum State {
    /// The bundle in which everybody has an address, and the ends of each case, by suite.
    Ready { bundle: Box<Bundle>, ends: Vec<Vec<Ends>> },
    /// Some object is invalid, so that no answer would be right.
    Invalid(Vec<Diagnostic>),
}

/// The ends of a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
}

/// Suites about one scene.
struct Group<'a> {
    key: Key<'a>,
    scene: &'a Scene,
    positions: Vec<usize>,
    members: Vec<&'a Suite>,
}

/// What makes two scenes the same.
#[derive(PartialEq)]
struct Key<'a> {
    files: Vec<PathBuf>,
    names: &'a BTreeMap<String, Vec<IpAddr>>,
    options: &'a CompileOptions,
}

impl World {
    /// The worlds of all suites. An error says that a suite names a file or a pod that is not there.
    pub(super) fn build_all(suites: &[Suite]) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut errors = Vec::new();
        for (position, suite) in suites.iter().enumerate() {
            let key = match Key::of(&suite.scene) {
                Ok(key) => key,
                Err(missing) => {
                    errors.extend(missing);
                    continue;
                }
            };
            match groups.iter_mut().find(|group| group.key == key) {
                Some(group) => {
                    group.positions.push(position);
                    group.members.push(suite);
                }
                None => groups.push(Group {
                    key,
                    scene: &suite.scene,
                    positions: vec![position],
                    members: vec![suite],
                }),
            }
        }
        let mut worlds = Vec::new();
        for group in groups {
            match State::of(&group) {
                Ok(state) => worlds.push(Self {
                    suites: group.positions,
                    state,
                }),
                Err(wrong) => errors.extend(wrong),
            }
        }
        if errors.is_empty() { Ok(worlds) } else { Err(errors) }
    }
}

impl State {
    fn of(group: &Group<'_>) -> Result<Self, Vec<Diagnostic>> {
        let compiled = compile(group.scene, &[])?;
        if compiled.has_errors() {
            return Ok(Self::Invalid(errors_of(compiled)));
        }
        let mut imagined = Imagined::default();
        let cases = group.members.iter().flat_map(|suite| &suite.cases);
        cases.for_each(|case| imagined.add_both(case));
        let bundle = match imagined.pods.is_empty() {
            true => compiled.bundle,
            false => {
                let with_pods = compile(group.scene, &imagined.pods)?;
                if with_pods.has_errors() {
                    return Ok(Self::Invalid(errors_of(with_pods)));
                }
                imagined.enter(compiled.bundle, &with_pods.bundle)
            }
        };
        let (bundle, ends) = place(bundle, &group.members, &imagined)?;
        Ok(Self::Ready {
            bundle: Box::new(bundle),
            ends,
        })
    }
}

impl<'a> Key<'a> {
    /// An error for each file that is not there, at the place where the suite names it.
    fn of(scene: &'a Scene) -> Result<Self, Vec<Diagnostic>> {
        let mut files = Vec::new();
        let mut missing = Vec::new();
        for file in &scene.files {
            match fs::canonicalize(&file.value) {
                Ok(path) => files.push(path),
                Err(error) => missing.push(unreadable(file, &error.to_string())),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        files.sort();
        files.dedup();
        Ok(Self {
            files,
            names: &scene.names,
            options: &scene.options,
        })
    }
}

fn compile(scene: &Scene, more: &[Json]) -> Result<Compiled, Vec<Diagnostic>> {
    let mut input = Input::new();
    input.names.clone_from(&scene.names);
    for file in &scene.files {
        if let Err(error) = input.add_path(&file.value) {
            let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            return Err(vec![unreadable(file, &reason)]);
        }
    }
    more.iter().for_each(|object| input.add_value(object));
    Ok(policy_compiler::compile(&input, &scene.options))
}

fn unreadable(file: &Located<PathBuf>, reason: &str) -> Diagnostic {
    let path: &Path = &file.value;
    let mut error = Diagnostic::new(
        Severity::Error,
        Code::VALUE,
        format!("cannot read `{}`: {reason}", path.display()),
    );
    error.location = Some(file.at.clone());
    error
}

fn errors_of(compiled: Compiled) -> Vec<Diagnostic> {
    compiled.diagnostics.into_iter().filter(Diagnostic::is_error).collect()
}

/// Pods that only cases describe, by their labels. They are nobody but peers: no service leads to them, so that a case
/// changes no answer but its own.
#[derive(Default)]
struct Imagined {
    peers: Vec<Peer>,
    /// The objects, in the same order.
    pods: Vec<Json>,
}

impl Imagined {
    fn add_both(&mut self, case: &Case) {
        self.add(&case.from.value);
        self.add(&case.flow.to.value);
    }

    fn add(&mut self, peer: &Peer) {
        let Peer::Labels { namespace, labels } = peer else {
            return;
        };
        if self.peers.contains(peer) {
            return;
        }
        let labels: Map<String, Json> = labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect();
        self.pods.push(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": namespace, "name": Self::name(self.peers.len()), "labels": labels},
        }));
        self.peers.push(peer.clone());
    }

    /// No pod can have this name.
    fn name(index: usize) -> String {
        format!("{{{index}}}")
    }

    /// The pod that a peer of labels stands for; any other peer as it is.
    fn pod(&self, peer: &Peer) -> Peer {
        match (peer, self.peers.iter().position(|known| known == peer)) {
            (Peer::Labels { namespace, .. }, Some(index)) => Peer::Pod {
                namespace: namespace.clone(),
                name: Self::name(index),
            },
            _ => peer.clone(),
        }
    }

    /// The bundle, and in it the pods as the other bundle describes them.
    fn enter(&self, mut bundle: Bundle, described: &Bundle) -> Bundle {
        for peer in &self.peers {
            let name = self.pod(peer).to_string();
            let endpoint = described.endpoints.iter().find(|endpoint| endpoint.name == name);
            let identity =
                endpoint.and_then(|endpoint| described.identities.get(usize::try_from(endpoint.identity).ok()?));
            let identity: Identity = identity.cloned().unwrap_or_default();
            // A bundle with more identities than that fits into no memory.
            let position = u32::try_from(bundle.identities.len()).unwrap_or(u32::MAX);
            bundle.identities.push(identity);
            bundle.endpoints.push(Endpoint {
                name,
                identity: position,
                addresses: Vec::new(),
            });
        }
        bundle
    }
}

type Placed = (Bundle, Vec<Vec<Ends>>);

/// An address for everybody. An error for each pod that is not there.
fn place(bundle: Bundle, suites: &[&Suite], imagined: &Imagined) -> Result<Placed, Vec<Diagnostic>> {
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let foreign = cases.flat_map(|case| [&case.from.value, &case.flow.to.value]);
    let foreign = foreign.filter_map(|peer| match peer {
        Peer::Address(address) => Some(*address),
        Peer::Pod { .. } | Peer::Labels { .. } | Peer::Reserved(_) => None,
    });
    let mut placement = Placement::new(bundle, foreign);
    let mut errors: Vec<Diagnostic> = Vec::new();
    let mut address = |peer: &Located<Peer>| match placement.place(&imagined.pod(&peer.value)) {
        Ok(address) => Some(address),
        Err(message) => {
            let mut error = Diagnostic::new(Severity::Error, Code::VALUE, message);
            error.location = Some(peer.at.clone());
            // Cases of one list share their places.
            if !errors.contains(&error) {
                errors.push(error);
            }
            None
        }
    };
    let mut ends = Vec::new();
    for suite in suites {
        let of_suite = suite.cases.iter().filter_map(|case| {
            let (source, destination) = (address(&case.from), address(&case.flow.to));
            Some(Ends {
                source: source?,
                destination: destination?,
            })
        });
        ends.push(of_suite.collect());
    }
    if errors.is_empty() {
        Ok((placement.into_bundle(), ends))
    } else {
        Err(errors)
    }
}
