//! `update`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use libcontainer::Container;
use libcontainer::config::resources_from_bytes;
use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxIntelRdt, LinuxMemory, LinuxPids, LinuxResources,
};

use crate::args::{Args, CommandLine, Flag, flags as f};
use crate::failure::{Failure, Result};
use crate::number;

/// Its flags, in the order of the help: first the file, last what the file has no field for.
pub(crate) const FLAGS: &[Flag] = &[
    f::RESOURCES,
    f::BLKIO_WEIGHT,
    f::CPU_PERIOD,
    f::CPU_QUOTA,
    f::CPU_BURST,
    f::CPU_SHARE,
    f::CPU_RT_PERIOD,
    f::CPU_RT_RUNTIME,
    f::CPU_IDLE,
    f::CPUSET_CPUS,
    f::CPUSET_MEMS,
    f::MEMORY,
    f::MEMORY_RESERVATION,
    f::MEMORY_SWAP,
    f::PIDS_LIMIT,
    f::KERNEL_MEMORY,
    f::KERNEL_MEMORY_TCP,
    f::L3_CACHE_SCHEMA,
    f::MEM_BW_SCHEMA,
];

/// Those that `--resources` stands for, and the help says so: all but the last two.
fn limits() -> &'static [Flag] {
    &FLAGS[1..FLAGS.len() - 2]
}

/// The bounds of the block io weight in version 1 of cgroups, in which it is given.
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

/// Changes limits.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let args = &line.args;
    let container = line.root()?.open(args.id())?;
    let resources = match args.path(&f::RESOURCES).filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => {
            warn_of(limits(), args, "ignored, for --resources is given");
            from_file(path, &container)?
        }
        None => {
            warn_of(&[f::KERNEL_MEMORY, f::KERNEL_MEMORY_TCP], args, "ignored, it is obsolete");
            from_flags(args)?
        }
    };
    match intel_rdt(args) {
        Some(rdt) => container.update_with_intel_rdt(&resources, &rdt)?,
        None => container.update(&resources)?,
    }
    Ok(0)
}

/// The schemata that are given, for which `--resources` has no field.
fn intel_rdt(args: &Args) -> Option<LinuxIntelRdt> {
    let schema = |flag| given(args, flag).map(String::from);
    let mut rdt = LinuxIntelRdt::default();
    rdt.set_l3_cache_schema(schema(&f::L3_CACHE_SCHEMA))
        .set_mem_bw_schema(schema(&f::MEM_BW_SCHEMA));
    (rdt != LinuxIntelRdt::default()).then_some(rdt)
}

fn warn_of(flags: &[Flag], args: &Args, what: &str) {
    for flag in flags.iter().filter(|flag| given(args, flag).is_some()) {
        log::warn!("--{}: {what}", flag.long);
    }
}

fn from_file(path: &Path, container: &Container) -> Result<LinuxResources> {
    let wrong = |error| Failure::system(format!("--resources {}", path.display()), error);
    let bytes = if path == Path::new("-") { read_stdin() } else { fs::read(path) };
    let version = container.config()?.spec().version();
    let (resources, warnings) = resources_from_bytes(&bytes.map_err(wrong)?, version)?;
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
    Ok(resources)
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_flags(args: &Args) -> Result<LinuxResources> {
    let mut resources = LinuxResources::default();
    resources.set_memory(memory(args)?).set_cpu(cpu(args)?);
    if let Some(weight) = blkio_weight(args)? {
        let mut io = LinuxBlockIo::default();
        io.set_weight(Some(weight));
        resources.set_block_io(Some(io));
    }
    // As with the others a 0 leaves the limit as it is; to have no process at all helps nobody.
    if let Some(limit) = integer::<i64>(args, &f::PIDS_LIMIT)?.filter(|limit| *limit != 0) {
        let mut pids = LinuxPids::default();
        pids.set_limit(limit);
        resources.set_pids(Some(pids));
    }
    Ok(resources)
}

fn memory(args: &Args) -> Result<Option<LinuxMemory>> {
    let mut memory = LinuxMemory::default();
    memory
        .set_limit(bytes(args, &f::MEMORY)?)
        .set_reservation(bytes(args, &f::MEMORY_RESERVATION)?)
        .set_swap(bytes(args, &f::MEMORY_SWAP)?);
    Ok((memory != LinuxMemory::default()).then_some(memory))
}

fn cpu(args: &Args) -> Result<Option<LinuxCpu>> {
    let list = |flag| given(args, flag).map(String::from);
    let mut cpu = LinuxCpu::default();
    cpu.set_period(integer(args, &f::CPU_PERIOD)?)
        .set_quota(integer(args, &f::CPU_QUOTA)?)
        .set_burst(integer(args, &f::CPU_BURST)?)
        .set_shares(integer(args, &f::CPU_SHARE)?)
        .set_realtime_period(integer(args, &f::CPU_RT_PERIOD)?)
        .set_realtime_runtime(integer(args, &f::CPU_RT_RUNTIME)?)
        .set_idle(integer(args, &f::CPU_IDLE)?)
        .set_cpus(list(&f::CPUSET_CPUS))
        .set_mems(list(&f::CPUSET_MEMS));
    Ok((cpu != LinuxCpu::default()).then_some(cpu))
}

fn blkio_weight(args: &Args) -> Result<Option<u16>> {
    match integer::<u16>(args, &f::BLKIO_WEIGHT)? {
        None | Some(0) => Ok(None),
        Some(weight) if WEIGHTS.contains(&weight) => Ok(Some(weight)),
        Some(weight) => {
            let (least, most) = (WEIGHTS.start(), WEIGHTS.end());
            let text = format!("--blkio-weight: {weight} is not between {least} and {most}");
            Err(Failure::new(text))
        }
    }
}

/// The value of a flag; an empty one is as good as none, as with runc.
fn given<'a>(args: &'a Args, flag: &Flag) -> Option<&'a str> {
    args.text(flag).filter(|text| !text.is_empty())
}

fn integer<T: number::Integer>(args: &Args, flag: &Flag) -> Result<Option<T>> {
    let Some(text) = given(args, flag) else { return Ok(None) };
    let wrong = || Failure::new(format!("--{}: {text:?} is no {}", flag.long, T::KIND));
    text.parse().map(Some).map_err(|_| wrong())
}

fn bytes(args: &Args, flag: &Flag) -> Result<Option<i64>> {
    let Some(text) = given(args, flag) else { return Ok(None) };
    number::bytes(text).map(Some).ok_or_else(|| {
        let form = "give -1 (no limit) or a number of bytes, with b, k, m, g, t or p if you like";
        Failure::new(format!("--{}: {text:?} is no size; {form}", flag.long))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::typed;

    fn json(flags: &[&str]) -> serde_json::Value {
        let resources = from_flags(&typed("update", &[flags, &["c"]].concat())).expect("resources");
        serde_json::to_value(resources).expect("json")
    }

    fn refusal(flags: &[&str]) -> String {
        let args = typed("update", &[flags, &["c"]].concat());
        from_flags(&args).expect_err("refused").to_string()
    }

    #[test]
    fn every_flag_is_a_field() {
        let flags = [
            "--blkio-weight=500",
            "--cpu-period=100000",
            "--cpu-quota=-1",
            "--cpu-burst=10",
            "--cpu-share=512",
            "--cpu-rt-period=1000",
            "--cpu-rt-runtime=900",
            "--cpu-idle=1",
            "--cpuset-cpus=0-1",
            "--cpuset-mems=0",
            "--memory=64m",
            "--memory-reservation=1g",
            "--memory-swap=-1",
            "--pids-limit=7",
            "--kernel-memory=1",
            "--kernel-memory-tcp=1",
        ];
        assert_eq!(flags.len(), limits().len());
        let expected = serde_json::json!({
            "blockIO": {"weight": 500},
            "cpu": {"period": 100_000, "quota": -1, "burst": 10, "shares": 512,
                "realtimePeriod": 1000, "realtimeRuntime": 900, "idle": 1,
                "cpus": "0-1", "mems": "0"},
            "memory": {"limit": 64 << 20, "reservation": 1 << 30, "swap": -1},
            "pids": {"limit": 7},
        });
        assert_eq!(json(&flags), expected);
    }

    #[test]
    fn what_is_not_given_or_empty_or_unset_is_not_there() {
        assert_eq!(json(&[]), serde_json::json!({}));
        let flags = ["--memory=", "--cpuset-cpus", "", "--pids-limit", "0", "--blkio-weight=0"];
        assert_eq!(json(&flags), serde_json::json!({}));
        assert_eq!(json(&["--pids-limit", "-1"]), serde_json::json!({"pids": {"limit": -1}}));
    }

    #[test]
    fn schemata_are_a_resctrl_groups() {
        let rdt = |flags: &[&str]| {
            intel_rdt(&typed("update", &[flags, &["c"]].concat()))
                .map(|rdt| serde_json::to_value(rdt).expect("json"))
        };
        let expected = serde_json::json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"});
        assert_eq!(
            rdt(&["--l3-cache-schema=L3:0=f", "--mem-bw-schema", "MB:0=20"]),
            Some(expected)
        );
        assert_eq!(rdt(&["--l3-cache-schema=", "--memory=64m"]), None);
    }

    #[test]
    fn wrong_values_are_told_with_the_flag() {
        for (flags, text) in [
            (["--cpu-share", "-5"], "--cpu-share: \"-5\" is no number of 0 or more"),
            (["--cpu-quota", "1.5"], "--cpu-quota: \"1.5\" is no whole number"),
            (["--pids-limit", "many"], "--pids-limit: \"many\" is no whole number"),
            (["--blkio-weight", "5"], "--blkio-weight: 5 is not between 10 and 1000"),
            (["--blkio-weight", "70000"], "--blkio-weight: \"70000\" is no number from 0 to 65535"),
            (
                ["--memory", "12q"],
                "--memory: \"12q\" is no size; give -1 (no limit) or a number of bytes, \
                 with b, k, m, g, t or p if you like",
            ),
        ] {
            assert_eq!(refusal(&flags), text);
        }
    }

    #[test]
    fn resources_may_be_stdin() {
        for arguments in [&["--resources=-", "c"][..], &["-r", "-", "c"], &["-r-", "c"]] {
            let args = typed("update", arguments);
            assert_eq!((args.path(&f::RESOURCES), args.id()), (Some(Path::new("-")), "c"));
        }
    }
}
