use super::*;
use proptest::prelude::*;

const WORKLOAD: &str = include_str!("testdata/workload.pem");
const MANY_NAMES: &str = include_str!("testdata/many_names.pem");
const NO_NAMES: &str = include_str!("testdata/no_names.pem");
const VERSION_1: &str = include_str!("testdata/version1.pem");

const SAN: [u8; 3] = [0x55, 0x1d, 0x11];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];

/// One element in DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match length {
        0..0x80 => vec![length as u8],
        0x80..0x100 => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [&[tag][..], &length, content].concat()
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// An extension with these names.
fn names(names: &[Vec<u8>]) -> Vec<u8> {
    extension(&SAN, &sequence(names))
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[element(OBJECT_IDENTIFIER, id), element(OCTET_STRING, value)])
}

fn uri(text: &str) -> Vec<u8> {
    element(0x86, text.as_bytes())
}

/// What is signed, before the extensions.
fn fields() -> Vec<Vec<u8>> {
    let version = element(CONTEXT_CONSTRUCTED, &element(INTEGER, &[2]));
    let sequences = [const { Vec::new() }; 5].map(|content| element(SEQUENCE, &content));
    [vec![version, element(INTEGER, &[1])], sequences.to_vec()].concat()
}

fn signed(fields: &[Vec<u8>]) -> Vec<u8> {
    sequence(&[sequence(fields), sequence(&[]), element(BIT_STRING, &[0])])
}

fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = element(CONTEXT_CONSTRUCTED | 3, &sequence(extensions));
    signed(&[fields(), vec![extensions]].concat())
}

fn texts(uris: &[Vec<u8>]) -> Vec<&str> {
    uris.iter().map(|uri| str::from_utf8(uri).expect("ASCII")).collect()
}

#[test]
fn certificates_of_openssl_are_read() {
    for (pem, want, why) in [
        (
            WORKLOAD,
            &["spiffe://cluster.local/ns/empire/sa/tie"][..],
            "one name, in a critical extension",
        ),
        (
            MANY_NAMES,
            &[
                "spiffe://cluster.local/ns/empire/sa/tie",
                "https://empire.example/tie",
                "spiffe://cluster.local/ns/empire/sa/vader",
            ],
            "among names of all kinds, all of them in their order",
        ),
        (NO_NAMES, &[], "no names"),
        (VERSION_1, &[], "no extensions"),
    ] {
        let uris = uri_sans(pem.as_bytes()).expect(why);
        assert_eq!(texts(&uris), want, "{why}");
    }
}

#[test]
fn only_the_first_certificate_of_a_text_is_read() {
    let want = uri_sans(WORKLOAD.as_bytes());
    for (text, why) in [
        (WORKLOAD.trim_end().to_owned(), "without a line end at the end"),
        (WORKLOAD.replace('\n', "\r\n"), "other line ends"),
        (format!("{WORKLOAD}{MANY_NAMES}"), "a chain"),
        (format!("{WORKLOAD}\u{0}garbage"), "garbage behind it"),
        (WORKLOAD.replacen("\nM", "\n\nM", 1), "an empty line"),
    ] {
        assert_eq!(uri_sans(text.as_bytes()), want, "{why}");
    }
}

#[test]
fn what_is_no_pem_is_bad() {
    let body: String = WORKLOAD.lines().filter(|line| !line.starts_with('-')).collect();
    let begin = "-----BEGIN CERTIFICATE-----";
    let end = "-----END CERTIFICATE-----";
    let one_line = format!("{begin}\n{body}\n{end}");
    assert!(uri_sans(one_line.as_bytes()).is_ok(), "lines may have any length");
    let padding = body.find('=').expect("the fixture ends with padding");
    let (digits, _) = body.split_at(padding);
    for (text, why) in [
        (String::new(), "nothing"),
        (body.clone(), "no lines around it"),
        (format!("{begin}\n{body}"), "no end"),
        (format!("{body}\n{end}"), "no begin"),
        (format!("{begin}\n{end}"), "nothing in it"),
        (format!(" {one_line}"), "a blank before it"),
        (one_line.replace("CERTIFICATE", "PRIVATE KEY"), "another thing"),
        (one_line.replace('\n', "%0A"), "encoded for a URL"),
        (format!("{begin}\n{digits}\n{end}"), "padding is missing"),
        (format!("{begin}\n{digits}====\n{end}"), "too much padding"),
        (format!("{begin}\n{digits}=A\n{end}"), "a digit in padding"),
        (
            format!("{begin}\n{body}AAAA\n{end}"),
            "digits behind padding: two texts in one",
        ),
        (format!("{begin}\n{body}{}\n{end}", "===="), "only padding"),
        (one_line.replacen("MII", "M-I", 1), "a digit of another alphabet"),
        (one_line.replacen("MII", "M II", 1), "a blank in a line"),
    ] {
        assert_eq!(uri_sans(text.as_bytes()), Err(BadCertificate), "{why}");
    }
}

#[test]
fn base64_has_one_text_for_the_same_bytes() {
    let decode = |body: &str| {
        pem::certificate(format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----").as_bytes())
    };
    for (body, want, why) in [
        ("", Some(&b""[..]), "nothing"),
        ("Zg==", Some(b"f"), "one byte"),
        ("Zm8=", Some(b"fo"), "two bytes"),
        ("Zm9v", Some(b"foo"), "a full group"),
        ("Zm9v\nYg==", Some(b"foob"), "two lines"),
        ("Zm\n9v", Some(b"foo"), "a group over two lines"),
        ("++//", Some(&[0xfb, 0xef, 0xff]), "the last two digits"),
        ("Zh==", None, "bits that padding covers"),
        ("Zm9=", None, "bits that padding covers"),
        ("Zg", None, "no padding"),
        ("Zg=", None, "half of the padding"),
        ("Z===", None, "no byte in it"),
        ("====", None, "only padding"),
    ] {
        assert_eq!(decode(body).as_deref(), want, "{body}: {why}");
    }
}

#[test]
fn names_are_found_wherever_der_lets_them_be() {
    let ours = names(&[uri("spiffe://a/b")]);
    let usage = extension(&KEY_USAGE, &[]);
    let critical = sequence(&[
        element(OBJECT_IDENTIFIER, &SAN),
        element(BOOLEAN, &[0xff]),
        element(OCTET_STRING, &sequence(&[uri("spiffe://a/b")])),
    ]);
    let ids = vec![element(CONTEXT | 1, &[0]), element(CONTEXT | 2, &[0])];
    let extensions = element(CONTEXT_CONSTRUCTED | 3, &sequence(std::slice::from_ref(&ours)));
    let long = "spiffe://a/".to_owned() + &"b".repeat(300);
    for (der, want, why) in [
        (
            with_extensions(std::slice::from_ref(&ours)),
            vec!["spiffe://a/b"],
            "alone",
        ),
        (
            with_extensions(&[usage.clone(), ours.clone(), usage]),
            vec!["spiffe://a/b"],
            "between others, one of which is there twice",
        ),
        (with_extensions(&[critical]), vec!["spiffe://a/b"], "critical"),
        (
            signed(&[fields(), ids, vec![extensions]].concat()),
            vec!["spiffe://a/b"],
            "behind the unique identifiers",
        ),
        (
            with_extensions(&[names(&[uri("u:a"), uri("u:a")])]),
            vec!["u:a", "u:a"],
            "the same one twice",
        ),
        (with_extensions(&[names(&[uri("")])]), vec![""], "an empty one is one"),
        (
            with_extensions(&[names(&[uri(&long)])]),
            vec![&long],
            "a length of two bytes",
        ),
        (with_extensions(&[names(&[])]), vec![], "a list without names"),
        (with_extensions(&[]), vec![], "a list without extensions"),
        (signed(&fields()), vec![], "no extensions"),
    ] {
        let uris = uris(&der).expect(why);
        assert_eq!(texts(&uris), want, "{why}");
    }
}

#[test]
fn what_is_no_certificate_in_der_is_bad() {
    let ours = names(&[uri("u:a")]);
    let good = with_extensions(std::slice::from_ref(&ours));
    let mut indefinite = good.clone();
    indefinite[1] = 0x80;
    let short = sequence(&[sequence(&fields())]);
    let twice = element(CONTEXT_CONSTRUCTED | 3, &sequence(&[]));
    for (der, why) in [
        (vec![], "nothing"),
        ([&good[..], &[0]].concat(), "a byte behind it"),
        (good[..good.len() - 1].to_vec(), "cut off"),
        (indefinite, "no definite length"),
        (short, "no signature"),
        (with_extensions(&[ours.clone(), ours.clone()]), "two lists of names"),
        (
            signed(&[fields(), vec![twice.clone(), twice]].concat()),
            "two lists of extensions",
        ),
        (signed(&fields()[..6]), "no public key"),
        (with_extensions(&[names(&[element(0xa6, b"u:a")])]), "a URI in pieces"),
        (with_extensions(&[names(&[uri("u:\u{e9}")])]), "not ASCII"),
        (with_extensions(&[extension(&SAN, b"")]), "no list"),
        (
            with_extensions(&[extension(&SAN, &[0x30, 0x80, 0, 0])]),
            "no definite length",
        ),
        (
            with_extensions(&[extension(&SAN, &[sequence(&[]), sequence(&[])].concat())]),
            "two lists in one",
        ),
        (
            with_extensions(&[names(&[vec![0x86, 0x81, 1, b'u']])]),
            "a length too long",
        ),
        (
            with_extensions(&[names(&[vec![0x86, 2, b'u']])]),
            "a name beyond the list",
        ),
        (
            with_extensions(&[names(&[vec![0x9f, 0x06, 1, b'u']])]),
            "a tag too long",
        ),
        (
            with_extensions(&[sequence(&[element(OBJECT_IDENTIFIER, &SAN)])]),
            "no value",
        ),
    ] {
        assert_eq!(uris(&der), None, "{why}");
    }
    assert!(uris(&good).is_some(), "the one they were made from");
}

#[test]
fn lengths_have_one_form() {
    for (bytes, want, why) in [
        (&[0x04, 0x00][..], Some(0), "empty"),
        (&[0x04, 0x01, 0][..], Some(1), "one byte"),
        (&[0x04, 0x81, 0x7f][..], None, "fits into one byte"),
        (&[0x04, 0x82, 0x00, 0xff][..], None, "fits into two"),
        (&[0x04, 0x83, 0x00, 0xff, 0xff][..], None, "fits into three"),
        (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff][..], None, "too long for anything"),
        (&[0x04, 0x80, 0x00, 0x00][..], None, "indefinite"),
        (&[0x04, 0xff][..], None, "reserved"),
        (&[0x04][..], None, "no length"),
        (&[0x04, 0x82, 0x01][..], None, "half a length"),
        (&[0x1f, 0x00][..], None, "a tag of more bytes"),
    ] {
        let length = Elements(bytes).next().map(|(_, content)| content.len());
        assert_eq!(length, want, "{why}");
    }
    for (head, length) in [
        (&[0x04, 0x7f][..], 0x7f),
        (&[0x04, 0x81, 0x80], 0x80),
        (&[0x04, 0x81, 0xff], 0xff),
        (&[0x04, 0x82, 0x01, 0x00], 0x100),
        (&[0x04, 0x82, 0xff, 0xff], 0xffff),
        (&[0x04, 0x83, 0x01, 0x00, 0x00], 0x1_0000),
    ] {
        let bytes = [head, &vec![0; length]].concat();
        let read = Elements(&bytes).next().map(|(_, content)| content.len());
        assert_eq!(read, Some(length), "{head:x?}");
        assert_eq!(Elements(&bytes[..bytes.len() - 1]).next(), None, "{head:x?} cut off");
    }
}

fn encoded(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for group in der.chunks(3) {
        let bits = [0, 1, 2].map(|at| u32::from(group.get(at).copied().unwrap_or(0)));
        let bits = bits[0] << 16 | bits[1] << 8 | bits[2];
        for at in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read(bytes: Vec<u8>) {
        let _ = uri_sans(&bytes);
        let _ = uris(&bytes);
        prop_assert_eq!(pem::certificate(encoded(&bytes).as_bytes()), Some(bytes));
    }

    #[test]
    fn changed_certificates_are_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut: prop::sample::Index,
    ) {
        for pem in [WORKLOAD, MANY_NAMES, NO_NAMES, VERSION_1] {
            let mut der = pem::certificate(pem.as_bytes()).expect("a fixture");
            for (at, byte) in &changes {
                let at = at.index(der.len());
                der[at] = *byte;
            }
            let _ = uris(&der);
            let cut = cut.index(der.len());
            prop_assert_eq!(uris(&der[..cut]), None, "cut off at {}", cut);
        }
    }

    #[test]
    fn all_uris_come_in_their_order(texts in prop::collection::vec("[ -~]{0,200}", 0..8), others in 0_usize..4) {
        let list: Vec<_> = texts
            .iter()
            .flat_map(|text| {
                let host = element(CONTEXT | 2, b"spiffe://not/a/uri");
                std::iter::repeat_n(host, others).chain([uri(text)])
            })
            .collect();
        let pem = encoded(&with_extensions(&[names(&list)]));
        let want: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(uri_sans(pem.as_bytes()), Ok(want));
    }
}
