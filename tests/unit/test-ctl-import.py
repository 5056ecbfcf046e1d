#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The import commands of oomfwdctl, and that oomfwd takes what they print, as TAP.

Usage: test-ctl-import.py SOURCE_DIR OOMFWDCTL OOMFWD
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

TOP = Path(sys.argv[1])
PROGRAM, DAEMON = sys.argv[2:4]
NOHANG = str(TOP / "tests/fixtures/import/nohang.conf")


def equal(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


def run(*arguments):
    """(exit status, stdout, stderr)"""
    r = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60,
                       check=False)
    return r.returncode, r.stdout, r.stderr


def with_files(files, test):
    """Calls test with a directory that has these: {path: text}."""
    with tempfile.TemporaryDirectory(prefix="test-ctl-import-") as top:
        for path, text in files.items():
            file = Path(top) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        test(Path(top))


def daemon_says(config, name="oomfwd.conf.d/50-import.conf"):
    """What oomfwd --check-config says of it as a drop-in of the shipped configuration."""
    with tempfile.TemporaryDirectory(prefix="test-ctl-import-") as top:
        main = Path(top) / "oomfwd.conf"
        main.write_text((TOP / "etc/oomfwd.conf").read_text(encoding="utf-8"), encoding="utf-8")
        drop_in = Path(top) / name
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(config, encoding="utf-8")
        r = subprocess.run([DAEMON, "--check-config", "--config", str(main)], capture_output=True,
                           text=True, timeout=30, check=False)
        return r.returncode, r.stderr


# --- what is printed ---

def test_oomfwd_takes_each_of_them_beside_what_it_ships():
    cases = [["import-earlyoom", "-m", "5,2", "--avoid", "^x$", "--prefer", "y"],
             ["import-nohang", NOHANG], ["import-systemd-oomd", "--root", "/nonexistent"]]
    for case in cases:
        status, config, _ = run(*case)
        equal((case, status), (case, 0))
        equal((case, daemon_says(config)), (case, (0, "")))


def test_stdout_is_the_configuration_and_stderr_what_differs():
    status, config, said = run("import-earlyoom", "-g", "-m", "20")
    equal(status, 0)
    assert "\n[warn]\n# -m 20\nmemory = 20%\n" in config, config
    first, *others = said.splitlines()
    equal(first, "3 things are not the same with oomfwd; the comments say so, too:")
    equal(len(others), 3)
    words = " ".join(re.sub(r"^# ?", "", line) for line in config.splitlines())
    for sentence in others:
        assert sentence.removeprefix("- ") in words, sentence


def test_json_has_both():
    for place in (0, 1):
        arguments = ["import-nohang", NOHANG]
        arguments.insert(place, "--json")
        status, text, said = run(*arguments)
        equal((status, said), (0, ""))
        document = json.loads(text)
        equal(sorted(document), ["config", "no_equal"])
        equal(document["config"], run("import-nohang", NOHANG)[1])
        assert len(document["no_equal"]) > 5
        assert any(s.startswith("line 32: @check_kmsg") for s in document["no_equal"])


# --- what is said of it elsewhere ---

def test_the_page_on_migration_has_each_option_and_key():
    page = (TOP / "docs/MIGRATION.md").read_text(encoding="utf-8")
    sources = {name: (TOP / f"src/ctl/import-{name}.c").read_text(encoding="utf-8")
               for name in ("earlyoom", "nohang", "systemd-oomd", "systemd-units")}
    options = re.findall(r'^\t\{ "(-[^"]+)", \'', sources["earlyoom"], re.MULTILINE)
    options += ["--" + o for o in re.findall(r'\{ "([a-z-]+)", (?:no|required)_argument',
                                             sources["earlyoom"]) if o != "help"]
    keys = re.findall(r'\{ "([a-z_]+)", "[^"]*"', sources["nohang"])
    keys += re.findall(r'strcmp\(key, "(\w+)"\)', sources["systemd-oomd"])
    keys += re.findall(r'strcmp\(key, "(Managed\w+)"\)', sources["systemd-units"])
    assert len(options) > 15 and len(keys) > 50, (options, keys)
    # "soft_threshold_min_mem`, `_min_swap" and "print_*" stand for more than they are.
    found = set(re.findall(r"[A-Za-z0-9_*-]+", page))
    ends = {f"{hard}_threshold_min_swap" for hard in ("soft", "hard")}
    stems = tuple(w[:-1] for w in found if len(w) > 5 and w.endswith("_*"))
    for word in options + keys:
        assert word in found or word in ends or word.startswith(stems), word


# --- what is given ---

def test_arguments_of_earlyoom_may_follow_two_dashes():
    equal(run("import-earlyoom", "--", "-m", "7"), run("import-earlyoom", "-m", "7"))
    assert "memory = 7%" in run("import-earlyoom", "--", "-m", "7")[1]


def test_one_word_without_a_dash_is_a_file():
    def check(top):
        status, config, _ = run("import-earlyoom", str(top / "defaults"))
        equal(status, 0)
        assert "# -m 7\nmemory = 7%" in config, config
        status, config, _ = run("import-systemd-oomd", str(top / "oomd.conf"))
        equal(status, 0)
        assert "\nmemory = 30%\nswap = 30%\n" in config, config
    with_files({"defaults": "EARLYOOM_ARGS=\"-m 7\"\n", "oomd.conf": "[OOM]\nSwapUsedLimit=70%"},
               check)


def test_root_is_where_systemd_is_looked_for():
    def check(top):
        status, config, _ = run("import-systemd-oomd", "--root", str(top))
        equal(status, 0)
        assert ("[cgroup a.service]\npath = /system.slice/a.service\n"
                "pressure = full 60% 12s\nkill = group\n") in config, config
    with_files({"etc/systemd/oomd.conf": "[OOM]\nDefaultMemoryPressureDurationSec=12\n",
                "etc/systemd/system/a.service": "[Service]\nManagedOOMMemoryPressure=kill\n"},
               check)


def test_help_is_no_configuration():
    for command in ("import-earlyoom", "import-nohang", "import-systemd-oomd"):
        for option in ("-h", "--help"):
            status, text, said = run(command, option)
            equal((status, said), (0, ""))
            assert text.startswith(f"Usage: oomfwdctl {command} ["), text


# --- what is wrong ---

def test_a_file_that_is_not_there_or_wrong_ends_with_4():
    def check(top):
        for command in ("import-earlyoom", "import-nohang", "import-systemd-oomd"):
            for name, expected in (("none", "none: there is no such file"), (".", "regular file")):
                status, text, said = run(command, str(top / name))
                equal((command, status, text), (command, 4, ""))
                assert expected in said, said
        for command, line in (("import-earlyoom", 3), ("import-nohang", 3),
                              ("import-systemd-oomd", 3)):
            status, text, said = run(command, str(top / command))
            equal((command, status, text), (command, 4, ""))
            assert f"{top / command}:{line}: " in said, said
    with_files({"import-earlyoom": "#\n\nEARLYOOM_ARGS=\"-m\n",
                "import-nohang": "#\n\nmax_sleep = soon\n",
                "import-systemd-oomd": "[OOM]\n\nSwapUsedLimit=much\n"}, check)


def test_wrong_arguments_end_with_2():
    for arguments in (["import-earlyoom", "-x"], ["import-earlyoom", "-m", "200"],
                      ["import-nohang", "a", "b"], ["import-nohang", "--root"],
                      ["import-systemd-oomd", "--root"], ["import-systemd-oomd", "--root", "a",
                                                          "b", "c"]):
        status, text, said = run(*arguments)
        equal((arguments, status, text), (arguments, 2, ""))
        assert said, arguments


sys.exit(tap.run(globals()))
