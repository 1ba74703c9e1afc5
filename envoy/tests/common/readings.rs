//! The ways in which servers read a path. Written from what is known about servers, not from the plugin.

use std::collections::BTreeSet;

/// How often a path may be decoded: by a proxy, and by the server behind it.
const DECODERS: u8 = 2;

/// All that servers may take a request target for, one after the other and in any order: each decodes, cuts
/// parameters off, merges slashes, resolves dots, drops what it does not like, or ends where it sees an end. The query
/// stays as it is. `caseless` adds whoever takes upper case for lower case.
pub(crate) fn of(target: &[u8], caseless: bool) -> BTreeSet<Vec<u8>> {
    let (path, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => target.split_at(at),
        None => (target, &b""[..]),
    };
    let mut seen = BTreeSet::new();
    let mut open = vec![(path.to_vec(), 0)];
    while let Some((path, decoded)) = open.pop() {
        if !seen.insert((path.clone(), decoded)) {
            continue;
        }
        for read in [
            cut_parameters,
            turn_backslashes,
            merge_slashes,
            resolve_dots,
            drop_controls,
            end_early,
        ] {
            open.push((read(&path), decoded));
        }
        if decoded < DECODERS {
            for read in [decode, decode_long_utf8, decode_utf16] {
                open.push((read(&path), decoded + 1));
            }
        }
        if caseless {
            open.push((path.to_ascii_lowercase(), decoded));
        }
    }
    // Slashes are merged in the end: who does not serves nothing under a path with two of them.
    seen.into_iter()
        .map(|(path, _)| [&merge_slashes(&path)[..], query].concat())
        .collect()
}

/// `%41` is `A`.
fn decode(path: &[u8]) -> Vec<u8> {
    replace(path, |rest| match rest {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        _ => None,
    })
}

/// `%c0%ae` is a dot that takes two bytes where one would do.
fn decode_long_utf8(path: &[u8]) -> Vec<u8> {
    replace(path, |rest| {
        let [b'%', a, b, b'%', c, d, ..] = rest else {
            return None;
        };
        let (lead, follow) = (hex(&[*a, *b])?, hex(&[*c, *d])?);
        matches!((lead, follow), (0xc0 | 0xc1, 0x80..=0xbf)).then_some((lead << 6 | follow & 0x3f, 6))
    })
}

/// `%u0041` is `A`, too.
fn decode_utf16(path: &[u8]) -> Vec<u8> {
    replace(path, |rest| match rest {
        [b'%', b'u' | b'U', b'0', b'0', high, low, ..] => Some((hex(&[*high, *low])?, 6)),
        _ => None,
    })
}

/// `/a;b/c;d` is `/a/c`; a backslash ends parameters, too.
fn cut_parameters(path: &[u8]) -> Vec<u8> {
    let mut inside = false;
    let kept = path.iter().filter(|byte| {
        inside = **byte == b';' || inside && !matches!(byte, b'/' | b'\\');
        !inside
    });
    kept.copied().collect()
}

fn turn_backslashes(path: &[u8]) -> Vec<u8> {
    path.iter()
        .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
        .collect()
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|a, b| (*a, *b) == (b'/', b'/'));
    merged
}

/// `/a/./b/../c` is `/a/c`, and nothing is above the root.
fn resolve_dots(path: &[u8]) -> Vec<u8> {
    let Some(path) = path.strip_prefix(b"/") else {
        return path.to_vec();
    };
    let mut segments: Vec<&[u8]> = Vec::new();
    let all: Vec<_> = path.split(|byte| *byte == b'/').collect();
    for (i, segment) in all.iter().enumerate() {
        let last = i + 1 == all.len();
        match *segment {
            b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name),
        }
        if last && matches!(*segment, b"." | b"..") {
            segments.push(b"");
        }
    }
    [b"/", &segments.join(&b'/')[..]].concat()
}

fn drop_controls(path: &[u8]) -> Vec<u8> {
    path.iter().copied().filter(|byte| !byte.is_ascii_control()).collect()
}

/// The path ends at NUL, and at a question mark or number sign that was encoded.
fn end_early(path: &[u8]) -> Vec<u8> {
    path.split(|byte| matches!(byte, 0 | b'?' | b'#'))
        .next()
        .unwrap()
        .to_vec()
}

/// Each place where `find` finds a byte that is written longer is replaced.
fn replace(mut rest: &[u8], find: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(rest.len());
    while let Some(first) = rest.first() {
        let (byte, length) = find(rest).unwrap_or((*first, 1));
        replaced.push(byte);
        rest = &rest[length..];
    }
    replaced
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).unwrap())
}
