use alloc::{boxed::Box, collections::BTreeMap, string::String, vec, vec::Vec};
use core::{fmt::Debug, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::*;
use crate::bundle::{HttpRule, KafkaRule, Options, PortRule};

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Vec<u8> {
    let bytes = to_bytes(value).expect("every value of a bundle has a form");
    assert_eq!(from_bytes::<T>(&bytes).as_ref(), Ok(value), "{bytes:?}");
    for end in 0..bytes.len() {
        assert!(
            from_bytes::<T>(bytes.get(..end).expect("a part")) != Ok(from_bytes(&bytes).expect("read before")),
            "cut off at {end}"
        );
    }
    let longer = [&*bytes, &[0]].concat();
    assert_eq!(from_bytes::<T>(&longer), Err(Unreadable), "nothing may follow");
    bytes
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Shape {
    Nothing,
    One(u16),
    Two(bool, i16),
    Named {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Box<str>>,
        number: u32,
    },
}

#[test]
fn every_kind_of_value_is_read_as_it_was_written() {
    assert_eq!(round_trip(&127_u32), [127]);
    assert_eq!(round_trip(&128_u32), [0x80, 1]);
    for number in [0, 1, u64::from(u32::MAX), u64::MAX] {
        round_trip(&number);
    }
    for number in [0, 1, -1, 63, -64, 64, i16::MIN, i16::MAX] {
        round_trip(&number);
    }
    assert_eq!(round_trip(&-1_i16), [1], "small numbers are short");
    round_trip(&String::from("grüße"));
    round_trip(&vec![Some(true), None, Some(false)]);
    round_trip(&BTreeMap::from([
        (String::from("a"), vec![1_u8]),
        (String::new(), vec![]),
    ]));
    assert_eq!(round_trip(&Shape::Nothing), [0]);
    assert_eq!(round_trip(&Shape::One(7)), [1, 7]);
    round_trip(&Shape::Two(true, -300));
    for text in [None, Some("x".into())] {
        round_trip(&Shape::Named { text, number: 9 });
    }
}

#[test]
fn types_of_a_bundle_leave_out_what_has_its_default() {
    for address in ["10.0.0.1", "fd00::1"] {
        round_trip(&address.parse::<IpAddr>().expect(address));
    }
    for prefix in ["10.0.0.0/8", "fd00::/64"] {
        round_trip(&prefix.parse::<IpNet>().expect(prefix));
    }
    round_trip(&Options::default());
    assert_eq!(round_trip(&KafkaRule::default()), [0, 0, 0, 0]);
    round_trip(&KafkaRule {
        api_keys: vec![-1, 3],
        topic: Some("plans".into()),
        ..KafkaRule::default()
    });
    round_trip(&HttpRule {
        path: Some("/v1/.*".into()),
        ..HttpRule::default()
    });
    round_trip(&PortRule::default());
}

#[test]
fn other_bytes_are_refused() {
    let tall = [0xff; 10];
    assert_eq!(from_bytes::<u64>(&tall), Err(Unreadable), "more than 64 bits");
    assert_eq!(from_bytes::<u8>(&[0x80, 2]), Err(Unreadable), "more than 8 bits");
    assert_eq!(from_bytes::<bool>(&[2]), Err(Unreadable));
    assert_eq!(from_bytes::<String>(&[1, 0xff]), Err(Unreadable), "not UTF-8");
    assert_eq!(from_bytes::<Shape>(&[4]), Err(Unreadable), "no such variant");
    assert_eq!(
        from_bytes::<Vec<u8>>(&[0xff, 0xff, 0xff, 0x7f, 1]),
        Err(Unreadable),
        "more than there is"
    );
    assert_eq!(
        from_bytes::<Shape>(&[3, 0, 0]),
        Err(Unreadable),
        "a field without default"
    );
}
