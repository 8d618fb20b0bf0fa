"""Other programs' view of FITS files, for the comparison in oracle_test.go.

oracle.py make DIR    writes good and damaged files made by astropy
oracle.py sums FILE…  prints what astropy's fitscheck says of each file's CHECKSUM and DATASUM: a name, a tab, and ok, bad,
                      missing or error. Some damaged structures never end there: give it whole ones.
"""

import io
import pathlib
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.io.fits.scripts import fitscheck

BLOCK = 2880
rng = np.random.default_rng(1)


def image(dtype, shape=(32, 33)):
    return (rng.random(shape) * 100).astype(dtype)


def table(rows=7):
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("name", "10A", array=["row%d" % i for i in range(rows)]),
            fits.Column("value", "D", array=np.arange(rows) / 3),
            fits.Column("pair", "2J", array=np.arange(2 * rows).reshape(rows, 2)),
            fits.Column("bits", "11X", array=np.ones((rows, 11), bool)),
        ],
        name="TABLE",
    )


def heap(kind):
    rows = np.empty(5, object)
    rows[:] = [np.arange(n, dtype=np.int32) for n in (3, 0, 7, 1, 40)]
    return fits.BinTableHDU.from_columns([fits.Column("list", kind + "J()", array=rows)], name="HEAP")


def asdf():
    return fits.BinTableHDU(np.array([(np.arange(712, dtype=np.uint8),)], [("ASDF_METADATA", np.uint8, 712)]), name="ASDF")


def groups():
    data = fits.GroupData(image("float32", (6, 1, 1, 4, 5)), bitpix=-32, parnames=["UU", "VV"], pardata=[np.arange(6.0), np.arange(6.0)])
    return fits.HDUList([fits.GroupsHDU(data)])


def many_cards():
    hdu = fits.PrimaryHDU()
    for i in range(200):
        hdu.header["KEY%d" % i] = (i / 7, "one of many")
    hdu.header["LONGSTR"] = "a value that goes on and on " * 8
    hdu.header["HIERARCH ESO DET CHIP"] = 3
    hdu.header.add_comment("a remark")
    hdu.header.add_history("what happened")
    return hdu


def products():
    """name -> HDUs; each is written with and without checksums"""
    all_of = {"image_%s" % d: [fits.PrimaryHDU(image(d))] for d in ("uint8", "int16", "int32", "int64", "float32", "float64")}
    all_of |= {"scaled_%s" % d: [fits.PrimaryHDU(image(d))] for d in ("uint16", "uint32", "int8")}
    all_of |= {
        "null_primary": [fits.PrimaryHDU()],
        "empty_axis": [fits.PrimaryHDU(np.zeros((0, 5), np.int16))],
        "cube": [fits.PrimaryHDU(image("int16", (3, 4, 5, 6)))],
        "extensions": [fits.PrimaryHDU(), fits.ImageHDU(image("float32"), name="SCI"), fits.ImageHDU(image("int32"), name="DQ")],
        "block_exactly": [fits.PrimaryHDU(image("uint8", (2880,)))],
        "table": [fits.PrimaryHDU(), table()],
        "no_rows": [fits.PrimaryHDU(), table(0)],
        "ascii_table": [fits.PrimaryHDU(), fits.TableHDU.from_columns([fits.Column("a", "I6", array=[1, 22]), fits.Column("b", "F8.3", array=[1.5, 2.5])])],
        "heap_p": [fits.PrimaryHDU(), heap("P")],
        "heap_q": [fits.PrimaryHDU(), heap("Q")],
        "groups": groups(),
        "asdf": [fits.PrimaryHDU(), fits.ImageHDU(image("float32"), name="SCI"), asdf()],
        "many_cards": [many_cards()],
    }
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"):
        all_of["tiles_" + kind] = [fits.PrimaryHDU(), fits.CompImageHDU(image("int16", (64, 64)), compression_type=kind)]
    return all_of


def edit(b, old, new, nth=0):
    """replaces the nth card or text of the same length"""
    at = -1
    for _ in range(nth + 1):
        at = b.index(old, at + 1)
    return b[:at] + new.ljust(len(old)) + b[at + len(old) :]


def flip(b, at):
    return b[:at] + bytes([b[at] ^ 1]) + b[at + 1 :]


def damages(whole):
    """name -> bytes, of the extensions and table products"""
    ext, tab, vla, tiles = whole["extensions"], whole["table"], whole["heap_p"], whole["tiles_RICE_1"]
    data = 2 * BLOCK  # where the first extension's data begin
    last = tab.rindex(b"XTENSION") // BLOCK * BLOCK + BLOCK  # where the last table's data begin
    return {
        "cut_in_header": ext[: BLOCK + 1000],
        "cut_in_data": ext[: data + 1000],
        "cut_in_fill": ext[: data + 4 * 32 * 33 + 10],
        "cut_between": ext[: ext.rindex(b"XTENSION") // BLOCK * BLOCK],
        "trailing_zeros": ext + bytes(BLOCK),
        "trailing_bytes": ext + b"x" * 100,
        "trailing_block_of_text": ext + b"x" * BLOCK,
        "bit_flipped_in_data": flip(ext, data + 100),
        "bit_flipped_in_last_data": flip(tab, last + 3),
        "bit_flipped_in_a_value": flip(ext, ext.index(b"SCI     ")),
        "blocks_swapped": ext[:data] + ext[data + 3000 : data + 3004] + ext[data + 4 : data + 3000] + ext[data : data + 4] + ext[data + 3004 :],
        "fill_not_zero": flip(ext, data + 4 * 32 * 33 + 5),
        "no_simple": edit(ext, b"SIMPLE  =                    T", b"SIMPLY  =                    T"),
        "not_standard": edit(ext, b"SIMPLE  =                    T", b"SIMPLE  =                    F"),
        "bitpix_7": edit(ext, b"BITPIX  =                  -32", b"BITPIX  =                    7"),
        "axis_negative": edit(ext, b"NAXIS1  =                   33", b"NAXIS1  =                  -33"),
        "axis_larger": edit(ext, b"NAXIS2  =                   32", b"NAXIS2  =                 3200", 1),
        "axis_missing": edit(ext, b"NAXIS2  =                   32", b"NAXOS2  =                   32"),
        "end_missing": edit(ext, b"END" + b" " * 77, b" " * 80),
        "end_lower_case": edit(ext, b"END" + b" " * 77, b"end"),
        "text_after_end": edit(ext, b"END" + b" " * 157, b"END" + b" " * 77 + b"MORE"),
        "byte_beyond_ascii": edit(ext, b"BITPIX  =                  -32", b"BITPIX  =                  -32 / \xb5"[:30]),
        "tab_in_header": edit(ext, b"EXTNAME = 'SCI     '", b"EXTNAME = 'SC\tI    '"),
        "lower_case_keyword": edit(ext, b"EXTNAME = 'SCI     '", b"extname = 'SCI     '"),
        "open_string": edit(ext, b"EXTNAME = 'SCI     '", b"EXTNAME = 'SCI      "),
        "extension_of_no_type": edit(ext, b"XTENSION= 'IMAGE   '", b"XTENSION= 'FOREIGN '"),
        "pcount_missing": edit(ext, b"PCOUNT  = ", b"PCUONT  = "),
        "gcount_2": edit(tab, b"GCOUNT  =                    1", b"GCOUNT  =                    2"),
        "tfields_more": edit(tab, b"TFIELDS =                    4", b"TFIELDS =                    5"),
        "row_wider": edit(tab, b"NAXIS1  =                   28", b"NAXIS1  =                   29"),
        "tform_of_no_type": edit(tab, b"TFORM2  = 'D       '", b"TFORM2  = 'Y       '"),
        "heap_short": edit(vla, b"PCOUNT  =                  204", b"PCOUNT  =                  104"),
        "heap_missing": edit(vla, b"PCOUNT  =                  204", b"PCOUNT  =                    0"),
        "tiles_cut": tiles[:-BLOCK],
        "empty": b"",
        "page": b"<html><body>Access Denied</body></html>",
        "zeros": bytes(2 * BLOCK),
        "cut_to_a_card": ext[:80],
    }


def make(directory):
    folder = pathlib.Path(directory)
    whole = {}
    for sums in (False, True):
        for name, hdus in products().items():
            name += "_sums" * sums
            path = folder / ("astropy_%s.fits" % name)
            fits.HDUList(hdus).writeto(path, checksum=sums)
            whole[name] = path.read_bytes()
    files = {}
    for sums in ("", "_sums"):
        of = {name: whole[name + sums] for name in ("extensions", "table", "heap_p", "tiles_RICE_1")}
        files |= {"damaged_" + name + sums: b for name, b in damages(of).items()}
    for name, b in files.items():
        (folder / ("astropy_%s.fits" % name)).write_bytes(b)


def sums(*paths):
    fitscheck.handle_options(["x"])
    fitscheck.setup_logging()
    for path in paths:
        said = io.StringIO()
        fitscheck.log.handlers[0].setStream(said)
        try:
            errors = fitscheck.verify_checksums(path)
            verdict = "ok" if errors == 0 else "missing" if "MISSING" in said.getvalue() else "bad"
        except Exception as e:
            verdict = "error " + type(e).__name__
        print(pathlib.Path(path).name, verdict, sep="\t")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    {"make": make, "sums": sums}[sys.argv[1]](*sys.argv[2:])
