//! Filters, in the listener itself or by name.

use std::rc::Rc;

use serde_json::Value;

use super::{
    super::{
        json::Json as _,
        plugin::{self, Delivery, Plugin},
    },
    kind,
};

/// A network filter or an HTTP filter.
pub(crate) struct Filter<'a> {
    pub(crate) name: &'a str,
    /// Where in its list.
    pub(crate) index: usize,
    /// The full name of its message.
    pub(crate) kind: &'a str,
    /// `Null` as long as Envoy waits for it.
    pub(crate) message: &'a Value,
    /// If it is the plugin.
    pub(crate) plugin: Option<Rc<Plugin<'a>>>,
}

/// Filters that Envoy got by name.
pub(crate) struct Resource<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) message: &'a Value,
    pub(crate) plugin: Option<Rc<Plugin<'a>>>,
}

impl Filter<'_> {
    /// Whether it is the plugin, as far as one can tell before it has come.
    pub(crate) fn is_plugin(&self) -> bool {
        self.plugin.is_some() || self.is_awaited_plugin()
    }

    /// Whether Envoy waits for a Wasm filter here.
    pub(crate) fn is_awaited_plugin(&self) -> bool {
        self.message.is_null() && [kind::NETWORK_WASM, kind::HTTP_WASM].contains(&self.kind)
    }
}

/// The filters of a list. Those that are switched off are not there.
pub(crate) fn filters<'a>(list: &'a Value, resources: &[Resource<'a>]) -> Vec<Filter<'a>> {
    let enabled = list
        .items("")
        .enumerate()
        .filter(|(_, filter)| !filter.flag("/disabled"));
    enabled
        .map(|(index, filter)| filter_at(index, filter, resources))
        .collect()
}

fn filter_at<'a>(index: usize, filter: &'a Value, resources: &[Resource<'a>]) -> Filter<'a> {
    let name = filter.text("/name");
    let Some(discovery) = filter.get("config_discovery") else {
        let (kind, message) = message(filter.at("/typed_config"));
        let plugin = plugin::find(kind, message, Delivery::Inline);
        return Filter {
            name,
            index,
            kind,
            message,
            plugin,
        };
    };
    let wanted: Vec<&str> = discovery
        .items("/type_urls")
        .filter_map(Value::as_str)
        .map(type_name)
        .collect();
    let mut found = resources.iter();
    if let Some(found) = found.find(|resource| resource.name == name && wanted.contains(&resource.kind)) {
        let plugin = found.plugin.clone();
        return Filter {
            name,
            index,
            kind: found.kind,
            message: found.message,
            plugin,
        };
    }
    let (kind, message) = match discovery.get("default_config") {
        Some(default) => message(default),
        None => (wanted.first().copied().unwrap_or_default(), &Value::Null),
    };
    let plugin = plugin::find(kind, message, Delivery::Inline);
    Filter {
        name,
        index,
        kind,
        message,
        plugin,
    }
}

/// The message in an `Any`, and its full name.
pub(crate) fn message(any: &Value) -> (&str, &Value) {
    match type_name(any.text("/@type")) {
        "xds.type.v3.TypedStruct" | "udpa.type.v1.TypedStruct" => (type_name(any.text("/type_url")), any.at("/value")),
        kind => (kind, any),
    }
}

/// The full name of a message in its URL.
pub(crate) fn type_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
