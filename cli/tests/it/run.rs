//! Running the program.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// What came out.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

/// The program in the folder of test data, so that messages name files without the way to them.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(args).current_dir(testdata()).env("NO_COLOR", "1");
    command
}

/// Runs it to its end with nothing on standard input.
pub(crate) fn portcullis(args: &[&str]) -> Output {
    portcullis_with(args, "")
}

/// Runs it to its end with this on standard input.
pub(crate) fn portcullis_with(args: &[&str], input: &str) -> Output {
    let mut command = command(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let mut stdin = child.stdin.take().expect("a pipe");
    // On the side: a program that answers while it reads waits for somebody to read the answers.
    let output = thread::scope(|scope| {
        // A program that reads nothing closes its input early.
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output().expect("finish")
    });
    Output {
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        status: output.status.code().expect("no signal"),
    }
}

pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// A corpus beside the project. `None` if it is not there, and then it says so: a test that did not run must not look
/// like one that did.
pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/corpus")
        .join(name);
    if !path.is_file() {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: the corpus {} is not there",
            path.display()
        );
        return None;
    }
    Some(path)
}
