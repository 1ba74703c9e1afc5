//! Header maps and the ABI's pair encoding.

/// An ordered multimap of headers. Names are lower case; values are raw bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.add(&name, &value);
        }
        headers
    }

    /// Adds a value. A repeated pseudo-header is joined with a comma, as Envoy does it: two `Host`
    /// headers reach a filter as `:authority: a,b`.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if name.starts_with(b":")
            && let Some((_, present)) = self.0.iter_mut().find(|(key, _)| *key == name)
        {
            present.push(b',');
            present.extend_from_slice(value);
            return;
        }
        self.0.push((name, value.to_vec()));
    }

    /// Replaces all values of `name` by one, or adds it.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let first = self.0.iter().position(|(key, _)| *key == name);
        self.remove(&name);
        let at = first.unwrap_or(self.0.len());
        self.0.insert(at, (name, value.to_vec()));
    }

    /// Removes all values of `name`.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// The first value of `name`.
    #[must_use]
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The first value of `name` as text, for assertions.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.first(name.as_bytes())
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let same = move |(key, _): &&(Vec<u8>, Vec<u8>)| key.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|(_, value)| value.as_slice())
    }

    /// All values of `name` joined with a comma: how `request.headers.NAME` reads.
    #[must_use]
    pub fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.all(name).collect();
        (!values.is_empty()).then(|| values.join(&b','))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Encodes pairs: the count, then the two lengths of each pair, then each name and value with a NUL
/// after it. All numbers are 32-bit little endian.
pub(crate) fn encode_pairs<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let (mut count, mut lengths, mut text) = (0u32, Vec::new(), Vec::new());
    for (name, value) in pairs {
        count = count.saturating_add(1);
        for part in [name, value] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            lengths.extend_from_slice(&length.to_le_bytes());
            text.extend_from_slice(part);
            text.push(0);
        }
    }
    [&count.to_le_bytes()[..], &lengths, &text].concat()
}

/// Decodes pairs. Malformed input decodes to no pairs at all, as in Envoy.
pub(crate) fn decode_pairs(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    try_decode_pairs(bytes).unwrap_or_default()
}

fn try_decode_pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut lengths = bytes;
    let count = take_u32(&mut lengths)?;
    let mut text = lengths.get(count.checked_mul(8)?..)?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let (name_len, value_len) = (take_u32(&mut lengths)?, take_u32(&mut lengths)?);
        pairs.push((take_text(&mut text, name_len)?, take_text(&mut text, value_len)?));
    }
    Some(pairs)
}

fn take_u32(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

fn take_text(bytes: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let text = bytes.get(..length)?.to_vec();
    *bytes = bytes.get(length.checked_add(1)?..)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        let owned = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Headers::from_pairs(owned)
    }

    #[test]
    fn repeated_headers_stay_apart_but_pseudo_headers_join() {
        let map = headers(&[
            ("X-A", "1"),
            (":authority", "good"),
            ("x-a", "2"),
            (":authority", "bad"),
        ]);
        assert_eq!(map.first(b"x-A"), Some(&b"1"[..]));
        assert_eq!(map.all(b"x-a").count(), 2);
        assert_eq!(map.joined(b"x-a"), Some(b"1,2".to_vec()));
        assert_eq!(map.text(":authority"), Some("good,bad"));
        assert_eq!(map.joined(b"x-b"), None);
    }

    #[test]
    fn replace_leaves_one_value_in_the_first_place() {
        let mut map = headers(&[("a", "1"), ("b", "2"), ("A", "3")]);
        map.replace(b"A", b"4");
        assert_eq!(map, headers(&[("a", "4"), ("b", "2")]));
        map.replace(b"c", b"5");
        assert_eq!(map.len(), 3);
    }

    #[test]
    fn pairs_round_trip_and_malformed_pairs_are_none() {
        let map = headers(&[("a", ""), ("b", "\u{e9}")]);
        let bytes = encode_pairs(map.iter());
        assert_eq!(Headers::from_pairs(decode_pairs(&bytes)), map);
        assert_eq!(encode_pairs(std::iter::empty()), [0, 0, 0, 0]);
        for cut in 0..bytes.len() {
            assert!(decode_pairs(&bytes[..cut]).is_empty(), "cut at {cut}");
        }
        assert!(decode_pairs(&[255; 64]).is_empty(), "lengths beyond the buffer");
    }
}
