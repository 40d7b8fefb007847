//! state.json as a disk, an older skep or a newer one may have left it.

use super::{Init, Record};
use crate::cgroup::Place;
use serde_json::{Value, from_slice, json};

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut record = Record::lost();
    let mut seeds = vec![record.render().expect("written")];
    record.init = Some(Init { pid: 7, start_time: 99 });
    record.annotations.insert("a".into(), "b".into());
    let mut place = Place { unified: Some("/sys/fs/cgroup/a".into()), ..Place::default() };
    place.v1.insert("cpu,cpuacct".into(), "/sys/fs/cgroup/cpu,cpuacct/a".into());
    record.cgroup = Some(place);
    seeds.push(record.render().expect("written"));
    let mut scope: Value = from_slice(&seeds[1]).expect("an object");
    scope["cgroup"]["scope"] = json!({"unit": "a.scope", "user": true});
    seeds.push(scope.to_string().into_bytes());
    seeds
}

/// Whether it is a record. Then it is written as it was read.
pub(crate) fn run(bytes: &[u8]) -> bool {
    match Record::parse(bytes) {
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "{text:?}");
            false
        }
        Ok(record) => {
            let text = record.render().expect("written");
            let again = Record::parse(&text).expect("what is written is read");
            assert_eq!(format!("{again:?}"), format!("{record:?}"));
            true
        }
    }
}
