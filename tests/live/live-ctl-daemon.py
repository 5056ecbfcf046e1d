#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What oomfwdctl says of a daemon, of what it left in the history, and of none, as TAP. The daemon is
played by fake-daemon. Usage: live-ctl-daemon.py OOMFWDCTL FAKE_DAEMON
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
import tap  # pylint: disable=wrong-import-position

CTL, FAKE = map(os.path.realpath, sys.argv[1:3])
EPISODES = str(Path(os.environ["OOMFWD_FIXTURES"]) / "history/episodes.jsonl")
OK, FAILED, USAGE, NO_DAEMON, NOT_FOUND = 0, 1, 2, 3, 4
ENV = {**os.environ, "TZ": "UTC", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}


def ctl(*args, socket="/nonexistent/feed", binary=CTL, **more):
    return subprocess.run([binary, "--socket", socket, *args], capture_output=True, text=True,
                          timeout=60, check=False, env=ENV, stdin=subprocess.DEVNULL, **more)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def says(r, status, *parts):
    equal((r.returncode, r.stdout), (status, ""))
    for part in parts:
        assert part in r.stderr, (part, r.stderr)


@contextlib.contextmanager
def daemon(mode):
    """The path of its socket."""
    with tempfile.TemporaryDirectory() as top:
        path = f"{top}/feed"
        with subprocess.Popen([FAKE, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as fake:
            equal(fake.stdout.readline(), "ready\n")
            yield path
            fake.stdin.close()


# --- status ---

def test_status_of_a_calm_daemon():
    with daemon("calm") as path:
        r = ctl("status", "--history", "/nonexistent/h", socket=path)
        equal((r.returncode, r.stderr), (OK, ""))
        lines = r.stdout.splitlines()
        assert re.search(r", pid \d+, for .*; last look \d+ s ago", lines[0]), lines[0]
        assert any(x.startswith("Warn level  10 GiB above it") for x in lines), r.stdout
        assert "Triggers    machine: armed" in lines and "In flight   nobody" in lines, r.stdout
        assert lines[-1] == "Episodes    none is recorded yet", lines[-1]


def test_status_of_a_daemon_in_trouble():
    with daemon("busy") as path:
        r = ctl("status", "--history", EPISODES, socket=path)
        equal((r.returncode, r.stderr), (OK, ""))
        for part in ("memory is short: kill level", "[cgroup web]", "4242 (java\\x1B[2J)",
                     "WAS REFUSED", "2 mms that a kill did not free"):
            assert part in r.stdout, (part, r.stdout)
        assert "\x1b" not in r.stdout
        # The three newest.
        equal([x.split()[0] for x in r.stdout.splitlines()[-3:]], ["3", "4", "5"])


def test_status_as_json():
    with daemon("busy") as path:
        for args in (("--json", "status"), ("status", "--json")):
            r = ctl(*args, "--history", EPISODES, socket=path)
            equal((r.returncode, r.stderr), (OK, ""))
            j = json.loads(r.stdout)
            equal((j["running"], j["level"], j["config"]["reload_failed"]), (True, "kill", True))
            equal([e["id"] for e in j["episodes"]], [3, 4, 5])
            equal([d["name"] for d in j["domains"]], ["web", "batch"])


def test_status_without_a_daemon_says_what_still_works():
    with tempfile.TemporaryDirectory() as top:
        says(ctl("status", socket=f"{top}/feed"), NO_DAEMON, "is not running",
             "systemctl start oomfwd", "explain, sharing, simulate, snapshot")
    # The socket of a daemon that was killed.
    with daemon("calm") as path, tempfile.TemporaryDirectory() as top:
        os.rename(path, f"{top}/feed")
        stale = f"{top}/feed"
        Path(path).touch()
        equal(ctl("status", socket=stale).returncode, OK)
        says(ctl("status", socket=path), NO_DAEMON, "is not running")
    r = ctl("--json", "status")
    equal(r.returncode, NO_DAEMON)
    j = json.loads(r.stdout)
    equal((j["running"], j["error"]), (False, "not_running"))


def test_status_of_another_version_says_to_restart():
    for mode in ("version", "magic"):
        with daemon(mode) as path:
            says(ctl("status", socket=path), NO_DAEMON, "another version",
                 "systemctl restart oomfwd")


def test_status_of_a_daemon_that_does_not_answer_ends():
    with daemon("mute") as path:
        began = time.monotonic()
        says(ctl("status", socket=path), NO_DAEMON, "does not answer")
        assert time.monotonic() - began < 5
    with daemon("full") as path:
        says(ctl("status", socket=path), NO_DAEMON, "has hung up")


def test_status_of_a_daemon_that_has_not_looked():
    for mode in ("young", "torn"):
        with daemon(mode) as path:
            says(ctl("status", socket=path), FAILED, "has not looked at memory yet")


def test_status_without_the_right_says_how_to_get_it():
    if os.geteuid() != 0:
        raise tap.Skip("nobody to step down from")
    with daemon("calm") as path, tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o660)
        binary = shutil.copy(CTL, top)
        says(ctl("status", socket=path, binary=binary, user=65534, group=65534, extra_groups=[]),
             NO_DAEMON, "sudo", "join the group oomfwd")


def test_status_takes_no_other_arguments():
    for args in (("x",), ("--odd",), ("--history",)):
        r = ctl("status", *args)
        equal((args, r.returncode, r.stdout), (args, USAGE, ""))


# --- reload ---

def test_reload_that_is_taken():
    with daemon("calm") as path:
        r = ctl("reload", socket=path)
        equal((r.returncode, r.stderr), (OK, ""))
        equal(r.stdout, "oomfwd has read /etc/oomfwd.conf again: 12 rules are in force\n")


def test_reload_that_is_refused_advises_check():
    for mode in ("refuses", "refuses-again"):
        with daemon(mode) as path:
            says(ctl("reload", socket=path), FAILED, "has refused /etc/oomfwd.conf",
                 "oomfwdctl check /etc/oomfwd.conf")
    with daemon("refuses") as path:
        r = ctl("--json", "reload", socket=path)
        equal((r.returncode, json.loads(r.stdout)["outcome"]), (FAILED, "refused"))


def test_reload_in_an_episode_waits():
    with daemon("waits") as path:
        r = ctl("reload", socket=path)
        equal((r.returncode, r.stderr), (OK, ""))
        assert "when memory has recovered or nobody is left" in r.stdout, r.stdout


def test_reload_that_is_refused_in_an_endless_episode_does_not_seem_to_wait():
    with daemon("refuses-in-episode") as path:
        r = ctl("--json", "reload", socket=path)
        equal((r.returncode, json.loads(r.stdout)["outcome"]), (FAILED, "refused"))


def test_reload_without_an_answer():
    with daemon("silent") as path:
        says(ctl("reload", socket=path), FAILED, "has not answered within 5 s")
    with daemon("dies") as path:
        says(ctl("reload", socket=path), FAILED, "has ended meanwhile")
    says(ctl("reload"), NO_DAEMON, "is not running")
    equal(ctl("reload", "now").returncode, USAGE)


# --- reload over the bus: the socket is where it always is, in a /run of its own ---

BUS_CONF = """<busconfig><listen>unix:path=/run/bus</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>"""

STAGE = """mount -t tmpfs none /run && mkdir /run/oomfwd || exit 77
printf '%s' "$BUS_CONF" >/run/bus.conf
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus
dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile --nosyslog & bus=$!
while [ ! -S /run/bus ]; do sleep 0.05; done
mkfifo /run/hold
"$FAKE" /run/oomfwd/feed "$MODE" "$BUS" </run/hold >/run/said & fake=$!
exec 9>/run/hold
while ! grep -q ready /run/said; do sleep 0.05; done
"$CTL" reload 9>&-; status=$?
exec 9>&-
wait $fake
cat /run/said
kill $bus
exit $status"""


def on_stage(mode, bus):
    """The result of a reload where fake-daemon has the socket and, maybe, the name on the bus."""
    if not shutil.which("dbus-daemon"):
        raise tap.Skip("no dbus-daemon here")
    if os.geteuid() != 0:
        raise tap.Skip("a /run of its own takes root")
    script = STAGE if bus else STAGE.replace('"$BUS"', "")
    r = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True,
                       timeout=60, check=False, stdin=subprocess.DEVNULL,
                       env={**ENV, "CTL": CTL, "FAKE": FAKE, "MODE": mode, "BUS": "bus",
                            "BUS_CONF": BUS_CONF})
    if r.returncode == 77 or "unshare:" in r.stderr:
        raise tap.Skip("no mount namespaces here")
    return r


def test_reload_goes_over_the_bus():
    r = on_stage("calm", True)
    equal(r.returncode, OK)
    assert "12 rules are in force" in r.stdout and "asked over the bus" in r.stdout, r


def test_reload_without_the_name_on_the_bus_takes_the_socket():
    r = on_stage("calm", False)
    equal(r.returncode, OK)
    assert "12 rules are in force" in r.stdout and "over the bus" not in r.stdout, r


def test_reload_that_the_bus_denies_takes_the_socket():
    r = on_stage("denied", True)
    equal(r.returncode, OK)
    assert "12 rules are in force" in r.stdout and "asked over the bus" in r.stdout, r


# --- history ---

def history(*args):
    return ctl("history", "--file", EPISODES, *args)


SKIPPED = f"oomfwdctl: 1 line of {EPISODES} is no episode: skipped\n"


def test_history_says_when_none_is_kept():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write("[desk]\nhistory = off\n")
        config.flush()
        says(ctl("--config", config.name, "history"), NOT_FOUND, "history = off in [desk]")


def test_a_command_tells_what_it_takes():
    for option in ("--help", "-h"):
        r = ctl("history", option)
        equal((r.returncode, r.stderr), (OK, ""))
        assert "history [ID] [-n COUNT]" in r.stdout, r.stdout


def test_history_lists_the_episodes():
    r = history()
    equal((r.returncode, r.stderr), (OK, SKIPPED))
    lines = r.stdout.splitlines()
    equal([x.split()[0] for x in lines], ["ID", "1", "2", "3", "4", "5"])
    equal(lines[1], "     1  2026-11-20 08:00:00    1.2 s   3.0 GiB  4.2 % -> 31 %     machine  "
                    "4242 (java) 3.0 GiB, 4300 (chrome)")
    assert "Docker container 3f2a9c1b04de  77 (\\x1B[2Jweb) 900 MiB" in lines[2], lines[2]
    assert lines[3].endswith("machine  500 (build) 1.0 GiB"), lines[3]
    assert lines[4].endswith("dry run: 900 (a)"), lines[4]
    assert lines[5].endswith("62 (fork2) and 2 more; not seen to end"), lines[5]
    assert "\x1b" not in r.stdout


def test_history_is_where_the_configuration_says():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(f"[desk]\nhistory = {EPISODES}\n")
        f.flush()
        equal(len(ctl("--config", f.name, "history").stdout.splitlines()), 6)
        with daemon("calm") as path:
            r = ctl("--config", f.name, "--json", "status", socket=path)
            equal([e["id"] for e in json.loads(r.stdout)["episodes"]], [3, 4, 5])


def test_history_is_told_in_local_time():
    r = subprocess.run([CTL, "history", "--file", EPISODES], capture_output=True, text=True,
                       timeout=60, check=False, env={**ENV, "TZ": "UTC-5"})
    assert "2026-11-20 13:00:00" in r.stdout, r.stdout


def test_history_counts():
    equal([x.split()[0] for x in history("-n", "2").stdout.splitlines()], ["ID", "4", "5"])
    equal([e["id"] for e in json.loads(history("--json").stdout)], [1, 2, 3, 4, 5])
    equal([e["id"] for e in json.loads(history("-n", "1", "--json").stdout)], [5])


def test_history_of_one_is_its_timeline():
    r = history("1")
    equal((r.returncode, r.stderr), (OK, SKIPPED))
    lines = r.stdout.splitlines()
    equal(lines[0], "Episode 1 of 2026-11-20 08:00:00, the machine")
    equal([(x.split(" ms  ")[0].strip(), x.split(" ms  ")[1].split("  ")[0]) for x in lines[2:]],
          [("0.0", "sensed"), ("2.1", "passed over"), ("4.2", "chosen"), ("4.2", "signalled"),
           ("4.3", "signalled"), ("84.5", "freed"), ("1004.4", "stuck"), ("1234.0", "recovered")])
    assert "2 groups, to give back 3.4 GiB of 1.0 GiB needed; signalled 4 ms after" in lines[4]
    equal(json.loads(history("1", "--json").stdout)["id"], 1)


def test_sigkill_after_sigterm_is_no_new_choice():
    words = [x.split(" ms  ")[1].split()[0] for x in history("3").stdout.splitlines()[2:]]
    equal(words, ["sensed", "chosen", "signalled", "signalled", "freed", "recovered"])
    assert "1 group, to give back 1.0 GiB" in history("3").stdout


def test_and_is_none_where_it_follows_at_once():
    def signal(name, offset, detect):
        return {"event": "signalled", "message": f"sent {name}", "pid": 500, "signal": name, "along": False,
                "expected_bytes": 2**30, "need_bytes": 2**29, "offset_usec": offset, "detect_usec": detect}

    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        steps = [signal("SIGTERM", 9000, 8000), signal("SIGKILL", 9900, 8900)]
        f.write(json.dumps({"id": 1, "began": "2026-11-29T08:00:00.000Z", "steps": steps}) + "\n")
        f.flush()
        out = ctl("history", "1", "--file", f.name).stdout
    assert "1 group, to give back 1.0 GiB of 512 MiB needed" in out, out


def test_what_is_missing_of_an_episode_is_told():
    out = history("5").stdout
    assert "3 events of it were not recorded." in out and "Not seen to end" in out, out
    assert "(dry run: nobody was signalled)" in history("4").stdout


def test_escapes_in_a_sentence_stay_as_they_are():
    out = history("2").stdout
    assert "killing 77 (\\x1B[2Jweb)" in out and "\x1b" not in out, out


def test_a_history_that_somebody_made_up_does_no_harm():
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        evil = "\x1b[2J\\" + "x" * 3000
        step = {"event": evil, "message": evil, "offset_usec": -1, "comm": evil, "pid": -5}
        for id_, steps in ((1, [step, {**step, "event": "signalled"}]), (2, {"a": 1}), (3, [7, []])):
            f.write(json.dumps({"id": id_, "began": evil, "domain_path": evil, "domain": evil,
                                "duration_usec": -3, "steps": steps}) + "\n")
        f.flush()
        for args in ((), ("1",), ("2",), ("3",)):
            r = ctl("history", "--file", f.name, *args)
            equal((args, r.returncode, r.stderr), (args, OK, ""))
            assert r.stdout.replace("\n", "").isprintable(), r.stdout


def test_no_history_is_no_error():
    with tempfile.TemporaryDirectory() as top:
        r = ctl("history", "--file", f"{top}/h")
        equal((r.returncode, r.stderr), (OK, ""))
        assert "no episode yet" in r.stdout, r.stdout
        equal(ctl("history", "--file", f"{top}/h", "--json").stdout, "[]\n")
        equal(ctl("history", "--file", f"{top}/h", "1").returncode, NOT_FOUND)
        Path(top, "empty").touch()
        r = ctl("history", "--file", f"{top}/empty")
        equal(r.returncode, OK)
        assert "no episode yet" in r.stdout, r.stdout


def test_a_history_that_cannot_be_read_says_why():
    says(ctl("history", "--file", "/"), FAILED, "cannot read /")
    if os.geteuid() != 0:
        raise tap.Skip("nobody to step down from")
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        binary = shutil.copy(CTL, top)
        path = Path(top, "h")
        path.write_text("", encoding="ascii")
        path.chmod(0o640)
        says(ctl("history", "--file", str(path), binary=binary, user=65534, group=65534,
                 extra_groups=[]), FAILED, "root and the group oomfwd", "use sudo")


def test_an_episode_that_is_not_there():
    r = history("77")
    equal((r.returncode, r.stdout), (NOT_FOUND, ""))
    assert "there is no episode 77" in r.stderr, r.stderr


def test_wrong_arguments_of_history():
    for args in (("x",), ("0",), ("1", "2"), ("-n", "0"), ("-n", "x"), ("-n",), ("--odd",), ("--file",)):
        r = ctl("history", *args)
        equal((args, r.returncode, r.stdout), (args, USAGE, ""))
        assert "Usage: oomfwdctl history" in r.stderr, r.stderr


sys.exit(tap.run(globals()))
