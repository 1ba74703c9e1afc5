//! What an allowed connection and request cost inside the plugin: allocations, host calls, instructions. Without a plugin
//! that is up to date, these tests say so and pass.

use policy_core::packed::{self, Form};
use wasm_host::{Connection, Counters, ListenerDirection, Plugin, Request, TcpStream, Vm, VmConfig, artefact};

/// The callbacks of a stream, from its first to its last.
const CALLBACKS: [&str; 6] = [
    "proxy_on_context_create",
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
    "proxy_on_request_headers",
    "proxy_on_delete",
];

/// Anybody may send `GET` below `/public/` to port 8080 of `shop/db`, and nothing else.
const CONFIGURATION: &str = r#"{"version":1,"bundle":{"version":1,
    "selectors":[[{"equals":{"key":"any:app","value":"db"}}]],
    "policies":[{"kind":"CiliumNetworkPolicy","namespace":"shop","name":"db","rules":[
      {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},"ingress":[
        {"peers":"any","ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[8080,8080]}}}],
          "rules":{"http":[{"method":"GET","path":"/public/.*","headers":[]}]}}]}]}]}],
    "identities":[{"labels":["k8s:app=db"]},{"labels":["k8s:app=web"]}],
    "endpoints":[{"name":"shop/db","identity":0,"addresses":["10.0.0.1"]},
                 {"name":"shop/web","identity":1,"addresses":["10.0.0.2"]}]}}"#;

/// A VM with the policy; `None` if there is no plugin.
fn vm() -> Option<Vm> {
    let plugin = match artefact::locate() {
        Ok(path) => Plugin::load_metered(path).expect("a module"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            return None;
        }
    };
    let vm = Vm::new(&plugin, VmConfig::default()).expect("a VM");
    let packed = packed::configuration(CONFIGURATION.as_bytes(), Form::Bytes).expect("it packs");
    assert!(vm.configure(&packed).expect("no trap"), "{:?}", vm.take_logs());
    Some(vm)
}

fn connect(vm: &Vm) -> TcpStream {
    let address = |text: &str| text.parse().expect("an address");
    let connection = Connection::new(address("10.0.0.2:41000"), address("10.0.0.1:8080"))
        .direction(ListenerDirection::Inbound)
        .listener_metadata("portcullis", "protocol", "http");
    let mut tcp = vm.tcp(connection);
    tcp.new_connection();
    tcp
}

/// One request on a kept connection, from its first byte to its end.
fn request(vm: &Vm, tcp: &mut TcpStream, path: &str) -> Counters {
    drop(vm.take_counters());
    tcp.downstream_data(b"GET", false);
    let request = Request::get("web.example", path)
        .header("x-forwarded-proto", "http")
        .header("x-request-id", "2e5c4cfa-ae10-4f2c-9d4e-7f3b1c9e6a51")
        .header("user-agent", "bench/1")
        .header("accept", "*/*");
    drop(tcp.http(request));
    tcp.upstream_data(b"HTTP/1.1 200 OK", false);
    vm.take_counters()
}

/// What all callbacks cost together.
fn sum(of: impl Fn(&str) -> u64) -> u64 {
    CALLBACKS.into_iter().map(of).sum()
}

#[test]
fn an_allowed_request_allocates_nothing_but_what_the_host_hands_over() {
    let Some(vm) = vm() else { return };
    let mut tcp = connect(&vm);
    // The first one of a connection and of a rule finds out what the next ones know.
    request(&vm, &mut tcp, "/public/a");
    for path in ["/public/a", "/public/b", "/public/"] {
        let costs = request(&vm, &mut tcp, path);
        let allocations = sum(|callback| costs.allocations_in(callback));
        assert_eq!(
            costs.allocations(),
            2,
            "{path}: the facts of the connection, and the headers"
        );
        assert_eq!(allocations, costs.allocations(), "{path}: nothing else");
    }
    let mut others: Vec<TcpStream> = (0..50).map(|_| connect(&vm)).collect();
    for tcp in &mut others {
        request(&vm, tcp, "/public/a");
    }
    for tcp in &mut others {
        let costs = request(&vm, tcp, "/public/a");
        let allocations = sum(|callback| costs.allocations_in(callback));
        assert_eq!(allocations, costs.allocations(), "beside many connections, too");
    }
}

#[test]
fn a_request_makes_five_host_calls_and_a_connection_nine() {
    let Some(vm) = vm() else { return };
    let mut tcp = connect(&vm);
    let costs = request(&vm, &mut tcp, "/public/a");
    let costs_again = request(&vm, &mut tcp, "/public/a");
    let calls = |costs: &Counters| sum(|callback| costs.calls_in(callback));
    // Facts and headers; the word for the guard, the rule; the counter, which the first one defines.
    assert_eq!((calls(&costs), calls(&costs_again)), (6, 5));
    for callback in ["proxy_on_response_headers", "proxy_on_log", "proxy_on_done"] {
        assert_eq!(costs_again.callbacks(callback), 0, "{callback}: there is nothing to do");
    }
    drop(vm.take_counters());
    drop(connect(&vm));
    let costs = vm.take_counters();
    // Four facts; their words for access logs, and those for the HTTP filter and the guard; the counter.
    assert_eq!(calls(&costs), 9);
}

/// The bounds leave room for another compiler, and none for work done twice.
#[test]
fn callbacks_execute_a_bounded_number_of_instructions() {
    let Some(vm) = vm() else { return };
    let mut tcp = connect(&vm);
    let fuel = |costs: &Counters| sum(|callback| costs.fuel_in(callback));
    for (what, path, most) in [("allowed", "/public/a", 14_000), ("denied", "/private", 24_000)] {
        request(&vm, &mut tcp, path);
        let costs = request(&vm, &mut tcp, path);
        show(&format!("request, {what}"), &costs);
        assert!(fuel(&costs) <= most, "{what}: {}", fuel(&costs));
    }
    drop(vm.take_counters());
    drop(connect(&vm));
    let costs = vm.take_counters();
    show("connection", &costs);
    assert!(fuel(&costs) <= 36_000, "{}", fuel(&costs));
}

fn show(what: &str, costs: &Counters) {
    println!("{what}: {} values of the host", costs.allocations());
    for callback in CALLBACKS.into_iter().filter(|callback| costs.callbacks(callback) > 0) {
        println!(
            "  {callback} × {}: {} fuel, {} allocations, {} host calls",
            costs.callbacks(callback),
            costs.fuel_in(callback),
            costs.allocations_in(callback),
            costs.calls_in(callback),
        );
    }
}
