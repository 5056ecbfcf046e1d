# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands and options of oomfwdctl: what the program has, and what is written about it.

Options are those of a command alone; --json goes with every command and is left out.
"""
import re
import subprocess
from pathlib import Path

EVERYWHERE = {"--json"}
STUB = "is not there yet"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


class Program:
    """By oomfwdctl --help, and by the sources of each command."""

    def __init__(self, top, binary):
        self.sources = Path(top) / "src/ctl"
        help_text = run(binary, "--help")
        lines = help_text.split("\nCommands:\n")[1].split("\n\n")[0].splitlines()
        lines = [line for line in lines if re.match("  [a-z]", line)]  # a long one has two
        self.helped = {line.split()[0]: set(re.findall(r"\[(--?[a-z]+)", line)) for line in lines}
        self.commands = list(self.helped)
        options = help_text.split("\nOptions:\n")[1].split("\n\n")[0]
        self.options = set(re.findall(r"(?:^  |, )(--[a-z]+)", options, re.MULTILINE))

    def text(self, command):
        """What takes the arguments, or None as long as nobody has written it."""
        text = (self.sources / f"ctl-{command.split('-')[0]}.c").read_text(encoding="utf-8")
        return None if STUB in text else text

    def parsed(self, command):
        """The options that the source tells apart."""
        text = self.text(command)
        found = set(re.findall(r'"(--?[a-z]+(?:-[a-z]+)*)"', text))
        found |= {"--" + name for name in
                  re.findall(r'\{ "([a-z-]+)", (?:no|required|optional)_argument', text)}
        for letters in re.findall(r'getopt(?:_long)?\([^;"]*"([^"]*)"', text):
            found |= {"-" + letter for letter in re.sub(r"[^a-zA-Z]", "", letters)}
        return found - EVERYWHERE


class Page:
    """By oomfwdctl(1)."""

    def __init__(self, top):
        self.source = (Path(top) / "man/oomfwdctl.1").read_text(encoding="utf-8")
        described = self.section("COMMANDS")
        parts = re.split(r"^\.It Ic ([a-z-]+)", described, flags=re.MULTILINE)
        self.commands = parts[1::2]
        self.command_options = {name: self.named(text) - EVERYWHERE
                                for name, text in zip(self.commands, parts[2::2])}
        names = re.findall(r"^\.It (?:Fl [a-zA-Z] , )?Fl Fl ([a-z]+)",
                           self.section("DESCRIPTION"), re.MULTILINE)
        self.options = {"--" + name for name in names}

    def section(self, name):
        return self.source.split(f"\n.Sh {name}\n")[1].split("\n.Sh ")[0]

    @staticmethod
    def named(text):
        return ({"--" + name for name in re.findall(r"\bFl Fl ([a-z]+)", text)} |
                {"-" + name for name in re.findall(r"(?<!Fl )Fl ([a-z])\b", text)})


class Bash:
    """What bash offers when TAB is pressed behind these words."""

    def __init__(self, top):
        self.directory = Path(top) / "completions/bash"

    def offers(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  'function="_$1"; "$function"; printf "%s\\n" "${COMPREPLY[@]}"')
        out = run("bash", "--norc", "-c", script, "bash", str(self.directory / words[0]), *words)
        return [line for line in out.splitlines() if line]

    def options(self, *words):
        return set(self.offers(*words, "-")) - EVERYWHERE


class Zsh:
    """By the text of the completion for zsh."""

    def __init__(self, top):
        self.source = (Path(top) / "completions/zsh/_oomfwdctl").read_text(encoding="utf-8")
        self.commands = re.findall(r"^ +'([a-z-]+):", self.function("_oomfwdctl_commands"),
                                   re.MULTILINE)
        self.options = self.named(self.function("_oomfwdctl"))
        self.daemon_options = self.named(self.function("_oomfwd_arguments"))

    def function(self, name):
        return self.source.split(f"\n{name}() {{\n")[1].split("\n}\n")[0]

    @staticmethod
    def named(text):
        """'--name[what it does]', '(- *)--name[...]' and (-n --name){-n,--name}'[...]'."""
        found = set()
        for group, one in re.findall(r"(?:\{([^}]*)\}|(?<![\w-])(--?[a-zA-Z-]+))'?\[", text):
            found |= set(group.split(",")) if group else {one}
        return found

    def command_options(self, command):
        arms = re.findall(r"^        (\S+)\)\n(.*?);;$", self.function("_oomfwdctl_arguments"),
                          re.MULTILINE | re.DOTALL)
        for pattern, text in arms:
            if re.fullmatch(pattern.replace("*", ".*"), command):
                return self.named(text) - EVERYWHERE
        return set()
