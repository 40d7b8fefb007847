//! SPEC.md says of every field of the specification what does it and which test shows it. Here it is
//! held to that: no field is missing, and what it names is there.

use crate::config;
use crate::reflect;
use oci_spec::runtime::{ContainerProcessState, Features, Spec, State};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Sections for other systems: ignored whole, so what is in them has no rows.
const OTHER_SYSTEMS: &[&str] = &["windows", "solaris", "zos", "freebsd", "vm"];

/// What oci-spec reads where no version of the specification has it.
const NOT_SPECIFIED: &[&str] = &["uidMappings", "gidMappings"];

/// oci-spec 0.10's spelling, and the specification's.
const MISSPELT: &[(&str, &str)] = &[
    ("linux.intelRdt.enableCmt", "linux.intelRdt.enableCMT"),
    ("linux.intelRdt.enableMbm", "linux.intelRdt.enableMBM"),
];

type Names = BTreeSet<String>;

/// One row of a table: its fields, with `*` for elements and keys, the modules and the tests.
struct Row {
    text: String,
    /// What the fields are in, which other rows may share.
    objects: Vec<String>,
    fields: Vec<String>,
    modules: Vec<String>,
    tests: Vec<String>,
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(PROJECT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backquotes.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the tables whose head begins with this cell.
fn rows(head: &str) -> Vec<Row> {
    let text = read("SPEC.md");
    let mut rows = Vec::new();
    for table in text.split("\n\n").filter(|part| part.starts_with(&format!("| {head} |"))) {
        rows.extend(table.lines().skip(2).map(row));
    }
    assert!(!rows.is_empty(), "no table of {head}");
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
    let [first, modules, tests] = cells.as_slice() else { panic!("three cells, not {line}") };
    let general =
        |name: &str| name.replace("[]", ".*").replace(".NAME", ".*").replace(".KIND", ".*");
    let named: Vec<_> = names(first).iter().map(|name| general(name)).collect();
    let (objects, fields) = match named.split_first() {
        // `a[]`: `b`, `c`
        Some((object, inner)) if first.contains("`: `") => {
            (outer(object), inner.iter().map(|field| format!("{object}.{field}")).collect())
        }
        _ => (Vec::new(), named),
    };
    Row { text: line.to_owned(), objects, fields, modules: names(modules), tests: names(tests) }
}

/// `a.*.b.*` is in `a.*.b`, and that in `a`.
fn outer(object: &str) -> Vec<String> {
    let mut outer = vec![object.trim_end_matches(".*").to_owned()];
    while let Some((before, _)) = outer.last().and_then(|last| last.rsplit_once('.')) {
        outer.push(before.trim_end_matches(".*").to_owned());
    }
    outer
}

/// Every field once.
fn fields(head: &str) -> Names {
    let (mut all, mut objects) = (Names::new(), Names::new());
    for row in rows(head) {
        objects.extend(row.objects);
        for field in row.fields {
            assert!(all.insert(field.clone()), "{field} has two rows");
        }
    }
    all.union(&objects).cloned().collect()
}

fn difference(one: &Names, other: &Names) -> Vec<String> {
    one.difference(other).cloned().collect()
}

/// The fields of oci-spec's types, but for those of other systems. All kinds of hooks are alike.
fn fields_of_types() -> Names {
    let top = |field: &str| field.split('.').next().unwrap_or_default().to_owned();
    let all = reflect::fields::<Spec>().into_iter();
    let ours = all.filter(|field| {
        let of_others = OTHER_SYSTEMS.contains(&top(field).as_str()) && field.contains('.');
        !of_others && !NOT_SPECIFIED.contains(&top(field).as_str())
    });
    ours.map(|field| specified(&field)).collect()
}

fn specified(field: &str) -> String {
    if let Some((_, specified)) = MISSPELT.iter().find(|(misspelt, _)| *misspelt == field) {
        return (*specified).to_owned();
    }
    match field.strip_prefix("hooks.").and_then(|rest| rest.split_once(".*.")) {
        Some((_, inner)) => format!("hooks.*.*.{inner}"),
        None => field.to_owned(),
    }
}

#[test]
fn every_field_of_the_configuration_has_its_row() {
    let (document, read) = (fields("config.json"), config::known_fields());
    assert_eq!(difference(&read, &document), [""; 0], "fields without a row");
    assert_eq!(difference(&document, &read), [""; 0], "rows of what is no field");
}

/// The list of fields by which unknown ones are told is complete: oci-spec's types have no others.
#[test]
fn every_field_of_the_types_is_known() {
    let (types, known) = (fields_of_types(), config::known_fields());
    assert_eq!(difference(&types, &known), [""; 0], "told as unknown, but read");
    assert_eq!(difference(&known, &types), ["freebsd"], "told as known, but not read");
}

#[test]
fn every_field_of_the_other_documents_has_its_row() {
    assert_eq!(difference(&reflect::fields::<Features>(), &fields("features")), [""; 0]);
    let runtime = fields("runtime");
    for (name, types) in [
        ("state", reflect::fields::<State>()),
        ("listener", reflect::fields::<ContainerProcessState>()),
    ] {
        let wanted = types.iter().filter(|field| !field.starts_with("state."));
        let wanted = wanted.map(|field| format!("{name}.{field}")).collect();
        assert_eq!(difference(&wanted, &runtime), [""; 0]);
    }
}

const TABLES: [&str; 3] = ["config.json", "runtime", "features"];

#[test]
fn every_module_is_there() {
    for row in TABLES.into_iter().flat_map(rows) {
        assert!(!row.modules.is_empty(), "no module: {}", row.text);
        for module in &row.modules {
            let places =
                ["libcontainer/src", "."].map(|room| Path::new(PROJECT).join(room).join(module));
            assert!(places.iter().any(|place| place.exists()), "no {module}: {}", row.text);
        }
    }
}

#[test]
fn every_test_is_there() {
    let cases = cases();
    assert!(cases.len() > 600 && cases.contains("spec.runs"), "{cases:?}");
    let is_there = |test: &String| match test.split_once(": ") {
        Some((file, name)) => has_test(file, name),
        None => cases.contains(test),
    };
    let mut missing = Vec::new();
    for row in TABLES.into_iter().flat_map(rows) {
        assert!(!row.tests.is_empty(), "no test: {}", row.text);
        missing.extend(row.tests.into_iter().filter(|test| !is_there(test)));
    }
    assert_eq!(missing, [""; 0], "named, but not there");
}

/// Tests of Rust are named `file.rs: name`, with the file in one of these rooms.
fn has_test(file: &str, name: &str) -> bool {
    let rooms = ["libcontainer/tests", "libcontainer/src", "runtime/src", "."];
    let text = rooms
        .iter()
        .find_map(|room| fs::read_to_string(Path::new(PROJECT).join(room).join(file)).ok());
    let is_named = |test: &str| {
        let after = test.split_once("fn ").map(|(_, after)| after);
        after.is_some_and(|after| after.starts_with(&format!("{name}(")))
    };
    text.is_some_and(|text| text.split("#[test]").skip(1).any(is_named))
}

/// The full names of the cases of `integration/`, read from the source as `--list` would print them.
fn cases() -> Names {
    let mut cases = Names::new();
    for file in sources(&Path::new(PROJECT).join("integration/src/cases")) {
        let text = read(&file);
        let Some((_, rest)) = text.split_once("name: \"") else { continue };
        let Some((feature, rest)) = rest.split_once('"') else { continue };
        let list = rest.split("];").next().unwrap_or_default();
        for kind in ["root!(", "user!(", "either!("] {
            let found = list.split(kind).skip(1).filter_map(|after| after.split(')').next());
            cases.extend(found.map(|case| format!("{feature}.{case}")));
        }
    }
    cases
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}
