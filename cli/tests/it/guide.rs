//! The user guide: every command in it runs, in the order of the guide, and prints what the guide says.
//!
//! A block of kind `console` has commands after `$ ` and what they print; a line `…` stands for any lines. A block of
//! kind `yaml` whose first line is `# NAME.yaml` is that file. With `GUIDE=write` the blocks without `…` are rewritten
//! to what was printed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const GUIDE: &str = "docs/guide.md";
const ANYTHING: &str = "…";

/// A command and what the guide says that it prints.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    output: Vec<String>,
}

/// What a block of the guide asks for.
#[derive(Debug, PartialEq)]
enum Block {
    File { name: String, text: String },
    Console(Vec<Step>),
}

#[test]
fn every_command_of_the_guide_prints_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(GUIDE);
    let guide = fs::read_to_string(&path).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let examples = root.join("examples").canonicalize().expect("examples");
    std::os::unix::fs::symlink(examples, folder.path().join("examples")).expect("a link");
    let mut session = Session {
        folder: folder.path().to_owned(),
    };
    let (mut commands, mut failures, mut written) = (0, Vec::new(), guide.clone());
    for (source, block) in blocks(&guide) {
        let steps = match block {
            Block::File { name, text } => {
                fs::write(session.folder.join(name), text).expect("writable");
                continue;
            }
            Block::Console(steps) => steps,
        };
        let mut rewritten = String::new();
        for Step { command, output } in &steps {
            commands += 1;
            let got = session.run(command);
            if !is_like(&got, output) {
                failures.push(format!(
                    "$ {command}\n{}\n--- the guide says\n{}",
                    got.join("\n"),
                    output.join("\n")
                ));
            }
            let is_whole = !output.iter().any(|line| line == ANYTHING);
            let lines = if is_whole { &got } else { output };
            rewritten += &format!("$ {command}\n");
            rewritten.extend(lines.iter().map(|line| format!("{line}\n")));
        }
        written = written.replacen(&source, &rewritten, 1);
    }
    if env::var_os("GUIDE").is_some_and(|value| value == "write") {
        fs::write(path, written).expect("writable");
    }
    assert!(
        failures.is_empty(),
        "{GUIDE}: {} differ:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(commands > 15, "only {commands} commands were found");
}

/// A shell that remembers the folder it is in.
struct Session {
    folder: PathBuf,
}

impl Session {
    fn run(&mut self, command: &str) -> Vec<String> {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder.push(folder);
            return Vec::new();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_portcullis"));
        let found = program.parent().expect("a folder").display();
        let path = format!("{found}:{}", env::var("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .output()
            .expect("a shell");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The blocks with their source.
fn blocks(guide: &str) -> Vec<(String, Block)> {
    let mut blocks = Vec::new();
    let mut rest = guide;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (kind, after) = after.split_once('\n').expect("a line break");
        let (source, after) = after.split_once("```").expect("the end of a block");
        rest = after;
        match kind {
            "console" => blocks.push((source.to_owned(), Block::Console(steps(source)))),
            "yaml" => {
                let name = source
                    .lines()
                    .next()
                    .and_then(|line| line.strip_prefix("# "))
                    .unwrap_or_default();
                if name.ends_with(".yaml") {
                    let (name, text) = (name.to_owned(), source.to_owned());
                    blocks.push((source.to_owned(), Block::File { name, text }));
                }
            }
            _ => {}
        }
    }
    blocks
}

fn steps(source: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continues = false;
    for line in source.lines() {
        match (continues, line.strip_prefix("$ "), steps.last_mut()) {
            (true, _, Some(step)) => {
                step.command.push('\n');
                step.command.push_str(line);
            }
            (_, Some(command), _) => steps.push(Step {
                command: command.to_owned(),
                output: Vec::new(),
            }),
            (false, None, Some(step)) => step.output.push(line.to_owned()),
            (_, None, None) => panic!("{GUIDE}: output before a command: {line}"),
        }
        continues = line.ends_with('\\');
    }
    steps
}

/// Whether these are the lines, with any in the place of `…`.
fn is_like(got: &[String], want: &[String]) -> bool {
    let parts: Vec<&[String]> = want.split(|line| line == ANYTHING).collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return got == want;
    };
    let Some(mut rest) = got.strip_prefix(*first) else {
        return false;
    };
    for part in middle.iter().filter(|part| !part.is_empty()) {
        let Some(at) = rest.windows(part.len()).position(|window| window == *part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn output_may_be_left_out() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
    for (got, want, same, why) in [
        ("a b c", "a b c", true, "the same"),
        ("a b c", "a b", false, "a line more"),
        ("a b c", "… c", true, "any beginning"),
        ("a b c", "a …", true, "any end"),
        ("a b c", "a … c", true, "anything between"),
        ("a b c", "… b …", true, "anything around"),
        ("a c b", "… b … c", false, "another order"),
        ("a", "a … a", false, "a line is not there twice"),
    ] {
        assert_eq!(is_like(&lines(got), &lines(want)), same, "{why}");
    }
}

#[test]
fn blocks_are_files_or_commands() {
    let guide = "x\n```yaml\n# a.yaml\nb: c\n```\ny\n```console\n$ d \\\n    e\nf\n$ g\n```\n```sh\nh\n```\n";
    let found: Vec<Block> = blocks(guide).into_iter().map(|(_, block)| block).collect();
    let step = |command: &str, output: &[&str]| Step {
        command: command.into(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
    };
    let file = Block::File {
        name: "a.yaml".into(),
        text: "# a.yaml\nb: c\n".into(),
    };
    assert_eq!(
        found,
        [file, Block::Console(vec![step("d \\\n    e", &["f"]), step("g", &[])])]
    );
}
