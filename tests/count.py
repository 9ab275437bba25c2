"""Counts ctest's JUnit files: count.py FILE prints one tier, count.py --total BROKEN FILE... the last line of tests/run.

Exit status 1 when anything failed. What was skipped is named with its reason: a skip that nobody sees is a hole."""

import sys
import xml.etree.ElementTree


def reason(case):
    """The line that says why: gtest's GTEST_SKIP, or "skipped: ..." of a script."""
    lines = (case.findtext("system-out") or "").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("skipped: "):
            return line[len("skipped: ") :]
        if line.endswith(": Skipped") and number + 1 < len(lines):
            return lines[number + 1].strip()
    return "no reason given"


def count(files):
    passed, failed, skipped = 0, [], []
    for file in files:
        for case in xml.etree.ElementTree.parse(file).getroot().iter("testcase"):
            name, status = case.get("name"), case.get("status")
            if status == "run":
                passed += 1
            elif status in ("notrun", "disabled") and case.find("skipped") is not None and "SKIP" in case.find("skipped").get("message", ""):
                skipped.append(f"{name}: {reason(case)}")
            else:
                failed.append(name)
    return passed, failed, skipped


def main():
    arguments = sys.argv[1:]
    total = arguments[:1] == ["--total"]
    broken = int(arguments[1]) if total else 0
    passed, failed, skipped = count(arguments[2:] if total else arguments)
    if not total:
        for line in skipped:
            print(f"   skipped {line}")
        for name in failed:
            print(f"   FAILED {name}")
        print(f"   {passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    else:
        print(f"{passed} passed, {len(failed) + broken} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or broken else 0)


main()
