#!/usr/bin/python3
"""What a query selects of the recorded keyword rows, told by nothing but the rows: no code of jwstbulk takes part.

  rows.py keyword-rows.csv.gz CONDITION…

Each condition is a Python expression about r, a row with its columns as text. For each one a JSON list is printed, a line each:
[uri, size, checksum] of the newest version of every file for which it holds.
"""
import csv
import gzip
import json
import sys

newest = {}
with gzip.open(sys.argv[1], "rt", newline="") as f:
    for r in csv.DictReader(f):
        old = newest.get(r["uri"])
        if old is None or int(r["ArchiveFileID"]) > int(old["ArchiveFileID"]):
            newest[r["uri"]] = r
for condition in sys.argv[2:]:
    holds = compile(condition, condition, "eval")
    rows = [r for r in newest.values() if eval(holds, {"r": r, "mjd": float, "int": int})]
    print(json.dumps(sorted([r["uri"], int(r["fileSize"]), r["checksum"]] for r in rows)))
