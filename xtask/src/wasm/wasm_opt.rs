//! Binaryen's `wasm-opt`, which makes the plugin a sixth smaller than LLVM leaves it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::workspace::Workspace;
use crate::{cmd, node};

/// The npm package that carries the program, as a script for Node.
const PACKAGE: &str = "binaryen";

/// Fixed, as the compiler is: what it makes of a module is what ships.
const VERSION: &str = "132.0.0";

/// Of the package of that version: npm installs nothing else.
const INTEGRITY: &str =
    "sha512-4Usg7yEvwO3FMso3Oov6qkOOHSod1IEv+boKkh77kTljM+eNBouqCTbqWswGzbG+vDNO/b/v2C4gfEh1WgB9Lg==";

/// Points to a program to use instead of the installed one.
const OVERRIDE: &str = "PORTCULLIS_WASM_OPT";

/// For size; then two that `-Oz` leaves out: a number that is written often in a function is written once, and what is
/// used most gets the shortest numbers.
const PASSES: [&str; 5] = [
    "-Oz",
    "--const-hoisting",
    "--reorder-functions",
    "--reorder-locals",
    "--reorder-globals",
];

/// What rustc may emit for the plugin, and so all that the result may need. The module does not say it itself, because
/// it is stripped.
const FEATURES: [&str; 9] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The program.
#[derive(Debug)]
pub(super) struct WasmOpt {
    /// With the arguments that come before all others.
    command: Vec<OsString>,
    /// What it says to `--version`.
    version: String,
}

impl WasmOpt {
    /// The pinned program, installed if it is not there. `PORTCULLIS_WASM_OPT` replaces it.
    pub(super) fn provide(workspace: &Workspace) -> Result<Self> {
        if let Some(program) = env::var_os(OVERRIDE) {
            return Self::new(vec![program]).with_context(|| format!("{OVERRIDE} should name Binaryen's wasm-opt"));
        }
        node::ensure_npm().with_context(|| {
            format!("the plugin is made smaller by wasm-opt, from npm's {PACKAGE}; or let {OVERRIDE} name one")
        })?;
        let home = workspace.tools_dir().join(format!("{PACKAGE}-{VERSION}"));
        let script = home.join("node_modules").join(PACKAGE).join("bin/wasm-opt");
        if !script.is_file() {
            install(workspace, &home)?;
        }
        let program = Self::new(vec!["node".into(), script.into()])?;
        ensure!(
            is_pinned(&program.version),
            "{} holds not {PACKAGE} {VERSION}; it says: {}",
            home.display(),
            program.version
        );
        Ok(program)
    }

    fn new(command: Vec<OsString>) -> Result<Self> {
        let mut program = Self {
            command,
            version: String::new(),
        };
        program.version = cmd::output(program.command().arg("--version"))?;
        Ok(program)
    }

    /// Makes a module smaller, and returns the path of the result, in `dir`.
    ///
    /// What was made of the same module before is taken as it is.
    pub(super) fn shrink(&self, module: &Path, dir: &Path) -> Result<PathBuf> {
        let (input, recipe, output) = (dir.join("before.wasm"), dir.join("recipe.txt"), dir.join("after.wasm"));
        let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
        let wanted = self.recipe();
        let is_current = fs::read(&input).is_ok_and(|known| known == bytes)
            && fs::read_to_string(&recipe).is_ok_and(|known| known == wanted);
        if !is_current {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            // The recipe is written last: without it, an earlier end leaves nothing that could be taken for a result.
            if recipe.exists() {
                fs::remove_file(&recipe).with_context(|| format!("cannot remove {}", recipe.display()))?;
            }
            fs::write(&input, bytes).with_context(|| format!("cannot write {}", input.display()))?;
            cmd::run(self.command().arg(&input).args(arguments()).arg("-o").arg(&output))?;
            fs::write(&recipe, wanted).with_context(|| format!("cannot write {}", recipe.display()))?;
        }
        Ok(output)
    }

    fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or_else(|| "wasm-opt".into(), OsString::clone));
        command.args(words);
        command
    }

    /// All but the module that the result depends on.
    fn recipe(&self) -> String {
        let arguments: Vec<&str> = arguments().collect();
        format!("{}\n{}\n", self.version, arguments.join(" "))
    }
}

fn arguments() -> impl Iterator<Item = &'static str> {
    FEATURES.into_iter().chain(PASSES)
}

/// Installs the very package that [`INTEGRITY`] is of, into `home`.
fn install(workspace: &Workspace, home: &Path) -> Result<()> {
    let dependencies = json!({ PACKAGE: VERSION });
    let manifest = json!({ "private": true, "dependencies": dependencies });
    let lock = json!({
        "lockfileVersion": 3,
        "packages": {
            "": { "dependencies": dependencies },
            format!("node_modules/{PACKAGE}"): { "version": VERSION, "integrity": INTEGRITY },
        },
    });
    fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
    for (name, content) in [("package.json", manifest), ("package-lock.json", lock)] {
        fs::write(home.join(name), content.to_string()).with_context(|| format!("cannot write {name}"))?;
    }
    let mut npm = workspace.command("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]);
    cmd::run(npm.arg(home))
}

/// Whether the answer to `--version`, `wasm-opt version 132 (version_132)`, names the pinned version, of which it has
/// only the first number.
fn is_pinned(printed: &str) -> bool {
    let major = VERSION.split('.').next();
    major.is_some() && printed.split_whitespace().nth(2) == major
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that copies its input, and notes how often it was asked.
    fn copier(dir: &Path) -> WasmOpt {
        let script = dir.join("copier.sh");
        let text = r#"[ "$1" = --version ] && { echo "copier version 1"; exit; }
echo ran >> "$0.log"
input=$1
while [ $# -gt 1 ]; do shift; done
cp "$input" "$1"
"#;
        fs::write(&script, text).unwrap();
        WasmOpt::new(vec!["sh".into(), script.into()]).unwrap()
    }

    fn runs(dir: &Path) -> usize {
        fs::read_to_string(dir.join("copier.sh.log")).map_or(0, |log| log.lines().count())
    }

    #[test]
    fn runs_only_when_something_changed() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        let (module, cache) = (dir.join("module.wasm"), dir.join("cache"));
        let mut program = copier(dir);
        let shrunk = |content: &str, program: &WasmOpt| {
            fs::write(&module, content).unwrap();
            let output = program.shrink(&module, &cache).unwrap();
            (fs::read_to_string(output).unwrap(), runs(dir))
        };

        assert_eq!(shrunk("one", &program), ("one".to_owned(), 1), "the first time");
        assert_eq!(shrunk("one", &program), ("one".to_owned(), 1), "the same again");
        assert_eq!(shrunk("two", &program), ("two".to_owned(), 2), "another module");
        program.version.push_str(".1");
        assert_eq!(shrunk("two", &program), ("two".to_owned(), 3), "another program");
        fs::remove_file(dir.join("cache/recipe.txt")).unwrap();
        assert_eq!(shrunk("two", &program), ("two".to_owned(), 4), "ended half-way before");
    }

    #[test]
    fn what_fails_is_no_result() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        let module = dir.join("module.wasm");
        fs::write(&module, "one").unwrap();
        let program = copier(dir);
        fs::write(dir.join("copier.sh"), "exit 1").unwrap();
        assert!(program.shrink(&module, &dir.join("cache")).is_err());

        let program = copier(dir);
        program.shrink(&module, &dir.join("cache")).unwrap();
        assert_eq!(runs(dir), 1, "the failure was remembered as a success");
    }

    #[test]
    fn compares_the_whole_version() {
        let cases = [
            ("wasm-opt version 132 (version_132)", true, "the same"),
            ("wasm-opt version 13 (version_13)", false, "only the beginning"),
            ("wasm-opt version 1320", false, "longer"),
            ("", false, "nothing"),
        ];
        for (printed, expected, why) in cases {
            assert_eq!(is_pinned(printed), expected, "{why}");
        }
    }
}
