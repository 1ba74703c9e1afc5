//! The page of `matrix --html` in a browser. Without one, this says loudly that it was not tested.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{matrix::crowd, run::portcullis};

/// Programs that are Chromium, and the variable that names another one.
const BROWSERS: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const VARIABLE: &str = "PORTCULLIS_CHROMIUM";

/// What a user does before the picture is taken: folds, filters, holds a cell.
const AT_REST: &str = "";
const HELD: &str = "filters.from.value = 'prometheus'; draw(); pin({row: 0, column: 1});";
const UNFOLDED: &str = "folded.clear(); draw(); focus({row: 3, column: 1}); table.querySelector('td:focus').dispatchEvent(\
                        new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));";

fn browser() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    BROWSERS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

fn run(browser: &Path, page: &Path, more: &[&str]) -> String {
    let profile = page.with_extension("profile");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1440,900",
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("start the browser");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The page as it is after the script ran and somebody did `steps`. Errors of the script end up in its title.
fn dump(browser: &Path, page: &Path, steps: &str) -> String {
    let text = fs::read_to_string(page).expect("the page");
    let catch =
        "<script>addEventListener('error', (event) => { document.title = 'broken: ' + event.message; });</script>\n";
    let text = text.replacen("<style>", &format!("{catch}<style>"), 1);
    let text = text.replace("</body>", &format!("<script>{steps}</script></body>"));
    let path = page.with_extension("steps.html");
    fs::write(&path, text).expect("write");
    run(browser, &path, &["--dump-dom"])
}

#[test]
fn a_browser_draws_it() {
    let Some(browser) = browser() else {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: no Chromium draws the page; name one in {VARIABLE}"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let many = folder.path().join("many.yaml");
    fs::write(&many, crowd(10, 20)).expect("write");
    let page = |name: &str, files: &str| {
        let page = folder.path().join(name);
        let output = portcullis(&["matrix", "-f", files, "--html", page.to_str().expect("text")]);
        assert_eq!(output.status, 0, "{output:?}");
        page
    };
    let few = page("few.html", "../../examples/empire");
    let many = page("many.html", many.to_str().expect("text"));
    for (page, steps, cells, part, why) in [
        (&few, AT_REST, 81, "Point at a cell", "all of nine classes"),
        (
            &few,
            HELD,
            9,
            "GET /metrics",
            "one source is left, and a held cell tells its requests",
        ),
        (
            &many,
            AT_REST,
            12 * 12,
            "200 workloads in 202 classes",
            "namespaces are folded",
        ),
        (
            &many,
            UNFOLDED,
            202 * 202,
            "team-0/app-11",
            "all of them, and the arrow key moved on",
        ),
    ] {
        let dom = dump(&browser, page, steps);
        assert!(
            !dom.contains("<title>broken"),
            "{why}: {}",
            dom.lines().find(|line| line.contains("<title>")).unwrap_or_default()
        );
        // What follows is the script, with some of the same words.
        let (dom, _) = dom.split_once("<noscript>").expect("the end of the table");
        assert_eq!(dom.matches(r#"role="gridcell""#).count(), cells, "{why}");
        assert!(dom.contains(part), "{why}");
        assert_eq!(
            dom.matches(r#"tabindex="0""#).count(),
            1,
            "{why}: the tab key reaches one cell"
        );
    }
    let picture = folder.path().join("few.png");
    run(&browser, &few, &[&format!("--screenshot={}", picture.display())]);
    assert!(fs::read(picture).expect("a picture").starts_with(b"\x89PNG"));
}
