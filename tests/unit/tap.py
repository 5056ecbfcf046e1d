# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the test_ functions of a module, as TAP."""
import traceback


class Skip(Exception):
    """Why a test cannot be run here."""


def run(module):
    """Returns the exit status. module: its globals()."""
    tests = [(name, test) for name, test in module.items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        what = name.removeprefix("test_").replace("_", " ")
        try:
            test()
            print(f"ok {number} - {what}")
        except Skip as why:
            print(f"ok {number} - {what} # SKIP {why}")
        except Exception:  # whatever it is, the other tests are to be run
            failed += 1
            print(f"not ok {number} - {what}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
    return 1 if failed else 0
