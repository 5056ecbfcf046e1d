#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`oomfwdctl top` on a terminal, which tmux plays, and without one, as TAP.
Usage: live-ctl-top.py OOMFWDCTL
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
import tap  # pylint: disable=wrong-import-position

CTL = os.path.realpath(sys.argv[1])
CONFIG = str(Path(os.environ["OOMFWD_SOURCE"]) / "etc/oomfwd.conf")
OK, USAGE, NOT_FOUND = 0, 2, 4
ENV = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX")}


def ctl(*args):
    return subprocess.run([CTL, "--config", CONFIG, *args], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL, env=ENV)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


class Screen:
    """A shell in a terminal of its own, on a tmux server of its own."""

    def __init__(self, name, width=120, height=24):
        self.name = f"oomfwd-test-{os.getpid()}-{name}"
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height),
                  "env PS1='shell> ' sh -i")
        self.wait(lambda s: "shell>" in s)

    def tmux(self, *args):
        return subprocess.run(["tmux", "-L", self.name, "-f", "/dev/null", *args], check=True,
                              capture_output=True, text=True, env=ENV, timeout=30).stdout

    def type(self, text):
        self.tmux("send-keys", "-l", text)
        self.key("Enter")

    def key(self, *names):
        self.tmux("send-keys", *names)

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, holds, seconds=20):
        """The screen as soon as that holds of it."""
        until = time.monotonic() + seconds
        while True:
            text = self.text()
            if holds(text):
                return text
            assert time.monotonic() < until, f"the screen stays:\n{text}"
            time.sleep(0.05)

    def start(self, *args):
        self.type(" ".join([CTL, "--config", CONFIG, "top", *args]))
        return self.wait(lambda s: "\n> " in s)


@contextlib.contextmanager
def screen(name, **size):
    if not shutil.which("tmux"):
        raise tap.Skip("no tmux here")
    s = Screen(name, **size)
    try:
        yield s
    finally:
        s.tmux("kill-server")


def selected(text):
    """Rank and pid of the line with the mark."""
    rows = [line.split() for line in text.splitlines() if line.startswith("> ")]
    equal(len(rows), 1)
    return int(rows[0][1]), int(rows[0][2])


@contextlib.contextmanager
def some_processes():
    """So that there are rows to move over, whatever else runs."""
    running = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL) for _ in range(6)]
    try:
        time.sleep(0.3)
        yield
    finally:
        for p in running:
            p.communicate(b"\n", timeout=30)


def test_keys_move_the_selection():
    with some_processes(), screen("keys") as s:
        first = s.start("-d", "60")
        equal(selected(first)[0], 1)
        s.key("j", "Down")
        equal(selected(s.wait(lambda t: "\n>    3 " in t))[0], 3)
        s.key("k")
        s.wait(lambda t: "\n>    2 " in t)
        s.key("Up", "Up", "Up")
        s.wait(lambda t: "\n>    1 " in t)
        s.key("NPage")
        s.wait(lambda t: selected(t)[0] > 5)
        s.key("PPage")
        s.wait(lambda t: "\n>    1 " in t)


def test_sorting_keeps_the_process_selected():
    with some_processes(), screen("sort") as s:
        s.start("-d", "60")
        s.key("j", "j")
        pid = selected(s.wait(lambda t: "\n>    3 " in t))[1]
        for order in ("freed", "members", "name", "badness"):
            s.key("s")
            equal(selected(s.wait(lambda t, o=order: f"sorted by {o}" in t))[1], pid)


def test_details_show_the_members_and_go_back():
    with screen("details") as s:
        pid = selected(s.start("-d", "60"))[1]
        for open_key, close_key in (("Enter", "Escape"), ("e", "Enter")):
            s.key(open_key)
            text = s.wait(lambda t: "Enter back" in t)
            assert text.startswith(f"{pid} (") and "Badness" in text, text
            s.key(close_key)
            s.wait(lambda t: "q quit" in t and "\n> " in t)


def test_it_looks_again():
    with screen("again") as s:
        s.start("-d", "0.2")
        before = s.text().splitlines()[0]
        s.wait(lambda t: t.splitlines()[0] != before)
        s.key("q")
        s.wait(lambda t: "sorted by" not in t)


def test_it_ends_after_so_many_looks():
    with screen("count") as s:
        s.start("-d", "0.3", "-n", "3")
        s.wait(lambda t: "sorted by" not in t and "shell>" in t)


def test_it_takes_a_new_size():
    with some_processes(), screen("size") as s:
        s.start("-d", "60")
        for width, height in ((60, 8), (200, 40), (20, 3), (120, 24)):
            s.tmux("resize-window", "-x", str(width), "-y", str(height))
            with_head = height >= 12
            text = s.wait(lambda t, h=with_head: ("sorted by" in t) == h and "\n> " in t and
                          ("q quit" in t.rstrip("\n").splitlines()[-1]) == h)
            assert len(text.splitlines()) <= height, text
            assert max(map(len, text.splitlines())) <= width, text


def restored(s):
    """The shell is back, with what was on its screen, echo and cursor."""
    text = s.wait(lambda t: "sorted by" not in t and t.rstrip().endswith("shell>"))
    assert text.startswith("before it"), text
    equal(s.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on} #{wrap_flag}").split(),
          ["1", "0", "1"])
    s.type("stty -a | grep -o '[- ]icanon\\|[- ]echo '")
    s.wait(lambda t: " icanon" in t and "\n echo" in t)


def leave_by(name, leave):
    with screen(name) as s:
        s.type("clear; echo before it")
        s.wait(lambda t: t.startswith("before it"))
        s.start("-d", "60")
        equal(s.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").split(), ["0", "1"])
        leave(s)
        restored(s)


def test_q_restores_the_terminal():
    leave_by("q", lambda s: s.key("q"))


def test_ctrl_c_restores_the_terminal():
    leave_by("ctrl-c", lambda s: s.key("C-c"))


def child_of(s):
    """The pid of top: the only child of the shell in the pane."""
    shell = s.tmux("display-message", "-p", "#{pane_pid}").strip()
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
    equal(len(children), 1)
    return int(children[0])


def test_sigterm_restores_the_terminal():
    leave_by("sigterm", lambda s: os.kill(child_of(s), signal.SIGTERM))


def test_ctrl_z_gives_the_terminal_back_for_a_while():
    with screen("ctrl-z") as s:
        s.type("clear; echo before it")
        s.wait(lambda t: t.startswith("before it"))
        s.start("-d", "60")
        s.key("C-z")
        s.wait(lambda t: t.startswith("before it") and t.rstrip().endswith("shell>"))
        s.type("fg")
        s.wait(lambda t: "\n> " in t and "sorted by" in t)
        s.key("q")
        restored(s)


def test_colours_are_for_terminals_that_want_them():
    with screen("colour") as s:
        s.start("-d", "60")
        assert "\x1b[" in s.text("-e")
        s.key("q")
        s.wait(lambda t: "sorted by" not in t)
        s.type("export NO_COLOR=1")
        s.start("-d", "60")
        assert "\x1b[" not in s.text("-e"), s.text("-e")


def test_without_a_terminal_there_is_one_table():
    for args in ((), ("--once",)):
        r = ctl("top", *args)
        equal((r.returncode, r.stderr), (OK, ""))
        lines = r.stdout.splitlines()
        assert lines[0].startswith("oomfwdctl top") and "RANK" in lines[5], r.stdout
        assert "\x1b" not in r.stdout
        equal([int(x.split()[0]) for x in lines[6:]], list(range(1, len(lines) - 5)))
    equal(ctl("top", "-n", "2", "-d", "0.1").stdout.count("RANK"), 2)


def test_top_as_json():
    r = ctl("--json", "top")
    equal((r.returncode, r.stderr), (OK, ""))
    j = json.loads(r.stdout)
    assert j["groups"] and j["need_bytes"] >= 1 and j["headroom"]["warn"]["memory_bytes"], j
    assert all(g["group"]["members"] and "place" in g for g in j["groups"])


def test_a_dumb_terminal_gets_the_table():
    with screen("dumb", width=200, height=300) as s:
        s.type(f"clear; TERM=dumb {CTL} --config {CONFIG} top")
        text = s.wait(lambda t: t.rstrip().endswith("shell>") and "RANK" in t)
        assert "> " not in text.split("RANK")[1].rsplit("shell>", 1)[0]


def test_wrong_arguments_are_told():
    for args in (("-d", "0"), ("-d", "x"), ("-n", "0"), ("-n", "1x"), ("x",), ("--odd",), ("-d",)):
        r = ctl("top", *args)
        equal((args, r.returncode, r.stdout), (args, USAGE, ""))
    r = subprocess.run([CTL, "--config", "/nonexistent.conf", "top"], capture_output=True,
                       text=True, timeout=60, check=False)
    equal((r.returncode, r.stdout), (NOT_FOUND, ""))


sys.exit(tap.run(globals()))
