#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What deploy/ says, as TAP. Usage: test-deploy.py SOURCE_DIR

Without a network: the manifests are read by a parser of the part of YAML that they are written
in, so that structure is looked at and not text; no schema is applied. OOMFWD_BINARY names an
oomfwd to check the configuration with; without it that is skipped. Without meson the image's build
is compared with what meson.build files name, and not set up.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

TOP = Path(sys.argv[1])
KUBERNETES = TOP / "deploy/kubernetes"
QUADLET = TOP / "deploy/podman/oomfwd.container"
BINARY = os.environ.get("OOMFWD_BINARY")


# --- YAML: mappings, sequences and literal blocks by indentation; no flow, anchors or escapes ---

class Lines:
    def __init__(self, text):
        self.raw = text.split("\n")
        self.at = 0

    def peek(self):
        """(indentation, text) of the next line with something in it, or None."""
        while self.at < len(self.raw):
            line = re.sub(r"(^|\s)#.*", "", self.raw[self.at]).rstrip()
            if line.strip():
                assert "\t" not in line, f"a tab: {line!r}"
                return len(line) - len(line.lstrip()), line.strip()
            self.at += 1
        return None

    def literal(self, parent):
        taken = []
        while self.at < len(self.raw):
            line = self.raw[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= parent:
                break
            taken.append(line)
            self.at += 1
        margin = min(len(line) - len(line.lstrip()) for line in taken if line.strip())
        return "\n".join(line[margin:] for line in taken).rstrip("\n") + "\n"


def scalar(text):
    assert text[0] not in "[{&*!>%@`\"'", f"beyond this parser: {text!r}"
    if re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    return {"true": True, "false": False, "null": None}.get(text, text)


def mapping(lines, indent):
    found = {}
    while (line := lines.peek()) and line[0] == indent and not line[1].startswith("- "):
        key, colon, value = line[1].partition(":")
        assert colon and (not value or value[0] == " "), f"no key: {line[1]!r}"
        assert key not in found, f"{key!r} twice"
        lines.at += 1
        value = value.strip()
        if value == "|":
            found[key] = lines.literal(indent)
        elif value:
            found[key] = scalar(value)
        else:
            found[key] = below(lines, indent)
    return found


def sequence(lines, indent):
    found = []
    while (line := lines.peek()) and line[0] == indent and line[1].startswith("- "):
        item = line[1][2:].strip()
        if re.match(r"[\w.-]+:(\s|$)", item):  # a mapping that begins behind the dash
            lines.raw[lines.at] = " " * (indent + 2) + item
            found.append(mapping(lines, indent + 2))
        else:
            lines.at += 1
            found.append(scalar(item))
    return found


def below(lines, parent):
    line = lines.peek()
    assert line, "nothing behind a colon"
    if line[1].startswith("- "):
        assert line[0] >= parent
        return sequence(lines, line[0])
    assert line[0] > parent, f"nothing below a colon: {line[1]!r}"
    return mapping(lines, line[0])


def documents(text):
    found = []
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        lines = Lines(part)
        if lines.peek():
            found.append(mapping(lines, 0))
        assert lines.peek() is None, f"not understood: {lines.peek()}"
    return found


# --- what there is ---

MANIFEST = (KUBERNETES / "oomfwd.yaml").read_text(encoding="utf-8")
OBJECTS = {o["kind"]: o for o in documents(MANIFEST)}
CONFIG = OBJECTS["ConfigMap"]["data"]["oomfwd.conf"]
POD = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
SECURITY = CONTAINER["securityContext"]
RECIPE = (KUBERNETES / "Containerfile").read_text(encoding="utf-8")
MESON = (TOP / "meson.build").read_text(encoding="utf-8")
VERSION = re.search(r"version: '([^']+)'", MESON)[1]


def unit_file(path):
    """{section: [(key, value)]}; comments apart, and nothing goes on in a second line."""
    found, section = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if re.fullmatch(r"\[.+\]", line):
            section = found.setdefault(line[1:-1], [])
        else:
            section.append(tuple(line.split("=", 1)))
    return found


SERVICE = unit_file(TOP / "systemd/oomfwd.service")["Service"]
UNIT = unit_file(QUADLET)


def values(pairs, key):
    return [value for name, value in pairs if name == key]


def capabilities(text):
    return {name.removeprefix("CAP_") for name in text.split()}


SERVICE_CAPABILITIES = capabilities(" ".join(values(SERVICE, "CapabilityBoundingSet")))


def rules(text):
    """{(kind, name): {key: value}} of the named sections of a configuration."""
    found, rule = {}, None
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)(?: (\S+))?\]", line):
            rule = found.setdefault(match.groups(), {}) if match[2] else None
        elif rule is not None and re.match(r"\w", line):
            key, value = line.split(" = ", 1)
            rule[key] = value
    return found


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def not_given_is_explained(given, text, more):
    # In a container nobody else gives the real-time priority.
    equal(given - SERVICE_CAPABILITIES, {"SYS_NICE"} | more)
    for name in SERVICE_CAPABILITIES - given:
        assert re.search(rf"# .*\bNot (CAP_)?{name}: \S", text), f"{name} is missing, unexplained"


# --- the parser itself ---

def test_the_parser_reads_what_it_is_for():
    text = ("a: 1\nb:\n  - x: y  # why\n    z:\n      - k\n  - s\nc: |\n  # kept\n    deep\n\n  l\n"
            "d:\n- true\n---\n# only a comment\n")
    equal(documents(text), [{"a": 1, "b": [{"x": "y", "z": ["k"]}, "s"],
                             "c": "# kept\n  deep\n\nl\n", "d": [True]}])


def test_the_parser_refuses_what_it_would_misread():
    for text in ("a: [b]", "a: 'b'", "a: b\na: c", "a:\n", "a: b\n  c: d", "a:b"):
        try:
            got = documents(text)
        except AssertionError:
            continue
        raise AssertionError(f"{text!r} was read as {got!r}")


# --- the manifest ---

def test_there_are_an_account_a_configuration_and_a_daemon_set_in_kube_system():
    equal(sorted(OBJECTS), ["ConfigMap", "DaemonSet", "ServiceAccount"])
    for o in OBJECTS.values():
        equal((o["metadata"]["name"], o["metadata"]["namespace"]), ("oomfwd", "kube-system"))
    labels = OBJECTS["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    equal(OBJECTS["DaemonSet"]["spec"]["selector"]["matchLabels"], labels)


def test_there_is_no_token_and_no_role():
    for o in (OBJECTS["ServiceAccount"], POD):
        equal(o["automountServiceAccountToken"], False)
    equal(POD["serviceAccountName"], "oomfwd")
    assert not re.search(r"^kind: .*Role", MANIFEST, re.MULTILINE)


def test_it_shares_the_pid_namespace_of_the_node_and_no_other():
    equal(POD["hostPID"], True)
    for key in ("hostNetwork", "hostIPC", "hostUsers", "shareProcessNamespace"):
        assert key not in POD, key


def test_it_has_no_more_than_it_needs():
    equal(len(POD["containers"]), 1)
    assert "initContainers" not in POD and "ports" not in CONTAINER
    equal({key: SECURITY[key] for key in ("privileged", "allowPrivilegeEscalation",
                                          "readOnlyRootFilesystem", "runAsUser", "runAsNonRoot")},
          {"privileged": False, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
           "runAsUser": 0, "runAsNonRoot": False})
    equal(SECURITY["seccompProfile"], {"type": "RuntimeDefault"})
    equal(SECURITY["capabilities"]["drop"], ["ALL"])


def test_capabilities_are_those_of_the_service_or_it_is_said_why_not():
    given = SECURITY["capabilities"]["add"]
    equal(len(given), len(set(given)))
    assert not any(name.startswith("CAP_") for name in given), "Kubernetes names them without CAP_"
    # Nor is there a way to ask for more memory to lock.
    not_given_is_explained(set(given), MANIFEST, {"IPC_LOCK"})


def test_each_capability_given_has_its_reason_above_it():
    for name in SECURITY["capabilities"]["add"]:
        assert re.search(rf"# .*\n +- {name}\n", MANIFEST), name


def test_memory_is_set_aside_and_cpu_not_limited():
    resources = CONTAINER["resources"]
    equal(resources["limits"], {"memory": resources["requests"]["memory"]})
    assert "cpu" in resources["requests"]


def test_it_is_on_every_node_and_the_last_to_leave():
    equal(POD["priorityClassName"], "system-node-critical")
    equal(POD["tolerations"], [{"operator": "Exists"}])
    equal(POD["nodeSelector"], {"kubernetes.io/os": "linux"})


def test_there_are_never_two_on_a_node():
    equal(OBJECTS["DaemonSet"]["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"], 0)


def test_nothing_probes_what_answers_to_nobody():
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert probe not in CONTAINER, probe


def test_cgroups_are_all_that_it_mounts_of_the_node():
    paths = [v["hostPath"]["path"] for v in POD["volumes"] if "hostPath" in v]
    equal(paths, ["/sys/fs/cgroup"])
    mounts = {m["name"]: m for m in CONTAINER["volumeMounts"]}
    equal(set(mounts), {v["name"] for v in POD["volumes"]})
    equal(mounts["cgroup"]["mountPath"], "/sys/fs/cgroup")


def test_the_configuration_is_where_the_arguments_say():
    args = CONTAINER["args"]
    path = args[args.index("--config") + 1]
    mount = next(m for m in CONTAINER["volumeMounts"] if m["name"] == "config")
    sources = next(v for v in POD["volumes"] if v["name"] == "config")["projected"]["sources"]
    paths = [f"{mount['mountPath']}/{i['path']}" for s in sources for i in s["configMap"]["items"]]
    equal(paths, [path, f"{path}.d/local.conf"])
    equal([s["configMap"].get("optional", False) for s in sources], [False, True])
    equal(sources[0]["configMap"]["items"][0]["key"], "oomfwd.conf")


# --- the configuration in it ---

def test_oomfwd_takes_the_configuration_without_a_word():
    if not BINARY:
        raise tap.Skip("OOMFWD_BINARY names no oomfwd")
    with tempfile.TemporaryDirectory(prefix="test-deploy-") as top:
        path = Path(top) / "oomfwd.conf"
        path.write_text(CONFIG, encoding="utf-8")
        r = subprocess.run([BINARY, "--check-config", "--config", str(path)], capture_output=True,
                           text=True, timeout=30, check=False)
    equal((r.returncode, r.stderr), (0, ""))
    domains = sum(kind == "cgroup" for kind, _ in rules(CONFIG))
    expected = f"correct, {len(rules(CONFIG)) - domains} rules, {domains} cgroup sections"
    assert expected in r.stdout, r.stdout


def test_the_shipped_rules_are_all_there():
    shipped = rules((TOP / "etc/oomfwd.conf").read_text(encoding="utf-8"))
    here = rules(CONFIG)
    assert shipped
    for name, conditions in shipped.items():
        equal((name, here.get(name)), (name, conditions))


def test_rules_by_cgroup_begin_at_the_root():
    for (kind, name), conditions in rules(CONFIG).items():
        if "cgroup" not in conditions:
            continue
        assert conditions["cgroup"].startswith("^/"), f"[{kind} {name}]"
        pattern = re.compile(conditions["cgroup"])
        assert not pattern.search("/kubepods.slice/x/system.slice/containerd.service"), name


def test_users_are_numbers_since_names_would_be_the_images():
    for name, conditions in rules(CONFIG).items():
        assert re.fullmatch(r"[0-9]+", conditions.get("uid", "0")), name


def test_there_is_no_sigterm_and_nothing_that_destroys():
    warn = CONFIG.split("[warn]\n")[1].split("\n\n")[0].splitlines()
    equal(warn, ["memory = off", "swap = off", "pressure = off"])
    assert "\nfinal = none\n" in CONFIG


# --- the image ---

def test_the_image_has_the_version_of_the_source():
    equal(CONTAINER["image"].rsplit(":", 1)[1], VERSION)
    assert f'image.version="{VERSION}"' in RECIPE
    equal(values(UNIT["Container"], "Image"), [f"localhost/oomfwd:{VERSION}"])


def test_the_image_is_built_in_two_stages_on_debian_12_slim():
    equal(re.findall(r"^ARG BASE=(.*)$", RECIPE, re.MULTILINE), ["debian:12-slim"])
    equal(re.findall(r"^FROM (\S+)", RECIPE, re.MULTILINE), ["${BASE}"] * 2)


def test_the_image_has_a_package_for_each_library():
    packages = {"libsystemd": "libsystemd0", "libproc2": "libproc2-0", "libcgroup": "libcgroup2",
                "inih": "libinih1"}
    # A container reads /proc: it has neither clang to build the loader nor what that needs to run.
    wanted = set(re.findall(r"dependency\('([^']+)'", MESON)) - {"threads", "cmocka", "libbpf"}
    equal(wanted, set(packages))
    installed = RECIPE.rpartition("FROM ")[2]
    for package in packages.values():
        assert re.search(rf"\b{package}\b", installed), package
    installs = re.search(r"recommends \\\n(.*) \\\n", installed)[1]
    equal(sorted(installs.split()), sorted(packages.values()))


def copies():
    """[(what of the repository, where to below the WORKDIR)], as COPY does it."""
    found = []
    for line in re.findall(r"^COPY (?!--from)(.*)$", RECIPE, re.MULTILINE):
        *names, target = line.split()
        assert len(names) == 1 or target.endswith("/"), line
        for name in names:
            source = TOP / name
            assert source.exists(), name
            into = not source.is_dir() and target.endswith("/")  # of a directory goes what is in it
            found.append((source, os.path.normpath(Path(target) / source.name if into else target)))
    return found


MESON_FLAGS = re.search(r"MESON_FLAGS='([^']*)'", RECIPE)[1].split()
ABSENT = {"-Dtests=disabled": "cmocka.found()", "-Dbpf=disabled": "have_bpf"}  # options, conditions


def meson_needs(folder=Path()):
    """What meson.build in a folder, and those below that it enters, name: paths in the repository.

    A string is a path if there is such a file or directory; so this needs no list of functions.
    """
    path = folder / "meson.build"
    text = re.sub(r"^ *#.*", "", (TOP / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for flag in MESON_FLAGS:
        text = re.sub(rf"^( *)if {re.escape(ABSENT[flag])}\n(.*\n)*?\1endif\n", "", text,
                      flags=re.MULTILINE)
    # Names that are put together: foreach b : ['x', 'y'] ... 'bench-' + b + '.c'.
    for name, items in re.findall(r"foreach (\w+) : \[([^\]]*)\]", text):
        for head, tail in re.findall(rf"'([^']*)' \+ {name} \+ '([^']*)'", text):
            text += "".join(f"\n'{head}{item}{tail}'" for item in re.findall(r"'([^']*)'", items))
    found = {str(path)}
    for name in re.findall(r"subdir\('([^']+)'\)", text.replace("install_subdir", "")):
        found |= meson_needs(folder / name)
    # Neither options nor directories that are entered, whose own files have been seen.
    text = re.sub(r"\b(get_option|(?<!install_)subdir)\('[^']*'\)", "", text)
    for name in re.findall(r"'([^'\n]+)'", text):
        if name != "." and not name.startswith("/") and (TOP / folder / name).exists():
            found.add(os.path.normpath(folder / name))
    return found


def test_what_meson_needs_is_found_in_all_ways_to_name_it():
    needs = meson_needs()
    for name in ("README.md", "docs", "bench/bench-reap.c", "deploy/dbus/org.oomfwd1.conf",
                 "src/oomd.c", "completions/zsh/_oomfwdctl", "systemd/oomfwd.service",
                 "man/oomfwd.8", "etc/oomfwd.conf"):
        assert name in needs, name
    for name in ("tests/meson.build", "tests", "src/bpf/load.c"):
        assert name not in needs, name


def test_the_recipe_copies_all_that_meson_needs_to_where_it_is_looked_for():
    there = copies()
    for name in meson_needs() | {"meson_options.txt"}:
        path = TOP / name
        assert any(path == source and name == target or
                   source in path.parents and name == f"{target}/{path.relative_to(source)}"
                   for source, target in there), f"{name} is not copied"


def test_a_build_can_be_set_up_of_what_the_recipe_copies():
    if not shutil.which("meson"):
        raise tap.Skip("there is no meson")
    with tempfile.TemporaryDirectory(prefix="test-deploy-") as top:
        for source, target in copies():
            target = Path(top) / "source" / target
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)
        r = subprocess.run(["meson", "setup", *MESON_FLAGS, f"{top}/build", f"{top}/source"],
                           capture_output=True, text=True, timeout=50, check=False)
    equal((r.returncode, r.stdout[-1000:] if r.returncode else ""), (0, ""))


def test_installing_never_asks_and_leaves_no_lists():
    for run in re.findall(r"^RUN (apt-get (?:.*\\\n)*.*)", RECIPE, re.MULTILINE):
        for install in re.findall(r"apt-get install.*", run):
            assert "-y --no-install-recommends" in install, install
        assert "rm -rf /var/lib/apt/lists/*" in run, run
    equal(RECIPE.count("DEBIAN_FRONTEND=noninteractive"), 2)


# --- the quadlet ---

def test_the_quadlet_has_the_sections_of_a_container():
    equal(list(UNIT), ["Unit", "Container", "Quadlet", "Service", "Install"])
    arguments = " ".join(values(UNIT["Container"], "PodmanArgs")).split()
    for argument in ("--pid=host", "--cgroupns=host"):
        assert argument in arguments, argument
    for key, value in (("NoNewPrivileges", "true"), ("ReadOnly", "true"), ("Network", "none"),
                       ("Notify", "true"), ("Pull", "never")):
        equal((key, values(UNIT["Container"], key)), (key, [value]))


def test_the_quadlet_has_the_capabilities_of_the_service_or_says_why_not():
    equal(values(UNIT["Container"], "DropCapability"), ["all"])
    given = capabilities(" ".join(values(UNIT["Container"], "AddCapability")))
    not_given_is_explained(given, QUADLET.read_text(encoding="utf-8"), set())


def test_the_quadlet_has_the_limits_of_the_service():
    for key in ("MemoryMin", "MemorySwapMax", "Restart", "RestartSec", "OOMPolicy"):
        equal((key, values(UNIT["Service"], key)), (key, values(SERVICE, key)))
    equal(values(UNIT["Container"], "PidsLimit"), values(SERVICE, "TasksMax"))


def test_the_quadlet_leaves_the_ladder_the_file_that_the_service_has():
    files = {path.removeprefix("-").partition(":")[0] for path in values(SERVICE, "BindPaths")}
    equal(values(UNIT["Container"], "Unmask"), sorted(files))


# --- all of it ---

def test_nobody_listens_where_nobody_can_come():
    # Nor is there a place for a socket in a read-only root, and the log would say so.
    assert "/oomfwdctl" not in RECIPE and "/oomfwd-desk" not in RECIPE
    for arguments in (CONTAINER["args"], values(UNIT["Container"], "Exec")[0].split()):
        assert "--feed=off" in arguments, arguments


def test_the_number_of_rules_in_samples_is_that_of_what_is_shipped():
    def count(text):
        return sum(kind != "cgroup" for kind, _ in rules(text))
    shipped = count((TOP / "etc/oomfwd.conf").read_text(encoding="utf-8"))
    for path, expected in (("README.md", shipped), ("deploy/kubernetes/README.md", count(CONFIG))):
        samples = re.findall(r"available, ([0-9]+) rules, shared\s+mms\s+by",
                             (TOP / path).read_text(encoding="utf-8"))
        equal((path, set(samples)), (path, {str(expected)}))


def test_files_below_run_and_var_are_where_the_programs_have_them():
    pattern = r"/(?:run|var/lib)/oomfwd[\w-]*(?:/[\w-]+(?:\.[\w-]+)*)?"
    sources = "".join((TOP / "src" / name).read_text(encoding="utf-8")
                      for name in ("config.h", "config-value.c", "wire.h"))
    known = set(re.findall(rf'"({pattern})"', sources))
    assert len(known) == 4, known
    known |= {str(Path(name).parent) for name in known}
    texts = [path for path in (TOP / "deploy").rglob("*") if path.is_file()]
    for path in (*texts, TOP / "README.md", *(TOP / "docs").glob("*.md")):
        for name in re.findall(pattern, path.read_text(encoding="utf-8")):
            assert name in known, f"{path.name} names {name}"



def test_no_host_of_a_registry_or_mirror_is_named():
    for path in sorted((TOP / "deploy").rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        hosts = re.findall(r"(?:https?|ftp)://\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev)/",
                           text)
        # Names of labels and annotations of Kubernetes are no hosts, and this one no other.
        hosts = [h for h in hosts if not re.fullmatch(r"(?:[\w-]+\.)*kubernetes\.io/", h) and
                 not h.startswith("http://localhost/") and
                 # The names of document types.
                 not h.startswith("http://www.freedesktop.org/standards/")]
        equal((path.name, hosts), (path.name, []))


sys.exit(tap.run(globals()))
