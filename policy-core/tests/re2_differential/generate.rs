//! Seeded patterns and inputs: realistic ones, well-formed ones, and syntax nobody would write.

use std::iter;

/// One pattern and the inputs to try it on.
pub(crate) struct Case {
    pub(crate) pattern: String,
    pub(crate) inputs: Vec<Vec<u8>>,
}

/// The given number of cases; the same for the same seed.
pub(crate) fn cases(seed: u64, count: usize) -> Vec<Case> {
    let mut rng = Rng(seed);
    (0..count).map(|index| rng.case(index)).collect()
}

/// What token soups are made of.
const TOKENS: &[&str] = &[
    "a",
    "b",
    "k",
    "S",
    "0",
    "é",
    "\u{212a}",
    "/",
    ".",
    ".*",
    "*",
    "+",
    "?",
    "??",
    "*?",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?i:",
    "(?s)",
    "(?m)",
    "(?-i)",
    "(?U",
    "(?-",
    "(?)",
    "(?P<n>",
    "(?<n>",
    "(?P<",
    "(?=",
    "^",
    "$",
    "[",
    "]",
    "[^",
    "[]",
    "-",
    "&&",
    "[:",
    ":]",
    "[:alpha:]",
    "[[:^digit:]]",
    "{",
    "}",
    "{2}",
    "{,2}",
    "{1,}",
    "{0,3}",
    "{1001}",
    "{3,1}",
    "{01}",
    "{1",
    ",",
    "1",
    "\\",
    r"\d",
    r"\W",
    r"\b",
    r"\B",
    r"\A",
    r"\z",
    r"\Q",
    r"\E",
    r"\x4",
    r"\x{e9}",
    r"\x{",
    r"\012",
    r"\0",
    r"\1",
    r"\18",
    r"\400",
    r"\.",
    r"\_",
    r"\n",
    r"\v",
    r"\e",
    r"\C",
    r"\pL",
    r"\p{Greek}",
    "<",
    ">",
    "=",
    "!",
    "P",
    ":",
    "i",
    "\n",
    "\0",
    " ",
    "#",
];

/// What the insides of brackets are made of.
const CLASS_TOKENS: &[&str] = &[
    "a",
    "z",
    "k",
    "-",
    "-",
    "^",
    "[",
    "]",
    "&&",
    "~~",
    "--",
    "[:alpha:]",
    "[:^space:]",
    "[:word:]",
    "[:nope:]",
    "[:",
    ":]",
    r"\d",
    r"\D",
    r"\s",
    r"\W",
    r"\x41",
    r"\x{10FFFF}",
    r"\x{D800}",
    r"\]",
    r"\\",
    r"\-",
    r"\b",
    r"\Q",
    r"\07",
    r"\1",
    "é",
    "0-9",
    "a-f",
    "z-a",
    ".",
    "$",
    "\n",
    r"\n-\r",
    r"\x00-\x{10FFFF}",
    r"\x{80}-\x{10FFFF}",
    "é-中",
];

/// Patterns as policies have them.
const REALISTIC: &[&str] = &[
    "/public(\\?.*)?",
    "GET|HEAD",
    "P(OST|UT)",
    ".*\\.corp\\.internal",
    "/files/[a-z]+\\.txt",
    "/api/v[0-9]+/users",
    "/v1/items/[0-9]+",
    "^/exact$",
    "/admin(/.*)?",
    "/x{2,3}",
    "[A-Z]+",
    "[^/]+\\.example\\.com(:[0-9]{1,5})?",
    "(?i)content-(type|length)",
    "/[\\w-]+/[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}",
    "\\Q/a.b?c\\E.*",
    "(?s)/any/.*",
    "(a|b)*a(a|b){3}",
    "/(?P<org>[^/]+)/(?<repo>[^/]+)/?",
    "\\bfoo\\b.*\\bbar\\b",
    "(?m)^a$(\n^b$)*",
];

/// What inputs are made of: bytes the tokens are about, and every kind of malformed UTF-8.
const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"k",
    b"K",
    b"s",
    b"0",
    b"1",
    b"/",
    b".",
    b"-",
    b"_",
    b"[",
    b"]",
    b":",
    b"{",
    b"}",
    b"\\",
    b"&",
    b" ",
    b"\n",
    b"\x0b",
    b"\0",
    b"\x7f",
    "é".as_bytes(),
    "中".as_bytes(),
    "🦀".as_bytes(),
    "\u{212a}".as_bytes(),
    "\u{17f}".as_bytes(),
    b"\x80",
    b"\xff",
    b"\xc3",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xe0\xa0\x80",
    b"\xed\xa0\x80",
    b"\xf0\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x84",
];

/// Atoms of well-formed patterns, each with texts it matches.
const ATOMS: &[(&str, &[&[u8]])] = &[
    ("a", &[b"a"]),
    ("b", &[b"b"]),
    ("é", &["é".as_bytes()]),
    (r"\Q.*\E", &[b".*"]),
    (".", &[b"a", "中".as_bytes(), b"\xe0\x80\x80", b"\xed\xa0\x80"]),
    ("(?s:.)", &[b"\n", b"\xf4\x90\x80\x80"]),
    ("(?i:k)", &[b"k", b"K", "\u{212a}".as_bytes()]),
    ("(?i:[^s])", &[b"a", "é".as_bytes()]),
    (r"(?i:\w)", &["\u{17f}".as_bytes(), b"S"]),
    ("[a-c]", &[b"a", b"b"]),
    ("[^/]", &[b"a", "é".as_bytes(), b"\xf0\x80\x80\x80"]),
    (r"[^\x{80}-\x{85}]", &["é".as_bytes(), b"\xed\xa0\x80"]),
    ("[b-é]", &[b"b", "é".as_bytes()]),
    (
        "[à-\u{10400}]",
        &["é".as_bytes(), "中".as_bytes(), "\u{10000}".as_bytes(), b"\xed\xa0\x80"],
    ),
    (r"\d", &[b"0", b"7"]),
    (r"\W", &[b"-", "é".as_bytes()]),
    (r"[\s[:punct:]]", &[b" ", b"/"]),
    (r"\x{D800}", &[b"\xed\xa0\x80"]),
    (r"\x{800}", &[b"\xe0\xa0\x80"]),
    (".*", &[b"", b"ab", "é/".as_bytes()]),
    ("", &[b""]),
    ("^", &[b""]),
    ("$", &[b""]),
    ("(?m:^)", &[b""]),
    ("(?m:$)\n", &[b"\n"]),
    (r"\b", &[b""]),
    (r"\B", &[b""]),
];

/// A small generator of random numbers (splitmix64).
struct Rng(u64);

impl Rng {
    fn case(&mut self, index: usize) -> Case {
        let mut samples = Vec::new();
        let pattern = match index % 4 {
            0 => self.concat(TOKENS, 8),
            1 => self.bracketed(),
            2 => {
                let source = self.pick(REALISTIC);
                self.mutated(source)
            }
            _ => {
                samples = iter::repeat_n(Vec::new(), 4).collect();
                self.well_formed(4, &mut samples)
            }
        };
        // The pattern's own text, less what is likely syntax, often comes close to matching.
        let near: String = pattern.chars().filter(|c| !r"\()[]{}*+?|^$".contains(*c)).collect();
        samples.push(near.into_bytes());
        let mut inputs = samples.clone();
        inputs.extend(samples.iter().map(|sample| self.damaged(sample)));
        inputs.extend(iter::repeat_with(|| self.pieces()).take(6));
        Case { pattern, inputs }
    }

    fn bracketed(&mut self) -> String {
        let (flags, open, close) = (
            self.pick(&["", "", "(?i)"]),
            self.pick(&["[", "[^"]),
            self.pick(&["]", "]*", "]{2}a"]),
        );
        format!("{flags}{open}{}{close}", self.concat(CLASS_TOKENS, 5))
    }

    /// A realistic pattern with up to two tokens inserted and up to one character dropped.
    fn mutated(&mut self, source: &str) -> String {
        let mut chars: Vec<String> = source.chars().map(String::from).collect();
        for _ in 0..self.below(3) {
            let at = self.below(chars.len() + 1);
            chars.insert(at, self.pick(TOKENS).into());
        }
        if self.below(2) == 0 && !chars.is_empty() {
            chars.remove(self.below(chars.len()));
        }
        chars.concat()
    }

    /// A well-formed pattern; appends to each of the samples a text that its parts match one by one.
    fn well_formed(&mut self, depth: usize, samples: &mut [Vec<u8>]) -> String {
        if depth == 0 || self.below(4) == 0 {
            let (pattern, texts) = self.pick(ATOMS);
            for sample in samples {
                sample.extend(self.pick(texts));
            }
            return pattern.into();
        }
        match self.below(3) {
            0 => (0..=self.below(3))
                .map(|_| self.well_formed(depth - 1, samples))
                .collect(),
            1 => {
                let open = self.pick(&["(", "(?:", "(?P<n>", "(?s:"]);
                let ignored = self.well_formed(depth - 1, &mut []);
                let taken = self.well_formed(depth - 1, samples);
                if self.below(2) == 0 {
                    format!("{open}{ignored}|{taken})")
                } else {
                    format!("{open}{taken}|{ignored})")
                }
            }
            _ => {
                let (operator, copies) = self.pick(&[
                    ("*", [0, 1, 2]),
                    ("+?", [1, 2, 3]),
                    ("?", [0, 1, 1]),
                    ("{2}", [2, 2, 2]),
                    ("{1,3}?", [1, 2, 3]),
                    ("{2,}", [2, 3, 3]),
                    ("{0}", [0, 0, 0]),
                ]);
                let mut bodies = vec![Vec::new(); samples.len()];
                let body = self.well_formed(depth - 1, &mut bodies);
                for (sample, body) in samples.iter_mut().zip(bodies) {
                    sample.extend(body.repeat(self.pick(&copies)));
                }
                format!("(?:{body}){operator}")
            }
        }
    }

    /// The text with a piece inserted, or cut short.
    fn damaged(&mut self, text: &[u8]) -> Vec<u8> {
        let (head, tail) = text.split_at(self.below(text.len() + 1));
        match self.below(3) {
            0 => head.into(),
            _ => [head, self.pick(PIECES), tail].concat(),
        }
    }

    fn pieces(&mut self) -> Vec<u8> {
        (0..self.below(4)).flat_map(|_| self.pick(PIECES)).copied().collect()
    }

    fn concat(&mut self, tokens: &[&str], at_most: usize) -> String {
        (0..=self.below(at_most)).map(|_| self.pick(tokens)).collect()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        usize::try_from(bits % bound as u64).expect("below a usize")
    }
}
