//! `test --watch`: it runs again when something changes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::run::{command, testdata};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is ended when it is no longer needed.
struct Running {
    child: Child,
    lines: Receiver<String>,
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
        let (sender, lines) = channel();
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        let of_stderr = sender.clone();
        let pass = |reader: Box<dyn std::io::Read + Send>, sender: std::sync::mpsc::Sender<String>| {
            thread::spawn(move || {
                let lines = BufReader::new(reader).lines().map_while(Result::ok);
                for line in lines {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            })
        };
        pass(Box::new(stdout), sender);
        pass(Box::new(stderr), of_stderr);
        Self { child, lines }
    }

    fn wait_for(&self, part: &str, why: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{why}: no line with `{part}`"));
            if line.contains(part) {
                return;
            }
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
    running.wait_for("passed: 1 case", "the first run");
    running.wait_for("waiting for a change", "and then");
    for (change, part, why) in [
        (
            &(|| fs::write(&policy, "").expect("written")) as &dyn Fn(),
            "policy.yaml has changed",
            "a policy",
        ),
        (
            &|| {},
            "passed: 1 case in 1 suite; 0 of 0 rules",
            "nobody is isolated now",
        ),
        (&|| write("deny"), "suite.yaml has changed", "the suite"),
        (&|| {}, "failed: 1 of 1 case", "the case is another one"),
        (
            &|| write("perhaps"),
            "error: nothing was run",
            "a mistake does not end it",
        ),
        (&|| write("allow"), "passed: 1 case", "and can be mended"),
    ] {
        change();
        running.wait_for(part, why);
    }
}
