"""Counts the test points of meson's JUnit log; exits 1 when there are none or one failed."""
import sys
import xml.etree.ElementTree as ET


def main(path):
    passed = failed = skipped = 0
    for suite in ET.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.find("skipped") is not None:
                skipped += 1
            elif case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                print(f"failed: {suite.get('name')}: {case.get('name')}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


sys.exit(main(sys.argv[1]))
