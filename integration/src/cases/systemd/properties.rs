//! Annotations that become properties of the scope.

use serde_json::json;

use super::{SYSTEMD, property, scope_is_gone, sleeper, unit};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "systemd.properties",
    cases: &[
        either!(annotations_arrive).needs(SYSTEMD),
        either!(no_value_is_refused).needs(SYSTEMD),
        either!(unknown_to_systemd_is_refused).needs(SYSTEMD),
    ],
};

fn annotated<'a>(ctx: &'a Ctx, property: &str, value: &str) -> Res<Container<'a>> {
    let mut container = sleeper(ctx)?;
    container.set("/annotations", json!({format!("org.systemd.property.{property}"): value}));
    Ok(container)
}

fn annotations_arrive(ctx: &Ctx) -> Res {
    let mut container = annotated(ctx, "TimeoutStopUSec", "uint64 123000000")?;
    container.set("/annotations/org.systemd.property.CollectMode", "'inactive-or-failed'");
    container.run_until("ready")?;
    let unit = unit(&container);
    same!(property(ctx, &unit, "TimeoutStopUSec")?, "2min 3s");
    same!(property(ctx, &unit, "CollectMode")?, "inactive-or-failed");
    Ok(())
}

fn no_value_is_refused(ctx: &Ctx) -> Res {
    let container = annotated(ctx, "TimeoutStopUSec", "a while")?;
    container.create_call(&[])?.done()?.refused(&["TimeoutStopUSec"])?;
    scope_is_gone(&container)
}

fn unknown_to_systemd_is_refused(ctx: &Ctx) -> Res {
    let container = annotated(ctx, "NoSuchProperty", "true")?;
    container.create_call(&[])?.done()?.refused(&["NoSuchProperty"])?;
    scope_is_gone(&container)
}
