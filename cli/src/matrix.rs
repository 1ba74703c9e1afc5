//! `matrix`: who can reach whom?

mod dot;
mod grid;
mod json;
mod page;
mod text;

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    Outcome,
    args::{Color, MatrixArgs, MatrixFormat},
    output::{Stream, Style, print, print_json, render},
    policy,
    reach::Space,
};
use grid::Grid;

/// Asks for every cell, and shows them.
pub(crate) fn run(args: &MatrixArgs, color: Color) -> Result<Outcome> {
    let compiled = policy::compile(&args.input, &[], None)?;
    eprint!("{}", render(&compiled.diagnostics, Style::new(color, Stream::Error)));
    if compiled.has_errors() {
        return Ok(Outcome::No);
    }
    let bundle = policy::in_effect(compiled.bundle, args.audit_as_enforced);
    let mut space = Space::new(vec![bundle])?;
    if space.parties.iter().all(|party| !party.is_workload()) {
        bail!("there is no workload among the objects: a matrix needs pods");
    }
    if !args.port.is_empty() {
        space
            .ports
            .retain(|class| args.port.iter().any(|port| class.contains(*port)));
    }
    let grid = Grid::fill(&space);
    if let Some(path) = &args.html {
        fs::write(path, page::render(&grid)?).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    match args.output {
        MatrixFormat::Json => print_json(&json::document(&grid))?,
        MatrixFormat::Dot => print(&dot::render(&grid))?,
        MatrixFormat::Text => print(&text::render(&grid, &args.port, Style::new(color, Stream::Output)))?,
    }
    Ok(Outcome::Yes)
}
