//! The engine beside other policy engines: the same policies, the same requests, the same run.
//!
//! Policies allow `GET` of a prefix to one peer each, which every language can say. Each engine is asked as its own
//! documentation says, with everything built beforehand that can be, so that only the decision counts.

#[cfg(feature = "peers")]
mod cedar;
mod fields;
mod linear;
#[cfg(feature = "peers")]
mod rego;

use std::hint::black_box;

use anyhow::{Result, ensure};

use crate::engine::Asked;
use crate::report::{Report, Wanted};
use crate::sampler::{Case, Effort, Series, sample};
use crate::world::{Carries, Path, Shape};

const OURS: &str = "portcullis, request";
const OURS_WHOLE: &str = "portcullis, connection and request";
const LINEAR: &str = "list, as RBAC does it";
const FIELDS: &str = "list of fields";
#[cfg(feature = "peers")]
const CEDAR: &str = "cedar";
#[cfg(feature = "peers")]
const REGO_RULES: &str = "regorus, a rule for each policy";
#[cfg(feature = "peers")]
const REGO_DATA: &str = "regorus, one rule over an index by peer";

/// A module of regorus has a megabyte at most, which 10,000 rules exceed.
#[cfg(feature = "peers")]
const MOST_OF_OTHERS: u32 = 1000;

/// Measures the section.
pub(crate) fn measure(effort: Effort, short: bool) -> Result<Report> {
    let mut report = Report::new("peers");
    let sizes: &[u32] = if short { &[1, 100] } else { &[1, 10, 100, 1000, 10_000] };
    let shapes: Vec<Shape> = sizes.iter().map(|p| Shape::workload(*p, Carries::Prefixes)).collect();
    let worlds: Vec<Asked> = shapes.iter().map(|shape| Asked::new(*shape)).collect::<Result<_>>()?;
    let mut cases = Vec::new();
    for world in &worlds {
        cases.extend(ours(world)?);
        let list = linear::Linear::new(world.shape);
        let question = linear::Question::asked(world.shape);
        ensure!(list.allowing(&question).is_some(), "the list denies");
        let name = world.shape.policies.to_string();
        cases.push(Case::new(LINEAR, name, move || {
            list.allowing(black_box(&question)).is_some()
        }));
        let fields = fields::Fields::new(world.shape);
        let question = fields::Question::asked(world.shape);
        ensure!(fields.allows(&question), "the list of fields denies");
        let name = world.shape.policies.to_string();
        cases.push(Case::new(FIELDS, name, move || fields.allows(black_box(&question))));
        #[cfg(feature = "peers")]
        if world.shape.policies <= MOST_OF_OTHERS {
            cases.extend(others(world.shape)?);
        }
    }
    let series = sample(&mut cases, effort);
    let mut of = Vec::new();
    for (case, series) in cases.iter().zip(&series) {
        report.add(&case.group, &format!("{} policies", case.name), "ns", series);
        of.push((case.group.as_str(), case.name.as_str(), series));
    }
    let found = |group: &str, policies: u32| {
        let policies = policies.to_string();
        let found = of.iter().find(|(g, name, _)| *g == group && *name == policies);
        found.map_or_else(Series::default, |(_, _, series)| (*series).clone())
    };
    let mut ratio = |group: &str, policies, wanted| {
        let name = format!("{group} over ours, {policies} policies");
        report.add_ratio(&name, &found(group, policies).over(&found(OURS, policies)), wanted);
    };
    ratio(LINEAR, 1, Wanted::AtLeast(1.0, "≥ 1"));
    ratio(LINEAR, 100, Wanted::Nothing);
    ratio(LINEAR, 10_000, Wanted::Nothing);
    ratio(FIELDS, 1, Wanted::Nothing);
    ratio(FIELDS, 100, Wanted::Nothing);
    #[cfg(feature = "peers")]
    {
        ratio(CEDAR, 1000, Wanted::AtLeast(20.0, "≥ 20"));
        ratio(REGO_RULES, 1000, Wanted::AtLeast(50.0, "≥ 50"));
        ratio(REGO_DATA, 1000, Wanted::AtLeast(50.0, "≥ 50"));
    }
    Ok(report)
}

/// The request on an open connection, as a proxy asks; and with the connection, as the others are asked.
fn ours(world: &Asked) -> Result<[Case<'_>; 2]> {
    let name = world.shape.policies.to_string();
    let (peer, request) = (world.peer(), world.request(Path::Prefix));
    let (admission, same) = (world.admit(peer), request.clone());
    ensure!(admission.request(None, &request).allows(), "the engine denies");
    Ok([
        Case::new(OURS, name.clone(), move || admission.request(None, black_box(&request))),
        Case::new(OURS_WHOLE, name, move || {
            world.admit(peer).request(None, black_box(&same))
        }),
    ])
}

#[cfg(feature = "peers")]
fn others(shape: Shape) -> Result<Vec<Case<'static>>> {
    let name = shape.policies.to_string();
    let cedar = cedar::Cedar::new(shape)?;
    ensure!(cedar.allows(), "cedar denies");
    let mut cases = vec![Case::new(CEDAR, name.clone(), move || cedar.allows())];
    for (group, style) in [(REGO_RULES, rego::Style::Rules), (REGO_DATA, rego::Style::Data)] {
        let mut rego = rego::Rego::new(shape, style)?;
        ensure!(rego.allows()?, "regorus denies: {style:?}");
        cases.push(Case::new(group, name.clone(), move || {
            rego.allows().is_ok_and(|allowed| allowed)
        }));
    }
    Ok(cases)
}
