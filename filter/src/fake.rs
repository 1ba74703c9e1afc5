//! A host for tests: it serves what it was given and remembers what it was told, whatever the order of the calls.

mod plugin;
mod policies;
mod properties;

use core::cell::{Cell, RefCell};
use std::{collections::BTreeMap, rc::Rc};

use crate::{
    headers::{self, Headers},
    host::{Edit, Host, HostError, Level, LocalReply, MetricKind, Stream},
};
pub(crate) use plugin::{OTHER_ROOT, Plugin, ROOT, Stream as OpenStream};
pub(crate) use policies::{
    all_audited, anybody, audited, configuration, ingress, packed, with_policies, without_policies,
};
use properties::{map_of, state_path};

/// Status of a host that does not do what it is asked.
const INTERNAL_FAILURE: HostError = HostError(10);

/// An answer that a client got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) details: String,
    pub(crate) body: Vec<u8>,
    pub(crate) header: Option<(String, String)>,
    pub(crate) grpc_status: i32,
}

/// What can go wrong with a host call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mood {
    /// Nothing.
    #[default]
    Helpful,
    /// Properties are not found, everything else fails.
    Absent,
    /// Every call fails.
    Failing,
    /// Reading a property panics.
    Panicking,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) mood: Cell<Mood>,
    pub(crate) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(crate) headers: RefCell<Vec<u8>>,
    pub(crate) header_reads: Cell<u32>,
    /// Whether the host refuses to change headers.
    pub(crate) headers_are_fixed: Cell<bool>,
    /// How often the server name was read.
    pub(crate) server_name_reads: Cell<u32>,
    pub(crate) configuration: RefCell<Vec<u8>>,
    pub(crate) reply: RefCell<Option<Reply>>,
    pub(crate) closed: RefCell<Vec<Stream>>,
    pub(crate) logs: RefCell<Vec<(Level, String)>>,
    /// The time in nanoseconds; 0 if the host does not tell it.
    pub(crate) time: Cell<u64>,
    /// How often the host calls back; 0 is never.
    pub(crate) tick: Cell<u32>,
    /// Whether the host cannot call back.
    pub(crate) never_ticks: Cell<bool>,
    /// On whose behalf the plugin acted, one after the other.
    pub(crate) acted_for: RefCell<Vec<u32>>,
    /// Contexts that the host does not know.
    pub(crate) gone: RefCell<Vec<u32>>,
    metrics: RefCell<Vec<(String, u64)>>,
}

/// A VM with its host.
#[derive(Clone)]
pub(crate) struct FakeHost(pub(crate) Rc<World>);

impl World {
    fn call(&self) -> Result<(), HostError> {
        if self.mood.get() == Mood::Helpful {
            Ok(())
        } else {
            Err(INTERNAL_FAILURE)
        }
    }

    /// Makes a property, with dots between the parts of its path.
    pub(crate) fn set(&self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .borrow_mut()
            .insert(path.replace('.', "\0"), value.as_ref().to_vec());
    }

    /// Makes a property whose path has its zero bytes, and dots in its parts.
    pub(crate) fn set_path(&self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .borrow_mut()
            .insert(path.to_owned(), value.as_ref().to_vec());
    }

    /// The peer presents this certificate, and a native filter testifies that it was verified, or denies it.
    pub(crate) fn certificate(&self, pem: &str, verified: bool) {
        self.set("connection.mtls", [1]);
        self.set("connection.peer_certificate", pem);
        let testimony = if verified { "allowed" } else { "denied" };
        self.set_path(
            "metadata\0filter_metadata\0envoy.filters.network.rbac\0portcullis_shadow_engine_result",
            testimony,
        );
    }

    pub(crate) fn unset(&self, path: &str) {
        self.properties.borrow_mut().remove(&path.replace('.', "\0"));
    }

    /// A key in the metadata of the listener.
    pub(crate) fn listener(&self, key: &str, value: &str) {
        self.set(
            &format!("xds.listener_metadata.filter_metadata.portcullis.{key}"),
            value,
        );
    }

    /// Makes filter state, or makes it disappear.
    pub(crate) fn set_state(&self, name: &str, value: Option<&[u8]>) {
        let mut properties = self.properties.borrow_mut();
        match value {
            Some(value) => properties.insert(state_path(name), value.to_vec()),
            None => properties.remove(&state_path(name)),
        };
    }

    /// Filter state as text; what is not there is empty.
    pub(crate) fn state(&self, name: &str) -> String {
        let value = self
            .properties
            .borrow()
            .get(&state_path(name))
            .cloned()
            .unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    }

    /// The headers as they stand now.
    pub(crate) fn header_pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let headers = Headers::new(self.headers.borrow().clone()).expect("a header map");
        headers
            .pairs()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect()
    }

    /// All values of a header, as text.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let pairs = self.header_pairs();
        let same = pairs
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.metrics
            .borrow()
            .iter()
            .find(|(other, _)| other == name)
            .map_or(0, |(_, value)| *value)
    }

    /// How many verdicts of a kind there were, whatever decided.
    pub(crate) fn verdicts(&self, direction: &str, layer: &str, verdict: &str) -> u64 {
        let kind = format!("portcullis_requests_total.dir.{direction}.layer.{layer}.verdict.{verdict}.policy.");
        let metrics = self.metrics.borrow();
        let of_kind = metrics.iter().filter(|(name, _)| name.starts_with(&kind));
        of_kind.map(|(_, value)| value).sum()
    }
}

impl Host for FakeHost {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        match self.0.mood.get() {
            Mood::Helpful => {
                let reads = u32::from(path == "connection\0requested_server_name");
                self.0.server_name_reads.set(self.0.server_name_reads.get() + reads);
                let properties = self.0.properties.borrow();
                let value = properties.get(path).or_else(|| properties.get(&state_path(path)));
                Ok(value.cloned().or_else(|| map_of(&properties, path)))
            }
            Mood::Absent => Ok(None),
            Mood::Failing => Err(INTERNAL_FAILURE),
            Mood::Panicking => panic!("on purpose"),
        }
    }

    fn set_state(&self, name: &str, value: &[u8]) -> Result<(), HostError> {
        self.0.call()?;
        self.0.properties.borrow_mut().insert(state_path(name), value.to_vec());
        Ok(())
    }

    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        self.0.call()?;
        self.0.header_reads.set(self.0.header_reads.get() + 1);
        Ok(self.0.headers.borrow().clone())
    }

    fn edit_header(&self, name: &[u8], edit: Edit<'_>) -> Result<(), HostError> {
        self.0.call()?;
        if self.0.headers_are_fixed.get() {
            return Err(INTERNAL_FAILURE);
        }
        let mut pairs = self.0.header_pairs();
        if edit == Edit::Remove || matches!(edit, Edit::Set(_)) {
            pairs.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        }
        if let Edit::Append(value) | Edit::Set(value) = edit {
            pairs.push((name.to_vec(), value.to_vec()));
        }
        let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        *self.0.headers.borrow_mut() = headers::encode(&borrowed);
        Ok(())
    }

    fn configuration(&self, size: usize) -> Result<Vec<u8>, HostError> {
        self.0.call()?;
        let mut bytes = self.0.configuration.borrow().clone();
        bytes.truncate(size);
        Ok(bytes)
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), HostError> {
        self.0.call()?;
        let LocalReply {
            status,
            details,
            body,
            header,
            grpc_status,
        } = *reply;
        let reply = Reply {
            status,
            details: details.to_owned(),
            body: body.to_vec(),
            header: header.map(|(name, value)| (name.to_owned(), value.to_owned())),
            grpc_status,
        };
        assert_eq!(self.0.reply.replace(Some(reply)), None, "a request is answered once");
        Ok(())
    }

    fn close(&self, stream: Stream) -> Result<(), HostError> {
        self.0.closed.borrow_mut().push(stream);
        self.0.call()
    }

    fn define_metric(&self, _kind: MetricKind, name: &str) -> Result<u32, HostError> {
        self.0.metrics.borrow_mut().push((name.to_owned(), 0));
        Ok(u32::try_from(self.0.metrics.borrow().len() - 1).expect("few"))
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), HostError> {
        self.0.metrics.borrow_mut()[id as usize].1 += by.unsigned_abs();
        Ok(())
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), HostError> {
        self.0.metrics.borrow_mut()[id as usize].1 = value;
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        Some(self.0.time.get()).filter(|time| *time != 0)
    }

    fn tick_every(&self, milliseconds: u32) -> Result<(), HostError> {
        if self.0.never_ticks.get() {
            return Err(INTERNAL_FAILURE);
        }
        self.0.tick.set(milliseconds);
        Ok(())
    }

    fn act_for(&self, context: u32) -> Result<(), HostError> {
        if self.0.gone.borrow().contains(&context) {
            return Err(INTERNAL_FAILURE);
        }
        self.0.acted_for.borrow_mut().push(context);
        Ok(())
    }

    fn log(&self, level: Level, message: &str) {
        self.0.logs.borrow_mut().push((level, message.to_owned()));
    }
}
