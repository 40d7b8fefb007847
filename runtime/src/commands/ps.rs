//! `ps`.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use crate::args::{CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::output::print;

/// Prints the processes of a container.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let pids = line.root()?.open(line.args.id())?.processes()?;
    if line.args.text(&flags::FORMAT) == Some("json") {
        print(&format!("{}\n", serde_json::json!(pids)))?;
    } else {
        print(&rows_of(&host_table(&line.args.rest())?, &pids.into_iter().collect())?)?;
    }
    Ok(0)
}

fn host_table(options: &[&str]) -> Result<String> {
    let options = if options.is_empty() { &["-ef"] } else { options };
    let wrong = |text: &str| Failure::new(format!("ps {}: {text}", options.join(" ")));
    let output = Command::new("ps").args(options).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } =
        output.map_err(|error| Failure::system("run ps(1), or use --format json", error))?;
    if !status.success() {
        return Err(wrong(String::from_utf8_lossy(&stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// The header and the rows whose PID is one of `pids`.
fn rows_of(table: &str, pids: &BTreeSet<i32>) -> Result<String> {
    let header = table.lines().next().unwrap_or_default();
    let column = header
        .split_whitespace()
        .position(|name| name == "PID")
        .ok_or_else(|| Failure::new("ps(1) printed no column PID: choose options that do"))?;
    let is_inside = |row: &&str| {
        let pid = row.split_whitespace().nth(column).and_then(|cell| cell.parse().ok());
        pid.is_some_and(|pid: i32| pids.contains(&pid))
    };
    let rows = table.lines().skip(1).filter(is_inside);
    Ok(std::iter::once(header).chain(rows).map(|row| format!("{row}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "UID          PID    PPID CMD\nroot           1       0 init 12\nroot          12       1 sh\nme           120      12 top 1\n";

    #[test]
    fn rows_are_chosen_by_the_pid_column() {
        assert_eq!(
            rows_of(TABLE, &BTreeSet::from([12])),
            Ok("UID          PID    PPID CMD\nroot          12       1 sh\n".to_owned())
        );
        assert_eq!(
            rows_of(TABLE, &BTreeSet::new()),
            Ok("UID          PID    PPID CMD\n".to_owned())
        );
    }

    #[test]
    fn table_without_pids_is_refused() {
        assert!(rows_of("USER CMD\nroot init\n", &BTreeSet::from([1])).is_err());
        assert!(rows_of("", &BTreeSet::new()).is_err());
    }
}
