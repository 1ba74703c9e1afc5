//! `conformance`: verdicts compared with those that corpora expect.

mod compare;
mod corpus;
mod known;
mod report;
mod tally;

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::{Context as _, Result};

use crate::{
    Outcome,
    args::{ConformanceArgs, EngineChoice, EnginesChoice},
    eval::{self, Evaluator, LineAnswer, MalformedLine},
    judge::judge,
};
use compare::{Difference, compare};
use corpus::Expectation;
use known::KnownDifferences;
use report::Report;
use tally::Tally;

/// Runs every corpus to its end, whatever differs.
pub(crate) fn run(args: &ConformanceArgs) -> Result<Outcome> {
    let mut known = match &args.known {
        Some(path) => KnownDifferences::load(path)?,
        None => KnownDifferences::default(),
    };
    let mut engines = Engines::start(args.engine)?;
    let mut report = Report::default();
    for path in corpus::find(&args.paths)? {
        run_corpus(&path, &mut engines, &mut known, &mut report)?;
    }
    report.print(args.output, args.show)?;
    if let Some(note) = eval::natively(engines.asked_natively()) {
        eprintln!("note: {note}");
    }
    Ok(if report.agrees() { Outcome::Yes } else { Outcome::No })
}

fn run_corpus(path: &Path, engines: &mut Engines, known: &mut KnownDifferences, report: &mut Report) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    let mut input = BufReader::new(File::open(path).with_context(context)?);
    let file = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    report.start_file(&file);
    let mut text = Vec::new();
    for number in 1_usize.. {
        text.clear();
        if input.read_until(b'\n', &mut text).with_context(context)? == 0 {
            break;
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let expected = Expectation::parse(&text).with_context(|| format!("{}:{number}", path.display()))?;
        let (mut tally, mut differences) = engines.compare(&text, &expected);
        differences.retain(|difference| {
            let is_known = known.has(&file, &expected.name, difference);
            if is_known {
                tally.known += 1;
            } else {
                tally.differs(difference.kind);
            }
            !is_known
        });
        report.add(&file, &expected, tally, differences);
    }
    for (line, difference) in known.stale(&file) {
        report.add_stale(&file, line, difference);
    }
    Ok(())
}

/// One engine, or two that must agree.
struct Engines {
    first: Evaluator,
    second: Option<Evaluator>,
}

impl Engines {
    fn start(choice: EnginesChoice) -> Result<Self> {
        let evaluator = |choice| judge(choice).map(Evaluator::new);
        Ok(match choice {
            EnginesChoice::Native => Self {
                first: evaluator(EngineChoice::Native)?,
                second: None,
            },
            EnginesChoice::Wasm => Self {
                first: evaluator(EngineChoice::Wasm)?,
                second: None,
            },
            EnginesChoice::Both => Self {
                first: evaluator(EngineChoice::Native)?,
                second: Some(evaluator(EngineChoice::Wasm)?),
            },
        })
    }

    fn asked_natively(&self) -> usize {
        let second = self.second.as_ref().map_or(0, Evaluator::asked_natively);
        self.first.asked_natively() + second
    }

    fn compare(&mut self, text: &[u8], expected: &Expectation) -> (Tally, Vec<Difference>) {
        let answer = eval::answer(&mut self.first, text);
        let second = self.second.as_mut().map(|second| bytes(&eval::answer(second, text)));
        let (tally, mut differences) = match &answer {
            Ok(answer) => compare(expected, answer),
            Err(MalformedLine { error, .. }) => Tally::unanswered(error),
        };
        if let Some(second) = second {
            let first = bytes(&answer);
            if first != second {
                differences.push(Difference::between_engines(&first, &second));
            }
        }
        (tally, differences)
    }
}

/// What `eval` would print.
fn bytes(answer: &Result<LineAnswer, MalformedLine>) -> String {
    match answer {
        Ok(answer) => serde_json::to_string(answer).unwrap_or_else(|error| error.to_string()),
        Err(malformed) => malformed.error.clone(),
    }
}
