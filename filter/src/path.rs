//! Paths that the server may read differently than the policy does.
//!
//! Some of them are refused whatever the policy says ([`is_ambiguous`]). Others are judged in every way in which a
//! server may read them ([`variants`]). Neither is about a slash at the end, which some servers ignore: what is allowed
//! below `/api/` would then have to be allowed at `/api`, too, and plain paths would be denied. Nor is it about what
//! only the names of files ignore on Windows, as dots and blanks at the end.

use core::iter;

use serde::Deserialize;

/// Whether nobody reads the path in another way: it is not [ambiguous](is_ambiguous), and has no [`variants`]. One look at
/// each byte says so of nearly all paths; the others have to be looked at more closely.
pub(crate) fn is_plain(path: &[u8], readings: Readings) -> bool {
    let mut begins_name = false;
    for (at, byte) in path.iter().enumerate() {
        match byte {
            b'?' => return true,
            b'%' | b';' | b'\\' | b'#' => return false,
            b'/' if begins_name => return false,
            b'.' if begins_name || at == 0 => return false,
            b'A'..=b'Z' if readings.case => return false,
            _ => begins_name = *byte == b'/',
        }
    }
    true
}

/// Whether a server that decodes once more, or cuts off parameters, may serve something else than the policy judged.
///
/// Envoy resolves dot segments and decodes slashes, but what comes out may again have some: `/a/%2e%2e;/b` becomes
/// `/a/..;/b`, which many servers take for `/b`. Three things make the path before the query ambiguous:
///
/// - an encoded slash or backslash;
/// - a segment that is `.` or `..` once it is decoded and ends where names end: at parameters, a query, a fragment;
/// - an encoded control character, which servers drop or end the path at, and `%u002e` and the like, an encoding of
///   old that no browser sends and some servers still decode.
///
/// The last two also if it takes two servers that decode, one behind the other, to bring them to light.
pub(crate) fn is_ambiguous(path: &[u8]) -> bool {
    let (path, _) = split_query(path);
    if !path.contains(&b'%') {
        return segments(path).any(is_dots);
    }
    let once: Vec<_> = decoded(path).collect();
    let twice: Vec<_> = decoded(&once).collect();
    let misleads = |segment| is_dots(segment) || hides_a_control(segment) || has_old_encoding(segment);
    segments(path).any(hides_a_separator) || [path, &once, &twice].into_iter().flat_map(segments).any(misleads)
}

/// A way in which servers read paths, and the policy does not.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reading {
    /// Percent-decoded. All servers decode, and one behind another that has done so may do it again.
    Decoded,
    /// Each segment ends at its first `;`: Tomcat, Jetty, and what runs in them, such as Spring.
    Parameters,
    /// Backslashes are slashes, several in a row are one, and dot segments are resolved: IIS, nginx, Apache, Go.
    Slashes,
    /// Upper case is lower case: IIS, and who serves files from a file system without case.
    Case,
}

/// In which ways, beside its own, a policy has to allow a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Readings {
    decoded: bool,
    parameters: bool,
    slashes: bool,
    case: bool,
}

impl FromIterator<Reading> for Readings {
    fn from_iter<T: IntoIterator<Item = Reading>>(readings: T) -> Self {
        let mut all = Self {
            decoded: false,
            parameters: false,
            slashes: false,
            case: false,
        };
        for reading in readings {
            match reading {
                Reading::Decoded => all.decoded = true,
                Reading::Parameters => all.parameters = true,
                Reading::Slashes => all.slashes = true,
                Reading::Case => all.case = true,
            }
        }
        all
    }
}

/// All but the case, which most servers heed.
impl Default for Readings {
    fn default() -> Self {
        Self::from_iter([Reading::Decoded, Reading::Parameters, Reading::Slashes])
    }
}

impl Readings {
    /// Whether any of them reads this path in another way.
    fn concern(self, path: &[u8]) -> bool {
        (self.decoded && path.contains(&b'%'))
            || (self.parameters && path.contains(&b';'))
            || (self.slashes && !is_resolved(path))
            || (self.case && path.iter().any(u8::is_ascii_uppercase))
    }

    // Each of these returns the path as it is if it should not be read so.

    fn decode(self, path: &[u8]) -> Vec<u8> {
        if self.decoded {
            decoded(path).collect()
        } else {
            path.to_vec()
        }
    }

    fn cut_parameters(self, path: &[u8]) -> Vec<u8> {
        if self.parameters {
            without_parameters(path)
        } else {
            path.to_vec()
        }
    }

    fn resolve(self, path: &[u8]) -> Vec<u8> {
        if self.slashes { resolved(path) } else { path.to_vec() }
    }

    fn lower(self, path: &[u8]) -> Vec<u8> {
        if self.case {
            path.to_ascii_lowercase()
        } else {
            path.to_vec()
        }
    }
}

/// What else servers may take the path for: none of them is the path itself, no two are the same, and there are 34 at
/// most. The query belongs to none of the readings: it stays as it is.
///
/// Servers decode before they look for parameters or afterwards, and resolve dots last. So a path is decoded never,
/// once and twice, and ends, after each time, at what was an encoded `?` or `#`, or does not; each of that is read with
/// and without its parameters; and each of that resolved or not. Who ignores the case serves files, and has decoded and
/// resolved by then: so it is these paths, and the one as it came, that are lowered.
///
/// Does not allocate for a path that no reading concerns, as nearly all are.
pub(crate) fn variants(path: &[u8], readings: Readings) -> Vec<Vec<u8>> {
    let (path, query) = split_query(path);
    if !readings.concern(path) {
        return Vec::new();
    }
    let once = readings.decode(path);
    let twice = readings.decode(&once);
    let ended = readings.decode(before_end(&once));
    let decodings = [path, &once, before_end(&once), &twice, before_end(&twice), &ended];
    let mut found = vec![readings.lower(path)];
    for (decoder, decoded) in decodings.into_iter().enumerate() {
        for named in [decoded.to_vec(), readings.cut_parameters(decoded)] {
            let resolved = readings.resolve(&named);
            let lowered = (decoder > 0).then(|| readings.lower(&resolved));
            found.extend([named, resolved].into_iter().chain(lowered));
        }
    }
    let mut variants: Vec<Vec<u8>> = Vec::new();
    for variant in found {
        if variant != path && !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    for variant in &mut variants {
        variant.extend_from_slice(query);
    }
    variants
}

/// The path before its query, and the query with its question mark.
fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
    path.split_at_checked(end).unwrap_or((path, &[]))
}

/// What comes before a question mark or a number sign. In a path as it was sent there is neither.
fn before_end(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut in_parameters = false;
    let keep = |byte: &u8| {
        in_parameters = match byte {
            b';' => true,
            b'/' | b'\\' => false,
            _ => in_parameters,
        };
        !in_parameters
    };
    path.iter().copied().filter(keep).collect()
}

/// Whether [`resolved`] leaves the path as it is.
fn is_resolved(path: &[u8]) -> bool {
    !path.contains(&b'\\')
        && !path.windows(2).any(|pair| pair == b"//")
        && !path
            .split(|byte| *byte == b'/')
            .any(|name| matches!(name, b"." | b".."))
}

/// What dots climb above the root is lost, as in RFC 3986, section 5.2.4.
fn resolved(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut ends_in_slash = false;
    for name in path.split(is_slash) {
        ends_in_slash = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let mut whole = Vec::with_capacity(path.len());
    if path.first().is_some_and(is_slash) {
        whole.push(b'/');
    }
    whole.extend(names.join(&b'/'));
    if ends_in_slash && !names.is_empty() {
        whole.push(b'/');
    }
    whole
}

fn is_slash(byte: &u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(is_slash)
}

/// Decoded before the end of the name is looked for, so an encoded semicolon ends it, too.
fn is_dots(segment: &[u8]) -> bool {
    let mut name = decoded(segment).take_while(|byte| !matches!(byte, b';' | b'?' | b'#'));
    matches!(
        (name.next(), name.next(), name.next()),
        (Some(b'.'), None, None) | (Some(b'.'), Some(b'.'), None)
    )
}

/// Its plain slashes are where it was split, so each one found here was encoded.
fn hides_a_separator(segment: &[u8]) -> bool {
    decoded(segment).any(|byte| is_slash(&byte))
}

fn hides_a_control(segment: &[u8]) -> bool {
    decoded(segment).any(|byte| byte.is_ascii_control())
}

/// `%uXXXX`, a character by its number.
fn has_old_encoding(segment: &[u8]) -> bool {
    segment.windows(6).any(|window| match window {
        [b'%', b'u' | b'U', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    })
}

/// The bytes with each `%XX` decoded, once. A percent sign without two digits stands for itself.
fn decoded(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    iter::from_fn(move || {
        if let [b'%', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = tail;
            return Some(high << 4 | low);
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(*first)
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests;
