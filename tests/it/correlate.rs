//! The command `correlate` as a program: what it prints, writes and refuses. Its numbers are held against goldens in the coordinator.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PHASE1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/phase1.csv");
const XY: [&str; 4] = ["--x", "x", "--y", "y"];

/// Runs the command in a folder; its tables are named from there.
fn correlate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
    command.current_dir(folder).arg("correlate").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What stderr says where a table and a question are refused with exit code 2.
#[track_caller]
fn refused(name: &str, content: &[u8], arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let output = correlate(folder.path(), &[&[name], arguments].concat());
    let message = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn the_earlier_study_in_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let question = ["--x", "weighted_kurtosis", "--y", "degradation"];
    let with = |more: &[&str]| correlate(folder.path(), &[&[PHASE1], &question[..], more].concat());
    let tables = with(&["--covariates", "latin,log_mc4", "--json", "found.json"]);
    let printed = text(&tables.stdout);
    for part in [
        "r = −0.766037",
        "p = 0.00139985",
        "p = 0.00103144",
        "[−0.921976, −0.449140]",
        "−0.30869",
        "0.32894",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    assert!(tables.status.success() && tables.stderr.is_empty(), "{}", text(&tables.stderr));
    let parse = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let file = parse(&fs::read_to_string(folder.path().join("found.json")).unwrap());
    assert_eq!(file["version"], 2);
    let alone = with(&["--covariates", "latin,log_mc4", "--json", "-"]);
    assert_eq!(parse(text(&alone.stdout)), file);
}

#[test]
fn malformed_tables_say_where_and_what_to_do() {
    let check = |content: &[u8], parts: &[&str]| {
        let message = refused("t.csv", content, &XY);
        assert!(message.starts_with("error: t.csv"), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    };
    check(b"", &["the file is empty", "a header and a row for each language"]);
    check(b"x,y\n", &["it has no rows", "add one for each language"]);
    check(b"x,z\n1,2\n", &["no column `y`", "it has x, z"]);
    check(b"x,y,x\n1,2,3\n", &["two columns are called `x`", "rename or remove one"]);
    check(b"x,y\n1,2\n3,4\n", &["a correlation needs 3 rows, here are 2", "add rows"]);
    check(b"x,y\n1,2\n1,3\n1,4\n", &["x is the same in every row", "name a column that varies"]);
    check(b"x,y\n1,2\n2,2\n3,2\n", &["y is the same in every row"]);
    check(b"x,y\n1,2\n2,many\n3,4\n", &["line 3, column `y`: \"many\" is no number", "correct it"]);
    check(b"x,y\n1,2\n2\n3,4\n", &["line 3 has 1 cells and the header 2"]);
    check(b"x,y\n1,2\n\xff,3\n", &["line 3 is not UTF-8", "save the file in that encoding"]);
    check(b"x,y\n1,1e999\n2,2\n3,1\n", &["line 2, column `y`: \"inf\" is beyond ±1e300"]);
    check(b"x,y\nNaN,1\n2,NaN\n3,1\n", &["a correlation needs 3 rows, here are 1"]);
    check(
        b"language,x,y\neng,1,2\neng,2,1\n",
        &["line 2 and line 3", "\"eng\" stands twice", "--by"],
    );
    let long = "x,y\n".to_owned() + &"1,2\n".repeat(10_001);
    check(long.as_bytes(), &["more than 10000 rows", "aggregate it first"]);
}

#[test]
fn files_that_are_no_tables_and_questions_without_an_answer() {
    let check = |name: &str, arguments: &[&str], part: &str| {
        let message = refused(name, b"x,y\n1,2\n2,1\n3,3\n", arguments);
        assert!(message.contains(part), "{part}: {message}");
    };
    check("t.xlsx", &XY, "ends in .csv, .tsv or .parquet: export it");
    check("t.parquet", &XY, "t.parquet: Parquet error");
    let also = |more: &[&'static str]| [&XY[..], more].concat();
    check("t.csv", &["--x", "x,y", "--y", "y"], "column `y` stands twice");
    check("t.csv", &also(&["--confidence", "2"]), "give a number between 0 and 1");
    check("t.csv", &also(&["--draws", "5"]), "give at least 100");
    check("t.csv", &also(&["--by", "modle"]), "no column `modle`: it has x, y");
    check("t.csv", &also(&["--covariates", "latin"]), "say which column names them with --label");
    check("t.csv", &also(&["--cluster", "famly"]), "did you mean `family`?");
    let folder = tempfile::tempdir().unwrap();
    let absent = correlate(folder.path(), &[&["absent.csv"], &XY[..]].concat());
    assert_eq!(
        text(&absent.stderr),
        "error: cannot read absent.csv: No such file or directory (os error 2)\n"
    );
    fs::create_dir(folder.path().join("folder.csv")).unwrap();
    let directory = correlate(folder.path(), &[&["folder.csv"], &XY[..]].concat());
    assert!(
        text(&directory.stderr).contains("cannot read folder.csv/analysis/sensitivity.parquet")
    );
}

#[test]
fn help_has_examples() {
    let help = correlate(Path::new("."), &["--help"]);
    let help = text(&help.stdout);
    assert!(
        help.contains("babelquant correlate table.csv --x weighted_kurtosis --y degradation"),
        "{help}"
    );
}
