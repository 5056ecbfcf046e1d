#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What deploy/prometheus and deploy/grafana say, as TAP. Usage: test-prometheus.py SOURCE_DIR

METRICS_SAMPLE names test-metrics, which prints metrics as the desk serves them. promtool (or what
PROMTOOL names) is asked where there is one.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

TOP = Path(sys.argv[1]).resolve()
RULES = TOP / "deploy/prometheus/oomfwd.rules.yml"
RULES_TEXT = RULES.read_text(encoding="utf-8")
README = (TOP / "deploy/prometheus/README.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((TOP / "deploy/grafana/oomfwd.json").read_text(encoding="utf-8"))
METRICS = subprocess.run([os.environ["METRICS_SAMPLE"], "print"], capture_output=True, text=True,
                         timeout=30, check=True).stdout
NAMES = set(re.findall(r"^(?:# TYPE )?(oomfwd_\w+)", METRICS, re.MULTILINE))
LABELS = set(re.findall(r'[{,](\w+)="', METRICS))


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def promtool(*args, stdin=None):
    tool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not tool:
        raise tap.Skip("there is no promtool (Debian: in prometheus)")
    r = subprocess.run([tool, *args], input=stdin, capture_output=True, text=True, timeout=120,
                       check=False)
    # "check metrics" has opinions on names beyond errors: they count as well.
    assert r.returncode == 0 and "error" not in r.stderr, r.stdout + r.stderr
    return r


def panels():
    return [p for p in DASHBOARD["panels"] if p["type"] != "row"]


def queries():
    return [t["expr"] for p in panels() for t in p["targets"]]


def alerts():
    """{name: the lines of its rule}"""
    parts = re.split(r"^ +- alert: (\w+)\n", RULES_TEXT, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def expressions():
    return {name: re.search(r"^ +expr: (.*)$", text, re.MULTILINE)[1]
            for name, text in alerts().items()}


def assert_metrics_exist(text):
    for name in re.findall(r"\boomfwd_\w+", text):
        assert name in NAMES, f"there is no metric {name}"


# --- alerts ---

def test_the_alerts_ask_for_metrics_that_there_are():
    for expression in expressions().values():
        assert "oomfwd_" in expression or "oomfwd[.]prom" in expression, expression
        assert_metrics_exist(expression)


def test_there_is_an_alert_for_all_that_an_operator_has_to_know():
    text = "\n".join(expressions().values())
    for metric in ("up", "episodes_total", "stuck_total", "pinned_mms", "kernel_oom_kills_total",
                   "config_reload_failed", "no_victim_total"):
        assert f"oomfwd_{metric}" in text, metric


def test_each_alert_says_how_bad_it_is_what_it_is_and_what_to_do():
    for name, text in alerts().items():
        assert re.search(r"severity: (info|warning|critical)$", text, re.MULTILINE), name
        assert re.search(r"summary: .*\$labels\.instance", text), name
        assert re.search(r"description: .*\.$", text, re.MULTILINE), name


def test_promtool_takes_the_rules():
    promtool("check", "rules", str(RULES))


def test_the_alerts_fire_when_they_should_and_not_else():
    scenarios = (TOP / "tests/fixtures/prometheus/rules-test.yml").read_text(encoding="utf-8")
    for name in alerts():
        assert name in scenarios, f"{name} is in no scenario"
    with tempfile.TemporaryDirectory(prefix="test-prometheus-") as top:
        path = Path(top) / "test.yml"
        path.write_text(scenarios.replace("- RULES", f"- {RULES}"), encoding="utf-8")
        promtool("test", "rules", str(path))


# --- metrics ---

def test_promtool_takes_the_metrics():
    promtool("check", "metrics", stdin=METRICS)


def test_the_readme_names_metrics_and_alerts_that_there_are():
    assert_metrics_exist(README)
    for name in re.findall(r"\bOomfwd\w+", README):
        assert name in alerts(), name


# --- the dashboard ---

def test_the_dashboard_asks_for_metrics_and_labels_that_there_are():
    for query in queries():
        assert_metrics_exist(query)
        for label in re.findall(r'(\w+)=~?"', query):
            assert label in LABELS | {"instance"}, f"{label} in {query}"
    for legend in (t["legendFormat"] for p in panels() for t in p["targets"]):
        for label in re.findall(r"{{(\w+)}}", legend):
            assert label in LABELS | {"instance"}, legend


def test_every_metric_of_interest_is_on_the_dashboard():
    shown = " ".join(queries())
    for name in NAMES:
        if name.endswith(("_total", "_bucket")) and name != "oomfwd_looks_total" and \
                name != "oomfwd_freed_groups_total":
            assert name in shown, name


def test_every_query_is_about_the_machines_and_the_source_chosen():
    for query in queries():
        selectors = re.findall(r"oomfwd_\w+({.*?})?", query)
        assert selectors and all('instance=~"$instance"' in s for s in selectors), query
    for panel in panels():
        for part in (panel, *panel["targets"]):
            equal(part["datasource"], {"type": "prometheus", "uid": "${datasource}"})
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    equal(list(variables), ["datasource", "instance"])
    assert_metrics_exist(variables["instance"]["query"]["query"])


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    ids = [p["id"] for p in DASHBOARD["panels"]]
    equal(len(ids), len(set(ids)))
    taken = set()
    for panel in DASHBOARD["panels"]:
        g = panel["gridPos"]
        assert g["x"] + g["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"])
                 for y in range(g["y"], g["y"] + g["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_says_what_it_shows():
    for panel in panels():
        assert panel["title"] and panel["description"].endswith("."), panel["title"]


def test_promtool_takes_the_queries():
    rules = "groups:\n- name: dashboard\n  rules:\n"
    for i, query in enumerate(queries()):
        for variable, value in (("$__rate_interval", "5m"), ("$__range", "1d"), ("$instance", ".*")):
            query = query.replace(variable, value)
        assert "$" not in query, query
        rules += f"  - record: query_{i}\n    expr: {json.dumps(query)}\n"
    with tempfile.TemporaryDirectory(prefix="test-prometheus-") as top:
        path = Path(top) / "rules.yml"
        path.write_text(rules, encoding="utf-8")
        promtool("check", "rules", str(path))


sys.exit(tap.run(globals()))
