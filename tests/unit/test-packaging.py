#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages and the build say the same, and the tarball is the same each time. As TAP.
Usage: test-packaging.py SOURCE_DIR BUILD_DIR"""
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import tap

TOP, BUILD = map(Path, sys.argv[1:3])


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


MESON = read("meson.build")
SPEC = read("packaging/oomfwd.spec")
CONTROL = read("debian/control")
MAKEFILE = read("Makefile")
VERSION = re.search(r"version: '([^']+)'", MESON)[1]
# Libraries that meson looks for, by the package of Debian that has what is looked for.
LIBRARIES = {"libsystemd": "libsystemd-dev", "libproc2": "libproc2-dev", "inih": "libinih-dev",
             "libcgroup": "libcgroup-dev", "jansson": "libjansson-dev", "cmocka": "libcmocka-dev",
             "libbpf": "libbpf-dev"}
MACROS = {"_unitdir": "/lib/systemd/system", "_sysusersdir": "/usr/lib/sysusers.d",
          "_tmpfilesdir": "/usr/lib/tmpfiles.d", "_journalcatalogdir": "/usr/lib/systemd/catalog",
          "_datadir": "/usr/share", "_docdir": "/usr/share/doc", "_sysconfdir": "/etc",
          "_sbindir": "/usr/sbin", "_bindir": "/usr/bin", "_libexecdir": "/usr/libexec",
          "_mandir": "/usr/share/man", "name": "oomfwd"}


def equal(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


def expand(text):
    return re.sub(r"%\{(\w+)\}", lambda m: MACROS.get(m[1], m[0]), text)


def section(name):
    """Of the spec, without its first line."""
    return re.search(rf"^%{name}\b.*?\n(.*?)(?=^%(?:prep|build|install|check|pre|preun|post|postun|"
                     r"files|changelog)\b|\Z)", SPEC, re.MULTILINE | re.DOTALL)[1]


def libraries():
    found = {name for path in [TOP / "meson.build", *(TOP / "src").rglob("meson.build")]
             for name in re.findall(r"\bdependency\('([^']+)'", path.read_text(encoding="utf-8"))}
    return found - {"threads"}


# --- the same everywhere ---

def test_all_have_the_version_of_the_build():
    equal(re.match(r"oomfwd \(([^)]+)\) ", read("debian/changelog"))[1], VERSION)
    equal(re.search(r"^Version: +(\S+)$", SPEC, re.MULTILINE)[1], VERSION)
    equal(re.search(r"^%changelog\n\*.* - (\S+)-\d+$", SPEC, re.MULTILINE)[1], VERSION)


def test_all_have_the_libraries_of_the_build():
    found = libraries()
    assert {"libsystemd", "jansson"} <= found
    for name in found:
        assert re.search(rf"^BuildRequires: +pkgconfig\({name}\)", SPEC, re.MULTILINE), name
        package = LIBRARIES[name]
        assert re.search(rf"^ {package}\b", CONTROL, re.MULTILINE), package
        assert re.search(rf"\b{package}\b", MAKEFILE.split("\nTEST_DEPS")[0]), package


def test_the_packages_tell_the_same_of_it():
    told = section("description").strip()
    debian = re.search(r"^Description: (.*)\n((?: .*\n)+)", CONTROL, re.MULTILINE)
    equal(debian[1].capitalize(), re.search(r"^Summary: +(.*)$", SPEC, re.MULTILINE)[1])
    paragraphs = [" ".join(p.split()) for p in debian[2].split("\n .\n")]
    for paragraph in told.split("\n\n"):
        assert " ".join(paragraph.split()) in paragraphs, paragraph


# --- RPM ---

def installed():
    """What meson installs, as if built for /usr."""
    # The introspection data is what the last configuration wrote; meson itself need not be run.
    plan = json.loads((BUILD / "meson-info/intro-installed.json").read_text(encoding="utf-8"))
    options = {o["name"]: o["value"] for o in json.loads(
        (BUILD / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8"))}
    if options["prefix"] != "/usr":
        raise tap.Skip(f"built for {options['prefix']}")
    found = set()
    for source, path in plan.items():
        path = path.replace("/usr/" + options["zsh_completion_dir"], "/usr/share/zsh/site-functions")
        path = path.replace(options["systemd_unit_dir"], MACROS["_unitdir"])
        if Path(source).is_dir():
            found |= {f"{path}/{f.relative_to(source)}" for f in Path(source).rglob("*")
                      if f.is_file()}
        else:
            found.add(path)
    return found


def test_the_spec_packs_all_that_is_installed():
    lines = [re.sub(r"^(?:%config\(noreplace\)|%dir) ", "", line)
             for line in section("files").splitlines()
             if line and not line.startswith(("%license", "#"))]
    found_by_find = expand(section("install")).split("for directory in ")[1].split("; do")[0]
    patterns = [expand(line) for line in lines]
    patterns = [p + "*" if p.endswith("/") else p for p in patterns]
    patterns += [d + "/*" for d in found_by_find.replace("\\\n", " ").split()]
    files = installed()
    assert "/usr/sbin/oomfwd" in files
    for path in files:
        assert any(fnmatch.fnmatch(path, p) for p in patterns), path


def test_the_configuration_is_never_replaced():
    lines = section("files").splitlines()
    assert "%config(noreplace) %{_sysconfdir}/%{name}.conf" in lines


def test_the_spec_starts_and_stops_each_unit():
    # One without [Install] comes and goes with the unit that wants it.
    units = {p.name for p in (TOP / "systemd").glob("*.service") if "[Install]" in p.read_text("utf-8")}
    assert "oomfwd.service" in units
    for scriptlet in ("post", "preun", "postun"):
        named = re.search(r"^%systemd_\w+ (.*)$", section(scriptlet), re.MULTILINE)[1]
        assert units <= set(named.replace("%{name}", "oomfwd").split()), (scriptlet, named)


def test_rpmspec_takes_it():
    if not shutil.which("rpmspec"):
        raise tap.Skip("no rpmspec")
    r = subprocess.run(["rpmspec", "-P", str(TOP / "packaging/oomfwd.spec")], capture_output=True,
                       text=True, timeout=60, check=False)
    equal((r.returncode, r.stderr), (0, ""))
    assert f"Source0:        oomfwd-{VERSION}.tar.xz" in r.stdout


# --- the tarball ---

def git(*arguments):
    return subprocess.run(["git", "-C", str(TOP), *arguments], capture_output=True, text=True,
                          timeout=60, check=True).stdout


def need_git():
    if not shutil.which("git") or not (TOP / ".git").exists():
        raise tap.Skip("no git checkout")
    try:
        git("rev-parse", "--verify", "HEAD")
    except subprocess.CalledProcessError as why:
        raise tap.Skip(f"git does not answer here: {why.stderr.strip()}") from why


def make_tarball(directory, umask=0o022, **environment):
    # The mask is set by the shell, for this process has threads of nobody to disturb but itself.
    r = subprocess.run(["sh", "-c", f'umask {umask:04o}; exec "$@"', "sh",
                        str(TOP / "packaging/dist"), str(directory)],
                       env={**os.environ, **environment}, capture_output=True, text=True,
                       timeout=120, check=True)
    path = Path(r.stdout.strip())
    equal(path, Path(directory) / f"oomfwd-{VERSION}.tar.xz")
    equal([p.name for p in Path(directory).iterdir()], [path.name])
    return path


def test_two_tarballs_of_a_commit_are_the_same():
    need_git()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        (Path(other) / "gitconfig").write_text("[tar]\n\tumask = 0077\n", encoding="utf-8")
        config = str(Path(other) / "gitconfig")
        (Path(other) / "out").mkdir()
        made = [make_tarball(one, TZ="UTC", LC_ALL="C"),
                make_tarball(Path(other) / "out", 0o077, TZ="Asia/Tokyo", XZ_DEFAULTS="-T0",
                             GIT_CONFIG_GLOBAL=config)]
        sums = {hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    equal(len(sums), 1)


def test_the_tarball_has_the_files_of_the_commit_and_nobodys_name_or_clock():
    need_git()
    committed = int(git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(make_tarball(directory)) as tar:
            members = tar.getmembers()
    names = [m.name for m in members if not m.isdir()]
    equal(sorted(names), sorted(f"oomfwd-{VERSION}/{name}" for name in
                                git("ls-tree", "-r", "--name-only", "HEAD").splitlines()))
    equal({(m.uid, m.gid, m.uname, m.gname) for m in members}, {(0, 0, "root", "root")})
    equal({m.mtime for m in members}, {committed})
    equal({m.mode for m in members} - {0o644, 0o755, 0o777}, set())


def test_what_is_no_checkout_makes_no_tarball():
    with tempfile.TemporaryDirectory() as directory:
        for name in ("packaging/dist", "meson.build"):
            (Path(directory) / name).parent.mkdir(exist_ok=True)
            shutil.copy(TOP / name, Path(directory) / name)
        r = subprocess.run([f"{directory}/packaging/dist", f"{directory}/out"], timeout=60,
                           capture_output=True, text=True, check=False)
        assert r.returncode != 0 and "git checkout" in r.stderr, r
        assert not (Path(directory) / "out").exists()


sys.exit(tap.run(globals()))
