//! `replay`: which recorded flows would get another verdict from these policies?

mod ask;
mod envoy;
mod group;
mod hubble;
mod line;
mod question;
mod reason;
mod record;
mod report;
mod skip;
mod source;
mod tally;
mod text;
mod world;

use std::{
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use policy_core::Scope;

use crate::{
    Outcome,
    args::{AskedDirection, Color, Format, LoggedDestination, ReplayArgs},
    diff::Change,
    input::is_stdin,
    output::{Stream, Style, print, print_json},
    policy,
};
use envoy::Reading;
use report::Report;
use source::{Batch, Source};
use tally::Tally;
use world::World;

/// Judges every line of the logs, and compares.
pub(crate) fn run(args: &ReplayArgs, color: Color) -> Result<Outcome> {
    if args
        .files
        .iter()
        .chain(&args.logs)
        .filter(|path| is_stdin(path))
        .count()
        > 1
    {
        bail!("`-` is there twice, but standard input can be read only once");
    }
    if args.destination == LoggedDestination::Authority && args.direction == AskedDirection::Ingress {
        bail!("--destination authority asks the policy of the source, and --direction ingress that of the destination");
    }
    let Some(bundle) = policy::bundle_of(&args.files, &args.reading, Style::new(color, Stream::Error))? else {
        return Ok(Outcome::No);
    };
    let bundle = policy::in_effect(bundle, args.audit_as_enforced);
    let reading = Reading {
        destination: args.destination,
        port_maps: args.port_maps.clone(),
    };
    let scope = match args.direction {
        AskedDirection::Ingress => Scope::Ingress,
        AskedDirection::Egress => Scope::Egress,
        AskedDirection::Both => Scope::Both,
    };
    let jobs = args
        .jobs
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);
    let mut tally = Tally::new(World::new(bundle)?, reading, scope, jobs);
    let names = read(args, &mut tally)?;
    let report = Report::new(tally, &names);
    match args.output {
        Format::Json => print_json(&report)?,
        Format::Text => print(&text::render(&report, args.show, Style::new(color, Stream::Output)))?,
    }
    if report.judged == 0 && report.lines > 0 {
        bail!("no line could be judged, so that nothing is known about these policies");
    }
    let found = [(Change::Opened, report.opened), (Change::Closed, report.closed)]
        .iter()
        .any(|(change, flows)| *flows > 0 && change.counts(args.fail_on));
    Ok(if found { Outcome::No } else { Outcome::Yes })
}

/// Reads all logs, one after the other, and says how fast that was. The names of the logs.
fn read(args: &ReplayArgs, tally: &mut Tally) -> Result<Vec<String>> {
    let bar = progress(source::total_bytes(&args.logs));
    let start = Instant::now();
    let mut names = Vec::new();
    let mut batch = Batch::default();
    for (log, path) in args.logs.iter().enumerate() {
        let mut source = Source::open(path, &bar)?;
        loop {
            source.fill(&mut batch)?;
            if batch.is_empty() {
                break;
            }
            tally.add(log, &batch)?;
            let changed = tally.groups.all.opened + tally.groups.all.closed;
            bar.set_message(format!(
                "{} lines, {} changed",
                HumanCount(tally.lines),
                HumanCount(changed)
            ));
        }
        names.push(source.name);
    }
    bar.finish_and_clear();
    eprintln!("{}", speed(tally.lines, start.elapsed()));
    Ok(names)
}

/// On a terminal a bar, or what moves if nobody knows how much there is; nothing anywhere else.
fn progress(total: Option<u64>) -> ProgressBar {
    let (length, template) = match total {
        Some(_) => (total, "{bar:30} {percent}%  {msg}  {eta} to go"),
        None => (None, "{spinner} {msg}"),
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// `1,000,000 lines in 2.5 s, 400,000 lines/s`.
fn speed(lines: u64, elapsed: Duration) -> String {
    let nanoseconds = elapsed.as_nanos().max(1);
    let per_second = u128::from(lines) * 1_000_000_000 / nanoseconds;
    let per_second = HumanCount(u64::try_from(per_second).unwrap_or(u64::MAX));
    format!(
        "{} lines in {:.1} s, {per_second} lines/s",
        HumanCount(lines),
        elapsed.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_in_words() {
        for (lines, milliseconds, want) in [
            (1_000_000, 2_500, "1,000,000 lines in 2.5 s, 400,000 lines/s"),
            (0, 10, "0 lines in 0.0 s, 0 lines/s"),
        ] {
            assert_eq!(speed(lines, Duration::from_millis(milliseconds)), want);
        }
        assert!(
            speed(1, Duration::ZERO).starts_with("1 lines in 0.0 s"),
            "a clock that stood still"
        );
    }
}
