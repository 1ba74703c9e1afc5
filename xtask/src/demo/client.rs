//! Sending the requests of the claims: real lookups and real HTTP over real connections, from the client's own address.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use envoy_e2e::world::client::{HttpClient, Request as HttpRequest, RequestError, Response};
use envoy_e2e::world::dns::{self, Lookup};
use envoy_e2e::world::net;

use super::claim::{Claim, Connection, Request, To};
use super::world::{World, listening};

/// Long enough for a busy machine; nothing here ends by running into it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// All clients, with the connections that they keep.
pub(super) struct Clients<'a> {
    world: &'a World,
    kept: BTreeMap<(&'static str, To, u16), Line>,
}

/// A connection, and the requests it has carried.
struct Line {
    http: HttpClient,
    trace: Trace,
}

/// Where Envoy wrote about a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    /// The client's end of the connection.
    pub(super) source: SocketAddr,
    /// How many lines the access log had before the connection: another one may have had the same port.
    pub(super) since: usize,
    /// How many requests were sent on it.
    pub(super) requests: usize,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) seen: Seen,
    /// The connection that decided: that of the lookup if it failed, else that of the request.
    pub(super) trace: Trace,
}

/// What the client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A response; which application sent it, if one says so.
    Response { status: u16, app: Option<String> },
    /// A response that is the proxy's denial, word for word.
    Denied,
    /// The end of the connection, before any byte.
    Closed,
    /// The end of the connection to the DNS server, before any byte.
    NoName,
    /// Anything else, in words.
    Other(String),
}

impl<'a> Clients<'a> {
    /// Clients in that world, without connections.
    pub(super) fn new(world: &'a World) -> Self {
        let kept = BTreeMap::new();
        Self { world, kept }
    }

    /// Whether the claim is about a connection from an earlier stage, and there is none.
    pub(super) fn lacks_connection(&self, claim: &Claim) -> bool {
        claim.request.connection == Connection::Kept && !claim.expect.allowed() && !self.kept.contains_key(&key(claim))
    }

    /// Sends the request of a claim; the access log has `since` lines.
    pub(super) fn send(&mut self, claim: &Claim, since: usize) -> Result<Outcome> {
        let keep = claim.request.connection == Connection::Kept;
        let kept = if keep { self.kept.remove(&key(claim)) } else { None };
        let mut line = match kept {
            Some(line) => line,
            None => match self.open(claim, since)? {
                Ok(line) => line,
                Err(outcome) => return Ok(outcome),
            },
        };
        line.trace.requests += 1;
        let seen = Seen::of(line.http.send(&http_request(&claim.request, self.world)?));
        let trace = line.trace;
        if keep {
            // Even a connection that has ended is kept: a claim about it must not get a new one.
            self.kept.insert(key(claim), line);
        }
        Ok(Outcome { seen, trace })
    }

    /// Looks the name up and connects; or what came of that instead.
    fn open(&self, claim: &Claim, since: usize) -> Result<Result<Line, Outcome>> {
        let source = self.world.source(claim.from)?;
        let address = match claim.request.to {
            To::Pod(name) => self.world.pod(name)?,
            To::Name(name) | To::Lie(name, _) => match self.look_up(source, name, since)? {
                Ok(address) => address,
                Err(outcome) => return Ok(Err(outcome)),
            },
        };
        let to = listening(address, claim.request.port);
        let connection = net::connect(source, to, TIMEOUT).with_context(|| format!("{} to {to}", claim.from))?;
        let trace = Trace::new(connection.local_addr()?, since);
        let http = HttpClient::over(connection);
        Ok(Ok(Line { http, trace }))
    }

    /// The address of a name, asked of the cluster's DNS service over TCP.
    fn look_up(&self, source: IpAddr, name: &str, since: usize) -> Result<Result<IpAddr, Outcome>> {
        let server = self.world.nameserver()?;
        let mut connection = net::connect(source, server, TIMEOUT).context("DNS server")?;
        let trace = Trace::new(connection.local_addr()?, since);
        let seen = match dns::ask(&mut connection, name) {
            Ok(Lookup::Addresses(addresses)) if !addresses.is_empty() => return Ok(Ok(addresses[0])),
            Ok(Lookup::Closed) => Seen::NoName,
            Ok(answer) => Seen::Other(format!("DNS: {answer:?}")),
            Err(error) => Seen::Other(format!("DNS: {error}")),
        };
        Ok(Err(Outcome { seen, trace }))
    }
}

impl Trace {
    fn new(source: SocketAddr, since: usize) -> Self {
        Self {
            source,
            since,
            requests: 0,
        }
    }
}

impl Seen {
    fn of(result: Result<Response, RequestError>) -> Self {
        match result {
            Ok(response) if response.status == 403 && response.body == b"Access denied\r\n" => Self::Denied,
            Ok(response) => Self::Response {
                status: response.status,
                app: app_name(&response),
            },
            Err(RequestError::Closed) => Self::Closed,
            Err(error) => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, .. } => f.pad(&status.to_string()),
            Self::Denied => f.pad("403"),
            Self::Closed => f.pad("closed"),
            Self::NoName => f.pad("no DNS"),
            Self::Other(what) => f.pad(what),
        }
    }
}

fn key(claim: &Claim) -> (&'static str, To, u16) {
    (claim.from, claim.request.to, claim.request.port)
}

fn http_request(request: &Request, world: &World) -> Result<HttpRequest> {
    let host = match request.to {
        To::Pod(name) => world.pod(name)?.to_string(),
        To::Name(name) | To::Lie(_, name) => name.to_owned(),
    };
    // As programs do: the port is in the header unless it is the usual one.
    let host = match request.port {
        80 => host,
        port => format!("{host}:{port}"),
    };
    Ok(HttpRequest::new(request.method, request.path, &host))
}

/// Applications say in their answer who they are.
fn app_name(response: &Response) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&response.body).ok()?;
    Some(body.get("app")?.as_str()?.to_owned())
}
