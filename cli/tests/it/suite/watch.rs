//! `test --watch`: it runs again when something changes.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::run::{command, testdata};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is ended when it is no longer needed. What it says on one stream has no order with what it says on
/// the other.
struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    fn start(suite: &Path) -> Self {
        let mut command = command(&["test", suite.to_str().expect("text"), "--watch"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }
}

/// The lines of a stream, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        for line in lines {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait_for(stream: &Receiver<String>, part: &str, why: &str) {
    loop {
        let line = stream.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("{why}: no line with `{part}`"));
        if line.contains(part) {
            return;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_change_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.yaml");
    let suite = folder.path().join("suite.yaml");
    let write = |expect: &str| {
        let text = format!(
            "files: [{}, policy.yaml]\ncases:\n- {{from: shop/db, to: shop/web, port: 8080, expect: {expect}}}\n",
            testdata().join("world.yaml").display()
        );
        fs::write(&suite, text).expect("written");
    };
    fs::copy(testdata().join("policy.yaml"), &policy).expect("a copy");
    write("allow");
    let running = Running::start(&suite);
    let Running { stdout, stderr, .. } = &running;
    wait_for(stdout, "passed: 1 case", "the first run");
    wait_for(stderr, "waiting for a change", "and then");

    fs::write(&policy, "").expect("written");
    wait_for(stderr, "policy.yaml has changed", "a policy");
    wait_for(
        stdout,
        "passed: 1 case in 1 suite; 0 of 0 rules",
        "nobody is isolated now",
    );
    write("deny");
    wait_for(stderr, "suite.yaml has changed", "the suite");
    wait_for(stdout, "failed: 1 of 1 case", "the case is another one");
    write("perhaps");
    wait_for(stderr, "error: nothing was run", "a mistake does not end it");
    write("allow");
    wait_for(stdout, "passed: 1 case", "and can be mended");
}
