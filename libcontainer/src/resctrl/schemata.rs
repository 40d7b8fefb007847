//! Lines of a `schemata` file: `L3:0=7ff;1=f`, a resource and its value in each of its domains.

use oci_spec::runtime::LinuxIntelRdt;

/// What is written, in this order: the two that are older than `schemata` in one text, which the kernel
/// takes whole or not at all; then `schemata`, which wins where they disagree.
pub(crate) fn texts(rdt: &LinuxIntelRdt) -> Vec<String> {
    let lines = rdt.schemata().iter().flatten();
    let texts = [text(older(rdt)), text(lines.map(String::as_str))];
    texts.into_iter().flatten().collect()
}

/// The lines with which a group has to agree that was not made for this container.
pub(super) fn compared(rdt: &LinuxIntelRdt) -> Vec<String> {
    older(rdt).map(str::to_owned).collect()
}

/// Where both fields have a line of bandwidth, that of `memBwSchema` holds.
fn older(rdt: &LinuxIntelRdt) -> impl Iterator<Item = &str> {
    let cache = rdt.l3_cache_schema().as_deref().unwrap_or_default();
    let bandwidth = rdt.mem_bw_schema().as_deref().unwrap_or_default();
    let holds = move |line: &&str| bandwidth.is_empty() || !line.starts_with("MB:");
    cache.lines().filter(holds).chain(bandwidth.lines())
}

fn text<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let text: String = lines.map(|line| format!("{}\n", line.trim_end_matches('\n'))).collect();
    (!text.is_empty()).then_some(text)
}

/// Whether a group has what a line asks for: what it names, with the same values. `schemata` is the
/// text of its file, which names every domain, with masks that are filled up with zeros.
pub(super) fn has(schemata: &str, line: &str) -> bool {
    let Some((resource, wanted)) = line.split_once(':') else { return false };
    let there = schemata.lines().filter_map(|line| line.split_once(':'));
    let there: Vec<_> = there
        .filter(|(other, _)| other.trim() == resource.trim())
        .flat_map(|(_, values)| values.split(';').filter_map(domain))
        .collect();
    let mut wanted = wanted.split(';').map(domain);
    wanted.all(|wanted| wanted.is_some_and(|wanted| there.contains(&wanted)))
}

/// A domain and its value: a mask is hexadecimal, a bandwidth decimal, and both are the same number only
/// if they have the same digits.
fn domain(text: &str) -> Option<(u32, String)> {
    let (number, value) = text.trim().split_once('=')?;
    let digits = value.trim().trim_start_matches('0').to_ascii_lowercase();
    Some((number.trim().parse().ok()?, digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rdt(value: Value) -> LinuxIntelRdt {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn cache_comes_before_bandwidth_and_schemata_last() {
        let all = rdt(json!({"memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f",
            "schemata": ["L2:0=1", "L3:0=3"]}));
        assert_eq!(texts(&all), ["L3:0=f\nMB:0=20\n", "L2:0=1\nL3:0=3\n"]);
        assert_eq!(compared(&all), ["L3:0=f", "MB:0=20"]);
    }

    #[test]
    fn bandwidth_beside_the_cache_gives_way_to_its_own_field() {
        let both = json!({"memBwSchema": "MB:0=70", "l3CacheSchema": "L3:0=f\nMB:0=20"});
        assert_eq!(texts(&rdt(both)), ["L3:0=f\nMB:0=70\n"]);
        let one = json!({"l3CacheSchema": "L3:0=f\nMB:0=20"});
        assert_eq!(texts(&rdt(one)), ["L3:0=f\nMB:0=20\n"]);
    }

    #[test]
    fn what_is_not_asked_for_is_not_written() {
        assert!(texts(&rdt(json!({}))).is_empty());
        let empty = rdt(json!({"l3CacheSchema": "", "memBwSchema": "", "schemata": []}));
        assert!(texts(&empty).is_empty());
        assert_eq!(texts(&rdt(json!({"memBwSchema": "MB:0=20"}))), ["MB:0=20\n"]);
    }

    /// A cache with code and data apart has two lines in its one field.
    #[test]
    fn a_schema_of_two_lines_is_two() {
        let both = rdt(json!({"l3CacheSchema": "L3CODE:0=f\nL3DATA:0=3\n"}));
        assert_eq!(texts(&both), ["L3CODE:0=f\nL3DATA:0=3\n"]);
        assert_eq!(compared(&both), ["L3CODE:0=f", "L3DATA:0=3"]);
    }

    const FILE: &str = "    MB:0=100;1= 70\n    L3:0=0007f;1=fffff\n";

    #[test]
    fn a_group_agrees_with_what_it_has() {
        for line in ["L3:0=7f;1=fffff", "L3:1=fffff", "MB:1=70;0=100", "L3:0=07F"] {
            assert!(has(FILE, line), "{line}");
        }
    }

    #[test]
    fn a_group_does_not_agree_with_another_value_resource_or_domain() {
        let others = ["L3:0=7e", "L3:0=7f;1=f", "MB:0=10", "L2:0=7f", "L3:2=7f", "L3", "", "L3:0"];
        for line in others {
            assert!(!has(FILE, line), "{line}");
        }
        assert!(!has("", "L3:0=f"));
    }
}
