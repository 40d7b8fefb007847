//! The table of fields, files and properties in ARCHITECTURE.md says what the code does.

use super::super::devices::{self, DeviceFilter};
use super::super::host::Layout;
use super::super::write::{IfMissing, Write};
use super::super::{v1, v2};
use super::{Ask, ScopePlan};
use oci_spec::runtime::LinuxResources;
use std::collections::BTreeSet;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
const HEAD: &str = "| `linux.resources` | cgroup v2 | systemd | cgroup v1 |";

type Names = BTreeSet<String>;

/// What stands between backquotes.
fn names(cell: &str) -> Names {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The files that `writes` for `field` go to, one way or the other.
fn files(writes: &[Write], field: &str) -> Names {
    let mut files = Names::new();
    for mut write in writes.iter().filter(|write| concerns(write, field)) {
        files.insert(write.file.replace("2MB", "SIZE"));
        while let IfMissing::Instead(other) = &write.if_missing {
            write = other;
            files.insert(write.file.clone());
        }
    }
    files
}

/// Elements of lists have the numbers of the samples.
fn concerns(write: &Write, field: &str) -> bool {
    let written = write.field.trim_start_matches("linux.resources.").replace("[0]", "");
    written.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The properties that a scope has for `writes` and `filter`.
fn properties(writes: &[Write], filter: Option<&DeviceFilter>) -> Names {
    let (layout, devices) = (Layout::Unified, filter);
    let ask = Ask {
        id: "c1",
        cgroups_path: None,
        annotations: None,
        writes,
        devices,
        layout,
        user: false,
    };
    let plan = ScopePlan::new(&ask).expect("a plan");
    plan.properties.into_iter().map(|one| one.name).collect()
}

#[test]
fn the_table_in_the_document_is_true() {
    let text = std::fs::read_to_string(DOCUMENT).expect("the document");
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2);
    let always = properties(&[], None);
    let mut fields = Names::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<Names> = row.trim_matches('|').split('|').map(names).collect();
        let [field, in_v2, in_systemd, in_v1] = cells.as_slice() else { panic!("{row}") };
        let field = field.first().expect(row);
        let (_, json) = SAMPLES.iter().find(|(name, _)| name == field).expect(row);
        let resources: LinuxResources = serde_json::from_str(json).expect(json);
        let (v2, v1) = (v2::limits::of(&resources).writes, v1::limits::of(&resources).writes);
        if field == devices::FIELD.trim_start_matches("linux.resources.") {
            let rules = resources.devices().as_deref().unwrap_or_default();
            let filter = DeviceFilter::new(rules).expect("a filter");
            assert_eq!(&properties(&[], Some(&filter)) - &always, *in_systemd, "{row}");
        } else {
            assert_eq!((&files(&v2, field), &files(&v1, field)), (in_v2, in_v1), "{row}");
            let of = |writes: Vec<Write>| {
                let writes: Vec<Write> =
                    writes.into_iter().filter(|one| concerns(one, field)).collect();
                &properties(&writes, None) - &always
            };
            assert_eq!(&of(v2) | &of(v1), *in_systemd, "{row}");
        }
        fields.insert(field.clone());
    }
    assert_eq!(fields, SAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect());
}

/// Every field of the specification, with a value that asks for something.
const SAMPLES: &[(&str, &str)] = &[
    ("memory.limit", r#"{"memory":{"limit":5}}"#),
    ("memory.swap", r#"{"memory":{"limit":5,"swap":9}}"#),
    ("memory.reservation", r#"{"memory":{"reservation":5}}"#),
    ("memory.kernel", r#"{"memory":{"kernel":5}}"#),
    ("memory.kernelTCP", r#"{"memory":{"kernelTCP":5}}"#),
    ("memory.swappiness", r#"{"memory":{"swappiness":5}}"#),
    ("memory.disableOOMKiller", r#"{"memory":{"disableOOMKiller":true}}"#),
    ("memory.useHierarchy", r#"{"memory":{"useHierarchy":false}}"#),
    ("memory.checkBeforeUpdate", r#"{"memory":{"checkBeforeUpdate":true}}"#),
    ("cpu.shares", r#"{"cpu":{"shares":512}}"#),
    ("cpu.quota", r#"{"cpu":{"quota":5000}}"#),
    ("cpu.period", r#"{"cpu":{"period":5000}}"#),
    ("cpu.burst", r#"{"cpu":{"burst":5000}}"#),
    ("cpu.idle", r#"{"cpu":{"idle":1}}"#),
    ("cpu.cpus", r#"{"cpu":{"cpus":"0-1"}}"#),
    ("cpu.mems", r#"{"cpu":{"mems":"0"}}"#),
    ("cpu.realtimeRuntime", r#"{"cpu":{"realtimeRuntime":5}}"#),
    ("cpu.realtimePeriod", r#"{"cpu":{"realtimePeriod":5}}"#),
    ("pids.limit", r#"{"pids":{"limit":5}}"#),
    ("blockIO.weight", r#"{"blockIO":{"weight":50}}"#),
    ("blockIO.leafWeight", r#"{"blockIO":{"leafWeight":50}}"#),
    (
        "blockIO.weightDevice.weight",
        r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":50}]}}"#,
    ),
    (
        "blockIO.weightDevice.leafWeight",
        r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":50}]}}"#,
    ),
    (
        "blockIO.throttleReadBpsDevice",
        r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":5}]}}"#,
    ),
    (
        "blockIO.throttleWriteBpsDevice",
        r#"{"blockIO":{"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":5}]}}"#,
    ),
    (
        "blockIO.throttleReadIOPSDevice",
        r#"{"blockIO":{"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":5}]}}"#,
    ),
    (
        "blockIO.throttleWriteIOPSDevice",
        r#"{"blockIO":{"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":5}]}}"#,
    ),
    ("hugepageLimits", r#"{"hugepageLimits":[{"pageSize":"2MB","limit":5}]}"#),
    ("rdma", r#"{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10}}}"#),
    ("network.classID", r#"{"network":{"classID":5}}"#),
    ("network.priorities", r#"{"network":{"priorities":[{"name":"eth0","priority":5}]}}"#),
    ("devices", r#"{"devices":[{"allow":false,"access":"rwm"}]}"#),
    ("unified[memory.min]", r#"{"unified":{"memory.min":"5"}}"#),
    ("unified[memory.high]", r#"{"unified":{"memory.high":"5"}}"#),
    ("unified[memory.zswap.max]", r#"{"unified":{"memory.zswap.max":"5"}}"#),
    ("unified[memory.oom.group]", r#"{"unified":{"memory.oom.group":"1"}}"#),
    ("unified[misc.max]", r#"{"unified":{"misc.max":"a 5"}}"#),
];
