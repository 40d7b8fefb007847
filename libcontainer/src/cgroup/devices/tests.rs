//! Lists as configs have them, by the program that comes of them, and filters on the kernel.

use super::super::device_program::tests::{Ask, run};
use super::*;

fn list(json: &str) -> Vec<LinuxDeviceCgroup> {
    serde_json::from_str(json).expect("devices")
}

fn filter(json: &str) -> DeviceFilter {
    DeviceFilter::new(&list(json)).expect("filter")
}

#[test]
fn nothing_asked_for_is_the_default_devices_and_no_disk() {
    let filter = filter("[]");
    let ask = |kind, major, minor, access| Ask { kind, major, minor, access };
    assert!(run(&filter.program, ask(Kind::Char, 1, 3, READ | WRITE)));
    assert!(run(&filter.program, ask(Kind::Char, 136, 77, READ | WRITE)));
    assert!(run(&filter.program, ask(Kind::Block, 8, 0, MKNOD)));
    assert!(!run(&filter.program, ask(Kind::Block, 8, 0, READ)));
    assert!(!run(&filter.program, ask(Kind::Char, 1, 1, READ)));
    assert_eq!(filter, self::filter(r#"[{"allow":false,"access":"rwm"}]"#));
}

#[test]
fn a_list_that_allows_everything_needs_no_program() {
    assert!(filter(r#"[{"allow":true,"access":"rwm"}]"#).allows_everything());
    assert!(filter(r#"[{"allow":false,"type":"c","access":"rwm"},{"allow":true,"type":"a","access":"rwm"}]"#)
        .allows_everything());
    assert!(!filter(r#"[{"allow":true,"access":"rw"}]"#).allows_everything());
    assert!(
        !filter(r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","access":"w"}]"#)
            .allows_everything()
    );
}

/// The cost of loading grows with the program.
#[test]
fn default_list_is_short_and_repeated_rules_add_nothing() {
    let once = filter(r#"[{"allow":false,"access":"rwm"}]"#);
    assert!(once.instructions() <= 40, "{}", once.instructions());
    let again = r#"[{"allow":true,"type":"c","major":9,"minor":9,"access":"r"},{"allow":false,"access":"rwm"}]"#;
    assert_eq!(filter(again), once);
    let repeated = r#"[{"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"},
        {"allow":false,"type":"c","major":136,"minor":5,"access":"w"},
        {"allow":true,"type":"c","major":5,"minor":2,"access":"r"}]"#;
    assert_eq!(filter(repeated), once);
}

#[test]
fn wrong_rules_are_all_named() {
    let wrong = list(
        r#"[{"allow":true,"type":"p","access":"r"},{"allow":true,"access":"rx"},
        {"allow":true},{"allow":true,"major":-2,"access":"r"},
        {"allow":true,"minor":4294967296,"access":"r"},{"allow":true,"access":"r"}]"#,
    );
    let problems = DeviceFilter::new(&wrong).expect_err("problems");
    let fields: Vec<&str> = problems.iter().map(|one| one.field.as_str()).collect();
    let expected = [
        "linux.resources.devices[0].type",
        "linux.resources.devices[1].access",
        "linux.resources.devices[2].access",
        "linux.resources.devices[3].major",
        "linux.resources.devices[4].minor",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn more_than_default_is_any_rule_but_deny_all() {
    let more = |json| asks_for_more_than_default(&list(json));
    assert!(!more("[]"));
    assert!(!more(r#"[{"allow":false,"access":"rwm"},{"allow":false,"type":"a","access":"mrw"}]"#));
    assert!(more(r#"[{"allow":false,"access":"w"}]"#));
    assert!(more(r#"[{"allow":true,"type":"c","major":1,"minor":3,"access":"r"}]"#));
}

#[test]
fn prints_the_rules_that_decide() {
    let filter = filter(r#"[{"allow":true,"type":"b","major":8,"access":"r"}]"#);
    let text = filter.to_string();
    assert!(text.starts_with("allow c 10:200 rwm, allow c 136:* rwm, "), "{text}");
    assert!(text.ends_with("allow b 8:* r, deny all"), "{text}");
}

/// On the kernel: of however many that are ours, one is left, and none if all is allowed.
#[test]
fn one_filter_takes_the_place_of_another() {
    let layout = super::super::Layout::detect();
    let Some(root) = layout.root() else {
        return eprintln!("SKIP no cgroup v2");
    };
    let path = root.join(format!("skep-test-{}-filters", std::process::id()));
    if let Err(error) = std::fs::create_dir(&path) {
        return eprintln!("SKIP cannot make {}: {error}", path.display());
    }
    let directory = std::fs::File::open(&path).expect("open");
    let filters = || bpf::own_device_filters(directory.as_fd()).expect("filters").len();
    let (narrow, wide) = (filter("[]"), filter(r#"[{"allow":true,"access":"rwm"}]"#));
    let mut counts = vec![filters()];
    let mut then = |result: io::Result<()>| {
        result.expect("bpf");
        counts.push(filters());
    };
    then(narrow.replace(directory.as_fd()));
    then(narrow.replace(directory.as_fd()));
    then(narrow.attach(directory.as_fd()));
    then(narrow.attach(directory.as_fd()));
    then(narrow.replace(directory.as_fd()));
    then(wide.replace(directory.as_fd()));
    then(wide.replace(directory.as_fd()));
    std::fs::remove_dir(&path).expect("rmdir");
    assert_eq!(counts, [0, 1, 1, 2, 3, 1, 0, 0]);
}

/// Prints what loading and attaching cost: `cargo test -- --ignored --nocapture load_cost`.
#[test]
#[ignore = "a measurement"]
fn load_cost() {
    let layout = super::super::Layout::detect();
    let path = layout.root().expect("v2").join(format!("skep-test-{}-cost", std::process::id()));
    let docker: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/samples/docker.config.json"))
            .expect("sample");
    let docker = docker["linux"]["resources"]["devices"].to_string();
    for (name, list) in [("default", "[]"), ("docker", docker.as_str())] {
        let filter = filter(list);
        let (mut load, mut attach) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            std::fs::create_dir(&path).expect("mkdir");
            let directory = std::fs::File::open(&path).expect("open");
            let begin = std::time::Instant::now();
            let program = bpf::load_device_filter(&filter.program).expect("load");
            load.push(begin.elapsed());
            let begin = std::time::Instant::now();
            bpf::attach_device_filter(directory.as_fd(), program.as_fd(), None).expect("attach");
            attach.push(begin.elapsed());
            std::fs::remove_dir(&path).expect("rmdir");
        }
        load.sort();
        attach.sort();
        let size = filter.instructions();
        println!("{name}: {size} instructions, load {:?}, attach {:?}", load[25], attach[25]);
    }
}
