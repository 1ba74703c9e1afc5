//! Why a pattern is refused, and where.

use thiserror::Error;

/// A refused pattern: what is wrong, and at which byte of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct PatternError {
    offset: usize,
    kind: PatternErrorKind,
}

impl PatternError {
    pub(super) fn new(offset: usize, kind: PatternErrorKind) -> Self {
        Self { offset, kind }
    }

    /// The byte offset into the source at which the refused construct begins.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong there.
    pub fn kind(&self) -> PatternErrorKind {
        self.kind
    }
}

/// What is wrong with a pattern: not RE2 at all, or RE2 that this engine refuses rather than approximates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// The source ends after a `\`.
    #[error("trailing backslash")]
    TrailingBackslash,
    /// A `\` sequence RE2 does not define, or one whose code point is out of range.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// `\1` to `\9`.
    #[error("back-references are not part of the RE2 dialect")]
    BackReference,
    /// `(?=`, `(?!`, `(?<=` or `(?<!`.
    #[error("look-around is not part of the RE2 dialect")]
    LookAround,
    /// `(?` followed by something that is neither flags, a name nor `:`.
    #[error("invalid group syntax")]
    InvalidGroup,
    /// A group name that is empty, unterminated or contains something other than word characters.
    #[error("invalid group name")]
    InvalidGroupName,
    /// A `(` that is never closed.
    #[error("missing closing parenthesis")]
    UnclosedGroup,
    /// A `)` that closes nothing.
    #[error("unexpected closing parenthesis")]
    UnopenedGroup,
    /// A `[` that is never closed.
    #[error("missing closing bracket")]
    UnclosedClass,
    /// A character class range whose end sorts before its start.
    #[error("character class range out of order")]
    ReversedRange,
    /// `[:name:]` with a name POSIX does not define.
    #[error("unknown character class name")]
    UnknownClassName,
    /// A repetition operator with nothing before it.
    #[error("nothing to repeat")]
    NothingToRepeat,
    /// A repetition operator directly after another, as in `a**`.
    #[error("repetition operator after a repetition operator")]
    StackedRepetition,
    /// A bound above 1000, `{m,n}` with n below m, or nested repetitions whose bounds multiply to more than 1000.
    #[error("invalid repetition size")]
    InvalidRepetition,

    /// `\C`, which could match half a character.
    #[error("`\\C` is not supported")]
    AnyByte,
    /// `\p` and `\P`: the Unicode tables are not shipped.
    #[error("unicode character classes are not supported")]
    UnicodeClass,
    /// `(?i)` applied to a character whose case variants are not known without Unicode tables.
    #[error("case-insensitive matching is only supported for ASCII")]
    UnicodeFold,
    /// A group name with characters outside ASCII.
    #[error("group names are only supported in ASCII")]
    UnicodeGroupName,
    /// More nested groups than the parser accepts.
    #[error("groups are nested too deeply")]
    TooDeep,
    /// The source, or the program it compiles to, is larger than the engine accepts.
    #[error("pattern too large")]
    TooLarge,
}

impl PatternErrorKind {
    /// Whether RE2 may accept the pattern: it is refused because this engine cannot represent it exactly or cheaply.
    ///
    /// `false` means that RE2 refuses the pattern too.
    pub fn is_unsupported(self) -> bool {
        match self {
            Self::AnyByte
            | Self::UnicodeClass
            | Self::UnicodeFold
            | Self::UnicodeGroupName
            | Self::TooDeep
            | Self::TooLarge => true,
            Self::TrailingBackslash
            | Self::InvalidEscape
            | Self::BackReference
            | Self::LookAround
            | Self::InvalidGroup
            | Self::InvalidGroupName
            | Self::UnclosedGroup
            | Self::UnopenedGroup
            | Self::UnclosedClass
            | Self::ReversedRange
            | Self::UnknownClassName
            | Self::NothingToRepeat
            | Self::StackedRepetition
            | Self::InvalidRepetition => false,
        }
    }
}
