//! Payload of the demo: a static program that says where it runs. A container of it needs no image.

use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or("?").split_whitespace().next().unwrap_or("?").to_string()
    };
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let names = fs::read_dir("/").into_iter().flatten().flatten();
    let mut files: Vec<String> =
        names.map(|each| each.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    println!("hello from container {}", host.trim());
    println!(
        "  process {}, uid {}, {} mounts",
        std::process::id(),
        field("Uid:"),
        mounts.lines().count()
    );
    println!("  /: {}", files.join(" "));
    ExitCode::SUCCESS
}
