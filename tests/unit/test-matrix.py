#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/matrix makes of made-up runs, as TAP. Usage: test-matrix.py SOURCE_DIR"""
import argparse
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import tap

SCRIPT = Path(sys.argv[1]) / "bench/matrix"
SVG = "{http://www.w3.org/2000/svg}"
sys.dont_write_bytecode = True  # the source directory stays as it is
matrix = module_from_spec(spec_from_loader("matrix", SourceFileLoader("matrix", str(SCRIPT))))
matrix.__spec__.loader.exec_module(matrix)

# All is well with such a run.
WELL = {
    "daemon": "oomfwd", "version": "1.0", "scenario": "plain", "run": 1, "kernel": "6.1.0",
    "cgroup": "v2", "ram_mib": 1024, "date": "2026-11-23", "recovered": 1, "right": 1,
    "first_ms": 200, "below_ms": 180, "lowest_kib": 102400, "freed_kib": 512000,
    "kernel_oom_kills": 0, "innocents": 5, "innocents_of": 5, "survivors_dead": 0,
    "canary_ms": 20, "file_canary_ms": 30, "daemon_alive": 1, "daemon_cpu_ms": 50,
    "daemon_rss_kib": 2048, "daemon_locked_kib": 1024,
}
# What the lab says of a machine that did not come back, and of one that said nothing at all.
LOST = {"recovered": 0, "right": 0, "first_ms": -1}
# The hog has not come to the low mark when the lab stops looking.
NEVER_LOW = {**LOST, "below_ms": 0, "lowest_kib": 530948}
HUNG = dict.fromkeys(["recovered", "right", "first_ms", "below_ms", "lowest_kib", "freed_kib",
                      "canary_ms", "file_canary_ms"])
HUNG["error"] = "hung"
UNSUPPORTED = {**HUNG, "error": "unsupported"}


def run(daemon="oomfwd", scenario="plain", **differs):
    keys = {**WELL, "daemon": daemon, "scenario": scenario, **differs}
    return " ".join(f"{key}={value}" for key, value in keys.items() if value is not None)


class Desk:
    """A directory with data, and where the page and the figure go."""

    def __init__(self, *lines, scenarios=None):
        self.directory = tempfile.TemporaryDirectory(prefix="test-matrix-")
        self.top = Path(self.directory.name)
        self.data, self.page, self.figure = (self.top / n for n in ("data.txt", "M.md", "m.svg"))
        self.scenarios = self.top / "scenarios.txt"
        self.data.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if scenarios:
            self.scenarios.write_text(scenarios, encoding="utf-8")

    def command(self, *options):
        return subprocess.run(
            [sys.executable, str(SCRIPT), str(self.data), "--markdown", str(self.page), "--svg",
             str(self.figure), "--scenarios", str(self.scenarios), *options],
            capture_output=True, text=True, timeout=60, check=False)

    def render(self):
        pages = matrix.render(argparse.Namespace(
            data=[self.data], markdown=self.page, svg=self.figure, scenarios=self.scenarios))
        return pages[self.page], pages[self.figure]


def page_of(*lines, **more):
    return Desk(*lines, **more).render()[0]


def figure_of(*lines, **more):
    return ET.fromstring(Desk(*lines, **more).render()[1])


def section(page, heading):
    """The text below a heading, up to the next one of any level; None when there is none."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else None


def cells(page, heading="Who recovers"):
    """{name of the row, without its description: {name of the column: text}} of a section."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("|")]
    rows = [[word.strip() for word in line.strip("|").split("|")] for line in lines]
    return {row[0].split("`")[1] if "`" in row[0] else row[0]: dict(zip(rows[0][1:], row[1:]))
            for row in rows[2:]}


def words_in(figure):
    return [text.text for text in figure.iter(SVG + "text")]


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


# --- the cells of the main table ---

def test_one_good_run_is_a_tick_with_its_time_and_no_range():
    equal(cells(page_of(run()))["plain"]["oomfwd"], "✓ **0.20 s** n=1†")


def test_three_good_runs_are_a_tick_with_median_and_range():
    page = page_of(run(first_ms=240), run(first_ms=210), run(first_ms=200))
    equal(cells(page)["plain"]["oomfwd"], "✓ **0.21 s** (0.20–0.24) n=3")


def test_a_lost_run_makes_two_of_three_and_adds_nothing_to_the_time():
    page = page_of(run(first_ms=200), run(**LOST), run(first_ms=300))
    equal(cells(page)["plain"]["oomfwd"], "2/3 0.25 s (0.20–0.30) n=3<br>not recovered")


def test_a_machine_that_hung_counts_as_not_recovered_and_says_why():
    page = page_of(run(), run(**HUNG))
    equal(cells(page)["plain"]["oomfwd"], "1/2 0.20 s n=2†<br>not recovered, hung")
    assert "- runs: 2, 1 of them failed\n" in page


def test_no_good_run_is_a_cross():
    page = page_of(run(**LOST), run(**HUNG))
    equal(cells(page)["plain"]["oomfwd"], "✗ n=2†<br>not recovered, hung")


def test_kills_by_the_kernel_spoil_the_tick_of_a_daemon_and_the_worst_is_named():
    page = page_of(run(kernel_oom_kills=1), run(kernel_oom_kills=3), run())
    equal(cells(page)["plain"]["oomfwd"], "1/3 0.20 s (0.20–0.20) n=3<br>kernel killed 3")


def test_without_a_daemon_the_kernel_may_kill():
    page = page_of(run("kernel", kernel_oom_kills=1, daemon_alive=None))
    equal(cells(page)["plain"]["kernel"], "✓ **0.20 s** n=1†")


def test_each_wrong_has_its_note():
    page = page_of(run("nohang", right=0, innocents=4), run("oomd", right=0, survivors_dead=1),
                   run("oomfwd", right=0), run("earlyoom-1.9", daemon_alive=0),
                   run("earlyoom-1.7", **LOST, survivors_dead=1, innocents=4))
    row = cells(page)["plain"]
    equal(row["nohang"], "✗ 0.20 s n=1†<br>innocents died")
    equal(row["oomd"], "✗ 0.20 s n=1†<br>wrong victim")
    equal(row["oomfwd"], "✗ 0.20 s n=1†<br>wrong victim")
    equal(row["earlyoom-1.9"], "✓ **0.20 s** n=1†<br>daemon died")
    equal(row["earlyoom-1.7"], "✗ n=1†<br>not recovered, innocents died, wrong victim")


def test_the_best_is_bold_and_only_a_tick_can_be():
    page = page_of(run("nohang", first_ms=100), run("nohang", **LOST), run("oomd", first_ms=150),
                   run("earlyoom-1.9", first_ms=150), run("oomfwd", first_ms=160))
    row = cells(page)["plain"]
    equal(row["nohang"], "1/2 0.10 s n=2†<br>not recovered")
    equal([row["oomd"], row["earlyoom-1.9"]], ["✓ **≈0.15 s** n=1†"] * 2)
    equal(row["oomfwd"], "✓ 0.16 s n=1†")


def test_a_best_time_whose_runs_mix_with_those_of_another_tick_is_marked():
    slower = [run("oomd", first_ms=t) for t in (230, 260, 290)]
    ours = [run(first_ms=t) for t in (200, 210, 240)]
    equal(cells(page_of(*ours, *slower))["plain"]["oomfwd"], "✓ **≈0.21 s** (0.20–0.24) n=3")
    equal(cells(page_of(*ours, *slower[1:]))["plain"]["oomfwd"], "✓ **0.21 s** (0.20–0.24) n=3")
    # Of what is no tick it does not matter.
    lost = run("oomd", **LOST)
    equal(cells(page_of(*ours, *slower, lost))["plain"]["oomfwd"], "✓ **0.21 s** (0.20–0.24) n=3")


def test_a_time_that_not_all_have_that_recovered_says_so_and_is_never_the_best():
    page = page_of(run(first_ms=100), run(first_ms=-1), run(first_ms=-1), run("nohang"))
    equal(cells(page)["plain"]["oomfwd"], "✓ 0.10 s (1 of 3 runs) n=3")
    equal(cells(page)["plain"]["nohang"], "✓ **0.20 s** n=1†")
    page = page_of(run(first_ms=100), run(first_ms=120), run(first_ms=-1))
    equal(cells(page)["plain"]["oomfwd"], "✓ 0.11 s (0.10–0.12, 2 of 3 runs) n=3")


def test_the_time_of_the_bomb_is_that_below_the_low_mark():
    page = page_of(run(scenario="bomb", first_ms=-1, below_ms=15000),
                   run(scenario="bomb", first_ms=21287, below_ms=19000),
                   run("nohang", "bomb", **LOST))
    equal(cells(page)["bomb"], {"nohang": "✗ n=1†<br>not recovered",
                                "oomfwd": "✓ **17.0 s** (15.0–19.0) n=2†"})


def test_a_run_in_which_memory_was_never_low_is_not_counted_and_said():
    page = page_of(run(scenario="crash"), run(scenario="crash", **NEVER_LOW),
                   run("nohang", "crash", **NEVER_LOW))
    equal(cells(page)["crash"], {"nohang": "never low", "oomfwd": "✓ **0.20 s** n=1†"})
    equal(cells(page, "How long others stood still")["crash"]["nohang"], "never low")
    assert "- runs: 1, 0 of them failed\n" in page
    assert ("memory never came to the low mark: 2 (1 of nohang in `crash`, 1 of oomfwd in `crash`)"
            in page)
    assert "memory never came to the low mark: 0\n" in page_of(run(), run("nohang", **LOST))


def test_a_run_that_was_never_low_counts_where_that_is_due_or_where_somebody_died():
    for scenario in ("limit", "thrash"):
        equal(cells(page_of(run(scenario=scenario, **NEVER_LOW)))[scenario]["oomfwd"],
              "✗ n=1†<br>not recovered")
    for harm in ({"innocents": 4}, {"survivors_dead": 1}, {"kernel_oom_kills": 1}):
        cell = cells(page_of(run(**NEVER_LOW, **harm)))["plain"]["oomfwd"]
        assert cell.startswith("✗ n=1†<br>not recovered"), cell


def test_unsupported_is_a_dash_and_in_no_count():
    page = page_of(run(), run("systemd-oomd", **UNSUPPORTED), run("systemd-oomd", "slow"),
                   run("systemd-oomd", "slow", **UNSUPPORTED))
    equal(cells(page)["plain"]["systemd-oomd"], "–")
    equal(cells(page)["slow"]["systemd-oomd"], "✓ **0.20 s** n=1†")
    assert "- runs: 2, 0 of them failed\n" in page and "- runs a cell: 1\n" in page


def test_what_was_not_measured_stays_empty():
    page = page_of(run(), run("nohang", "slow"))
    equal(cells(page)["plain"]["nohang"], "")
    equal(cells(page, "How long others stood still")["plain"]["nohang"], "")


def test_where_memory_cannot_recover_the_tick_is_by_right_alone():
    page = page_of(run("oomfwd", "tmpfs", **{**LOST, "right": 1}),
                   run("nohang", "tmpfs", **LOST, innocents=3),
                   run("oomd", "tmpfs", right=1, kernel_oom_kills=2, first_ms=90))
    row = cells(page)["tmpfs"]
    equal(row["oomfwd"], "✓ n=1†")
    equal(row["nohang"], "✗ n=1†<br>innocents died")
    equal(row["oomd"], "✓ n=1†<br>kernel killed 2")
    equal(cells(page_of(run(**{**LOST, "right": 1})))["plain"]["oomfwd"], "✗ n=1†<br>not recovered")


def test_memory_that_was_never_low_has_no_time():
    page = page_of(run(scenario="limit", first_ms=-1), run("nohang", "limit", first_ms=-1))
    equal(cells(page)["limit"], {"nohang": "✓ n=1†", "oomfwd": "✓ n=1†"})


# --- order, descriptions, machines ---

def test_rows_have_the_order_and_words_of_scenarios_txt_and_columns_that_of_the_daemons():
    page = page_of(run("zoo", "beta"), run("oomfwd", "alpha"), run("kernel", "slow"), run("nohang"),
                   scenarios="slow|slower & <slower>\nplain|as fast as it can\n")
    equal(list(cells(page)), ["slow", "plain", "alpha", "beta"])
    equal(list(cells(page)["slow"]), ["kernel", "nohang", "oomfwd", "zoo"])
    assert "| `slow`: slower &amp; &lt;slower&gt; |" in page and "| `alpha` |" in page


def test_without_scenarios_txt_rows_are_bare_names():
    assert "| `plain` | ✓" in page_of(run())


def test_another_cgroup_version_or_kernel_is_a_table_of_its_own():
    page = page_of(run(cgroup="v1", first_ms=700), run("nohang"), run(), run(kernel="5.10", **LOST))
    equal(cells(page), {"plain": dict.fromkeys(["nohang", "oomfwd"], "✓ **≈0.20 s** n=1†")})
    equal(cells(page, "Linux 6.1.0, cgroup v1"), {"plain": {"oomfwd": "✓ **0.70 s** n=1†"}})
    equal(cells(page, "Linux 5.10, cgroup v2"), {"plain": {"oomfwd": "✗ n=1†<br>not recovered"}})
    assert "All on Linux 6.1.0, cgroup v2," in page


def test_a_run_that_does_not_name_its_machine_is_of_the_main_one():
    page = page_of(run(), run(), run(cgroup="v1"), run(kernel=None, cgroup=None, **HUNG),
                   run(version="?", kernel="?", ram_mib=0, **HUNG))
    equal(cells(page)["plain"]["oomfwd"], "2/4 0.20 s (0.20–0.20) n=4<br>not recovered, hung")
    assert "?" not in page and "- memory: 1,024 MiB\n" in page


def test_the_facts_are_those_of_the_data():
    page = page_of(run(), run(date="2026-11-21"), run("earlyoom-1.9", version="1.9.0"),
                   run("kernel", version=None))
    for fact in ("machines: Linux 6.1.0, cgroup v2", "memory: 1,024 MiB",
                 "daemons (versions): earlyoom-1.9 (1.9.0), oomfwd (1.0)",
                 "dates: 2026-11-21 to 2026-11-23", "runs a cell: 1 to 2"):
        assert f"- {fact}\n" in page, f"no {fact}"
    assert "{{" not in page and "(m.svg)" in page


# --- stalls and cost ---

def test_stalls_are_medians_of_the_runs_that_lived():
    page = page_of(run(canary_ms=10, file_canary_ms=40), run(canary_ms=30, file_canary_ms=50),
                   run(canary_ms=1200, file_canary_ms=4000), run(**HUNG),
                   run("nohang", **UNSUPPORTED))
    row = cells(page, "How long others stood still")["plain"]
    equal(row, {"nohang": "–", "oomfwd": "30 / 50"})


def test_depth_is_the_time_below_the_mark_the_lowest_and_what_came_back():
    page = page_of(run(), run(below_ms=300, lowest_kib=51200, freed_kib=614400), run(**HUNG),
                   run(**LOST), run("nohang", **HUNG), run("oomd", **UNSUPPORTED))
    row = cells(page, "How low memory was, and for how long")["plain"]
    equal(row, {"nohang": "", "oomd": "–", "oomfwd": "180 / 100 / 500"})
    row = cells(page_of(run(freed_kib=None)), "How low memory was, and for how long")["plain"]
    equal(row, {"oomfwd": "180 / 100 / ?"})


def test_the_noise_is_the_span_of_the_canary_where_memory_is_never_low():
    page = page_of(run(scenario="limit", canary_ms=12), run("kernel", "limit", canary_ms=41), run())
    assert "12 to 41 ms in single runs" in section(page, "Why, as far as it is known")


def test_a_cost_that_was_not_measured_is_an_empty_cell():
    row = cells(page_of(run(daemon_locked_kib=None)), "What it costs to have it")["oomfwd"]
    equal([row["locked MiB"], row["idle: wake-ups a minute"]], ["", ""])


def test_cost_is_the_median_of_living_daemons_and_idle_is_by_the_minute():
    page = page_of(
        run("kernel", daemon_alive=None), run(daemon_cpu_ms=40), run(daemon_cpu_ms=60),
        run(daemon_alive=0, daemon_rss_kib=0, daemon_locked_kib=0, daemon_cpu_ms=0),
        run(**NEVER_LOW, daemon_cpu_ms=900),
        run(scenario="idle", seconds=30, wakeups=6, daemon_cpu_ms=1.5, first_ms=None))
    equal(list(cells(page, "What it costs to have it").items()), [("oomfwd", {
        "resident MiB": "2.0", "locked MiB": "1.0", "CPU ms a run": "50",
        "idle: wake-ups a minute": "12", "idle: CPU ms a minute": "3.0"})])
    assert "idle" not in cells(page), "idle is no scenario to recover from"


# --- the honest sections ---

def better(*lines):
    return section(page_of(*lines), "Where a peer is better").split("named.\n\n")[1].strip()


def test_a_peer_with_a_tick_where_oomfwd_has_none_is_better():
    equal(better(run(), run(**LOST), run("nohang", first_ms=900), run("oomd", first_ms=800),
                 run("earlyoom-1.9", **LOST)),
          "- `plain`: oomfwd 1/2 0.20 s n=2†, not recovered, "
          "against nohang ✓ 0.90 s n=1† and oomd ✓ 0.80 s n=1†")


def test_a_faster_peer_is_better_from_more_than_ten_percent():
    none = "Nowhere, in these data."
    equal(better(run(first_ms=220), run("nohang", first_ms=200)), none)
    equal(better(run(first_ms=221), run("nohang", first_ms=200), run("oomd", first_ms=201)),
          "- `plain`: memory is back after 221 ms with oomfwd, 200 with nohang (1 and 1 runs)")
    equal(better(run(first_ms=100), run("nohang", first_ms=900)), none)


def test_a_shorter_stall_is_better_from_ten_percent_and_five_milliseconds():
    none = "Nowhere, in these data."
    equal(better(run(canary_ms=25), run("nohang", canary_ms=20)), none)
    equal(better(run(canary_ms=26), run("nohang", canary_ms=20)),
          "- `plain`: the canary stalls for 26 ms with oomfwd, 20 with nohang (1 and 1 runs)")
    equal(better(run(canary_ms=110), run("nohang", canary_ms=100)), none)


def test_a_better_median_whose_runs_mix_with_ours_is_said_to_overlap():
    ours = [run(first_ms=t, canary_ms=t / 10) for t in (190, 400, 500)]
    equal(better(*ours, *[run("nohang", first_ms=t) for t in (180, 185, 190)]),
          "- `plain`: memory is back after 400 ms with oomfwd, 185 with nohang (the ranges overlap); "
          "the canary stalls for 40 ms with oomfwd, 20 with nohang (the ranges overlap)")
    equal(better(*ours, *[run("nohang", first_ms=180, canary_ms=60)] * 3),
          "- `plain`: memory is back after 400 ms with oomfwd, 180 with nohang")


def test_no_overlap_is_claimed_of_fewer_than_three_runs():
    ours = [run(first_ms=t) for t in (190, 400, 500)]
    equal(better(*ours, *[run("nohang", first_ms=t) for t in (180, 190)]),
          "- `plain`: memory is back after 400 ms with oomfwd, 185 with nohang (3 and 2 runs)")


def test_of_the_bomb_it_is_the_time_below_the_mark_that_is_compared():
    equal(better(run(scenario="bomb", below_ms=900), run("nohang", "bomb", below_ms=500)),
          "- `bomb`: memory is low for 900 ms with oomfwd, 500 with nohang (1 and 1 runs)")


def test_a_shorter_stall_of_the_canary_that_reads_a_file_is_better_too():
    equal(better(run(file_canary_ms=35), run("nohang")), "Nowhere, in these data.")
    equal(better(run(file_canary_ms=36), run("nohang")),
          "- `plain`: the one that reads a file stalls for 36 ms with oomfwd, 30 with nohang "
          "(1 and 1 runs)")


def test_a_peer_that_costs_less_is_better_and_only_the_one_that_costs_least_is_named():
    equal(better(run(), run("nohang", daemon_rss_kib=1900, daemon_locked_kib=900),
                 run("oomd", daemon_rss_kib=1024, daemon_cpu_ms=30),
                 run("systemd-oomd", daemon_alive=0, daemon_rss_kib=0, daemon_cpu_ms=0)),
          "- resident MiB: 2.0 with oomfwd, 1.0 with oomd\n"
          "- locked MiB: 1.0 with oomfwd, 0.9 with nohang\n"
          "- CPU ms a run: 50 with oomfwd, 30 with oomd")


def test_a_fast_peer_that_is_not_all_right_is_not_better():
    line = better(run(), run("nohang", first_ms=50, canary_ms=1, right=0),
                  run("oomd", first_ms=50, canary_ms=1, kernel_oom_kills=1))
    equal(line, "Nowhere, in these data.")


def test_what_oomfwd_was_not_measured_in_is_no_defeat():
    equal(better(run(), run("nohang", "slow"), run(scenario="slow", **UNSUPPORTED)),
          "Nowhere, in these data.")


def test_a_peer_on_another_machine_is_no_peer_there_but_one_here():
    equal(better(run(), run(), run(), run(cgroup="v1", first_ms=500), run("nohang", cgroup="v1")),
          "- `plain` (Linux 6.1.0, cgroup v1): "
          "memory is back after 500 ms with oomfwd, 200 with nohang (1 and 1 runs)")


def test_what_nobody_recovers_is_said_only_where_it_is_so():
    lost = [run("nohang", "locked", **LOST), run("oomfwd", "locked", **HUNG)]
    text = section(page_of(run(), *lost), "What nobody recovers")
    equal(text.strip(), "- `locked`: none of 2 runs is as it should be")
    equal(section(page_of(run(), *lost, run("oomd", "locked")), "What nobody recovers"), None)


# --- bad input, the command ---

def test_a_bad_line_is_named_by_file_and_number_and_nothing_is_written():
    for line, complaint in (
            (run(daemon=None), "no daemon"),
            (run(scenario=None), "no scenario"),
            (run(right=None), "no right"),
            (run(first_ms="soon"), 'first_ms is "soon", must be a number'),
            (run(canary_ms="nan"), 'canary_ms is "nan", must be a number'),
            (run(recovered=2), 'recovered is "2", must be of the form [01]'),
            (run(cgroup="v3"), 'cgroup is "v3", must be of the form v[12]'),
            (run() + " kaput", '"kaput" is not key=value')):
        desk = Desk("# made up", "", run(), line)
        result = desk.command()
        equal((result.returncode, result.stderr), (2, f"matrix: {desk.data}:4: {complaint}\n"))
        assert not desk.page.exists() and not desk.figure.exists()


def test_comments_blank_lines_and_unknown_keys_are_ignored():
    desk = Desk("# daemon=x", "  ", run(colour="red", first_ms="12.5"))
    runs = matrix.read_runs([desk.data])
    equal([(r["daemon"], r["first_ms"], r["good"]) for r in runs], [("oomfwd", 12.5, True)])


def test_no_runs_at_all_are_an_error():
    for desk in (Desk("# nothing"), Desk(run(scenario="idle", seconds=60, wakeups=1))):
        result = desk.command()
        equal((result.returncode, result.stderr), (2, f"matrix: no runs in {desk.data}\n"))


def test_check_names_the_stale_file_and_writes_nothing():
    desk = Desk(run())
    missing = desk.command("--check")
    equal(missing.returncode, 1)
    assert str(desk.page) in missing.stdout and str(desk.figure) in missing.stdout
    assert not desk.page.exists() and not desk.figure.exists()
    equal(desk.command().returncode, 0)
    fresh = desk.command("--check")
    equal((fresh.returncode, fresh.stdout), (0, ""))
    desk.page.write_text("by hand\n", encoding="utf-8")
    stale = desk.command("--check")
    equal(stale.returncode, 1)
    assert str(desk.page) in stale.stdout and str(desk.figure) not in stale.stdout
    equal(desk.page.read_text(encoding="utf-8"), "by hand\n")


# --- the figure ---

def test_the_figure_has_a_colour_and_a_sign_for_each_outcome():
    figure = figure_of(run(), run("nohang", kernel_oom_kills=2), run("oomd", **LOST),
                       run("systemd-oomd", **UNSUPPORTED), run("earlyoom-1.9", "tmpfs", right=0))
    fills = [rect.get("fill") for rect in figure.iter(SVG + "rect")]
    words = words_in(figure)
    # Two rows of five, of which five were not measured; the legend has one more of each.
    for look, sign, times in (("ok", "✓", 2), ("part", "~ 0/1†", 2), ("bad", "✗", 3),
                              ("none", "–", 7)):
        equal((look, fills.count(matrix.LOOK[look][1])), (look, times))
        equal((look, words.count(sign)), (look, 1 if look == "part" else times))
    assert "kernel killed 2" in words and "not recovered" in words


def test_where_memory_cannot_recover_a_part_of_the_runs_is_a_part_in_the_figure():
    words = words_in(figure_of(run(scenario="tmpfs"), run(scenario="tmpfs", right=0)))
    assert "~ 1/2†" in words and words.count("✗") == 1, "only the legend's"


def test_the_figure_shows_a_longer_bar_for_a_longer_time_and_the_best_in_bold():
    figure = figure_of(run(first_ms=1000), run("nohang", first_ms=10_000))
    _, back, bar, _ = matrix.LOOK["ok"]
    widths = {fill: [float(rect.get("width")) for rect in figure.iter(SVG + "rect")
                     if rect.get("fill") == fill] for fill in (back, bar)}
    # From 0.1 s to 100 s; nohang comes first.
    equal([round(width / widths[back][-1], 2) for width in widths[bar]], [0.67, 0.33])
    kinds = {text.text: text.get("class") for text in figure.iter(SVG + "text")}
    equal((kinds["1.00 s"], kinds["10.0 s"]), ("e b", "e"))


def test_the_figure_has_the_number_of_runs_and_marks_a_close_best():
    words = words_in(figure_of(run(), run(), run(), run("nohang")))
    equal([w for w in words if w and w.startswith("n=")], ["n=1†", "n=3"])
    equal(words.count("≈0.20 s"), 2)


def test_the_figure_is_xml_whatever_a_description_has_and_stays_within_its_edges():
    figure = figure_of(*[run(d, s) for d in matrix.DAEMONS for s in ("plain", "slow")],
                       run(scenario="plain", cgroup="v1"), scenarios='plain|a < b & "c"\n')
    assert 'a < b & "c"' in words_in(figure) and "Linux 6.1.0, cgroup v1" in words_in(figure)
    width, height = float(figure.get("width")), float(figure.get("height"))
    for rect in figure.iter(SVG + "rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= width
        assert float(rect.get("y")) + float(rect.get("height")) <= height
    assert all(float(text.get("y")) < height for text in figure.iter(SVG + "text"))


sys.exit(tap.run(globals()))
