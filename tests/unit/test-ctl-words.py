#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""oomfwdctl, its man page and its completions name the same commands and options; and what bash and
zsh do when TAB is pressed. As TAP. Usage: test-ctl-words.py SOURCE_DIR OOMFWDCTL OOMFWD"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tap
from ctl_words import Bash, Page, Program, Zsh, run

TOP, CTL, DAEMON = sys.argv[1:4]
PROGRAM = Program(TOP, CTL)
PAGE = Page(TOP)
BASH = Bash(TOP)
ZSH = Zsh(TOP)


def equal(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


def is_import(command):
    return command.startswith("import-")


def written(commands):
    """Those that there is a program for; without any there is nothing to compare with."""
    found = [c for c in commands if PROGRAM.text(c) is not None]
    if not found:
        raise tap.Skip("none of the commands is written yet")
    return found


# --- the same words everywhere ---

def test_all_tell_of_the_same_commands():
    assert len(PROGRAM.commands) > 5
    equal(PAGE.commands, PROGRAM.commands)
    equal(BASH.offers("oomfwdctl", ""), PROGRAM.commands)
    equal(ZSH.commands, PROGRAM.commands)


def test_all_tell_of_the_same_options_before_the_command():
    assert "--config" in PROGRAM.options
    equal(PAGE.options, PROGRAM.options)
    equal(set(BASH.offers("oomfwdctl", "-")), PROGRAM.options)
    equal(ZSH.options, PROGRAM.options)


def test_what_the_help_says_of_a_command_the_man_page_describes():
    for command, options in PROGRAM.helped.items():
        missing = options - PAGE.command_options[command]
        assert not missing, f"{command} {missing}"


def test_the_man_page_describes_all_options_that_a_command_takes():
    for command in written(c for c in PROGRAM.commands if not is_import(c)):
        equal((command, PAGE.command_options[command]), (command, PROGRAM.parsed(command)))


# Arguments of the other programs are names in these sources as well, so it is asked one way only.
def test_the_man_page_invents_no_options_of_the_imports():
    for command in written(c for c in PROGRAM.commands if is_import(c)):
        for option in PAGE.command_options[command]:
            assert option.lstrip("-") in PROGRAM.text(command), f"{command} {option}"


def test_the_shells_offer_what_the_man_page_describes():
    for command in PROGRAM.commands:
        expected = PAGE.command_options[command]
        equal((command, BASH.options("oomfwdctl", command)), (command, expected))
        equal((command, ZSH.command_options(command)), (command, expected))


def test_the_shells_offer_the_options_of_the_daemon():
    lines = [line for line in run(DAEMON, "--help").splitlines() if re.match(r" +-", line)]
    options = {o for line in lines for o in
               re.findall(r"(?<!\S)(--?[a-zA-Z-]+)", re.split(r"(?<=\S)  ", line)[0])}
    assert "--check-config" in options and "-n" in options
    equal(set(BASH.offers("oomfwd", "-")), options)
    equal(ZSH.daemon_options, options)


def test_each_exit_status_is_in_the_man_page():
    header = (Path(TOP) / "src/ctl/ctl.h").read_text(encoding="utf-8")
    numbers = re.findall(r"^\tCTL_[A-Z_]+ = ([0-9]+),", header, re.MULTILINE)
    assert numbers
    equal(re.findall(r"^\.It ([0-9]+)$", PAGE.section("EXIT STATUS"), re.MULTILINE), numbers)


def test_mandoc_finds_nothing_wrong():
    if not shutil.which("mandoc"):
        raise tap.Skip("no mandoc")
    page = str(Path(TOP) / "man/oomfwdctl.1")
    r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True,
                       text=True, timeout=30, check=False)
    equal((r.returncode, r.stdout), (0, ""))


# --- bash ---

def test_bash_completes_a_command():
    equal(BASH.offers("oomfwdctl", "sim"), ["simulate"])
    equal(BASH.offers("oomfwdctl", "--json", "expl"), ["explain"])
    equal(BASH.offers("oomfwdctl", "--config", "/etc/x", "he"), [])


def test_bash_takes_the_value_of_an_option_for_no_command():
    equal(BASH.offers("oomfwdctl", "--config", "reload", "sn"), ["snapshot"])
    equal(BASH.offers("oomfwdctl", "--config", "=", "top", "sn"), ["snapshot"])


def test_bash_completes_files_where_files_are_taken():
    with tempfile.TemporaryDirectory(prefix="test-words-") as top:
        (Path(top) / "one.json").touch()
        expected = [f"{top}/one.json"]
        for words in (["simulate", "--snapshot"], ["simulate", "--snapshot", "="], ["check"],
                      ["history", "--file"], ["snapshot"], ["import-nohang"], ["--config"]):
            equal((words, BASH.offers("oomfwdctl", *words, f"{top}/o")), (words, expected))
        equal(BASH.offers("oomfwdctl", "import-systemd-oomd", "--root", f"{top}/o"), [])
        equal(BASH.offers("oomfwdctl", "status", f"{top}/o"), [])


def test_bash_offers_processes_by_pid_and_says_their_names():
    with subprocess.Popen(["sleep", "60"]) as mine:
        try:
            pid = str(mine.pid)
            # By its pid alone, unless the pids of others begin with it.
            offered = BASH.offers("oomfwdctl", "explain", pid)
            assert offered == [pid] or len(offered) > 1, offered
            assert all(o.startswith(pid) for o in offered), offered
            assert pid in [o.split()[0] for o in offered], offered
            wait_for_name(mine.pid, "sleep")
            all_of_them = BASH.offers("oomfwdctl", "explain", "")
        finally:
            mine.kill()
    assert f"{pid} (sleep)" in all_of_them
    assert f"{os.getpid()} " in " ".join(all_of_them)
    assert not any(line.startswith("2 (kthreadd)") for line in all_of_them)
    assert pid not in [o.split()[0] for o in BASH.offers("oomfwdctl", "explain", pid)]


def test_bash_shows_no_control_characters_of_a_name():
    program = ("import ctypes, time; "
               "ctypes.CDLL(None).prctl(15, b'\\x1b[31m', 0, 0, 0); "
               "print('ready', flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as mine:
        try:
            mine.stdout.readline()
            offered = BASH.offers("oomfwdctl", "explain", "")
        finally:
            mine.kill()
    assert f"{mine.pid} (?[31m)" in offered, [o for o in offered if o.startswith(str(mine.pid))]


def wait_for_name(pid, name):
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() != name:
        assert time.monotonic() < until, f"{pid} has not become {name}"
        time.sleep(0.01)


# --- zsh: a real one, at a terminal ---

class Terminal:
    """An interactive zsh whose line is written to a file by ^T."""

    def __init__(self, top):
        self.line = Path(top) / "line"
        completions = Path(TOP) / "completions/zsh"
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(top)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "HOME": top})
        self.type(f"PS1='> '; fpath=({completions} $fpath); autoload -Uz compinit; "
                  f"compinit -u -D; show() {{ print -r -- $BUFFER >{self.line}.new; "
                  f"mv {self.line}.new {self.line} }}; zle -N show; bindkey '^T' show\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def line_after(self, text):
        """The line once text was typed at an empty one."""
        self.line.unlink(missing_ok=True)
        self.type("\x15" + text + "\x14")
        until = time.monotonic() + 30
        while not self.line.exists():
            assert time.monotonic() < until, "zsh does not answer"
            if select.select([self.fd], [], [], 0.05)[0]:
                os.read(self.fd, 65536)
        return self.line.read_text(encoding="utf-8").rstrip("\n")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test_zsh_completes_commands_options_files_and_processes():
    if not shutil.which("zsh"):
        raise tap.Skip("no zsh")
    with tempfile.TemporaryDirectory(prefix="test-words-") as top:
        (Path(top) / "one.json").touch()
        terminal = Terminal(top)
        try:
            for typed, line in (("oomfwdctl simu\t", "oomfwdctl simulate "),
                                ("oomfwdctl --json expl\t", "oomfwdctl --json explain "),
                                ("oomfwdctl simulate --sn\ton\t",
                                 "oomfwdctl simulate --snapshot one.json "),
                                ("oomfwdctl check on\t", "oomfwdctl check one.json "),
                                (f"oomfwdctl explain {os.getpid()}\t",
                                 f"oomfwdctl explain {os.getpid()} "),
                                ("oomfwd --chec\t", "oomfwd --check-config ")):
                # A pid that others begin with is followed by no blank.
                equal(terminal.line_after(typed).rstrip(), line.rstrip())
        finally:
            terminal.close()


sys.exit(tap.run(globals()))
