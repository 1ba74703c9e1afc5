//! One network of its own.

use std::fs::{self, File};
use std::ops::Deref;
use std::os::fd::AsFd as _;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use anyhow::{Context as _, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::owner::Owner;
use super::tool;

/// Where `ip netns` keeps the namespaces that have a name.
const NAMED: &str = "/run/netns";
/// Where `ip netns exec` finds what it puts over the files of `/etc`.
const ETC: &str = "/etc/netns";

/// A network namespace with a name, which `ip netns` knows. Dropping it removes it, and ends what runs in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new namespace in which only the loopback interface is up. `label` is for people who look at what is there.
    ///
    /// The first call of a process also removes what dead processes left behind.
    ///
    /// # Errors
    ///
    /// `ip` fails, most likely because this is not root.
    pub fn new(label: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static CLEANED: Once = Once::new();
        CLEANED.call_once(remove_abandoned);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = Owner::this()?.name(format_args!("{count}-{label}"));
        tool::run(Command::new("ip").args(["netns", "add", &name]), "")?;
        let namespace = Self { name };
        namespace.ip("link set lo up\n")?;
        Ok(namespace)
    }

    /// Its name, as in `ip netns exec NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs commands of `ip`, one a line, in the namespace.
    ///
    /// # Errors
    ///
    /// One of them fails; those after it do not run.
    pub fn ip(&self, commands: &str) -> Result<()> {
        let mut ip = Command::new("ip");
        tool::run(ip.args(["-netns", &self.name, "-batch", "-"]), commands).map(drop)
    }

    /// A program that will run in the namespace, and with its `/etc/resolv.conf`, if it has one.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Does `work` in the namespace: sockets that it opens and processes that it starts belong there for good.
    ///
    /// # Errors
    ///
    /// That of `work`, or the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = Path::new(NAMED).join(&self.name);
        // Namespaces belong to threads. This one ends before anybody else could find itself in the wrong network.
        let done = thread::scope(|scope| {
            let inside = || {
                let namespace = File::open(&path).with_context(|| path.display().to_string())?;
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .with_context(|| format!("{} cannot be entered", self.name))?;
                work()
            };
            scope.spawn(inside).join()
        });
        done.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// Makes a value in the namespace; in the end it is dropped there, too.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn hold<T: Send>(self: &Arc<Self>, make: impl FnOnce() -> Result<T> + Send) -> Result<Inside<T>> {
        Ok(Inside {
            namespace: Arc::clone(self),
            value: Some(self.run(make)?),
        })
    }

    /// The text of `/etc/resolv.conf` for programs that [`command`](Self::command) runs.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn set_resolv_conf(&self, text: &str) -> Result<()> {
        let dir = etc(&self.name);
        fs::create_dir_all(&dir)
            .and_then(|()| fs::write(dir.join("resolv.conf"), text))
            .with_context(|| dir.display().to_string())
    }

    /// Sets `/proc/sys/net/…`, each network has its own.
    ///
    /// # Errors
    ///
    /// There is no such setting, or not this value.
    pub fn set(&self, setting: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net").join(setting);
        self.run(|| fs::write(&path, value).with_context(|| path.display().to_string()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// A value whose sockets belong to a namespace: what it does when it is dropped, it does there.
#[derive(Debug)]
pub struct Inside<T: Send> {
    namespace: Arc<Namespace>,
    /// There until it is dropped.
    value: Option<T>,
}

impl<T: Send> Inside<T> {
    /// Does something with the value that opens connections, in its network.
    ///
    /// # Errors
    ///
    /// As [`Namespace::run`].
    pub fn run<R: Send>(&self, work: impl FnOnce(&T) -> Result<R> + Send) -> Result<R>
    where
        T: Sync,
    {
        self.namespace.run(|| work(self))
    }
}

impl<T: Send> Deref for Inside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("it is taken by the drop alone"),
        }
    }
}

impl<T: Send> Drop for Inside<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        // If the namespace cannot be entered, the value went with the closure.
        drop(self.namespace.run(|| {
            drop(value);
            Ok(())
        }));
    }
}

/// Removes the namespaces of processes that ended without doing so, as after a kill.
pub fn remove_abandoned() {
    for dir in [NAMED, ETC] {
        // Without the folder there are none.
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if Owner::of(&name).is_some_and(Owner::is_gone) {
                remove(&name);
            }
        }
    }
}

/// Ends what runs in the namespace and removes it. There is nobody to tell about errors, and another process may be
/// removing the same one.
fn remove(name: &str) {
    let listed = Command::new("ip").args(["netns", "pids", name]).output();
    if let Ok(output) = listed {
        for pid in String::from_utf8_lossy(&output.stdout).split_ascii_whitespace() {
            kill(pid);
        }
    }
    drop(Command::new("ip").args(["netns", "delete", name]).output());
    drop(fs::remove_dir_all(etc(name)));
}

/// Ends a process, unless it is this one: a thread of ours may be on its way out of the namespace.
fn kill(pid: &str) {
    use rustix::process::{Pid, Signal, getpid, kill_process};
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|&pid| pid != getpid()) {
        // Gone already is as good.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn etc(name: &str) -> PathBuf {
    Path::new(ETC).join(name)
}
