//! `eval`: many questions in one process, a JSON line for each JSON line.

mod answer;
mod ends;
mod flow;
mod line;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub(crate) use answer::{Evaluator, LineAnswer, Rejected};
pub(crate) use line::{Line, MalformedLine};

use crate::{Outcome, args::EvalArgs, input, judge::judge};

/// Answers every line as soon as it is read. Lines of blanks have no answer.
pub(crate) fn run(args: &EvalArgs) -> Result<Outcome> {
    let mut evaluator = Evaluator::new(judge(args.engine)?);
    let output = io::stdout().lock();
    let outcome = match args.file.as_deref().filter(|file| !input::is_stdin(file)) {
        None => stream(&mut evaluator, io::stdin().lock(), output),
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            stream(&mut evaluator, BufReader::new(file), output)
        }
    };
    if let Some(note) = natively(evaluator.asked_natively()) {
        eprintln!("note: {note}");
    }
    outcome
}

/// That another engine than the chosen one decided, if it did.
pub(crate) fn natively(count: usize) -> Option<String> {
    let messages = if count == 1 { "message" } else { "messages" };
    (count > 0).then(|| {
        format!("the native engine decided on {count} Kafka and DNS {messages}, which the plugin cannot read yet")
    })
}

/// The answer to a line that has none.
#[derive(Serialize)]
struct NoAnswer {
    name: Option<String>,
    error: String,
}

fn stream(evaluator: &mut Evaluator, mut input: impl BufRead, mut output: impl Write) -> Result<Outcome> {
    let mut outcome = Outcome::Yes;
    let mut text = Vec::new();
    loop {
        text.clear();
        if input
            .read_until(b'\n', &mut text)
            .context("cannot read the next line")?
            == 0
        {
            return Ok(outcome);
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut answer = match answer(evaluator, &text) {
            Ok(answer) => serde_json::to_vec(&answer)?,
            Err(MalformedLine { name, error }) => {
                outcome = Outcome::No;
                serde_json::to_vec(&NoAnswer { name, error })?
            }
        };
        answer.push(b'\n');
        // Each line on its own, so that a program can ask and wait for the answer.
        output
            .write_all(&answer)
            .and_then(|()| output.flush())
            .context("cannot write the answer")?;
    }
}

/// The answer to one line of text.
pub(crate) fn answer(evaluator: &mut Evaluator, text: &[u8]) -> Result<LineAnswer, MalformedLine> {
    let line = Line::parse(text)?;
    let name = line.name.clone();
    evaluator.answer(line).map_err(|error| MalformedLine { name, error })
}
