//! Listeners, their filter chains, and what they tell the plugin.

use serde_json::Value;

use super::{
    super::{
        json::Json as _,
        plugin::{Plugin, Settings},
    },
    filter::{self, Filter, Resource, message, type_name},
    kind,
};

/// A listener.
pub(crate) struct Listener<'a> {
    /// Its name, or its address if it has none.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: String,
    pub(crate) config: &'a Value,
    pub(crate) chains: Vec<Chain<'a>>,
    /// Why Envoy refused its last update, if it did.
    pub(crate) refused: Option<&'a str>,
}

/// A filter chain of a listener.
pub(crate) struct Chain<'a> {
    /// For example `filter_chains[0]`.
    pub(crate) place: String,
    pub(crate) config: &'a Value,
    pub(crate) filters: Vec<Filter<'a>>,
    pub(crate) manager: Option<Manager<'a>>,
}

/// The HTTP connection manager of a filter chain.
pub(crate) struct Manager<'a> {
    /// For example `filter_chains[0].filters[2]`.
    pub(crate) place: String,
    pub(crate) config: &'a Value,
    pub(crate) filters: Vec<Filter<'a>>,
    /// Those between the router and the endpoint.
    pub(crate) upstream: Upstream<'a>,
}

/// The filters between a router and the endpoint.
pub(crate) struct Upstream<'a> {
    /// The path of their list.
    pub(crate) place: String,
    pub(crate) filters: Vec<Filter<'a>>,
}

impl<'a> Chain<'a> {
    fn new(place: String, config: &'a Value, resources: &[Resource<'a>]) -> Self {
        let filters = filter::filters(config.at("/filters"), resources);
        let manager = filters.iter().find(|filter| filter.kind == kind::MANAGER);
        let manager = manager.map(|filter| {
            let place = format!("{place}.filters[{}]", filter.index);
            Manager::new(place, filter.message, resources)
        });
        Self {
            place,
            config,
            filters,
            manager,
        }
    }

    /// The TLS that Envoy ends here.
    pub(crate) fn tls(&self) -> Option<&'a Value> {
        match message(self.config.at("/transport_socket/typed_config")) {
            (kind::TLS, context) => Some(context),
            (kind::QUIC, transport) => Some(transport.at("/downstream_tls_context")),
            _ => None,
        }
    }

    /// The TCP proxy at its end.
    pub(crate) fn tcp_proxy(&self) -> Option<&Filter<'a>> {
        self.filters.iter().find(|filter| filter.kind == kind::TCP_PROXY)
    }
}

impl<'a> Manager<'a> {
    fn new(place: String, config: &'a Value, resources: &[Resource<'a>]) -> Self {
        let filters = filter::filters(config.at("/http_filters"), resources);
        let router = filters.iter().find(|filter| filter.kind == kind::ROUTER);
        let (index, router) = router.map_or((0, &Value::Null), |router| (router.index, router.message));
        let upstream = Upstream {
            place: format!("{place}.http_filters[{index}].upstream_http_filters"),
            filters: filter::filters(router.at("/upstream_http_filters"), resources),
        };
        Self {
            place,
            config,
            filters,
            upstream,
        }
    }
}

impl<'a> Listener<'a> {
    /// The listener with this configuration. `bound` is the page that says where listeners really listen.
    pub(crate) fn new(config: &'a Value, refused: Option<&'a str>, bound: &Value, resources: &[Resource<'a>]) -> Self {
        let statuses = bound.items("/listener_statuses");
        let bound = statuses
            .into_iter()
            .find(|status| status.text("/name") == config.text("/name"));
        let bound = bound.map(|status| status.at("/local_address"));
        let address = address(bound.unwrap_or_else(|| config.at("/address")));
        let name = match config.text("/name") {
            "" => &address,
            name => name,
        };
        let places = (0..).map(|index| format!("filter_chains[{index}]"));
        let chains = places.zip(config.items("/filter_chains"));
        let default = config.get("default_filter_chain");
        let default = default.map(|chain| ("default_filter_chain".to_owned(), chain));
        Self {
            name: name.to_owned(),
            chains: chains
                .chain(default)
                .map(|(place, chain)| Chain::new(place, chain, resources))
                .collect(),
            address,
            config,
            refused,
        }
    }

    /// What the metadata for the plugin say.
    pub(crate) fn metadata(&self, key: &str) -> Option<&'a str> {
        self.config
            .at("/metadata/filter_metadata/portcullis")
            .get(key)?
            .as_str()
    }

    /// Whether it is meant to be guarded: it has metadata for the plugin, or the plugin.
    pub(crate) fn wants_guard(&self) -> bool {
        let metadata = self.config.at("/metadata/filter_metadata").get("portcullis");
        metadata.is_some()
            || self.filters().any(|(_, filter)| match &filter.plugin {
                Some(_) => true,
                None => filter.is_awaited_plugin() && filter.name.contains("portcullis"),
            })
    }

    /// The plugin wherever it stands, with its path, or with the name under which Envoy got it.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = (String, &Plugin<'a>)> {
        self.filters().filter_map(|(list, filter)| {
            let plugin = filter.plugin.as_deref()?;
            let place = match plugin.resource() {
                Some(name) => format!("resource `{name}`"),
                None => format!("{list}[{}]", filter.index),
            };
            Some((place, plugin))
        })
    }

    /// Those that run.
    pub(crate) fn plugins_in_force(&self) -> impl Iterator<Item = (String, &Plugin<'a>)> {
        self.plugins().filter(|(_, plugin)| plugin.is_in_force())
    }

    /// What the plugin does here: what the metadata say, or else its configuration.
    pub(crate) fn setting(&self, key: &str, of: impl Fn(&Settings) -> Option<&str>) -> Option<String> {
        let configured = || {
            self.plugins_in_force()
                .find_map(|(_, plugin)| of(plugin.settings.as_ref().ok()?).map(str::to_owned))
        };
        self.metadata(key).map(str::to_owned).or_else(configured)
    }

    /// How much certificates count: `ignored`, `witnessed` or `verified`.
    pub(crate) fn certificate(&self) -> String {
        let certificate = self.setting("certificate", |settings| settings.identity.certificate.as_deref());
        certificate.unwrap_or_else(|| "ignored".to_owned())
    }

    /// Whether the endpoint that load balancing chooses is the destination.
    pub(crate) fn judges_upstream(&self) -> bool {
        self.setting("destination", |settings| settings.destination.as_deref())
            .as_deref()
            == Some("upstream")
    }

    /// Its network filters and HTTP filters, each with the path of its list.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (String, &Filter<'a>)> {
        let lists = self.chains.iter().flat_map(|chain| {
            let network = (format!("{}.filters", chain.place), &chain.filters);
            let http = chain.manager.iter().flat_map(|manager| {
                let upstream = (manager.upstream.place.clone(), &manager.upstream.filters);
                [(format!("{}.http_filters", manager.place), &manager.filters), upstream]
            });
            [network].into_iter().chain(http)
        });
        lists.flat_map(|(place, filters)| filters.iter().map(move |filter| (place.clone(), filter)))
    }

    /// The kinds of its listener filters.
    pub(crate) fn listener_filters(&self) -> impl Iterator<Item = &'a str> {
        self.config.items("/listener_filters").map(|filter| {
            let inline = message(filter.at("/typed_config")).0;
            if inline.is_empty() {
                type_name(filter.text("/config_discovery/type_urls/0"))
            } else {
                inline
            }
        })
    }
}

/// An address in one word.
fn address(address: &Value) -> String {
    let (ip, port) = (
        address.text("/socket_address/address"),
        address.number("/socket_address/port_value"),
    );
    let others = [
        "/pipe/path",
        "/envoy_internal_address/server_listener_name",
        "/internal_listener",
    ];
    let mut other = others.iter().map(|path| address.text(path));
    match ip {
        "" => other.find(|text| !text.is_empty()).unwrap_or("no address").to_owned(),
        ip if ip.contains(':') => format!("[{ip}]:{port}"),
        ip => format!("{ip}:{port}"),
    }
}
