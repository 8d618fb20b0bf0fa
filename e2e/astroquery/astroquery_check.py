#!/usr/bin/python3
"""Ask an archive with the unmodified astroquery and print what it finds, as one JSON object.

The server is set the way a user would: in astroquery's configuration file, written to a scratch directory before the
import, so that nothing of astroquery is patched.

  astroquery_check.py --server http://127.0.0.1:8080 --where proposal_id=10001 --download 20 --dir out
  astroquery_check.py --server http://127.0.0.1:8080 --ask '{"where": ["proposal_id=10001"], "select": ["productType=SCIENCE"]}'
"""
import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
import warnings


def configure(server, pagesize, timeout):
    home = tempfile.mkdtemp(prefix="astroquery-check-")
    os.environ["HOME"] = home
    os.environ["XDG_CONFIG_HOME"] = home
    os.environ["XDG_CACHE_HOME"] = home
    for name in ("astropy", "astroquery"):
        os.makedirs(os.path.join(home, name))
        with open(os.path.join(home, name, "astroquery.cfg"), "w") as f:
            f.write("[mast]\nserver = %s\npagesize = %d\ntimeout = %d\n" % (server, pagesize, timeout))
    os.environ.pop("MAST_API_TOKEN", None)


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return h.hexdigest()


def text(value):
    """A cell as text, masked ones as None."""
    import numpy as np
    return None if value is np.ma.masked else str(value)


def criteria(pairs):
    out = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if ".." in value:
            lo, _, hi = value.partition("..")
            out[key] = [float(lo), float(hi)]
        else:
            out[key] = value.split(",")
    return out


def listing(obs, observations, chunk):
    """Product rows of all observations, asked in chunks: the set of (dataURI, obs_id) and the table."""
    from astropy.table import vstack
    tables = []
    ids = list(observations["obsid"])
    for i in range(0, len(ids), chunk):
        import numpy as np
        table = obs.get_product_list(np.array(ids[i:i + chunk]))
        if len(table):
            tables.append(table)
    return vstack(tables, metadata_conflicts="silent") if tables else None


def selected(obs, products, pairs):
    """The product rows that pass astroquery's own filters."""
    wanted = criteria(pairs)
    for key, values in wanted.items():  # astroquery compares cells with values as they are
        if products[key].dtype.kind == "i":
            wanted[key] = [int(v) for v in values]
    return obs.filter_products(products, **wanted)


def ask(obs, question, chunk):
    """The files of one question, or the error that ended it."""
    try:
        found = obs.query_criteria(**criteria(question["where"] + ["obs_collection=JWST"]))
        products = listing(obs, found, chunk) if len(found) else None
        if products is not None and question.get("select"):
            products = selected(obs, products, question["select"])
    except Exception as e:  # whatever a user would see
        return {"error": "%s: %s" % (type(e).__name__, e)}
    return {"products": sorted({(text(r["dataURI"]), text(r["obs_id"])) for r in products or []})}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--server", required=True)
    p.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE[,VALUE] or COLUMN=MIN..MAX")
    p.add_argument("--token")
    p.add_argument("--chunk", type=int, default=500, help="observations asked for at a time")
    p.add_argument("--pagesize", type=int, default=50000)
    p.add_argument("--timeout", type=int, default=600, help="seconds for one query with all its polls and pages")
    p.add_argument("--ask", action="append", default=[], metavar="JSON", help="only list: {\"where\": [...], \"select\": [...]}")
    p.add_argument("--select", action="append", default=[], metavar="COLUMN=VALUE[,VALUE]", help="product filters")
    p.add_argument("--download", type=int, default=0, metavar="N", help="download the first N files by URI (-1: all)")
    p.add_argument("--dir", default=".")
    p.add_argument("--region", metavar="RA,DEC,RADIUS", help="count and list by position, degrees")
    p.add_argument("--script", action="store_true", help="also fetch the curl script")
    args = p.parse_args()
    configure(args.server.rstrip("/"), args.pagesize, args.timeout)
    warnings.simplefilter("ignore")
    # What this process prints is JSON; astroquery logs and draws progress bars to the same stream.
    stdout, sys.stdout = sys.stdout, sys.stderr

    import astroquery
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.table import unique
    from astroquery.mast import Observations, conf
    assert conf.server == args.server.rstrip("/"), conf.server

    out = {"astroquery": astroquery.__version__, "server": conf.server}
    if args.ask:
        out["asked"] = [ask(Observations, json.loads(q), args.chunk) for q in args.ask]
        json.dump(out, stdout)
        stdout.write("\n")
        return
    if args.token:
        Observations.login(args.token)  # says nothing of success; session_info does
    out["anonymous"] = bool(Observations.session_info(verbose=False)["anon"])
    where = criteria(args.where) or {"obs_collection": "JWST"}
    began = time.time()
    out["count"] = int(Observations.query_criteria_count(**where))
    found = Observations.query_criteria(**where)
    out["observations"] = sorted(text(x) for x in found["obs_id"])
    out["seconds_observations"] = round(time.time() - began, 3)
    if args.region:
        ra, dec, radius = (float(x) for x in args.region.split(","))
        at = SkyCoord(ra, dec, unit="deg")
        out["region_count"] = int(Observations.query_region_count(at, radius=radius * u.deg))
        out["region"] = sorted(text(x) for x in Observations.query_region(at, radius=radius * u.deg)["obs_id"])
        near = Observations.query_criteria(coordinates=at, radius=radius * u.deg, **where)
        out["region_criteria"] = sorted(text(x) for x in near["obs_id"])
    began = time.time()
    products = listing(Observations, found, args.chunk)
    out["seconds_products"] = round(time.time() - began, 3)
    out["rows"] = 0 if products is None else len(products)
    out["products"], out["downloads"] = [], []
    if products is not None:
        if args.select:
            products = selected(Observations, products, args.select)
        out["products"] = sorted({(text(r["dataURI"]), text(r["obs_id"])) for r in products})
        files = unique(products, keys="dataURI") if len(products) else products
        out["files"] = len(files)
        if args.download and len(files):
            if args.download > 0:
                files = files[:args.download]
            began = time.time()
            manifest = Observations.download_products(files, download_dir=args.dir)
            out["seconds_download"] = round(time.time() - began, 3)
            for row, product in zip(manifest, files):
                path = row["Local Path"]
                there = os.path.isfile(path)
                out["downloads"].append({
                    "uri": text(product["dataURI"]), "path": os.path.relpath(path, args.dir), "status": text(row["Status"]),
                    "message": text(row["Message"]) if row["Message"] else None,
                    "size": os.path.getsize(path) if there else None, "sha256": sha256(path) if there else None})
        if args.script and len(files):
            manifest = Observations.download_products(files, download_dir=args.dir, curl_flag=True)
            out["script"] = manifest["Local Path"][0]
    json.dump(out, stdout)
    stdout.write("\n")


if __name__ == "__main__":
    main()
