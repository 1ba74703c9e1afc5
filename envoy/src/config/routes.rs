//! Routes: on listeners where the destination is a name, the name that is judged is the name that is contacted.

use serde::Serialize;

use super::Route;
use super::cluster::{self, ANY_NAME};

/// A host name whose last label starts with a letter: no spelling of an IPv4 address does (`1.2.3.4`, `0x7f.1`,
/// `2130706433`), and an IPv6 address needs brackets.
const HOST_NAME: &str = r"([A-Za-z0-9_-]+\.)*[A-Za-z][A-Za-z0-9_-]*\.?";

/// All the routes of a listener.
#[derive(Serialize)]
pub(super) struct RouteConfiguration {
    virtual_hosts: Vec<VirtualHost>,
}

#[derive(Serialize)]
struct VirtualHost {
    name: String,
    domains: Vec<String>,
    routes: [RouteEntry; 1],
}

#[derive(Serialize)]
struct RouteEntry {
    r#match: RouteMatch,
    route: RouteAction,
}

#[derive(Serialize)]
struct RouteMatch {
    prefix: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<HeaderMatch>,
}

#[derive(Serialize)]
struct HeaderMatch {
    name: &'static str,
    string_match: SafeRegex,
}

#[derive(Serialize)]
struct SafeRegex {
    safe_regex: Regex,
}

#[derive(Serialize)]
struct Regex {
    regex: String,
}

#[derive(Serialize)]
struct RouteAction {
    cluster: String,
    /// How long an answer takes is the application's affair; idle streams end by the stream timeout.
    timeout: &'static str,
}

/// The routes that `route` stands for. What matches none of them gets 404 from Envoy.
pub(super) fn of(route: &Route) -> RouteConfiguration {
    let virtual_hosts = match route {
        Route::Cluster(cluster) | Route::Upstream(cluster) => {
            vec![virtual_host("all", vec!["*".into()], vec![], cluster.clone())]
        }
        Route::Names { names, port } => names.iter().map(|name| one_name(name, *port)).collect(),
        Route::AnyName { port } => vec![any_name(*port)],
    };
    RouteConfiguration { virtual_hosts }
}

fn one_name(name: &str, port: u16) -> VirtualHost {
    let domains = vec![name.to_owned(), format!("{name}:{port}")];
    virtual_host(name, domains, vec![], cluster::dns_cluster(name, port))
}

/// The port belongs to what is contacted, so it must not be the client's choice: the policy knows one port.
fn any_name(port: u16) -> VirtualHost {
    // The dynamic forward proxy takes a missing port for 80.
    let optional = if port == 80 { "?" } else { "" };
    let regex = format!("{HOST_NAME}(:{port}){optional}");
    let authority = HeaderMatch {
        name: ":authority",
        string_match: SafeRegex {
            safe_regex: Regex { regex },
        },
    };
    virtual_host("any-name", vec!["*".into()], vec![authority], ANY_NAME.to_owned())
}

fn virtual_host(name: &str, domains: Vec<String>, headers: Vec<HeaderMatch>, cluster: String) -> VirtualHost {
    let entry = RouteEntry {
        r#match: RouteMatch { prefix: "/", headers },
        route: RouteAction { cluster, timeout: "0s" },
    };
    VirtualHost {
        name: name.to_owned(),
        domains,
        routes: [entry],
    }
}
