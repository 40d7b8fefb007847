#!/usr/bin/env python3
"""Compares every name and number of seccomp/src/table.rs with those of a libseccomp.

    seccomp/tables/compare.py [PATH OF libseccomp.so.2]

Prints what differs, and exits with 1 when a number does. Names that only one of the two knows are
no error: one of them may be newer.
"""

import ctypes
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).resolve().parent.parent / "src" / "table.rs"
X32_BIT = 0x40000000
# libseccomp's name of each architecture that shares another's column.
TWINS = {"mipsel": "mips", "mipsel64": "mips64", "mipsel64n32": "mips64n32", "ppc64le": "ppc64", "sheb": "sh"}


def read_table():
    """Returns {column: {name: number}}, with x32's bit and ARM's private base."""
    text = TABLE.read_text()
    header = re.search(r"^    // +(x86_64,.*)$", text, re.MULTILINE)[1]
    columns = {column.strip(): {} for column in header.split(",")}
    for name, row in re.findall(r'^    \("(\w+)", +\[(.*)\]\),$', text, re.MULTILINE):
        for column, value in zip(columns, row.split(",")):
            if value.strip() != "NO":
                columns[column][name] = int(value, 0)
    columns["arm"] = {name: n if n < 0xF000 else n - 0xF000 + 0x0F0000 for name, n in columns["arm"].items()}
    columns["x32"] = {name: n | X32_BIT for name, n in columns["x32"].items()}
    return columns


def load(path):
    library = ctypes.CDLL(path)
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    # The caller owns the string: a c_void_p keeps it until the end of this short program.
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return library


def numbers_of(library, token):
    """Returns {name: number} of an architecture: whatever libseccomp has a name for."""
    found = {}
    for base in (0, 4000, 5000, 6000, 0x0F0000, X32_BIT):
        for number in range(base, base + 1000):
            name = library.seccomp_syscall_resolve_num_arch(token, number)
            if name:
                found[ctypes.string_at(name).decode()] = number
    return found


def compare(arch, ours, theirs):
    """Prints what differs; returns whether a number does."""
    shared = ours.keys() & theirs.keys()
    different = sorted(name for name in shared if ours[name] != theirs[name])
    print(f"{arch}: {len(shared) - len(different)} the same")
    for title, names in (
        ("different numbers", [f"{name} ({ours[name]}, libseccomp {theirs[name]})" for name in different]),
        ("only in libseccomp", sorted(theirs.keys() - ours.keys())),
        ("only in the table", sorted(ours.keys() - theirs.keys())),
    ):
        if names:
            print(f"    {title}: {', '.join(names)}")
    return bool(different)


def main():
    library = load(sys.argv[1] if len(sys.argv) > 1 else "libseccomp.so.2")
    columns = read_table()
    wrong = False
    for arch in sorted([*columns, *TWINS]):
        token = library.seccomp_arch_resolve_name(arch.encode())
        if token:
            wrong |= compare(arch, columns[TWINS.get(arch, arch)], numbers_of(library, token))
        else:
            print(f"{arch}: libseccomp does not know this architecture")
    sys.exit(wrong)


main()
