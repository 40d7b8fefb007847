use super::*;

fn mount(json: &str) -> Result<Told> {
    labelled(json, None)
}

fn labelled(json: &str, label: Option<&str>) -> Result<Told> {
    let mount: Mount = serde_json::from_str(json).unwrap();
    let given = Given {
        bundle: Path::new("/bundle"),
        host: &Host::for_tests(),
        own_pid_namespace: true,
        new_cgroup_namespace: true,
        cgroup: None,
        privileged: false,
        label,
    };
    plan(&mount, &given)
}

#[test]
fn tmpfs_has_its_parameters_in_order() {
    let json =
        r#"{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]}"#;
    let Ok((Planned::Ready(mount), None)) = mount(json) else { panic!("planned") };
    let Source::Filesystem(filesystem) = &mount.source else { panic!("filesystem") };
    let keys: Vec<_> = filesystem.parameters.iter().map(|(key, _)| key.to_str().unwrap()).collect();
    assert_eq!(keys, ["source", "mode"]);
    assert_eq!(mount.to_string(), "mount tmpfs at /dev");
    assert_eq!(format!("{mount:#}"), "mount tmpfs at /dev source=tmpfs mode=755 nosuid");
}

#[test]
fn relative_bind_sources_begin_at_the_bundle() {
    let json = r#"{"destination":"/data","source":"data","options":["rbind","ro"]}"#;
    let Ok((Planned::Bind { path, recursive, .. }, None)) = mount(json) else { panic!("bind") };
    assert_eq!((path.to_str().unwrap(), recursive), ("/bundle/data", true));
}

#[test]
fn long_values_go_through_the_classic_call() {
    let lower = format!("lowerdir={}", "/l:".repeat(100));
    let json = format!(
        r#"{{"destination":"/o","type":"overlay","source":"o","options":["{lower}","nosuid"]}}"#
    );
    let Ok((Planned::Ready(mount), None)) = mount(&json) else { panic!("planned") };
    let Source::Filesystem(Filesystem { classic: Some(classic), .. }) = mount.source else {
        panic!("classic")
    };
    assert_eq!(classic.flags, libc::MS_NOSUID);
    assert_eq!(classic.data.to_str().unwrap(), lower);
}

#[test]
fn a_bind_without_a_source_is_refused() {
    assert!(mount(r#"{"destination":"/data","options":["bind"]}"#).is_err());
    assert!(mount(r#"{"destination":"/data"}"#).is_err());
}

#[test]
fn what_a_bind_cannot_change_is_refused_or_told() {
    let bind = |option: &str| {
        mount(&format!(r#"{{"destination":"/d","source":"/d","options":["bind","{option}"]}}"#))
    };
    let Ok((Planned::Bind { .. }, warning)) = bind("sync") else { panic!("bind") };
    assert!(warning.is_some_and(|text| text.starts_with("sync: ")));
    let Ok((Planned::Bind { .. }, None)) = bind("noatime") else { panic!("bind") };
    for option in ["size=1m", "tmpcopyup", "no-such-option"] {
        assert!(bind(option).is_err(), "{option}");
    }
}

#[test]
fn iversion_is_a_flag_of_mount2() {
    let json = r#"{"destination":"/d","type":"tmpfs","options":["iversion","rprivate"]}"#;
    let Ok((Planned::Ready(mount), None)) = mount(json) else { panic!("planned") };
    let Source::Filesystem(filesystem) = mount.source else { panic!("filesystem") };
    assert!(filesystem.parameters.is_empty());
    assert_eq!(filesystem.classic.map(|classic| classic.flags), Some(libc::MS_I_VERSION));
}

#[test]
fn what_mount2_alone_can_do_is_done_by_it_or_refused() {
    let of = |options: &str| {
        mount(&format!(r#"{{"destination":"/d","type":"tmpfs","options":[{options}]}}"#))
    };
    let Ok((Planned::Ready(mount), None)) = of(r#""silent","rnodev""#) else { panic!("planned") };
    let Source::Filesystem(filesystem) = mount.source else { panic!("filesystem") };
    assert_eq!(filesystem.classic.map(|classic| classic.flags), Some(libc::MS_SILENT));
    for refused in [r#""tmpcopyup","iversion""#, r#""silent","tmpcopyup""#, r#""remount","silent""#]
    {
        assert!(of(refused).is_err(), "{refused}");
    }
    let long = format!(r#""{}","nosuid""#, "x".repeat(300));
    let Ok((Planned::Ready(mount), None)) = of(&long) else { panic!("planned") };
    assert!(matches!(mount.source, Source::Filesystem(Filesystem { only_classic: true, .. })));
    // What is so anyhow.
    assert!(of(r#""tmpcopyup","loud","noiversion""#).is_ok());
}

#[test]
fn a_label_is_quoted_for_mount2_and_plain_for_fsconfig() {
    let label = "system_u:object_r:container_file_t:s0:c1,c2";
    let of = |options: &str| {
        let json = format!(r#"{{"destination":"/d","type":"tmpfs","options":[{options}]}}"#);
        let Ok((Planned::Ready(mount), None)) = labelled(&json, Some(label)) else {
            panic!("planned")
        };
        let Source::Filesystem(filesystem) = mount.source else { panic!("filesystem") };
        let value = filesystem.parameters.last().and_then(|last| last.1.clone());
        (value, filesystem.classic.map(|classic| classic.data))
    };
    let (value, data) = of(r#""mode=755""#);
    assert_eq!(value.unwrap().to_str(), Ok(label));
    assert_eq!(data.unwrap().to_str().unwrap(), format!("mode=755,context=\"{label}\""));
    let (value, data) = of(r#""context=other""#);
    assert_eq!(
        (value.unwrap().to_str(), data.unwrap().to_str()),
        (Ok("other"), Ok("context=other"))
    );
}

#[test]
fn what_takes_no_label_has_none() {
    for mount in [
        r#"{"destination":"/d","type":"proc"}"#,
        r#"{"destination":"/d","type":"cgroup"}"#,
        r#"{"destination":"/d","source":"/d","options":["bind"]}"#,
        r#"{"destination":"/d","type":"tmpfs","options":["remount"]}"#,
    ] {
        let planned = |label| match labelled(mount, label) {
            Ok((Planned::Ready(mount) | Planned::Bind { mount, .. }, None)) => {
                format!("{mount:?}")
            }
            _ => panic!("{mount}"),
        };
        assert_eq!(planned(Some("label")), planned(None));
    }
    let json = r#"{"destination":"/d","type":"mqueue"}"#;
    let Ok((Planned::Ready(mount), None)) = labelled(json, Some("label")) else {
        panic!("planned")
    };
    assert!(mount.label_root);
    let Source::Filesystem(filesystem) = mount.source else { panic!("filesystem") };
    assert!(filesystem.classic.is_none() && filesystem.parameters.is_empty());
}
