//! A log of any length is read in the same memory.

use std::{
    fs,
    io::Write as _,
    process::{Child, ChildStdin, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::run::command;

/// Enough to fill whatever is bounded: remembered answers, groups, peers.
const FIRST: usize = 60_000;
const REST: usize = 200_000;
/// What allocators keep and what buffers vary by; a line and its record alone would take more than that for each
/// twentieth of the rest.
const ALLOWED_KIB: u64 = 6 * 1024;

#[test]
fn memory_does_not_grow_with_the_log() {
    if !cfg!(target_os = "linux") {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: only Linux tells how much memory a process takes"
        );
        return;
    }
    let args = ["replay", "-f", "world.yaml", "-f", "policy.yaml", "--jobs", "1", "-"];
    let mut child = command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start");
    let mut input = child.stdin.take().expect("a pipe");
    write(&mut input, 0..FIRST);
    let before = settled(&child);
    write(&mut input, FIRST..FIRST + REST);
    let after = settled(&child);
    drop(input);
    assert_eq!(child.wait().expect("finish").code(), Some(1), "flows change");
    // Not `eprintln!`, which is swallowed when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "replay: {before} KiB after {FIRST} lines, {after} KiB after {}",
        FIRST + REST
    );
    assert!(after <= before + ALLOWED_KIB, "{before} KiB became {after} KiB");
}

/// Lines of which no two are the same: new peers, ports, paths and labels all the time.
fn write(input: &mut ChildStdin, numbers: std::ops::Range<usize>) {
    let mut text = String::new();
    for n in numbers {
        let (high, low, port) = (n / 250 % 250, n % 250, 1024 + n % 60_000);
        text += &match n % 4 {
            0 => format!(r#"{{"source":"10.9.{high}.{low}:1","destination":"10.0.0.1:{port}","verdict":"allow"}}"#),
            1 => format!(
                r#"{{"source":"10.0.1.1:1","destination":"10.0.0.1:8080","verdict":"allow","method":"GET","path":"/x{n}"}}"#
            ),
            2 => format!(
                r#"{{"flow":{{"verdict":"FORWARDED","traffic_direction":"INGRESS","source":{{"labels":["k8s:n={}"]}},"destination":{{"namespace":"shop","pod_name":"web"}},"l4":{{"TCP":{{"destination_port":{port}}}}}}}}}"#,
                n % 400
            ),
            _ => format!("not a line {n}"),
        };
        text.push('\n');
        if text.len() > 1 << 16 {
            input.write_all(text.as_bytes()).expect("written");
            text.clear();
        }
    }
    input.write_all(text.as_bytes()).expect("written");
}

/// The most memory that the process ever had, in KiB, once it waits for more lines.
fn settled(child: &Child) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut last = cpu_time(child);
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = cpu_time(child);
        if now == last {
            return peak(child);
        }
        assert!(Instant::now() < deadline, "it does not come to rest");
        last = now;
    }
}

fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("readable");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a line");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// User and system time so far, as the kernel writes them.
fn cpu_time(child: &Child) -> (String, String) {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("readable");
    let mut fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11);
    let mut next = || fields.next().expect("a field").to_owned();
    (next(), next())
}
