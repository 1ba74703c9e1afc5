//! Fixtures and short forms.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use wasm_host::{Connection, Plugin, Vm, VmConfig};

/// The bytes of the fixture `name`. A fixture that is not a module of its own gets the prelude.
pub(crate) fn module(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| {
        let path = folder.join(name).with_extension("wat");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let body = read(name);
    let text = match body.contains("(module") {
        true => body,
        false => format!("(module\n{}\n{body})", read("prelude")),
    };
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fixture, compiled once for all tests.
pub(crate) fn plugin(name: &str) -> Plugin {
    static COMPILED: Mutex<BTreeMap<String, Plugin>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plugin) = compiled.get(name) {
        return plugin.clone();
    }
    let plugin = Plugin::from_bytes(&module(name)).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    compiled.insert(name.to_owned(), plugin.clone());
    plugin
}

/// A virtual machine with this fixture and this accepted configuration, and an empty log.
pub(crate) fn vm_with(name: &str, config: VmConfig, configuration: &str) -> Vm {
    let vm = Vm::new(&plugin(name), config).expect("the fixture starts");
    assert_eq!(
        vm.configure(configuration.as_bytes()),
        Ok(true),
        "{name} accepts `{configuration}`"
    );
    vm
}

pub(crate) fn vm(name: &str, configuration: &str) -> Vm {
    let vm = vm_with(name, VmConfig::default(), configuration);
    let _ = vm.take_logs();
    vm
}

/// The messages since the last call.
pub(crate) fn said(vm: &Vm) -> Vec<String> {
    vm.take_logs().into_iter().map(|line| line.message).collect()
}

pub(crate) fn connection() -> Connection {
    let address = |text: &str| text.parse().expect("an address");
    Connection::new(address("10.0.0.1:40000"), address("10.0.0.2:8080"))
}
