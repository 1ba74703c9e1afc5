//! Pointers that leave memory, and calls that are not served.

use crate::support::{said, vm_with};
use wasm_host::VmConfig;

#[test]
fn a_bad_pointer_is_a_status() {
    let vm = vm_with("pointers", VmConfig::default(), "r");
    let mut expected = ["06"; 14];
    expected[3] = "02"; // the log level is looked at before the text
    assert_eq!(said(&vm), expected);

    let vm = vm_with("pointers", VmConfig::default(), "w");
    assert_eq!(said(&vm), ["06", "06", "06", "06", "00", "06", "01", "06", "06"]);
    assert!(!vm.is_dead());
}

#[test]
fn what_is_not_served_fails_at_once() {
    let vm = vm_with("pointers", VmConfig::default(), "u");
    let expected = [
        "01", // no foreign function
        "10", "10", "10", // no call is started
        "01", "01", "01", // so no call can be used
        "00", "", // and none has a status
        "00", "00", "00", "02", // midnight; level info
        "02", "01", // no such buffer; no call data
        "00", "",   // past the end of the configuration there is nothing
        "02", // the range overflows
        "00", "02", "00", // a root context has no stream, and there is no fifth kind
    ];
    assert_eq!(said(&vm), expected);
}
