"""Writes the manifest of a campaign, and SHA256SUMS, to be byte for byte what jwstbulk writes. Made from docs/manifest.md alone.

usage: write.py DIR FACTS.csv QUERIES OUT. The facts are those that are not in the files: a table with dataURI, Local Path,
proof, proposal_id, instrument_name, calib_level and observations. QUERIES is the JSON text of line 1's array.
"""
import csv, hashlib, json, pathlib, re, sys


def header(body):
    """The cards of the primary header of a FITS file, the first of each name."""
    cards = {}
    for at in range(0, len(body) if body.startswith(b"SIMPLE  =") else 0, 80):
        card = body[at:at + 80].decode("ascii")
        if card.rstrip() == "END":
            break
        if card[8:10] == "= ":
            text = re.match(r" *'((?:[^']|'')*)'", card[10:])
            value = text[1].replace("''", "'").rstrip() if text else card[10:].split("/")[0].strip()
            cards.setdefault(card[:8].rstrip(), value)
    return cards


def entry(root, row):
    body = (root / row["Local Path"]).read_bytes()
    card = header(body)
    e = {"uri": row["dataURI"], "path": row["Local Path"], "size": len(body), "sha256": hashlib.sha256(body).hexdigest(),
         "md5": hashlib.md5(body).hexdigest(), "proof": row["proof"]}
    for key in "cal_ver", "crds_ctx", "sdp_ver", "date", "datamodl":
        e[key] = card.get(key.upper()) or None
    e["program"], e["instrument"] = row["proposal_id"] or None, row["instrument_name"] or None
    e["level"] = int(row["calib_level"]) if row["calib_level"] else None
    e["obs"] = sorted(row["observations"].split(), key=str.encode)
    return e


root, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[4])
with open(sys.argv[2], newline="") as f:
    entries = sorted((entry(root, row) for row in csv.DictReader(f)), key=lambda e: e["uri"].encode())
name = hashlib.sha256("".join("%s  %s\n" % (e["sha256"], e["uri"]) for e in entries).encode()).hexdigest()
first = {"format": "jwstbulk-manifest", "version": 1, "complete": True, "missing": 0, "files": len(entries),
         "bytes": sum(e["size"] for e in entries), "root": name, "query": json.loads(sys.argv[3])}
lines = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in [first, *entries])
(out / "manifest.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
(out / "SHA256SUMS").write_text("".join("%s  %s\n" % (e["sha256"], e["path"]) for e in entries), encoding="utf-8", newline="")
