//! Tables of odd HTTP/1 requests: what the client got, and what the application saw of each.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use envoy_e2e::world::net;

use super::World;

/// An odd request, and what becomes of it.
pub(crate) struct Row {
    why: &'static str,
    bytes: Vec<u8>,
    statuses: Vec<u16>,
    seen: Vec<&'static str>,
}

impl Row {
    /// The client gets these statuses, and the application sees these requests: `METHOD target`.
    pub(crate) fn new(why: &'static str, bytes: Vec<u8>, statuses: &[u16], seen: &[&'static str]) -> Self {
        let (statuses, seen) = (statuses.to_vec(), seen.to_vec());
        Self {
            why,
            bytes,
            statuses,
            seen,
        }
    }

    /// The policy denies it.
    pub(crate) fn denied(why: &'static str, bytes: Vec<u8>) -> Self {
        Self::new(why, bytes, &[403], &[])
    }

    /// Envoy refuses it with this status.
    pub(crate) fn refused(status: u16, why: &'static str, bytes: Vec<u8>) -> Self {
        Self::new(why, bytes, &[status], &[])
    }
}

/// How long nothing comes, when nothing more is to come.
const SILENCE: Duration = Duration::from_millis(50);

/// Sends the bytes of each row on a connection of its own. All rows that come out otherwise are told together.
pub(crate) fn check(world: &World, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    let mut seen = world.app.requests().len();
    for Row {
        why,
        bytes,
        statuses,
        seen: expected,
    } in rows
    {
        let answered = exchange(world, &bytes, statuses.len());
        let requests = world.app.requests();
        let reached: Vec<_> = requests[seen..]
            .iter()
            .map(|request| format!("{} {}", request.method, request.target))
            .collect();
        seen = requests.len();
        if answered != statuses || reached != expected {
            let sent = String::from_utf8_lossy(&bytes);
            let sent: String = sent.chars().take(300).collect();
            wrong.push(format!(
                "{why}: {answered:?}, the application saw {reached:?}\n{sent:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Had something come later than its answer, it would have come before this.
    assert!(world.http_passes("/public"));
    assert_eq!(world.app.requests().len(), seen + 1);
}

/// The statuses that come back until Envoy closes; or until there are `expected` ones and then silence.
fn exchange(world: &World, bytes: &[u8], expected: usize) -> Vec<u16> {
    let mut connection = net::connect(world.client(), world.listener("app"), super::TIMEOUT).unwrap();
    // Envoy may close before it has read everything, and what it answered is still there.
    drop(connection.write_all(bytes));
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let statuses = statuses_of(&answer);
        if statuses.len() >= expected {
            // Envoy leaves a connection that it closes to the client for a second.
            connection.set_read_timeout(Some(SILENCE)).unwrap();
        }
        let Ok(read @ 1..) = connection.read(&mut chunk) else {
            return statuses;
        };
        answer.extend_from_slice(&chunk[..read]);
    }
}

/// The statuses of responses without their bodies, interim ones among them.
fn statuses_of(answer: &[u8]) -> Vec<u16> {
    let answer = String::from_utf8_lossy(answer);
    let heads = answer.match_indices("HTTP/1.");
    heads
        .filter_map(|(at, _)| answer[at..].split(' ').nth(1)?.parse().ok())
        .collect()
}
