//! What the runtime refuses reaches the engine's user in the runtime's own words, and with the exit
//! status that the engine makes of them.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::Res;
use crate::text::shown;

/// Docker reads runc's words, and gives 125 or 128 for any others.
const OTHER_WORDS: &str = "crun says it in words that Docker does not know";

pub(crate) const FEATURE: Feature = Feature {
    name: "errors",
    cases: &[
        root!(missing_program_is_127).only_runc(OTHER_WORDS),
        root!(program_not_executable_is_126).only_runc(OTHER_WORDS),
        root!(program_is_a_directory).needs(&[Need::Docker(23)]).only_runc(OTHER_WORDS),
        root!(missing_interpreter),
        root!(file_over_a_directory),
        root!(bad_seccomp_profile),
        root!(unknown_sysctl),
        root!(cwd_is_a_file),
        root!(too_little_memory).needs(&[Need::Controller("memory")]),
        root!(failed_start_leaves_nothing),
    ],
};

fn missing_program_is_127(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let out = cli.run(&[], &["no-such-program"])?.is(127)?;
    out.says_one_of(&["executable file not found in $PATH"])?;
    let out = cli.run(&[], &["/no/such/program"])?.is(127)?;
    out.says_one_of(&["no such file or directory"]).map(drop)
}

fn program_not_executable_is_126(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&[], &["/etc/passwd"])?.is(126)?.says_one_of(&["permission denied"]).map(drop)
}

fn program_is_a_directory(ctx: &Ctx) -> Res {
    let out = Cli::of(ctx).run(&[], &["/etc"])?.is(126)?;
    out.says_one_of(&["is a directory", "permission denied"]).map(drop)
}

/// runc starts it all the same, and the words are in the log.
fn missing_interpreter(ctx: &Ctx) -> Res {
    let script = ctx.make_file("script", "#!/no/such/interpreter\n")?;
    crate::ctx::open_to_all(&script)?;
    let bind = format!("{}:/bin/script", shown(script));
    let out = Cli::of(ctx).run(&["--volume", &bind], &["/bin/script"])?.failed()?;
    out.says_one_of(&["no such file or directory"]).map(drop)
}

fn file_over_a_directory(ctx: &Ctx) -> Res {
    let file = shown(ctx.make_file("file", "x")?);
    let out = Cli::of(ctx).run(&["--volume", &format!("{file}:/etc")], &["true"])?.failed()?;
    out.says_one_of(&["not a directory"])?.says_one_of(&[&file]).map(drop)
}

fn bad_seccomp_profile(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let try_it = |text: &str| {
        let profile = shown(ctx.make_file("profile.json", text)?);
        cli.run(&["--security-opt", &format!("seccomp={profile}")], &["true"])?.failed()
    };
    try_it(r#"{"defaultAction": "SCMP_ACT_STRAW"}"#)?.says_one_of(&["SCMP_ACT_STRAW"])?;
    let bad = r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_STRAW"]}"#;
    try_it(bad)?.says_one_of(&["STRAW"]).map(drop)
}

fn unknown_sysctl(ctx: &Ctx) -> Res {
    let out = Cli::of(ctx).run(&["--sysctl", "net.ipv4.straw=1"], &["true"])?.failed()?;
    out.says_one_of(&["net.ipv4.straw", "net/ipv4/straw"])?;
    Ok(())
}

fn cwd_is_a_file(ctx: &Ctx) -> Res {
    let out = Cli::of(ctx).run(&["--workdir", "/etc/passwd"], &["true"])?.failed()?;
    out.says_one_of(&["not a directory"]).map(drop)
}

/// Less than the first process needs: it is killed, or the start is refused; nobody hangs.
fn too_little_memory(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let flags = ["--memory", "6m", "--memory-swap", "6m"];
    cli.run(&flags, &["/bin/probe", "eat", "20"])?.failed().map(drop)
}

/// Docker says what is wrong and forgets nothing: the container is there, created, and can be removed.
fn failed_start_leaves_nothing(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let name = ctx.id();
    let image = crate::engines::cli::IMAGE;
    cli.call(&["run", "--detach", "--name", &name, image, "no-such-program"]).done()?.failed()?;
    cli.named(&name).call(&["rm"]).ok()?;
    let places = crate::harness::leaks::cgroups(&name);
    crate::result::same!(places.len(), 0);
    Ok(())
}
