#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal's catalog and the messages that it explains, as TAP. Usage: test-catalog.py SOURCE_DIR"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

TOP = Path(sys.argv[1])
CATALOG = TOP / "systemd/oomfwd.catalog"
OUTPUT = "".join(p.read_text(encoding="utf-8") for p in sorted((TOP / "src").glob("report*.c")))
HEADERS = ["Subject", "Defined-By", "Support", "Documentation"]


def equal(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


def entries():
    """{id: ([(header, value)], text)}"""
    found = {}
    text = CATALOG.read_text(encoding="utf-8")
    for part in re.split(r"^-- ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n\n")
        message_id, *headers = head.split("\n")
        assert message_id not in found, f"{message_id} twice"
        found[message_id] = ([tuple(h.split(": ", 1)) for h in headers], body)
    return found


def function(name):
    return re.search(rf"^static [^;{{]*\b{name}\(.*?^}}", OUTPUT, re.MULTILINE | re.DOTALL)[0]


ENTRIES = entries()
IDS = re.findall(r'return "([0-9a-f]{32})";', function("message_id"))


def written_fields():
    names = set(re.findall(r'add_(?:number|text)\(o, "([A-Z_]+)"', OUTPUT))
    return names | set(re.findall(r'"OOMFWD_([A-Z_]+)=', OUTPUT))


def test_each_message_id_has_an_entry_and_each_entry_a_message():
    kinds = re.findall(r"^\tcase REPORT_", function("message_id"), re.MULTILINE)
    equal(len(IDS), len(kinds))
    assert IDS
    equal(sorted(ENTRIES), sorted(IDS))


def test_entries_are_in_the_order_of_the_kinds():
    equal(list(ENTRIES), IDS)


def test_each_entry_says_what_and_where_to_read_on():
    subjects = set()
    for message_id, (headers, text) in ENTRIES.items():
        equal((message_id, [name for name, _ in headers]), (message_id, HEADERS))
        values = dict(headers)
        equal(values["Defined-By"], "oomfwd")
        assert re.fullmatch(r"(man:oomfwd(\.conf)?\([58]\) ?)+", values["Documentation"]), headers
        subjects.add(values["Subject"])
        # What happened and why, and then what to do.
        assert len(text.strip().split("\n\n")) >= 2, message_id
    equal(len(subjects), len(ENTRIES))


def test_the_man_pages_and_files_that_it_names_exist():
    for headers, _ in ENTRIES.values():
        values = dict(headers)
        for name, section in re.findall(r"man:([a-z.]+)\((\d)\)", values["Documentation"]):
            assert (TOP / f"man/{name}.{section}").exists(), name
        prefix = "file:///usr/share/doc/oomfwd/"
        assert values["Support"].startswith(prefix)
        assert (TOP / values["Support"].removeprefix(prefix)).exists(), values["Support"]


def test_placeholders_name_fields_that_are_written():
    written = written_fields()
    assert {"VICTIM_PID", "EVENT", "POD_UID"} <= written
    text = CATALOG.read_text(encoding="utf-8")
    named = re.findall(r"@([^@\s]*)@", text)
    assert named
    for name in named:
        assert name.startswith("OOMFWD_") and name.removeprefix("OOMFWD_") in written, name
    equal(text.count("@"), 2 * len(named))
    # Without an @ it is told of, and has to be there all the same.
    for name in re.findall(r"(?<!@)\bOOMFWD_([A-Z_]+)", text):
        assert name in written, name


def test_the_man_page_lists_the_fields_that_are_written():
    page = (TOP / "man/oomfwd.8").read_text(encoding="utf-8")
    section = page.split("\n.Sh JOURNAL\n")[1].split("\n.Sh ")[0]
    lines = "\n".join(re.findall(r"^\.It Li (.*)$", section, re.MULTILINE))
    equal(sorted(re.findall(r"OOMFWD_([A-Z_]+)", lines)), sorted(written_fields()))


def test_the_sections_and_commands_that_it_recommends_exist():
    page = (TOP / "man/oomfwd.conf.5").read_text(encoding="utf-8")
    commands = set(re.findall(r'^\t\{ "([a-z-]+)", "', (TOP / "src/ctl/ctl.c").read_text(
        encoding="utf-8"), re.MULTILINE))
    for _, text in ENTRIES.values():
        flat = " ".join(text.split())
        for section in re.findall(r"\[([a-z]+)(?: NAME)?\]", flat):
            assert re.search(rf"^\.Ss .*\[{section}\b", page, re.MULTILINE), section
        for command in re.findall(r"'oomfwdctl ([a-z-]+)", flat):
            assert command in commands, command


def test_lines_fit_a_terminal_behind_the_mark_of_journalctl():
    # Which is "-- ". What is put in for a placeholder may make a line longer.
    for message_id, (_, text) in ENTRIES.items():
        for line in text.splitlines():
            assert len(line) <= 77, f"{message_id}: {line}"


def test_journalctl_takes_it_and_gives_it_back():
    if not shutil.which("journalctl"):
        raise tap.Skip("no journalctl")
    with tempfile.TemporaryDirectory(prefix="test-catalog-") as root:
        for directory in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
            (Path(root) / directory).mkdir(parents=True)
        shutil.copy(CATALOG, Path(root) / "usr/lib/systemd/catalog")

        def journalctl(*arguments):
            return subprocess.run(["journalctl", f"--root={root}", *arguments], text=True,
                                  capture_output=True, timeout=30, check=False)
        r = journalctl("--update-catalog")
        equal((r.returncode, r.stderr), (0, ""))
        for message_id, (headers, text) in ENTRIES.items():
            r = journalctl("--dump-catalog", message_id)
            equal((message_id, r.returncode), (message_id, 0))
            head = "".join(f"{name}: {value}\n" for name, value in headers)
            equal(r.stdout.strip(), f"-- {message_id}\n{head}\n{text}".strip())


sys.exit(tap.run(globals()))
