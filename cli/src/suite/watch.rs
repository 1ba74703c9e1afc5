//! Waiting until a suite, or a file that one names, changes.
//!
//! Files are looked at again and again: that is the same on every system and every file system, also on mounted ones
//! that tell nobody of changes, and a handful of files is read in no time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

/// How often files are looked at, and how long it must be quiet before a change counts as finished: editors write a
/// file in several steps.
const INTERVAL: Duration = Duration::from_millis(150);

/// What tells a file from the same file after a change.
type Stamp = (Option<SystemTime>, u64);

/// Watches files and folders.
#[derive(Default)]
pub(super) struct Watch {
    seen: BTreeMap<PathBuf, Stamp>,
}

impl Watch {
    /// Watches these from now on too, also those that are not there yet. Of a folder, the manifests in it.
    pub(super) fn add(&mut self, paths: &[PathBuf]) {
        for (path, stamp) in look_at(paths) {
            self.seen.entry(path).or_insert(stamp);
        }
    }

    /// Waits until one of these changes, and for the changes that come with it. Tells which one was the first.
    pub(super) fn changed(&mut self, paths: &[PathBuf]) -> PathBuf {
        loop {
            thread::sleep(INTERVAL);
            let now = look_at(paths);
            let Some(first) = difference(&self.seen, &now) else {
                continue;
            };
            self.seen = settled(paths, now);
            return first;
        }
    }
}

/// Looks until nothing changes any more.
fn settled(paths: &[PathBuf], mut now: BTreeMap<PathBuf, Stamp>) -> BTreeMap<PathBuf, Stamp> {
    loop {
        thread::sleep(INTERVAL);
        let next = look_at(paths);
        if next == now {
            return now;
        }
        now = next;
    }
}

/// The first path that is new, gone or another one than before.
fn difference(before: &BTreeMap<PathBuf, Stamp>, now: &BTreeMap<PathBuf, Stamp>) -> Option<PathBuf> {
    let changed = now.iter().find(|(path, stamp)| before.get(*path) != Some(stamp));
    let gone = before.keys().find(|path| !now.contains_key(*path));
    changed.map(|(path, _)| path).or(gone).cloned()
}

/// All files that are there, with their stamps.
fn look_at(paths: &[PathBuf]) -> BTreeMap<PathBuf, Stamp> {
    let mut found = BTreeMap::new();
    for path in paths {
        match fs::read_dir(path) {
            Ok(folder) => {
                let manifests = folder
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| is_manifest(path));
                found.extend(manifests.filter_map(stamped));
            }
            Err(_) => found.extend(stamped(path.clone())),
        }
    }
    found
}

fn stamped(path: PathBuf) -> Option<(PathBuf, Stamp)> {
    let metadata = fs::metadata(&path).ok()?;
    Some((path, (metadata.modified().ok(), metadata.len())))
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["yaml", "yml", "json"].contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_those_of_what_is_watched() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let manifests = file("manifests");
        fs::create_dir(&manifests).expect("a folder");
        fs::write(file("suite.yaml"), "1").expect("written");
        let watched = [file("suite.yaml"), manifests.clone(), file("later.yaml")];
        let mut watch = Watch::default();
        watch.add(&watched);
        for (changed, why) in [
            (file("suite.yaml"), "a file"),
            (manifests.join("a.yaml"), "a new manifest in a folder"),
            (file("later.yaml"), "a file that was not there before"),
        ] {
            fs::write(file("other.yaml"), "beside").expect("written");
            fs::write(manifests.join("notes.txt"), "no manifest").expect("written");
            fs::write(&changed, "2").expect("written");
            let seen = watch.changed(&watched);
            assert_eq!(seen.file_name(), changed.file_name(), "{why}");
        }
    }
}
