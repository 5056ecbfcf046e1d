#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of oomfwdctl that stand alone, on processes made for it, as TAP.
Usage: live-oomfwdctl.py OOMFWDCTL CTL_CHILDREN
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
import tap  # pylint: disable=wrong-import-position

CTL, CHILDREN = map(os.path.realpath, sys.argv[1:3])
SOURCE = Path(os.environ["OOMFWD_SOURCE"])
FIXTURES = Path(os.environ["OOMFWD_FIXTURES"]) / "snapshot"
CONFIG = str(SOURCE / "etc/oomfwd.conf")
OK, USAGE, NOT_FOUND = 0, 2, 4
MIB = 1 << 20


def ctl(*args, config=CONFIG, given=None):
    return subprocess.run([CTL, "--config", config, *args], capture_output=True, text=True,
                          input=given, timeout=60, check=False)


def answer(*args, config=CONFIG, given=None):
    """What is said with --json, with the status 0."""
    r = ctl("--json", *args, config=config, given=given)
    equal((r.returncode, r.stderr if args[0] != "snapshot" else ""), (OK, ""))
    return json.loads(r.stdout)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


class Pair:
    """Two processes with one mm, and a thread."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.process = subprocess.Popen([CHILDREN, *self.args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.pid, self.sharer, self.thread = map(int, self.process.stdout.readline().split())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        equal(self.process.wait(timeout=30), 0)

    def members(self):
        return [self.pid, self.sharer]


def pids(group):
    return [m["pid"] for m in group["members"]]


# --- explain ---

def test_explain_shows_both_that_share_and_by_what_it_is_known():
    with Pair() as pair:
        for pid in pair.members():
            j = answer("explain", str(pid))
            group = j["candidate"]["group"]
            equal((j["pid"], j["kind"], pids(group)), (pid, "process", pair.members()))
            assert group["evidence"] in ("kcmp", "smaps"), group["evidence"]
            equal((group["pin"], group["vfork"]), (None, False))
            for m in group["members"]:
                equal((m["comm"], m["uid"], m["state"]), ("ctl-children", os.geteuid(), "S"))
            assert group["anon_bytes"] >= 64 * MIB
            assert j["candidate"]["yield_bytes"] >= 64 * MIB
            assert Path(j["exe"]).samefile(CHILDREN)


def test_explain_says_the_same_to_people():
    with Pair() as pair:
        r = ctl("explain", str(pair.pid))
        equal((r.returncode, r.stderr), (OK, ""))
        assert "2 processes share this memory and die together" in r.stdout, r.stdout
        for part in (f"{pair.sharer}", "Gives back", "It would", "Badness", "rank"):
            assert part in r.stdout, (part, r.stdout)


def test_explain_of_a_thread_is_about_its_process():
    with Pair() as pair:
        j = answer("explain", str(pair.thread))
        equal((j["pid"], j["asked_thread"]), (pair.pid, pair.thread))
        equal(pids(j["candidate"]["group"]), pair.members())
        said = ctl("explain", str(pair.thread)).stdout
        assert f"{pair.thread} is a thread of this process" in said, said


def test_explain_names_the_rule_and_the_member_it_matches():
    with Pair() as pair, tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(f"[protect tests]\ncomm = ^ctl-children$\nexe = {CHILDREN}\nuid = {os.geteuid()}\n")
        f.flush()
        j = answer("explain", str(pair.sharer), config=f.name)["candidate"]
        equal((j["reason"], j["rule"]["action"], j["rule"]["name"]),
              ("protected", "protect", "tests"))
        assert j["rule"]["pid"] in pair.members()
        equal(j["group"]["pin"]["why"], "protected")
        text = ctl("explain", str(pair.pid), config=f.name).stdout
        assert "It would not be chosen: protected, rule [protect tests], which matches" in text


def test_explain_of_a_pinned_one_says_by_whom():
    if os.geteuid() != 0:
        raise tap.Skip("an oom_score_adj of -1000 takes root")
    with Pair() as pair:
        try:
            Path(f"/proc/{pair.sharer}/oom_score_adj").write_text("-1000", encoding="ascii")
        except PermissionError as why:
            raise tap.Skip("no CAP_SYS_RESOURCE here") from why
        candidate = answer("explain", str(pair.pid))["candidate"]
        equal((candidate["reason"], candidate["group"]["pin"]["why"]), ("pinned", "oom_score_adj"))


def test_explain_of_nobody_is_not_found():
    with Pair() as pair:
        gone = pair.sharer
    r = ctl("explain", str(gone))
    equal((r.returncode, r.stdout), (NOT_FOUND, ""))
    assert f"there is no process {gone}" in r.stderr, r.stderr


def test_explain_of_a_kernel_thread_says_that_it_has_no_mm():
    for status in Path("/proc").glob("[0-9]*/status"):
        if "Kthread:\t1" in status.read_text(encoding="utf-8", errors="replace"):
            break
    else:
        if not Path("/proc/2/comm").exists() or \
                Path("/proc/2/comm").read_text(encoding="ascii") != "kthreadd\n":
            raise tap.Skip("no kernel threads are to be seen here")
        status = Path("/proc/2/status")
    equal(answer("explain", status.parent.name)["kind"], "kernel_thread")
    assert "it has no mm" in ctl("explain", status.parent.name).stdout


def test_explain_of_a_zombie_says_that_its_memory_is_back():
    child = subprocess.Popen(["true"], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    equal(answer("explain", str(child.pid))["kind"], "no_mm")
    assert "its memory is given back already" in ctl("explain", str(child.pid)).stdout
    child.wait()


def process_without_a_leader(pid):
    """The first thread takes a moment to exit."""
    for _ in range(500):
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii"):
            return
        time.sleep(0.01)
    raise AssertionError("the first thread has not exited")


def test_a_process_whose_first_thread_has_exited_is_no_zombie():
    with Pair("leaderless") as pair:
        process_without_a_leader(pair.pid)
        j = answer("explain", str(pair.pid))
        equal((j["kind"], j["state"], j["thread"]), ("process", "Z", pair.thread))
        assert j["candidate"]["group"]["anon_bytes"] >= 64 * MIB
        found = [g for g in answer("sharing")["leaderless"] if pair.pid in pids(g)]
        equal([[m["thread"] for m in g["members"]] for g in found], [[pair.thread]])
        for said in (ctl("explain", str(pair.pid)).stdout, ctl("sharing").stdout):
            assert f"thread {pair.thread} " in said, said


def test_explain_wants_one_pid():
    for args in ((), ("x",), ("0",), ("-1",), ("1", "2"), ("99999999999999999999",), ("1x",)):
        r = ctl("explain", *args)
        equal((args, r.returncode, r.stdout), (args, USAGE, ""))
        assert "Usage: oomfwdctl explain PID" in r.stderr


# --- sharing ---

def test_sharing_lists_the_pair():
    with Pair() as pair:
        j = answer("sharing")
        found = [g for g in j["groups"] if pair.pid in pids(g)]
        equal([pids(g) for g in found], [pair.members()])
        assert all(len(g["members"]) > 1 for g in j["groups"])
        text = ctl("sharing").stdout
        assert "2 processes share an mm" in text and str(pair.sharer) in text, text
    after = answer("sharing")["groups"]
    assert not any(pair.pid in pids(g) for g in after)
    if not after:
        assert "No processes share an mm." in ctl("sharing").stdout


def test_sharing_takes_no_arguments():
    equal(ctl("sharing", "all").returncode, USAGE)


# --- snapshot and simulate ---

def test_a_snapshot_is_for_its_owner_alone_and_leaves_command_lines_out():
    with tempfile.TemporaryDirectory() as top, Pair() as pair:
        path = Path(top) / "s.json"
        path.write_text("x" * 9999999, encoding="ascii")
        path.chmod(0o644)
        equal(ctl("snapshot", str(path)).returncode, OK)
        equal(path.stat().st_mode & 0o777, 0o600)
        j = json.loads(path.read_text(encoding="utf-8"))
        equal((j["format"], j["cmdlines"]), ("oomfwd-snapshot", False))
        tasks = {t["pid"]: t for t in j["tasks"]}
        assert not any("cmdline" in t for t in tasks.values())
        one, two = (tasks[pid] for pid in pair.members())
        equal((one["mm"], two["mm"]), (pair.pid, pair.pid))
        equal(one["marks"], two["marks"])
        equal(len({t["mm"] for t in tasks.values() if t.get("marks") == one["marks"]}), 1)
        assert 0 < one["marks"] < 1 << 20, "an address got into the file"
        assert one["anon_bytes"] >= 64 * MIB and one["evidence"] == j["evidence"]


def keys_of(j):
    if isinstance(j, list):
        return set().union(*map(keys_of, j))
    return set(j) | set().union(*map(keys_of, j.values())) if isinstance(j, dict) else set()


def test_each_key_of_a_snapshot_is_documented():
    text = (SOURCE / "docs/SNAPSHOT.md").read_text(encoding="utf-8")
    keys = keys_of(json.loads(ctl("snapshot", "--cmdline", "-").stdout))
    for fixture in FIXTURES.glob("*.json"):
        keys |= keys_of(json.loads(fixture.read_text(encoding="utf-8")))
    equal([key for key in sorted(keys) if f"`{key}`" not in text], [])


def test_with_json_a_snapshot_tells_of_itself():
    with tempfile.TemporaryDirectory() as top:
        j = answer("snapshot", f"{top}/s.json")
        written = json.loads(Path(top, "s.json").read_text(encoding="utf-8"))
        equal((j["file"], j["tasks"], j["cmdlines"]), (f"{top}/s.json", len(written["tasks"]),
                                                        False))


def test_command_lines_are_recorded_when_asked_for():
    with Pair() as pair:
        r = ctl("snapshot", "--cmdline", "-")
        equal(r.returncode, OK)
        tasks = {t["pid"]: t for t in json.loads(r.stdout)["tasks"]}
        equal(tasks[pair.pid]["cmdline"], CHILDREN)


def test_a_snapshot_leads_where_the_machine_leads():
    with tempfile.TemporaryDirectory() as top, Pair() as pair:
        path, config = Path(top) / "s.json", Path(top) / "c.conf"
        config.write_text("[prefer tests]\ncomm = ^ctl-children$\n[victims]\n"
                          "prefer_points = 1000\n[warn]\nmemory = off\n[kill]\nmemory = 1M\n",
                          encoding="ascii")
        equal(ctl("snapshot", str(path), config=str(config)).returncode, OK)
        for source in ((), ("--snapshot", str(path))):
            j = answer("simulate", "--available", "1K", *source, config=str(config))
            equal((j["result"], j["level"], len(j["victims"])), ("over", "kill", 1))
            victim = j["victims"][0]
            equal((pids(victim["group"]), victim["signal"]), (pair.members(), "KILL"))
            equal(victim["rule"]["name"], "tests")
            assert j["memory_after"]["available_bytes"] >= 64 * MIB
        given = answer("simulate", "--snapshot", "-", given=path.read_text(encoding="utf-8"))
        equal(given["snapshot"], "-")
        for pid in pair.members():  # nobody was signalled
            os.kill(pid, 0)


def test_simulate_says_who_dies_and_who_does_not():
    path = str(FIXTURES / "pinned-by-init.json")
    j = answer("simulate", "--snapshot", path)
    equal([v["comm"] for v in j["victims"]], ["builder"])
    spared = {s["comm"]: s for s in j["spared"]}
    pinned = next(s for s in j["spared"] if s["reason"] == "pinned")
    equal((pids(pinned["group"]), pinned["group"]["pin"]["pid"]), ([1, 500], 1))
    equal(spared["editor"]["reason"], "not_needed")
    text = ctl("simulate", "--snapshot", path).stdout
    assert "1. SIGKILL to 600 (builder): gives back 1.5 GiB" in text, text
    assert "its memory is pinned; pinned by pid 1" in text and "the shortage is over" in text, text


def test_simulate_takes_an_amount_and_a_count():
    path = str(FIXTURES / "ten-equals.json")
    for available, victims in (("50%", 0), ("8%", 2), ("1%", 6), ("820M", 4)):
        j = answer("simulate", "--snapshot", path, "--available", available)
        equal((available, len(j["victims"])), (available, victims))
    j = answer("simulate", "--snapshot", path, "--count", "1")
    equal((len(j["victims"]), j["result"]), (1, "limit"))
    text = ctl("simulate", "--snapshot", path, "--available", "50%").stdout
    assert "there is no shortage: nobody would be killed" in text, text


def test_simulate_says_what_the_ladder_would_do_next():
    r = ctl("simulate", "--snapshot", str(FIXTURES / "protected.json"),
            config=str(FIXTURES / "cmdline.conf"))
    equal(r.returncode, OK)
    assert "Nobody is left to choose" in r.stdout, r.stdout
    assert "the step \"cgroup\" of its ladder" in r.stdout, r.stdout
    assert "the snapshot has no command lines" in r.stdout, r.stdout


def test_wrong_arguments_are_told():
    for args in (("--available", "much"), ("--available", "off"), ("--count", "0"),
                 ("--count", "x"), ("--odd",), ("--snapshot",), ("stray",)):
        r = ctl("simulate", *args)
        equal((args, r.returncode, r.stdout), (args, USAGE, ""))
    for args in ((), ("a", "b"), ("--odd", "a")):
        equal((args, ctl("snapshot", *args).returncode), (args, USAGE))


def test_a_snapshot_that_is_none_is_told():
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "s.json"
        good = (FIXTURES / "protected.json").read_bytes()
        for content, why in ((b"", "empty"), (good[:-30], "cut short"), (b"{}", "not a snapshot"),
                             (b"\x1b[2J", "no JSON")):
            path.write_bytes(content)
            r = ctl("simulate", "--snapshot", str(path))
            equal((why, r.returncode, r.stdout), (why, NOT_FOUND, ""))
            assert why in r.stderr and "\x1b" not in r.stderr, r.stderr
        r = ctl("simulate", "--snapshot", str(path) + ".not")
        equal(r.returncode, NOT_FOUND)
        assert "No such file" in r.stderr, r.stderr


def test_a_snapshot_cannot_be_written_everywhere():
    for path in ("/nonexistent/x", "/"):
        r = ctl("snapshot", path)
        assert r.returncode == 1 and f"cannot write {path}" in r.stderr, r
    if Path("/dev/full").exists():
        r = ctl("snapshot", "/dev/full")
        assert r.returncode == 1 and "No space left" in r.stderr, r
    with tempfile.TemporaryDirectory() as top:
        (Path(top) / "link").symlink_to(Path(top) / "target")
        r = ctl("snapshot", f"{top}/link")
        assert r.returncode == 1 and "symbolic link" in r.stderr, r
        assert not (Path(top) / "target").exists()


# --- check ---

def test_check_counts_what_is_right():
    r = ctl("check")
    equal((r.returncode, r.stderr), (OK, ""))
    rules = sum(line.startswith(("[protect ", "[avoid ", "[prefer "))
                for line in Path(CONFIG).read_text(encoding="utf-8").splitlines())
    equal(r.stdout, f"{CONFIG}: {rules} rules, 0 cgroup sections, no errors\n")
    j = answer("check", str(FIXTURES / "protect.conf"))
    equal((j["valid"], j["rules"], j["messages"]), (True, 1, []))
    text = ctl("check", str(FIXTURES / "protect.conf")).stdout
    assert "1 rule, 0 cgroup sections" in text, text


def test_check_lists_what_is_wrong():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write("[kill]\nmemory = much\nodd = 1\n")
        f.flush()
        r = ctl("check", f.name)
        equal((r.returncode, r.stdout), (NOT_FOUND, ""))
        assert f"{f.name}:2: " in r.stderr and f"{f.name}:3: " in r.stderr, r.stderr
        r = ctl("--json", "check", f.name)
        j = json.loads(r.stdout)
        equal((r.returncode, j["valid"]), (NOT_FOUND, False))
        equal([(m["level"], m["file"], m["line"]) for m in j["messages"]],
              [("error", f.name, 2), ("error", f.name, 3)])
        assert all(m["text"] for m in j["messages"])
        # The other commands do not go on with it either.
        for args in (("sharing",), ("explain", "1"), ("simulate",)):
            equal((args, ctl(*args, config=f.name).returncode), (args, NOT_FOUND))


def test_check_of_no_file_or_two():
    r = ctl("check", "/nonexistent.conf")
    equal(r.returncode, NOT_FOUND)
    assert "there is no such file" in r.stderr, r.stderr
    equal(ctl("check", "a", "b").returncode, USAGE)
    equal(ctl("check", "--odd").returncode, USAGE)


# --- without privileges ---

def test_without_root_it_says_what_it_cannot_see():
    if os.geteuid() != 0:
        raise tap.Skip("nobody to step down from")
    with tempfile.TemporaryDirectory() as top:  # the build directory may be closed to others
        os.chmod(top, 0o755)
        binary, config = Path(top) / "oomfwdctl", Path(top) / "oomfwd.conf"
        binary.write_bytes(Path(CTL).read_bytes())
        binary.chmod(0o755)
        config.write_text("", encoding="ascii")
        r = subprocess.run([binary, "--config", config, "--json", "explain", str(os.getpid())],
                           capture_output=True, text=True, timeout=60, check=False, user=65534,
                           group=65534, extra_groups=[])
    equal((r.returncode, r.stderr), (OK, ""))
    j = json.loads(r.stdout)
    equal((j["pid"], j["candidate"]["group"]["evidence"]), (os.getpid(), "unknown"))
    assert any("CAP_SYS_PTRACE" in sentence for sentence in j["unseen"]), j["unseen"]


sys.exit(tap.run(globals()))
