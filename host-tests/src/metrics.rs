//! Metrics: identifiers belong to one virtual machine, values to the process.

use std::collections::HashMap;

use crate::abi::Status;
use crate::process::Process;

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum MetricKind {
    /// A number that only grows.
    Counter = 0,
    /// A number that goes up and down.
    Gauge = 1,
    /// A distribution.
    Histogram = 2,
}

impl MetricKind {
    pub(crate) fn from_abi(number: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// The kind is in the low two bits of an identifier.
const KIND_MASK: u32 = 0b11;
const STEP: u32 = 0b100;

/// The identifiers that one virtual machine defined.
#[derive(Debug, Default)]
pub(crate) struct MetricIds {
    names: HashMap<u32, String>,
    defined: u32,
}

impl MetricIds {
    /// A new identifier, even for a metric that already has one.
    pub(crate) fn define(&mut self, kind: MetricKind, name: String) -> u32 {
        self.defined = self.defined.saturating_add(STEP);
        let id = self.defined | kind as u32;
        self.names.insert(id, name);
        id
    }

    pub(crate) fn increment(&self, process: &Process, id: u32, offset: i64) -> Result<(), Status> {
        match self.kind(id)? {
            MetricKind::Counter => {
                let offset = u64::try_from(offset).map_err(|_| Status::BadArgument)?;
                if offset == 0 {
                    return Err(Status::BadArgument);
                }
                process.update_metric(self.name(id)?, |value| value.wrapping_add(offset));
            }
            MetricKind::Gauge => {
                process.update_metric(self.name(id)?, |value| value.wrapping_add_signed(offset));
            }
            MetricKind::Histogram => return Err(Status::BadArgument),
        }
        Ok(())
    }

    pub(crate) fn record(&self, process: &Process, id: u32, value: u64) -> Result<(), Status> {
        let kind = self.kind(id).map_err(|_| Status::NotFound)?;
        let name = self.name(id)?;
        match kind {
            MetricKind::Counter => process.update_metric(name, |sum| sum.wrapping_add(value)),
            MetricKind::Gauge => process.update_metric(name, |_| value),
            MetricKind::Histogram => process.record_sample(name, value),
        }
        Ok(())
    }

    pub(crate) fn get(&self, process: &Process, id: u32) -> Result<u64, Status> {
        match self.kind(id)? {
            MetricKind::Counter | MetricKind::Gauge => Ok(process.metric(self.name(id)?).unwrap_or(0)),
            MetricKind::Histogram => Err(Status::BadArgument),
        }
    }

    fn kind(&self, id: u32) -> Result<MetricKind, Status> {
        MetricKind::from_abi(id & KIND_MASK).ok_or(Status::BadArgument)
    }

    fn name(&self, id: u32) -> Result<&str, Status> {
        self.names.get(&id).map(String::as_str).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_answers_as_in_envoy() {
        let process = Process::default();
        let mut ids = MetricIds::default();
        let counter = ids.define(MetricKind::Counter, "c".into());
        let again = ids.define(MetricKind::Counter, "c".into());
        let gauge = ids.define(MetricKind::Gauge, "g".into());
        let histogram = ids.define(MetricKind::Histogram, "h".into());
        assert_ne!(counter, again, "each definition has its own identifier");

        let rows = [
            ("a counter grows", ids.increment(&process, counter, 2), Ok(())),
            ("through any identifier", ids.increment(&process, again, 1), Ok(())),
            (
                "not by nothing",
                ids.increment(&process, counter, 0),
                Err(Status::BadArgument),
            ),
            (
                "and never shrinks",
                ids.increment(&process, counter, -1),
                Err(Status::BadArgument),
            ),
            ("recording adds", ids.record(&process, counter, 4), Ok(())),
            ("a gauge is set", ids.record(&process, gauge, 5), Ok(())),
            ("and goes down", ids.increment(&process, gauge, -2), Ok(())),
            ("a histogram records", ids.record(&process, histogram, 9), Ok(())),
            ("only", ids.increment(&process, histogram, 1), Err(Status::BadArgument)),
            ("unknown", ids.increment(&process, 400, 1), Err(Status::NotFound)),
            ("of no kind", ids.record(&process, 403, 1), Err(Status::NotFound)),
        ];
        for (why, got, expected) in rows {
            assert_eq!(got, expected, "{why}");
        }
        assert_eq!(ids.get(&process, again), Ok(7));
        assert_eq!(ids.get(&process, gauge), Ok(3));
        assert_eq!(ids.get(&process, histogram), Err(Status::BadArgument));
        assert_eq!(process.samples("h"), [9]);
    }
}
