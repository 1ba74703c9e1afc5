//! `test`: suites of questions about policies, with the answers that are expected, and what the questions leave out.

mod ask;
mod case;
mod content;
mod coverage;
mod form;
mod junit;
mod read;
mod report;
mod table;
mod text;
mod watch;
mod work;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use policy_compiler::Diagnostic;

use crate::{
    Outcome,
    args::{Color, Format, TestArgs},
    eval::natively,
    input::files_in,
    output::{Stream, Style, print, print_json, render},
};
use coverage::Coverage;
use form::Suite;
use report::{MustCover, Report};
use watch::Watch;
use world::World;

/// Runs all suites; with `--watch` again and again.
pub(crate) fn run(args: &TestArgs, color: Color) -> Result<Outcome> {
    if !args.watch {
        return once(args, color, &mut Vec::new());
    }
    let mut watch = Watch::default();
    // Before they are read: what changes during a run is a change.
    watch.add(&args.suites);
    loop {
        let mut files = args.suites.clone();
        if let Err(error) = once(args, color, &mut files) {
            eprintln!("error: {error:#}");
        }
        watch.add(&files);
        eprintln!("\nwaiting for a change; end with Ctrl-C");
        let changed = watch.changed(&files);
        let style = Style::new(color, Stream::Error);
        eprintln!("\n{}\n", style.heading(&format!("{} has changed", changed.display())));
    }
}

/// One run. `files` gets every file that it depends on, also if it fails.
fn once(args: &TestArgs, color: Color, files: &mut Vec<PathBuf>) -> Result<Outcome> {
    let mut suites = read_all(&args.suites, color, files)?;
    if args.audit {
        suites.iter_mut().for_each(|suite| suite.scene.options.audit = true);
    }
    let worlds = World::build_all(&suites).map_err(|errors| wrong(&errors, color))?;
    let work = work::run(&suites, &worlds, args.engine, args.jobs)?;
    if let Some(note) = natively(work.asked_natively) {
        eprintln!("note: {note}");
    }
    let coverage = Coverage::of_all(&suites, &worlds, &work.seen)?;
    let must_cover = if args.fail_uncovered {
        MustCover::Yes
    } else {
        MustCover::No
    };
    let report = Report::new(&suites, &worlds, work.seen, coverage, must_cover);
    if let Some(path) = &args.junit {
        junit::write(path, &report)?;
    }
    match args.output {
        Format::Json => print_json(&report)?,
        Format::Text => print(&text::render(&report, Style::new(color, Stream::Output)))?,
    }
    Ok(if report.passed { Outcome::Yes } else { Outcome::No })
}

/// Every suite, or an error after everything that is wrong with any of them was printed.
fn read_all(paths: &[PathBuf], color: Color, files: &mut Vec<PathBuf>) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    let mut errors = Vec::new();
    for path in expand(paths)? {
        files.push(path.clone());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match Suite::parse(&path, text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            Ok(suite) => {
                files.extend(suite.scene.files.iter().map(|file| file.value.clone()));
                suites.push(suite);
            }
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() {
        Ok(suites)
    } else {
        Err(wrong(&errors, color))
    }
}

/// Files as they are, folders as the suites in them.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = suites_in(path)?;
        if found.is_empty() {
            bail!("{} has no *.yaml or *.yml", path.display());
        }
        files.extend(found);
    }
    Ok(files)
}

fn suites_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_in(folder, "yaml")?;
    files.extend(files_in(folder, "yml")?);
    files.sort();
    Ok(files)
}

/// Prints what is wrong with suites, and says how much it is.
fn wrong(errors: &[Diagnostic], color: Color) -> anyhow::Error {
    eprint!("{}", render(errors, Style::new(color, Stream::Error)));
    match errors.len() {
        1 => anyhow!("nothing was run: 1 error"),
        count => anyhow!("nothing was run: {count} errors"),
    }
}
