//! `build`: RUN is a container, too.

use std::fs;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::engines::cli::{Cli, IMAGE};
use crate::harness::case::{Feature, root};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "build",
    cases: &[
        root!(stages_with_run),
        root!(run_as_user_with_directory_and_environment),
        root!(failed_run_gives_its_status),
        root!(missing_program),
        root!(cache_tmpfs_and_bind_mounts),
        root!(secret),
        root!(network_of_a_run),
    ],
};

/// The classic builder, which makes each RUN an ordinary container.
pub(crate) const CLASSIC: Feature = Feature {
    name: "classic_build",
    cases: &[root!(classic_stages_with_run), root!(classic_failed_run_gives_its_status)],
};

/// `build` of this Dockerfile, in a directory with the file `straw`.
fn build(ctx: &Ctx, file: &str) -> Res<(Call, String)> {
    build_with(ctx, file, &[])
}

fn build_with(ctx: &Ctx, file: &str, flags: &[&str]) -> Res<(Call, String)> {
    let dir = ctx.make_dir(&format!("build{}", ctx.next()))?;
    fs::write(dir.join("Dockerfile"), file).doing("write the Dockerfile")?;
    fs::write(dir.join("straw"), "of the context\n").doing("write a file")?;
    let tag = format!("localhost/{}:latest", ctx.id());
    let call = Cli::of(ctx).builder(&["build", "--no-cache", "--tag", &tag]).args(flags).arg(&dir);
    // What new ones do by themselves.
    let call = call.env("DOCKER_BUILDKIT", "1");
    Ok((call, tag))
}

/// What the built image prints.
fn prints(ctx: &Ctx, call: Call, tag: &str, text: &str) -> Res {
    call.ok()?;
    let (cli, name) = (Cli::of(ctx), ctx.id());
    let out = cli.call(&["run", "--rm", "--name", &name, tag]).done();
    cli.ok(&["rmi", "--force", tag])?;
    out?.is(0)?.prints(text).map(drop)
}

fn two_stages() -> String {
    format!(
        "FROM {IMAGE} AS first\n\
         COPY straw /straw\n\
         RUN cat /straw >/both && echo of the first >>/both\n\
         RUN [\"/bin/sh\", \"-c\", \"id -u >>/both; ls /proc/self/fd | wc -l >>/both\"]\n\
         FROM {IMAGE}\n\
         COPY --from=first /both /both\n\
         RUN test ! -e /straw && echo of the second >>/both\n\
         CMD [\"cat\", \"/both\"]\n"
    )
}

/// Descriptors: the three of stdio, and the one that `ls` reads.
const OF_TWO_STAGES: &str = "of the context\nof the first\n0\n4\nof the second";

fn stages_with_run(ctx: &Ctx) -> Res {
    let (call, tag) = build(ctx, &two_stages())?;
    prints(ctx, call, &tag, OF_TWO_STAGES)
}

fn classic_stages_with_run(ctx: &Ctx) -> Res {
    let (call, tag) = build(ctx, &two_stages())?;
    prints(ctx, call.env("DOCKER_BUILDKIT", "0"), &tag, OF_TWO_STAGES)
}

fn run_as_user_with_directory_and_environment(ctx: &Ctx) -> Res {
    let file = format!(
        "FROM {IMAGE}\n\
         ARG GIVEN=none\n\
         ENV STRAW=gold\n\
         WORKDIR /made/here\n\
         RUN chown alice .\n\
         USER alice\n\
         RUN echo $(id -un) $(pwd) $STRAW $GIVEN $HOME >file\n\
         CMD [\"cat\", \"/made/here/file\"]\n"
    );
    let (call, tag) = build_with(ctx, &file, &["--build-arg", "GIVEN=arg"])?;
    prints(ctx, call, &tag, "alice /made/here gold arg /home/alice")
}

fn fails_with_42(ctx: &Ctx) -> Res<Call> {
    Ok(build(ctx, &format!("FROM {IMAGE}\nRUN echo said before; exit 42\n"))?.0)
}

fn failed_run_gives_its_status(ctx: &Ctx) -> Res {
    let out = fails_with_42(ctx)?.done()?.failed()?;
    let said = out.out + &out.err;
    holds!(said.contains("said before"), "no output of RUN in {said}");
    holds!(said.contains("42"), "no exit status in {said}");
    Ok(())
}

fn classic_failed_run_gives_its_status(ctx: &Ctx) -> Res {
    let out = fails_with_42(ctx)?.env("DOCKER_BUILDKIT", "0").done()?.failed()?;
    out.says_one_of(&["returned a non-zero code: 42"]).map(drop)
}

/// The runtime's words are in the output of the build.
fn missing_program(ctx: &Ctx) -> Res {
    let (call, _tag) = build(ctx, &format!("FROM {IMAGE}\nRUN [\"no-such-program\"]\n"))?;
    let out = call.done()?.failed()?;
    let said = out.out + &out.err;
    holds!(said.contains("no-such-program"), "does not name it: {said}");
    holds!(said.contains("not found"), "does not say that it is not found: {said}");
    Ok(())
}

fn cache_tmpfs_and_bind_mounts(ctx: &Ctx) -> Res {
    let id = ctx.id();
    let file = format!(
        "FROM {IMAGE}\n\
         RUN --mount=type=cache,id={id},target=/cache echo cached >/cache/file\n\
         RUN --mount=type=cache,id={id},target=/cache cp /cache/file /all\n\
         RUN --mount=type=tmpfs,target=/fast grep -c ' /fast tmpfs ' /proc/mounts >>/all && : >/fast/file\n\
         RUN --mount=type=bind,target=/context cat /context/straw >>/all\n\
         RUN test ! -e /cache/file && test ! -e /fast/file && echo gone >>/all\n\
         CMD [\"cat\", \"/all\"]\n"
    );
    let (call, tag) = build(ctx, &file)?;
    prints(ctx, call, &tag, "cached\n1\nof the context\ngone")
}

fn secret(ctx: &Ctx) -> Res {
    let secret = ctx.make_file("secret", "honey\n")?;
    let file = format!(
        "FROM {IMAGE}\n\
         RUN --mount=type=secret,id=it wc -c </run/secrets/it >/all\n\
         RUN test ! -s /run/secrets/it && echo gone >>/all\n\
         CMD [\"cat\", \"/all\"]\n"
    );
    let secret = format!("id=it,src={}", secret.display());
    let (call, tag) = build_with(ctx, &file, &["--secret", &secret])?;
    prints(ctx, call, &tag, "6\ngone")
}

/// Looked for in /proc, since an ordinary user's older Buildah gives a RUN the /sys of another network.
fn network_of_a_run(ctx: &Ctx) -> Res {
    let file =
        format!("FROM {IMAGE}\nRUN cut -s -d: -f1 /proc/net/dev >/all\nCMD [\"cat\", \"/all\"]\n");
    let (call, tag) = build(ctx, &file)?;
    call.ok()?;
    let cli = Cli::of(ctx);
    let seen = cli.ok(&["run", "--rm", "--name", &ctx.id(), &tag]);
    cli.ok(&["rmi", "--force", &tag])?;
    let seen = seen?;
    let more_than_lo = |out: &str| out.split_whitespace().any(|name| name != "lo");
    holds!(more_than_lo(seen.text()), "a network of its own has {}", seen.text());
    let (call, tag) = build_with(ctx, &file, &["--network", "none"])?;
    call.ok()?;
    let seen = cli.ok(&["run", "--rm", "--name", &ctx.id(), &tag]);
    cli.ok(&["rmi", "--force", &tag])?;
    same!(more_than_lo(seen?.text()), false);
    Ok(())
}
