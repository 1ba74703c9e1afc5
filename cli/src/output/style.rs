//! Colours, used sparingly: a verdict, a heading, nothing else.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use anstyle::{AnsiColor, Effects};

use crate::args::Color;

/// Where the text goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    /// Colours if asked for, or on a terminal unless `NO_COLOR` is set to something.
    pub(crate) fn new(color: Color, stream: Stream) -> Self {
        let terminal = || match stream {
            Stream::Output => io::stdout().is_terminal(),
            Stream::Error => io::stderr().is_terminal(),
        };
        let coloured = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        Self { coloured }
    }

    /// Whether text is coloured.
    pub(crate) fn is_coloured(self) -> bool {
        self.coloured
    }

    /// What is good.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint(
            anstyle::Style::new()
                .fg_color(Some(AnsiColor::Green.into()))
                .effects(Effects::BOLD),
            text,
        )
    }

    /// What is bad.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(
            anstyle::Style::new()
                .fg_color(Some(AnsiColor::Red.into()))
                .effects(Effects::BOLD),
            text,
        )
    }

    /// What starts a part.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::BOLD), text)
    }

    fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.coloured {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_only_when_wanted() {
        let never = Style::new(Color::Never, Stream::Output);
        assert_eq!((never.good("allow"), never.is_coloured()), ("allow".into(), false));
        let always = Style::new(Color::Always, Stream::Error);
        assert_eq!(always.bad("deny"), "\u{1b}[1m\u{1b}[31mdeny\u{1b}[0m");
    }
}
