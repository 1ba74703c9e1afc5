//! All questions of all lines, each to one side.

use std::{
    fs,
    io::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    rc::Rc,
};

use policy_core::{Bundle, Direction, Protocol};

use crate::{
    eval::{
        answer::input_of,
        ends::{self, Ends},
        flow::Flow,
        line::Line,
    },
    input::files_in,
    judge::Content,
};

/// What is asked.
pub(super) struct Questions {
    pub(super) lines: Vec<Questioned>,
    /// Whether the corpora were there.
    pub(super) has_corpora: bool,
}

/// A bundle, and the questions about it.
pub(super) struct Questioned {
    pub(super) bundle: Rc<Bundle>,
    pub(super) questions: Vec<Question>,
}

/// One side of a flow.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) file: Rc<str>,
    /// File, line and flow.
    pub(super) name: String,
    pub(super) direction: Direction,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) content: Content,
}

/// The questions of the project's own cases, and of the corpora if they are there. It says so if they are not.
pub(super) fn questions() -> Questions {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["eval/cases.jsonl", "explain/cases.jsonl"]
        .iter()
        .map(|file| project.join("testdata").join(file))
        .collect();
    let corpora = project.join("../../shared/corpus");
    let has_corpora = corpora.is_dir();
    if has_corpora {
        files.extend(files_in(&corpora, "jsonl").expect("readable"));
    } else {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: the corpora in {} are not there",
            corpora.display()
        );
    }
    Questions {
        lines: files.iter().flat_map(|file| lines(file)).collect(),
        has_corpora,
    }
}

fn lines(path: &Path) -> Vec<Questioned> {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Rc<str> = path
        .strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(path)
        .display()
        .to_string()
        .into();
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    lines
        .filter_map(|(text, number)| questioned(text, &file, number))
        .collect()
}

/// `None` for a line without an answer.
fn questioned(text: &[u8], file: &Rc<str>, number: usize) -> Option<Questioned> {
    let line = Line::parse(text).ok()?;
    let compiled = policy_compiler::compile(&input_of(&line), &line.options);
    let (bundle, ends) = ends::place(&line, compiled.bundle).ok()?;
    let flows = line.flows.iter().zip(&ends).enumerate();
    let questions = flows.filter_map(|(i, (flow, ends))| {
        let (ends, content) = (ends.as_ref()?, flow.content.as_ref()?);
        Some(sides(flow, ends).map(move |direction| Question {
            file: Rc::clone(file),
            name: format!("{file}:{number} flows[{i}] {direction}"),
            direction,
            source: ends.source,
            destination: ends.destination,
            protocol: flow.protocol,
            port: flow.port,
            content: content.clone(),
        }))
    });
    Some(Questioned {
        questions: questions.flatten().collect(),
        bundle: Rc::new(bundle),
    })
}

/// The sides that are asked about a flow.
fn sides(flow: &Flow, ends: &Ends) -> impl Iterator<Item = Direction> {
    let wanted = flow.direction;
    let sides = [
        (Direction::Egress, ends.asks_egress),
        (Direction::Ingress, ends.asks_ingress),
    ];
    sides
        .into_iter()
        .filter(move |(direction, has_policy)| *has_policy && wanted.is_none_or(|wanted| wanted == *direction))
        .map(|(direction, _)| direction)
}
