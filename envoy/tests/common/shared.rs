//! One world and one Envoy for all tests of a file: they take turns, and the last one ends it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use envoy_e2e::run::EnvoyProcess;

use super::World;

/// The world and the Envoy of a file, made by the first test that needs them.
pub(crate) struct Shared {
    start: fn() -> Option<(World, EnvoyProcess)>,
    running: Mutex<Weak<Running>>,
    turn: Mutex<()>,
}

/// What the tests of a file share.
pub(crate) struct Running {
    // Ends before the world does, whose folder it uses.
    pub(crate) envoy: EnvoyProcess,
    pub(crate) world: World,
}

/// A test's turn with the world: no other one sends anything meanwhile.
pub(crate) struct Turn {
    running: Arc<Running>,
    _turn: MutexGuard<'static, ()>,
}

impl Shared {
    pub(crate) const fn new(start: fn() -> Option<(World, EnvoyProcess)>) -> Self {
        Self {
            start,
            running: Mutex::new(Weak::new()),
            turn: Mutex::new(()),
        }
    }

    /// Waits for its turn; nothing if Envoy or the plugin is missing.
    pub(crate) fn turn(&'static self) -> Option<Turn> {
        // Whoever waits for its turn holds on to the world, so that it does not end in between.
        let running = self.running()?;
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Turn { running, _turn: turn })
    }

    fn running(&self) -> Option<Arc<Running>> {
        let mut known = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = known.upgrade() {
            return Some(running);
        }
        let (world, envoy) = (self.start)()?;
        let running = Arc::new(Running { envoy, world });
        *known = Arc::downgrade(&running);
        Some(running)
    }
}

impl Deref for Turn {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}
