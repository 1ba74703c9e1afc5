//! What all virtual machines of one proxy process share: metric values, shared data and queues.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::Status;

/// One proxy process. Clones are the same process; give one to several [`Vm`](crate::Vm)s to model
/// worker threads. It outlives the virtual machines, so counters go on after a reload.
#[derive(Debug, Clone, Default)]
pub struct Process(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    metrics: BTreeMap<String, u64>,
    samples: BTreeMap<String, Vec<u64>>,
    data: BTreeMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    vm_id: Vec<u8>,
    name: Vec<u8>,
    items: VecDeque<Vec<u8>>,
}

impl Process {
    /// The value of a counter or gauge; `None` if no plugin changed it.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.tables().metrics.get(name).copied()
    }

    /// All counters and gauges.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.tables().metrics.clone()
    }

    /// What was recorded in a histogram.
    #[must_use]
    pub fn samples(&self, name: &str) -> Vec<u64> {
        self.tables().samples.get(name).cloned().unwrap_or_default()
    }

    /// A shared value and its version, as seen by the virtual machines with this `vm_id`.
    #[must_use]
    pub fn shared_data(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.tables().data.get(&(vm_id.to_owned(), key.to_vec())).cloned()
    }

    pub(crate) fn update_metric(&self, name: &str, change: impl FnOnce(u64) -> u64) {
        let mut tables = self.tables();
        match tables.metrics.get_mut(name) {
            Some(value) => *value = change(*value),
            None => {
                tables.metrics.insert(name.to_owned(), change(0));
            }
        }
    }

    /// Makes a metric known with value 0, as a definition does.
    pub(crate) fn declare_metric(&self, name: &str) {
        self.tables().metrics.entry(name.to_owned()).or_insert(0);
    }

    pub(crate) fn record_sample(&self, name: &str, value: u64) {
        self.tables().samples.entry(name.to_owned()).or_default().push(value);
    }

    /// Sets a shared value; with `cas` other than 0 only if that is still its version.
    pub(crate) fn set_shared_data(&self, vm_id: &str, key: Vec<u8>, value: Vec<u8>, cas: u32) -> Result<(), Status> {
        let mut tables = self.tables();
        let key = (vm_id.to_owned(), key);
        let present = tables.data.get(&key).map(|(_, version)| *version);
        if cas != 0 && present.is_some_and(|version| version != cas) {
            return Err(Status::CasMismatch);
        }
        tables.last_cas = tables.last_cas.wrapping_add(1).max(1);
        let version = tables.last_cas;
        tables.data.insert(key, (value, version));
        Ok(())
    }

    pub(crate) fn register_queue(&self, vm_id: &[u8], name: Vec<u8>) -> u32 {
        if let Some(token) = self.find_queue(vm_id, &name) {
            return token;
        }
        let mut tables = self.tables();
        tables.queues.push(Queue {
            vm_id: vm_id.to_vec(),
            name,
            items: VecDeque::new(),
        });
        u32::try_from(tables.queues.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn find_queue(&self, vm_id: &[u8], name: &[u8]) -> Option<u32> {
        let same = |queue: &Queue| queue.vm_id == vm_id && queue.name == name;
        let index = self.tables().queues.iter().position(same)?;
        u32::try_from(index + 1).ok()
    }

    pub(crate) fn queue_len(&self, token: u32) -> usize {
        queue(&mut self.tables(), token).map_or(0, |queue| queue.items.len())
    }

    pub(crate) fn enqueue(&self, token: u32, item: Vec<u8>) -> Result<(), Status> {
        queue(&mut self.tables(), token)?.items.push_back(item);
        Ok(())
    }

    pub(crate) fn dequeue(&self, token: u32) -> Result<Vec<u8>, Status> {
        queue(&mut self.tables(), token)?.items.pop_front().ok_or(Status::Empty)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A panicking test must not hide its own message behind a poisoned lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue of a token. Tokens count from 1.
fn queue(tables: &mut Tables, token: u32) -> Result<&mut Queue, Status> {
    let index = token.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| tables.queues.get_mut(index))
        .ok_or(Status::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_data_is_per_vm_id_and_versioned() {
        let process = Process::default();
        assert_eq!(process.set_shared_data("a", b"k".to_vec(), b"1".to_vec(), 0), Ok(()));
        let (_, version) = process.shared_data("a", b"k").expect("was set");
        assert_eq!(process.shared_data("b", b"k"), None);
        assert_eq!(
            process.set_shared_data("a", b"k".to_vec(), b"2".to_vec(), version),
            Ok(())
        );
        let stale = process.set_shared_data("a", b"k".to_vec(), b"3".to_vec(), version);
        assert_eq!(stale, Err(Status::CasMismatch));
        assert_eq!(process.shared_data("a", b"k").expect("was set").0, b"2");
    }

    #[test]
    fn a_queue_gives_each_item_once() {
        let process = Process::default();
        let token = process.register_queue(b"vm", b"q".to_vec());
        assert_eq!(process.register_queue(b"vm", b"q".to_vec()), token);
        assert_eq!(process.find_queue(b"other", b"q"), None);
        assert_eq!(process.enqueue(token, b"item".to_vec()), Ok(()));
        assert_eq!(process.dequeue(token), Ok(b"item".to_vec()));
        assert_eq!(process.dequeue(token), Err(Status::Empty));
        for unknown in [0, token + 1] {
            assert_eq!(process.dequeue(unknown), Err(Status::NotFound));
        }
    }
}
