//! The small languages of policies: whatever text is read, its canonical form is read as the same.

#![no_main]

use std::net::SocketAddr;

use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use policy_core::{
    AddressTable, FqdnPattern, Label, Labels, Requirement, Selector, SelectorKey, SniPattern, parse_address,
};

fuzz_target!(|bytes: &[u8]| {
    address(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    labels(text);
    selector_key(text);
    fqdn(text);
    server_name(text);
    prefixes(text);
});

/// An address is written the same way by everybody; with a port it is what the standard library reads.
fn address(bytes: &[u8]) {
    let Some((address, port)) = parse_address(bytes) else {
        return;
    };
    assert_eq!(address, address.to_canonical(), "a mapped address stayed");
    let written = port.map_or(address.to_string(), |port| SocketAddr::new(address, port).to_string());
    assert_eq!(parse_address(written.as_bytes()), Some((address, port)), "{written}");
}

/// Lines are labels: of one key and source the last one stays, and each is found by its key.
fn labels(text: &str) {
    let labels: Vec<Label> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for label in &labels {
        let written = label.to_string();
        assert_eq!(written.parse::<Label>().as_ref(), Ok(label), "{written}");
    }
    let set = Labels::new(labels.iter().cloned());
    for label in &labels {
        let last = labels
            .iter()
            .rfind(|other| (other.source(), other.key()) == (label.source(), label.key()));
        let found = set.with_key(label.key()).find(|found| found.source() == label.source());
        assert_eq!(found, last, "in {set}");
    }
    assert_eq!(set.iter().cloned().collect::<Labels>(), set, "a set of a set");
}

/// A key is found in a label of its source, and of any source if it names none.
fn selector_key(text: &str) {
    let Some(key) = SelectorKey::parse(text) else { return };
    let written = key.to_string();
    assert_eq!(SelectorKey::parse(&written).as_ref(), Some(&key), "{written}");
    let Ok(label) = Label::new(key.source().unwrap_or("k8s"), key.key(), "value") else {
        panic!("{key} can match nothing");
    };
    let labels = Labels::new([label]);
    assert!(
        Selector::new(vec![Requirement::Exists { key: key.clone() }]).matches(&labels),
        "{key}"
    );
    assert!(!Selector::new(vec![Requirement::DoesNotExist { key }]).matches(&labels));
}

/// The first line is a pattern or a name, the second a name to match.
fn fqdn(text: &str) {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(exact) = FqdnPattern::name(pattern) {
        assert!(exact.matches(pattern.trim().as_bytes()), "{exact:?} is not itself");
        // Without a star a pattern is a name.
        let pattern = FqdnPattern::pattern(pattern).expect("names are patterns");
        assert_eq!(
            pattern.matches(name.as_bytes()),
            exact.matches(name.as_bytes()),
            "{pattern:?}, {name}"
        );
    }
    if let Ok(pattern) = FqdnPattern::pattern(pattern) {
        let matches = pattern.matches(name.as_bytes());
        assert_eq!(
            matches,
            pattern.matches(name.to_ascii_uppercase().as_bytes()),
            "{pattern:?}, {name}"
        );
        if !name.ends_with('.') {
            assert_eq!(
                matches,
                pattern.matches(format!("{name}.").as_bytes()),
                "{pattern:?}, {name}"
            );
        }
    }
}

/// The first line is a pattern, the second a name. A dot at the end is for patterns alone.
fn server_name(text: &str) {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    let Ok(pattern) = SniPattern::parse(pattern) else {
        return;
    };
    let written = pattern.to_string();
    if written.ends_with('.') {
        // An empty label at the end: no server name has one, and read once more the dot would be dropped.
        return;
    }
    assert_eq!(SniPattern::parse(&written).as_ref(), Ok(&pattern), "{written}");
    let matches = pattern.matches(name.as_bytes());
    assert!(!(matches && name.ends_with('.')), "{pattern:?}, {name}");
    assert_eq!(
        matches,
        pattern.matches(name.to_ascii_uppercase().as_bytes()),
        "{pattern:?}, {name}"
    );
    // Whoever writes no star means one name.
    if !written.contains('*') {
        assert_eq!(matches, name.eq_ignore_ascii_case(&written), "{pattern:?}, {name}");
    }
}

/// Lines are prefixes: the table finds the longest one that holds an address, as a search of all of them does.
fn prefixes(text: &str) {
    let prefixes: Vec<IpNet> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let mut table = AddressTable::default();
    for prefix in &prefixes {
        table.insert(*prefix, prefix.trunc());
    }
    for address in prefixes
        .iter()
        .flat_map(|prefix| [prefix.addr(), prefix.network(), prefix.broadcast()])
    {
        let holding = prefixes
            .iter()
            .map(IpNet::trunc)
            .filter(|prefix| prefix.contains(&address));
        let longest = holding.max_by_key(IpNet::prefix_len);
        assert_eq!(table.lookup(address), longest, "{address} in {prefixes:?}");
    }
}
