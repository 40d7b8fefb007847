//! SECURITY.md's table of what went wrong elsewhere has every class that is to be tried, and names cases that
//! there are.

use crate::cases::FEATURES;

const DOCUMENT: &str = include_str!("../../../../SECURITY.md");

/// What is to be in it.
const IDS: &[&str] = &[
    "CVE-2014-8989",
    "CVE-2016-3697",
    "CVE-2016-9962",
    "CVE-2019-5736",
    "CVE-2019-16884",
    "CVE-2019-18837",
    "CVE-2019-19921",
    "CVE-2021-30465",
    "CVE-2021-43784",
    "CVE-2022-27650",
    "CVE-2022-29162",
    "CVE-2023-25809",
    "CVE-2023-27561",
    "CVE-2023-28642",
    "CVE-2024-21626",
    "CVE-2024-45310",
    "CVE-2025-27612",
    "CVE-2025-31133",
    "CVE-2025-52565",
    "CVE-2025-52881",
    "CVE-2025-54867",
    "CVE-2025-62161",
    "CVE-2025-62596",
    "CVE-2026-30892",
    "CVE-2026-41579",
    "CVE-2026-47766",
    "GHSA-g54h-m393-cpwq",
    "caller",
    "ids",
    "masked compare",
    "notify",
    "unsafe annotations",
];

/// Its rows: ids, and the names of cases.
fn rows() -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let table = DOCUMENT.split("\n## ").find(|part| part.starts_with("What went wrong elsewhere"));
    let lines = table.expect("the table").lines().filter(|line| line.starts_with("| "));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let ids = cells[0].trim_start_matches("| ").split(", ").collect();
        (ids, cells[2].split('`').skip(1).step_by(2).collect())
    };
    // The first has the titles.
    lines.skip(1).map(row).collect()
}

fn cases() -> Vec<String> {
    let all = FEATURES.iter().flat_map(|feature| {
        feature.cases.iter().map(|case| format!("{}.{}", feature.name, case.name))
    });
    all.collect()
}

#[test]
fn each_class_has_one_row() {
    let mut found: Vec<&str> = rows().into_iter().flat_map(|(ids, _)| ids).collect();
    found.sort_unstable();
    let mut wanted = IDS.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn each_row_names_cases() {
    for (ids, names) in rows() {
        assert!(!names.is_empty(), "{ids:?} has no case");
        for name in names.into_iter().filter(|name| !name.ends_with(".rs")) {
            assert!(cases().iter().any(|case| case == name), "{ids:?}: there is no {name}");
        }
    }
}

#[test]
fn each_hostile_case_is_named() {
    let named: Vec<&str> = rows().into_iter().flat_map(|(_, names)| names).collect();
    for case in cases().iter().filter(|case| case.starts_with("hostile.")) {
        assert!(named.contains(&case.as_str()), "{case} is not in SECURITY.md");
    }
}
