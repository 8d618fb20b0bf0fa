"""Prints, as JSON, what the recorded keyword rows say was reprocessed in some programmes: URI to [cause, same size].

usage: changed.py keyword-rows.csv.gz PROGRAMME...
Of two rows of one URI the one with the lower ArchiveFileID is the older version. Shares no code with jwstbulk.
"""

import collections
import csv
import gzip
import json
import sys

rows = collections.defaultdict(list)
with gzip.open(sys.argv[1], "rt") as f:
    for row in csv.DictReader(f):
        if row["program"] in sys.argv[2:]:
            rows[row["uri"]].append(row)

changed = {}
for uri, versions in rows.items():
    if len(versions) < 2:
        continue
    old, new = sorted(versions, key=lambda v: int(v["ArchiveFileID"]))
    if old["cal_ver"] != new["cal_ver"]:
        cause = "new pipeline"
    elif old["crds_ctx"] != new["crds_ctx"]:
        cause = "new reference files"
    else:
        cause = "new data"
    changed[uri] = [cause, old["fileSize"] == new["fileSize"]]
json.dump(changed, sys.stdout)
