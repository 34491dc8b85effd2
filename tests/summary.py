"""Prints the twenty slowest tests of a run and how many passed, from the report that nextest wrote.

Usage: summary.py <path of junit.xml>
"""

import sys
from xml.etree import ElementTree

report = ElementTree.parse(sys.argv[1]).getroot()
timed = [(float(case.get("time", 0)), case.get("classname"), case.get("name")) for case in report.iter("testcase")]
print("\nslowest tests, in seconds")
for seconds, package, name in sorted(timed, reverse=True)[:20]:
    print(f"{seconds:8.1f}  {package}  {name}")
failed = int(report.get("failures", 0)) + int(report.get("errors", 0))
print(f"\ntests: {len(timed) - failed} passed, {failed} failed")
