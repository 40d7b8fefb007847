//! No input makes the reader or the validator panic, and no error has more than one line.

use libcontainer::config::{Config, HostIds, process_from_bytes, sysctl_path, validate};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};

const SAMPLES: &[&str] = &[
    include_str!("samples/runc-rootless.config.json"),
    include_str!("samples/cri-userns.config.json"),
    include_str!("samples/podman.config.json"),
];

/// Strings that mean something somewhere, and some that mean nothing.
fn strings() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "",
            "/",
            "..",
            "a=b",
            "=",
            "\0",
            "\n",
            "user",
            "mount",
            "RLIMIT_CPU",
            "CAP_KILL",
            "CAP_",
            "net.x",
            "1.0.2",
            "rbind",
            "c",
            "SCHED_FLAG_DL_OVERRUN",
            "0-1",
            "€",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn leaves() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec![0i64, 1, -1, 1 << 16, 1 << 32]).prop_map(Value::from),
        strings().prop_map(Value::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    leaves().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map(strings(), inner, 0..4)
                .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The places in `value`, as JSON pointers.
fn pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                self::pointers(value, format!("{at}/{key}"), pointers);
            }
        }
        Value::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                self::pointers(value, format!("{at}/{index}"), pointers);
            }
        }
        _ => (),
    }
    pointers.push(at);
}

/// Reads and validates, and looks at whatever is said.
fn put_through(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let lines = match Config::from_bytes(bytes.clone()) {
        Ok(config) => {
            let host = HostIds { privileged: false, euid: 1000, egid: 1000 };
            let problems = validate(config.spec(), &host);
            prop_assert_eq!(config.raw(), &bytes);
            let problems = problems.iter().map(ToString::to_string);
            problems.chain(config.warnings().iter().cloned()).collect()
        }
        Err(error) => vec![error.to_string()],
    };
    for line in lines {
        prop_assert!(!line.contains(char::is_control), "{line:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        put_through(bytes.clone())?;
        let _ = process_from_bytes(&bytes);
    }

    #[test]
    fn any_json(value in values()) {
        put_through(value.to_string().into_bytes())?;
        let _ = process_from_bytes(value.to_string().as_bytes());
    }

    #[test]
    fn a_configuration_cut_off(sample in 0..SAMPLES.len(), part in 0.0..1.0) {
        let sample = SAMPLES[sample].trim_end().as_bytes();
        let end = (sample.len() as f64 * part) as usize;
        let error = Config::from_bytes(sample[..end].to_vec()).unwrap_err().to_string();
        prop_assert!(error.starts_with("config.json is cut off at line "), "{}", error);
    }

    #[test]
    fn a_configuration_with_anything_in_one_place(
        sample in 0..SAMPLES.len(),
        place in any::<prop::sample::Index>(),
        value in values(),
    ) {
        let mut config: Value = serde_json::from_str(SAMPLES[sample]).unwrap();
        let mut places = Vec::new();
        pointers(&config, String::new(), &mut places);
        *config.pointer_mut(place.get::<String>(&places)).unwrap() = value;
        put_through(config.to_string().into_bytes())?;
    }

    #[test]
    fn a_field_that_nobody_knows_changes_nothing(key in "[a-z]{1,8}X", value in values()) {
        let mut config: Value = serde_json::from_str(SAMPLES[0]).unwrap();
        let before = Config::from_bytes(config.to_string().into_bytes()).unwrap();
        for part in ["", "/process", "/process/user", "/linux", "/mounts/0", "/linux/namespaces/0"] {
            config.pointer_mut(part).unwrap()[&key] = value.clone();
        }
        // But for a NUL, which is refused wherever it stands.
        let text = config.to_string().replace("\\u0000", "");
        let after = Config::from_bytes(text.into_bytes()).unwrap();
        prop_assert_eq!(before.spec(), after.spec());
    }

    #[test]
    fn a_sysctl_never_leads_out_of_proc_sys(name in "[a./]{0,12}") {
        if let Some(path) = sysctl_path(&name) {
            prop_assert!(!path.starts_with('/'));
            prop_assert!(path.split('/').all(|part| !["", ".", ".."].contains(&part)), "{}", path);
        }
    }
}
