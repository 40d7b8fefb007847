//! Every configuration that a real engine wrote is read without a warning that is not justified,
//! and is right for the kind of caller that it was written for.

use std::fs;
use std::path::{Path, PathBuf};

use libcontainer::config::{Config, HostIds, process_from_bytes, validate, validate_process};

const ROOT: HostIds = HostIds { privileged: true, euid: 0, egid: 0 };

const USER: HostIds = HostIds { privileged: false, euid: 1000, egid: 1000 };

fn samples(ending: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut samples = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect::<Vec<_>>();
    samples.sort();
    samples
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn problems(config: &Config, host: &HostIds) -> Vec<String> {
    validate(config.spec(), host).iter().map(ToString::to_string).collect()
}

/// The warnings that are justified.
fn warnings(sample: &str) -> Vec<String> {
    match sample {
        // What runc writes raises none of them: the inheritable set is missing.
        "runc.config.json" | "runc-rootless.config.json" => vec![
            "process.capabilities.ambient: CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE are not in both inheritable and permitted, ignored".to_owned(),
        ],
        _ => Vec::new(),
    }
}

#[test]
fn configurations_are_read_as_they_are() {
    let samples = samples(".config.json");
    assert_eq!(samples.len(), 21);
    for path in samples {
        let bytes = fs::read(&path).unwrap();
        let config = Config::from_bytes(bytes.clone()).unwrap();
        assert_eq!(config.raw(), bytes, "{}", name(&path));
        assert_eq!(config.warnings(), warnings(name(&path)), "{}", name(&path));
    }
}

#[test]
fn nothing_is_wrong_with_them() {
    for path in samples(".config.json") {
        let config = Config::from_bytes(fs::read(&path).unwrap()).unwrap();
        assert!(problems(&config, &ROOT).is_empty(), "{}", name(&path));
    }
}

#[test]
fn an_ordinary_user_is_told_to_have_a_user_namespace() {
    let sample = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
        Config::from_bytes(fs::read(path.join(name)).unwrap()).unwrap()
    };
    assert!(problems(&sample("runc-rootless.config.json"), &USER).is_empty());
    assert!(problems(&sample("cri-userns.config.json"), &USER).is_empty());
    assert_eq!(
        problems(&sample("runc.config.json"), &USER),
        [
            "linux.namespaces: has no user namespace, which user 1000 needs; `skep spec --rootless` writes one"
        ]
    );
}

#[test]
fn processes_are_read_and_right() {
    let samples = samples(".process.json");
    assert_eq!(samples.len(), 3);
    for path in samples {
        let (process, warnings) = process_from_bytes(&fs::read(&path).unwrap()).unwrap();
        assert!(warnings.is_empty(), "{}: {warnings:?}", name(&path));
        assert_eq!(validate_process(&process, None), [], "{}", name(&path));
    }
}

#[test]
fn writing_the_types_back_changes_nothing_that_they_know() {
    for path in samples(".config.json") {
        let config = Config::from_bytes(fs::read(&path).unwrap()).unwrap();
        let again = Config::from_spec(config.spec()).unwrap();
        assert_eq!(again.spec(), config.spec(), "{}", name(&path));
        assert_eq!(again.warnings(), config.warnings());
    }
}

#[test]
fn a_program_s_own_configuration_is_taken() {
    let spec = oci_spec::runtime::Spec::default();
    let config = Config::from_spec(&spec).unwrap();
    assert_eq!(config.spec(), &spec);
    assert!(config.warnings().is_empty());
    assert!(problems(&config, &ROOT).is_empty());
}
