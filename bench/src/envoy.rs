//! CPU time of a real Envoy with one worker for each request, by what decides in it.
//!
//! There is one Envoy for each way to decide, and they take turns under the same load. CPU time counts, not wall time:
//! the client and the application share the machine's cores with Envoy.

pub(crate) mod authorizer;
mod filter;
mod load;
pub(crate) mod stage;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use envoy_e2e::run::artefact;
use filter::{Filter, Policies};
use load::Load;
use stage::{Running, Stage};

use crate::report::{Report, Wanted};
use crate::sampler::{Series, order};
use crate::world::Carries;

/// How often each Envoy has its turn with each load.
const ROUNDS: usize = 7;

/// What is compared, in the order of the tables.
fn filters(short: bool) -> Vec<Filter> {
    let plugin = |number, carries, guard| Filter::Plugin(Policies { number, carries, guard });
    let sizes: &[u32] = if short { &[100] } else { &[1, 100, 10_000] };
    let lists: &[u32] = if short { &[100] } else { &[1, 100, 1000] };
    let mut filters = vec![
        Filter::Nothing,
        Filter::NoOp { connections: false },
        Filter::NoOp { connections: true },
    ];
    filters.extend(lists.iter().map(|policies| Filter::Rbac(*policies)));
    for (carries, guard) in [
        (Carries::Connections, false),
        (Carries::Prefixes, false),
        (Carries::Prefixes, true),
    ] {
        filters.extend(sizes.iter().map(|number| plugin(*number, carries, guard)));
    }
    filters.push(Filter::Authorizer);
    filters
}

/// Measures the section.
pub(crate) fn measure(short: bool) -> Result<Report> {
    let mut report = Report::new("envoy");
    let envoy = artefact::envoy()?;
    let stage = Stage::new()?;
    let filters = filters(short);
    let mut running = Vec::new();
    for filter in &filters {
        let envoy = stage.start(&envoy, *filter).with_context(|| filter.name())?;
        envoy.check().with_context(|| filter.name())?;
        running.push(envoy);
    }
    let rounds = if short { 1 } else { ROUNDS };
    for load in Load::ALL {
        let costs = costs(&running, load, rounds)?;
        for (filter, series) in filters.iter().zip(&costs) {
            report.add(load.name(), &filter.name(), "µs CPU", series);
        }
        let of: BTreeMap<String, &Series> = filters.iter().map(Filter::name).zip(&costs).collect();
        if !short {
            add_ratios(&mut report, load, &of);
        }
    }
    Ok(report)
}

/// Microseconds of CPU for each request, round by round, for each Envoy.
fn costs(running: &[Running], load: Load, rounds: usize) -> Result<Vec<Series>> {
    let mut costs = vec![Series::default(); running.len()];
    for round in 0..rounds {
        for at in order(running.len(), round) {
            if let (Some(envoy), Some(series)) = (running.get(at), costs.get_mut(at)) {
                let before = envoy.processor_time()?;
                let requests = load.run(envoy)?;
                let took = envoy.processor_time()?.saturating_sub(before);
                series.0.push(took.as_secs_f64() * 1e6 / requests as f64);
            }
        }
    }
    Ok(costs)
}

/// Adds what acceptance asks for. It asks about requests on kept connections; the rest is to know.
fn add_ratios(report: &mut Report, load: Load, of: &BTreeMap<String, &Series>) {
    let kept = load == Load::Kept;
    let wanted = |limit, text| {
        if kept {
            Wanted::AtMost(limit, text)
        } else {
            Wanted::Nothing
        }
    };
    let plugin = |number, guard| {
        Filter::Plugin(Policies {
            number,
            carries: Carries::Prefixes,
            guard,
        })
    };
    let (many, guarded) = (plugin(10_000, false), plugin(10_000, true));
    let (no_op, no_op_both) = (Filter::NoOp { connections: false }, Filter::NoOp { connections: true });
    let pairs = [
        (many, no_op_both, wanted(1.25, "≤ 1.25")),
        (guarded, no_op_both, wanted(1.4, "≤ 1.40")),
        (many, no_op, Wanted::Nothing),
        (many, Filter::Rbac(100), wanted(1.0, "≤ 1")),
        (guarded, Filter::Rbac(1000), Wanted::Nothing),
        (guarded, Filter::Authorizer, Wanted::Nothing),
        (many, plugin(1, false), Wanted::Nothing),
        (many, Filter::Nothing, Wanted::Nothing),
    ];
    for (one, other, wanted) in pairs {
        if let (Some(a), Some(b)) = (of.get(&one.name()), of.get(&other.name())) {
            let name = format!("{}: {} over {}", load.name(), one.name(), other.name());
            report.add_ratio(&name, &a.over(b), wanted);
        }
    }
}
