"""Completes a bag from its fetch.txt, if it has one, and holds it against the rules of RFC 8493. Exits with 1 and the reason if it breaks one.

usage: bag.py BAG. Shares no code with jwstbulk.
"""

import hashlib
import pathlib
import sys
import urllib.parse
import urllib.request

bag = pathlib.Path(sys.argv[1])


def lines(name):
    text = (bag / name).read_bytes().decode("utf-8")
    assert not text or text.endswith("\n"), name + " does not end in a line feed"
    return text.splitlines()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(name):
    """A manifest: digest, blanks, path (2.1.3, 2.2.1)."""
    out = {}
    for line in lines(name):
        digest, path = line.split(None, 1)
        path = urllib.parse.unquote(path) if "%" in path else path
        assert path not in out, "listed twice: " + path
        assert not path.startswith("/") and ".." not in path.split("/"), "leaves the bag: " + path
        out[path] = digest
    return out


assert lines("bagit.txt") == ["BagIt-Version: 1.0", "Tag-File-Character-Encoding: UTF-8"], "bagit.txt"  # 2.1.1
assert (bag / "data").is_dir(), "no payload directory"  # 2.1.2
payload = table("manifest-sha256.txt")
assert all(path.startswith("data/") for path in payload), "a payload file outside of data/"

for line in lines("fetch.txt") if (bag / "fetch.txt").exists() else []:  # 2.2.3
    url, length, path = line.split(None, 2)
    assert path in payload, "to be fetched, but in no manifest: " + path
    body = urllib.request.urlopen(url).read()
    assert length == "-" or int(length) == len(body), "length of " + path
    to = bag / path
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(body)

have = {str(p.relative_to(bag)) for p in (bag / "data").rglob("*") if p.is_file()}
assert have == set(payload), "payload and manifest name different files"  # 3, complete
for path, digest in payload.items():
    assert sha256(bag / path) == digest, "digest of " + path  # 3, valid
tags = table("tagmanifest-sha256.txt")  # 2.2.1
top = {p.name for p in bag.iterdir() if p.is_file()}
assert set(tags) == top - {"tagmanifest-sha256.txt"}, "tag files and their manifest differ"
for path, digest in tags.items():
    assert sha256(bag / path) == digest, "digest of tag file " + path
info = dict(line.split(": ", 1) for line in lines("bag-info.txt"))
octets = sum((bag / path).stat().st_size for path in payload)
assert info["Payload-Oxum"] == "%d.%d" % (octets, len(payload)), "Payload-Oxum"
print(len(payload), "files")
