//! Whose namespace it is: the process that made it, so that what a killed process left behind can be removed.

use std::fmt;
use std::fs;
use std::io;

/// How the names of all our namespaces start.
const PREFIX: &str = "portcullis";

/// A process, told apart from later ones with the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pid: u32,
    /// In clock ticks since the system started.
    started: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, started })
    }

    /// The owner that the name of a namespace tells; nothing if the namespace is not one of ours.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (prefix, pid, started) = (parts.next()?, parts.next()?, parts.next()?);
        // The rest is for people, but there is one.
        parts.next()?;
        (prefix == PREFIX).then_some(())?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    /// A name for a namespace of this owner, from which [`of`](Self::of) tells the owner.
    pub(super) fn name(self, rest: impl fmt::Display) -> String {
        format!("{PREFIX}-{}-{}-{rest}", self.pid, self.started)
    }

    /// Whether the process is known to have ended. In doubt it has not.
    pub(super) fn is_gone(self) -> bool {
        started(self.pid).is_ok_and(|started| started != Some(self.started))
    }
}

/// When the process with this number started; nothing if there is none.
fn started(pid: u32) -> io::Result<Option<u64>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(Some(start_time(&stat).ok_or(io::ErrorKind::InvalidData)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The 22nd field of `/proc/PID/stat`. The second one is a name in parentheses that may hold anything.
fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let this = Owner::this().unwrap();
        assert_eq!(Owner::of(&this.name("0-node")), Some(this));
        for (name, why) in [
            ("portcullis-1-2", "nothing of ours is called that"),
            ("portcullis-1-x-0", "no time"),
            ("portcullis", "no owner"),
            ("cni-1-2-0", "somebody else's"),
        ] {
            assert_eq!(Owner::of(name), None, "{name}: {why}");
        }
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let this = Owner::this().unwrap();
        assert!(!this.is_gone());
        let before = Owner {
            started: this.started.wrapping_sub(1),
            ..this
        };
        assert!(before.is_gone());
        // Above what the kernel ever gives out.
        assert!(Owner { pid: u32::MAX, ..this }.is_gone());
    }

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["sh", "a b", "x) S 1 (y"] {
            assert_eq!(start_time(&format!("7 ({name}) {fields}")), Some(4711), "{name}");
        }
        assert_eq!(start_time("7 (sh) S 1"), None);
    }
}
