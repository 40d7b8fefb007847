//! Images without a builder: an archive as `docker save` writes it, for engines that only import one.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::result::{Doing, Res};

/// A name, and the `config` of the image.
pub(super) type Image<'a> = (&'a str, Value);

/// An archive of these images, which all have the rootfs of all cases as their only layer.
pub(super) fn write(ctx: &Ctx, images: &[Image<'_>]) -> Res<PathBuf> {
    let dir = ctx.make_dir("archive")?;
    let rootfs = ctx.dir.join("image");
    crate::image::copy(ctx.template(), &rootfs)?;
    let layer = dir.join("layer.tar");
    ctx.program("tar").arg("-cf").arg(&layer).arg("-C").arg(&rootfs).arg(".").ok()?;
    let sum = ctx.program("sha256sum").arg(&layer).ok()?;
    let sum = sum.out.split(' ').next().doing("the sum of the layer")?;
    let mut manifest = Vec::new();
    for (number, (name, config)) in images.iter().enumerate() {
        let file = format!("config{number}.json");
        let image = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{sum}")]},
        });
        ctx.make_file(&format!("archive/{file}"), &image.to_string())?;
        manifest.push(json!({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]}));
    }
    ctx.make_file("archive/manifest.json", &json!(manifest).to_string())?;
    let archive = ctx.dir.join("archive.tar");
    ctx.program("tar").arg("-cf").arg(&archive).arg("-C").arg(&dir).arg(".").ok()?;
    Ok(archive)
}
