//! The servers and clients of the demo's world, one per process: applications, a DNS server, and clients that choose
//! their source address, because on loopback addresses the source address is who one is.
//!
//! Servers print the address they listen on, and run until their standard input ends, so that none outlives the
//! process that started it. Clients exit with 0 if there was an answer, 1 if the connection was refused or closed, and
//! 2 if something else went wrong.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use envoy_e2e::world::client::{self, Request, RequestError};
use envoy_e2e::world::dns::{self, DnsServer, Lookup, Table};
use envoy_e2e::world::http::{Answer, HttpApp};
use envoy_e2e::world::tcp::{self, Probe};

/// Servers and clients on loopback addresses.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// An HTTP application: fixed answers, or an echo of the request as JSON
    App {
        /// Where to listen
        listen: SocketAddr,
        /// What it calls itself in echoes
        #[arg(long, default_value = "app")]
        name: String,
        /// A fixed answer: `METHOD PATH STATUS BODY`, such as `GET /v1 200 hello`
        #[arg(long = "answer", value_parser = parse_answer)]
        answers: Vec<Answer>,
    },
    /// A DNS server, UDP and TCP
    Dns {
        /// Where to listen
        listen: SocketAddr,
        /// An address of a name: `NAME=ADDRESS`; more than one for a name are all answered
        #[arg(long = "record", value_parser = parse_record)]
        records: Vec<(String, IpAddr)>,
    },
    /// A TCP server that sends back what it gets
    Echo {
        /// Where to listen
        listen: SocketAddr,
        /// What it says first
        #[arg(long, default_value = "")]
        greeting: String,
    },
    /// Sends an HTTP request and prints status and body
    Http {
        #[command(flatten)]
        client: Client,
        /// The address to connect to
        to: SocketAddr,
        /// Path and query
        target: String,
        /// The method
        #[arg(short = 'X', long, default_value = "GET")]
        method: String,
        /// The Host header; the address if it is not given
        #[arg(long)]
        host: Option<String>,
        /// A header: `NAME: VALUE`
        #[arg(short = 'H', long = "header", value_parser = parse_header)]
        headers: Vec<(String, String)>,
        /// The body
        #[arg(long, default_value = "")]
        body: String,
    },
    /// Asks a DNS server over TCP and prints the IPv4 addresses
    Lookup {
        #[command(flatten)]
        client: Client,
        /// The DNS server
        server: SocketAddr,
        /// The name
        name: String,
    },
    /// Opens a TCP connection and tells what came of it
    Probe {
        #[command(flatten)]
        client: Client,
        /// The address to connect to
        to: SocketAddr,
        /// What to send first
        #[arg(long, default_value = "")]
        send: String,
    },
}

#[derive(Args)]
struct Client {
    /// The source address
    #[arg(long, default_value = "127.0.0.1")]
    from: IpAddr,
    /// How long to wait, in milliseconds
    #[arg(long = "timeout-ms", default_value_t = 5000)]
    timeout: u64,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::App { listen, name, answers } => {
            let app = HttpApp::start(listen, &name, answers).with_context(|| listen.to_string())?;
            serve(app.address())
        }
        Command::Dns { listen, records } => {
            let mut table = Table::new();
            for (name, address) in records {
                table.entry(name).or_default().push(address);
            }
            let server = DnsServer::start(listen, table).with_context(|| listen.to_string())?;
            serve(server.address())
        }
        Command::Echo { listen, greeting } => {
            let server = tcp::echo(listen, greeting.as_bytes()).with_context(|| listen.to_string())?;
            serve(server.address())
        }
        Command::Http {
            client,
            to,
            target,
            method,
            host,
            headers,
            body,
        } => {
            let host = host.unwrap_or_else(|| to.to_string());
            let mut request = Request::new(&method, target, &host);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = if body.is_empty() { request } else { request.body(body) };
            send(&client, to, &request)
        }
        Command::Lookup { client, server, name } => {
            let found = dns::lookup(client.from, server, &name, client.timeout())?;
            if let Lookup::Addresses(addresses) = &found {
                addresses.iter().for_each(|address| println!("{address}"));
                return Ok(ExitCode::SUCCESS);
            }
            eprintln!("{found:?}");
            Ok(ExitCode::FAILURE)
        }
        Command::Probe { client, to, send } => {
            let probe = tcp::probe(client.from, to, send.as_bytes(), client.timeout())?;
            match probe {
                Probe::Data(data) => println!("{}", String::from_utf8_lossy(&data)),
                Probe::Silent => println!("open, and silent"),
                Probe::Refused | Probe::Closed => {
                    eprintln!("{probe:?}");
                    return Ok(ExitCode::FAILURE);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Client {
    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }
}

/// Tells where the server listens, and waits for the end of the input.
fn serve(address: SocketAddr) -> Result<ExitCode> {
    println!("{address}");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(ExitCode::SUCCESS)
}

fn send(client: &Client, to: SocketAddr, request: &Request) -> Result<ExitCode> {
    match client::request(client.from, to, request, client.timeout()) {
        Ok(response) => {
            println!("{}", response.status);
            io::stdout().write_all(&response.body)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ (RequestError::Refused | RequestError::Closed)) => {
            eprintln!("{error}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn parse_answer(text: &str) -> Result<Answer, String> {
    let mut parts = text.splitn(4, ' ');
    let mut next = || parts.next().map(str::to_owned).ok_or("wanted: METHOD PATH STATUS BODY");
    let (method, path, status, body) = (next()?, next()?, next()?, next()?);
    let status = status.parse().map_err(|error| format!("status `{status}`: {error}"))?;
    Ok(Answer {
        method,
        path,
        status,
        body,
    })
}

fn parse_record(text: &str) -> Result<(String, IpAddr), String> {
    let (name, address) = text.split_once('=').ok_or("wanted: NAME=ADDRESS")?;
    let address = address.parse().map_err(|error| format!("`{address}`: {error}"))?;
    Ok((name.trim_end_matches('.').to_ascii_lowercase(), address))
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("wanted: NAME: VALUE")?;
    Ok((name.to_owned(), value.trim().to_owned()))
}
