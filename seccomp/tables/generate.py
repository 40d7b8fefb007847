#!/usr/bin/env python3
"""Writes seccomp/src/table.rs: the names and numbers of Linux's system calls on every architecture.

    seccomp/tables/generate.py

The numbers are read from the kernel's own headers as Debian packages them for all architectures at
once (linux-libc-dev). apt fetches them into a temporary directory and checks their signatures and
sha256. It needs apt and Debian's archive keyring, and the network; SKEP_MIRROR names another mirror.
"""

import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

MIRROR = os.environ.get("SKEP_MIRROR", "http://deb.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGE = "linux-libc-dev"
UAPI = "./usr/lib/linux/uapi/"
OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "src" / "table.rs"

NEW = "testing"
# The last Debian release whose kernel has the 31-bit calls of s390; Linux 6.19 took them away.
OLD = "trixie"

# Column, variant of the enum in table.rs, Debian release, the header below UAPI, what it adds to each
# number. A twin of other byte order has the same numbers, so it has no column of its own. What the
# x32 header adds is left out: the bit is the architecture's, not the call's.
COLUMNS = [
    ("x86_64", "X86_64", NEW, "x86/asm/unistd_64.h", 0),
    ("x86", "X86", NEW, "x86/asm/unistd_32.h", 0),
    ("x32", "X32", NEW, "x86/asm/unistd_x32.h", 0),
    ("arm", "Arm", NEW, "arm/asm/unistd-eabi.h", 0),
    ("aarch64", "Aarch64", NEW, "arm64/asm/unistd_64.h", 0),
    ("mips", "Mips", NEW, "mips/asm/unistd_o32.h", 4000),
    ("mips64", "Mips64", NEW, "mips/asm/unistd_n64.h", 5000),
    ("mips64n32", "Mips64N32", NEW, "mips/asm/unistd_n32.h", 6000),
    ("ppc", "Ppc", NEW, "powerpc/asm/unistd_32.h", 0),
    ("ppc64", "Ppc64", NEW, "powerpc/asm/unistd_64.h", 0),
    ("s390", "S390", OLD, "s390/asm/unistd_32.h", 0),
    ("s390x", "S390x", NEW, "s390/asm/unistd_64.h", 0),
    ("riscv64", "Riscv64", NEW, "riscv/asm/unistd_64.h", 0),
    ("loongarch64", "Loongarch64", NEW, "loongarch/asm/unistd_64.h", 0),
    ("parisc", "Parisc", NEW, "parisc/asm/unistd_32.h", 0),
    ("parisc64", "Parisc64", NEW, "parisc/asm/unistd_64.h", 0),
    ("m68k", "M68k", NEW, "m68k/asm/unistd_32.h", 0),
    ("sh", "Sh", NEW, "sh/asm/unistd_32.h", 0),
]

# ARM's private calls and one alias stand in the header that includes the generated one.
ARM_HEADER = "arm/asm/unistd.h"
ARM_PRIVATE = 0xF000

# 31-bit s390 got its last calls in kernels that no Debian release has: 463 (Linux 6.13) to 469
# (Linux 6.17). They are the calls that s390x has under the same numbers.
S390_LAST = range(463, 470)

# Names that only keep a number free on mips.
PLACEHOLDER = re.compile(r"(unused|reserved)\d+$")

# `#define __NR_read 0`, or with a base: `#define __NR_read (__NR_Linux + 0)`
CALL = re.compile(r"^#define\s+__NR_(\w+)\s+(?:\(\w+ \+ )?(\d+)\)?$", re.MULTILINE)
ALIAS = re.compile(r"^#define\s+__NR_(\w+)\s+__NR_(\w+)$", re.MULTILINE)
PRIVATE = re.compile(r"^#define\s+__ARM_NR_(\w+)\s+\(__ARM_NR_BASE\+(\d+)\)$", re.MULTILINE)


def fetch(directory):
    """Downloads the package of both releases; returns {release: path of its .deb}."""
    for name in ("lists/partial", "archives/partial", "preferences.d", "debs"):
        (directory / name).mkdir(parents=True)
    (directory / "status").touch()
    releases = (NEW, OLD)
    lines = [f"deb [arch=amd64 signed-by={KEYRING}] {MIRROR} {release} main\n" for release in releases]
    (directory / "sources.list").write_text("".join(lines))
    # Of the host only apt's own configuration counts (a proxy, say), without the commands that it
    # may want to be run afterwards.
    (directory / "apt.conf").write_text(f"""\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{directory}";
Dir::State::Status "{directory}/status";
Dir::Cache "{directory}";
Dir::Etc::SourceList "{directory}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "{directory}/preferences.d";
APT::Sandbox::User "";
Acquire::Languages "none";
""")
    apt = ["apt-get", "-qq", "-c", directory / "apt.conf"]
    subprocess.run(apt + ["update"], check=True)
    for release in releases:
        (directory / "debs" / release).mkdir()
        download = apt + ["download", f"{PACKAGE}/{release}"]
        subprocess.run(download, check=True, cwd=directory / "debs" / release)
    return {release: next((directory / "debs" / release).iterdir()) for release in releases}


def unpack(deb):
    """Returns {path below UAPI: text} of the headers with the numbers."""
    contents = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, stdout=subprocess.PIPE)
    wanted = {UAPI + column[3] for column in COLUMNS} | {UAPI + ARM_HEADER}
    with tarfile.open(fileobj=io.BytesIO(contents.stdout)) as archive:
        members = [member for member in archive if member.name in wanted]
        texts = [archive.extractfile(member).read().decode() for member in members]
    return {member.name.removeprefix(UAPI): text for member, text in zip(members, texts)}


def version(deb):
    """Returns the version of a package."""
    field = ["dpkg-deb", "--field", deb, "Version"]
    return subprocess.run(field, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def read_columns(headers):
    """Returns {column: {name: number}}; headers is {release: what `unpack` returns}."""
    columns = {}
    for column, _, release, path, base in COLUMNS:
        text = headers[release][path]
        calls = CALL.findall(text)
        assert len(calls) == text.count("define __NR_"), f"{path}: a number is written in a new way"
        columns[column] = {name: int(number) + base for name, number in calls if not PLACEHOLDER.match(name)}
    add_arm(columns["arm"], headers[NEW][ARM_HEADER])
    add_s390(columns["s390"], columns["s390x"])
    return columns


def add_arm(arm, header):
    """Adds the alias and the private calls, 0x0f0000 + n, which are stored as 0xf000 + n."""
    for alias, name in ALIAS.findall(header):
        if name in arm:
            arm[alias] = arm[name]
    arm.update({name: ARM_PRIVATE + int(number) for name, number in PRIVATE.findall(header)})


def add_s390(s390, s390x):
    """Adds the last calls that 31-bit s390 got."""
    s390.update({name: number for name, number in s390x.items() if number in S390_LAST})


def check(columns):
    """A header that is read wrongly must not become a table."""
    for column, calls in columns.items():
        assert len(calls) > 300, f"{column}: only {len(calls)} calls"
        assert {"read", "execve", "openat", "statx"} <= calls.keys(), f"{column}: lacks a well-known call"
        most = ARM_PRIVATE + 6 if column == "arm" else 7000
        assert max(calls.values()) <= most, f"{column}: a number over {most}"
    privates = [number for number in columns["arm"].values() if number >= ARM_PRIVATE]
    assert len(privates) == 6, "arm: not six private calls"


def render(columns, versions):
    """Returns the text of table.rs."""
    names = sorted(set().union(*columns.values()))
    lines = [[cell(columns[column].get(name)) for column in columns] for name in names]
    widths = [max(map(len, column)) for column in zip(columns, *lines)]
    wide = max(map(len, names)) + 3
    rows = "".join(f"    ({quoted(name):<{wide}} [{row(line, widths)}]),\n" for name, line in zip(names, lines))
    variants = "".join(f"    {variant},\n" for _, variant, _, _, _ in COLUMNS)
    return f"""\
// generated by seccomp/tables/generate.py from {PACKAGE} {versions[NEW]}; do not edit
// (31-bit s390 from {PACKAGE} {versions[OLD]})
//! The names of Linux's system calls, and their numbers on every architecture.
//!
//! `seccomp/tables/generate.py` makes this file anew; `seccomp/tables/README.md` says more.

/// A set of numbers: an architecture, or two that differ in nothing but the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {{
{variants}}}

/// How many columns there are.
pub(crate) const COLUMNS: usize = {len(columns)};

/// In place of a number: the architecture has no such call.
pub(crate) const NO: u16 = 0xffff;

/// Each call's name, sorted, with its numbers in the order of the columns.
#[rustfmt::skip]
pub(crate) const ROWS: &[(&str, [u16; COLUMNS])] = &[
    //{"":<{wide}} {row(columns, widths)}
{rows}];
"""


def quoted(name):
    return f'"{name}",'


def row(cells, widths):
    return ", ".join(f"{text:>{width}}" for text, width in zip(cells, widths))


def cell(number):
    if number is None:
        return "NO"
    return hex(number) if number >= ARM_PRIVATE else str(number)


def main():
    with tempfile.TemporaryDirectory() as directory:
        debs = fetch(pathlib.Path(directory))
        headers = {release: unpack(deb) for release, deb in debs.items()}
        versions = {release: version(deb) for release, deb in debs.items()}
    columns = read_columns(headers)
    check(columns)
    OUTPUT.write_text(render(columns, versions))
    print(f"{OUTPUT}: {len(set().union(*columns.values()))} names, {len(columns)} columns")


main()
