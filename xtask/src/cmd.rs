//! Running other programs. Every failure names the command line that repeats it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Prints the command line, then runs it to its end with our own standard streams; no input.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", render(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start: {}", render(command)))?;
    ensure!(status.success(), "{status}; repeat with: {}", render(command));
    Ok(())
}

/// Like [`run`], but kills the program when it takes longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    eprintln!("$ {}", render(command));
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start: {}", render(command)))?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{status}; repeat with: {}", render(command));
            return Ok(());
        }
        if Instant::now() >= deadline {
            kill(&mut child)?;
            bail!("gave up after {} s: {}", limit.as_secs(), render(command));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a child and collects its status, so that it does not stay behind as a zombie.
pub(crate) fn kill(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// What a program prints on standard output, without the trailing line break. Its errors go to our standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start: {}", render(command)))?;
    ensure!(
        output.status.success(),
        "{}; repeat with: {}",
        output.status,
        render(command)
    );
    let text = String::from_utf8(output.stdout).with_context(|| format!("output of: {}", render(command)))?;
    Ok(text.trim_end().to_owned())
}

/// Whether a program ends well, and what it prints on standard output. Its errors go to our standard error.
pub(crate) fn captured(command: &mut Command) -> Result<(bool, String)> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start: {}", render(command)))?;
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

/// Whether a program exists and ends well. Prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command as a line to paste into a shell: environment changes, program, arguments.
pub(crate) fn render(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        // Removed variables are left out: they come from being run by cargo, and a shell does not have them.
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quote(value)));
        }
    }
    words.push(quote(command.get_program()).into_owned());
    words.extend(command.get_args().map(|argument| quote(argument).into_owned()));
    words.join(" ")
}

fn quote(word: &OsStr) -> Cow<'_, str> {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,:/@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_a_line_for_the_shell() {
        let mut command = Command::new("cargo");
        command
            .env("RUSTFLAGS", "-D warnings")
            .env_remove("GONE")
            .args(["run", "--", "", "it's", "a=b,c"]);
        assert_eq!(
            render(&command),
            r"RUSTFLAGS='-D warnings' cargo run -- '' 'it'\''s' a=b,c"
        );
    }

    #[test]
    fn a_failure_says_how_to_repeat_it() {
        let error = run(Command::new("false").arg("--x")).unwrap_err();
        assert_eq!(error.to_string(), "exit status: 1; repeat with: false --x");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let started = Instant::now();
        let error = run_within(Command::new("sleep").arg("60"), Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("gave up"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30), "the limit had no effect");
    }

    #[test]
    fn a_missing_program_is_not_success() {
        assert!(succeeds(&mut Command::new("true")));
        assert!(!succeeds(&mut Command::new("false")));
        assert!(!succeeds(&mut Command::new("no-such-program-anywhere")));
    }
}
