#!/usr/bin/env python3
"""Each option of a program is in its man page, and the page names no other. As TAP.

Usage: test-man.py SOURCE PROGRAM... whose pages are SOURCE/man/NAME.*
"""
import re
import subprocess
import sys
from pathlib import Path

import tap

SOURCE, PROGRAMS = Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]]


def options_of_the_program(program):
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    found = set()
    for line in text.splitlines():
        listed = re.match(r"\s+((?:-\w, )?\s*--[\w-]+|-\w\b)", line)
        if listed:
            found |= set(re.findall(r"--[\w-]+|(?<![\w-])-\w\b", listed.group(1)))
    return found


def options_of_the_page(program):
    page = next((SOURCE / "man").glob(f"{program.name}.[0-9]"))
    found = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(".It Fl"):
            found |= {"--" + name for name in re.findall(r"Fl Fl ([\w-]+)", line)}
            found |= {"-" + name for name in re.findall(r"Fl (\w)\b(?! \w+-)", line)}
    return found


def check(program):
    def test():
        ours, documented = options_of_the_program(program), options_of_the_page(program)
        assert len(ours) > 3, f"only {ours} found in --help"
        assert ours == documented, f"not in the page: {ours - documented}, only there: {documented - ours}"
    return test


tests = {f"test_{p.name.replace('-', '_')}_and_its_page_know_the_same_options": check(p) for p in PROGRAMS}
sys.exit(tap.run(tests))
