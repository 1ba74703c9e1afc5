//! Shared data, shared queues, metrics.

use wasm_host::{Process, Vm, VmConfig};

use crate::support::{plugin, said, vm_with};

fn in_process(process: &Process, vm_id: &str, configuration: &str) -> Vm {
    let config = VmConfig {
        vm_id: vm_id.to_owned(),
        process: process.clone(),
        ..VmConfig::default()
    };
    vm_with("shared", config, configuration)
}

#[test]
fn shared_data_is_compared_and_swapped() {
    let process = Process::default();
    let vm = in_process(&process, "vm", "d");
    assert_eq!(said(&vm), ["01", "00", "00", "one", "00", "08", "00", "two"]);
    assert_eq!(
        process.shared_data("vm", b"key").map(|(value, _)| value),
        Some(b"two".to_vec())
    );
    let other = in_process(&process, "other", "d");
    assert_eq!(said(&other)[0], "01", "another vm_id sees nothing");
    let worker = in_process(&process, "vm", "d");
    assert_eq!(said(&worker)[..2], ["00", "two"], "another worker does");
}

#[test]
fn a_queue_item_is_delivered_to_one_machine() {
    let process = Process::default();
    let vm = in_process(&process, "vm", "q");
    let worker = in_process(&process, "vm", "");
    assert_eq!(said(&vm), ["01", "00", "00", "07", "01", "00"]);
    assert_eq!(worker.deliver_queues(), Ok(0), "it registered no queue");
    assert_eq!(vm.deliver_queues(), Ok(1));
    assert_eq!(said(&vm), ["00", "one"]);
    assert_eq!(vm.deliver_queues(), Ok(0));
}

#[test]
fn metrics_belong_to_the_process() {
    let process = Process::default();
    let vm = in_process(&process, "vm", "m");
    let expected = [
        "00", "00", "00", "00", "02", // four kinds are defined, a fifth does not exist
        "00", "00", "02", // the counter grows through both identifiers and never shrinks
        "00", "00", // gauge and histogram record
        "00", "03", "02", "01", // read: the counter; not a histogram; not an unknown one
    ];
    assert_eq!(said(&vm), expected);
    assert_eq!(
        (vm.metric("requests_total"), vm.metric("generation")),
        (Some(3), Some(7))
    );
    assert_eq!(process.samples("latency"), [5]);
    assert_eq!(vm.metric("never_defined"), None);

    let worker = in_process(&process, "vm", "m");
    assert_eq!(worker.metric("requests_total"), Some(6), "workers add up");
    assert!(worker.metrics().contains_key("generation"));
}

#[test]
fn the_canary_counts_too() {
    let vm = Vm::new(&plugin("shared"), VmConfig::default()).expect("it starts");
    assert_eq!(vm.configure_like_envoy(b"m"), wasm_host::Update::Accepted);
    assert_eq!(vm.metric("requests_total"), Some(6));
}
