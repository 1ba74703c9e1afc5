//! The engine on this machine: verdicts that it gives for the first time and again, in worlds of all sizes.

mod first;

use std::hint::black_box;

use anyhow::{Result, anyhow};
use policy_core::{AddressFacts, Admission, Engine, HttpRequest, Protocol, Scope};

use crate::instructions;
use crate::report::{Report, Wanted};
use crate::sampler::{Case, Effort, Series, sample};
use crate::world::{PORT, Path, Shape, address};

/// A repeated verdict in the largest world may cost so much of one in the smallest.
const FLAT: Wanted = Wanted::AtMost(1.2, "≤ 1.2");

const AGAIN: &str = "connection, again";
const REQUEST: &str = "request, prefix";

/// A world with its engine, and questions about it.
pub(crate) struct Asked {
    /// The world.
    pub(crate) shape: Shape,
    /// What decides in it.
    pub(crate) engine: Engine,
}

impl Asked {
    /// Builds the world and its engine.
    pub(crate) fn new(shape: Shape) -> Result<Self> {
        let engine = Engine::new(shape.bundle()).map_err(|errors| anyhow!("{errors:?}"))?;
        Ok(Self { shape, engine })
    }

    /// Asks about a connection from this identity to the subject of the asked policy.
    pub(crate) fn admit(&self, from: u32) -> Admission {
        self.admit_to(from, self.shape.subject(self.shape.asked()))
    }

    /// Asks about a connection between two identities.
    pub(crate) fn admit_to(&self, from: u32, to: u32) -> Admission {
        let facts = AddressFacts::new(Some(address(from)), Some(address(to)), Protocol::Tcp, PORT);
        self.engine.admit(black_box(&facts), Scope::Ingress)
    }

    /// The peer that the asked policy lets in.
    pub(crate) fn peer(&self) -> u32 {
        self.shape.peer(self.shape.asked())
    }

    /// A request that the asked policy allows, unless it is a miss.
    pub(crate) fn request(&self, path: Path) -> HttpRequest {
        self.shape.request(self.shape.asked(), path)
    }
}

/// The sizes that are compared, the smallest first and the largest last.
pub(crate) fn shapes(short: bool) -> Vec<Shape> {
    if short {
        return vec![Shape::cluster(10, 10), Shape::cluster(100, 1000)];
    }
    let identities = [10, 1000, 100_000];
    let policies = [1, 10, 100, 1000, 10_000];
    let all = identities.iter().flat_map(|i| policies.map(|p| Shape::cluster(p, *i)));
    all.collect()
}

/// Measures the section.
pub(crate) fn measure(effort: Effort, short: bool) -> Result<Report> {
    let mut report = Report::new("engine");
    let worlds: Vec<Asked> = shapes(short).into_iter().map(Asked::new).collect::<Result<_>>()?;
    let mut cases: Vec<Case<'_>> = worlds.iter().flat_map(repeated).collect();
    let series = sample(&mut cases, effort);
    for (case, series) in cases.iter().zip(&series) {
        report.add(&case.group, &case.name, "ns", series);
    }
    let of = |group: &str, shape: Shape| {
        let found = (cases.iter().zip(&series)).find(|(case, _)| case.group == group && case.name == shape.name());
        found.map_or_else(Series::default, |(_, series)| series.clone())
    };
    let (small, large) = extremes(short);
    for group in [AGAIN, REQUEST] {
        let name = format!("{group}: {} over {}", large.name(), small.name());
        report.add_ratio(&name, &of(group, large).over(&of(group, small)), FLAT);
    }
    drop(cases);
    drop(worlds);
    first::measure(&mut report, short)?;
    instructions::measure(&mut report, small, large, FLAT)?;
    Ok(report)
}

/// What acceptance compares: the policies of a small cluster, and of a large one.
pub(crate) fn extremes(short: bool) -> (Shape, Shape) {
    let large = if short {
        Shape::cluster(100, 1000)
    } else {
        Shape::cluster(10_000, 100_000)
    };
    (Shape::cluster(10, 10), large)
}

/// Questions that were asked before.
fn repeated(world: &Asked) -> Vec<Case<'_>> {
    let name = world.shape.name();
    let (peer, stranger) = (world.peer(), world.shape.stranger());
    let mut cases = vec![
        Case::new(AGAIN, name.clone(), move || world.admit(peer).verdict()),
        Case::new("connection, denied", name.clone(), move || {
            world.admit(stranger).verdict()
        }),
    ];
    for (group, path) in [
        ("request, literal", Path::Literal),
        (REQUEST, Path::Prefix),
        ("request, regex", Path::Regex),
        ("request, denied", Path::Miss),
    ] {
        let (admission, request) = (world.admit(peer), world.request(path));
        cases.push(Case::new(group, name.clone(), move || {
            admission.request(None, black_box(&request))
        }));
    }
    // In an order that no cache of the processor can guess. Of 100,000 peers the engine cannot remember all.
    let (count, mut from) = (world.shape.identities, 0);
    cases.push(Case::new("connection, every peer in turn", name, move || {
        from = (from + 7_919) % count;
        world.admit(from).verdict()
    }));
    cases
}
