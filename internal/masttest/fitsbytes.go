package masttest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const fitsBlock = 2880

// cards collects FITS header cards (FITS Standard 4.0, section 4). It is not the product's own writer on purpose: a mistake
// shared by the simulator and the checker would show in no test.
type cards struct{ b bytes.Buffer }

func (c *cards) raw(key, value, comment string) {
	s := fmt.Sprintf("%-8s= %20s", key, value)
	if strings.HasPrefix(value, "'") {
		s = fmt.Sprintf("%-8s= %-20s", key, value)
	}
	if comment != "" {
		s += " / " + comment
	}
	c.b.WriteString(fmt.Sprintf("%-80.80s", s))
}

func (c *cards) str(key, value, comment string) {
	value = strings.ReplaceAll(value, "'", "''")
	const longest = 80 - 10 - 2 // a card less its keyword, "= " and the quotes
	if len(value) > longest {
		value = strings.TrimRight(value[:longest], "'")
	}
	c.raw(key, "'"+fmt.Sprintf("%-8s", value)+"'", comment)
}

func (c *cards) num(key string, value int64, comment string) {
	c.raw(key, strconv.FormatInt(value, 10), comment)
}

func (c *cards) yes(key, comment string) { c.raw(key, "T", comment) }

// block ends the header and pads it with spaces to whole blocks.
func (c *cards) block() []byte {
	c.b.WriteString(fmt.Sprintf("%-80s", "END"))
	if r := c.b.Len() % fitsBlock; r != 0 {
		c.b.Write(bytes.Repeat([]byte{' '}, fitsBlock-r))
	}
	return c.b.Bytes()
}

// fitsParts lays out a JWST-like FITS file of exactly c.size bytes: primary header, SCI, ERR and DQ images, and an ASDF
// table. Small files lose extensions from the end. A size that is no multiple of 2880 gives a file that is cut or
// padded at its end, as the archive would serve a damaged one.
func fitsParts(c *content, f File, seed uint64) {
	blocks := c.size / fitsBlock
	if blocks == 0 {
		c.add(c.size, nil, noise{seed})
		return
	}
	hdus := 0
	switch {
	case blocks >= 9:
		hdus = 4
	case blocks >= 3:
		hdus = 1
	}
	c.literal(primaryHeader(f, hdus, seed))
	left := blocks - c.blocks()
	switch hdus {
	case 1:
		c.image("SCI", -32, left-1, seed)
	case 4:
		asdf := 1 + left/64
		data := left - 4 - asdf
		third := data / 3
		c.image("SCI", -32, data-2*third, seed)
		c.image("ERR", -32, third, seed+1)
		c.image("DQ", 32, third, seed+2)
		c.asdf(asdf, seed+3)
	default:
		for ; left > 0; left-- { // one or two blocks more than a header: empty extensions
			c.literal(imageHeader("SCI", -32, 0))
		}
	}
	if r := c.size % fitsBlock; r != 0 {
		c.add(r, nil, noise{seed + 4})
	}
}

func (c *content) blocks() int64 {
	var n int64
	for _, p := range c.parts {
		n += p.n
	}
	return n / fitsBlock
}

func primaryHeader(f File, hdus int, seed uint64) []byte {
	next := int64(hdus)
	if hdus > 1 && seed%8 == 0 {
		next-- // real ramps carry an NEXTEND that later steps did not update
	}
	var c cards
	c.yes("SIMPLE", "conforms to FITS standard")
	c.num("BITPIX", 8, "array data type")
	c.num("NAXIS", 0, "number of array dimensions")
	c.yes("EXTEND", "")
	c.num("NEXTEND", next, "Number of standard extensions")
	c.str("DATE", f.date(), "UTC date file created")
	c.str("ORIGIN", "STSCI", "Organization responsible")
	c.str("TIMESYS", "UTC", "principal time system")
	c.str("FILENAME", f.Name, "Name of the file")
	c.str("FILETYPE", strings.ToUpper(suffixOf(f.Name)), "")
	c.str("SDP_VER", f.SDPVer, "Data processing version")
	c.str("CAL_VER", f.CalVer, "Calibration version")
	c.str("CRDS_VER", "12.0.6", "Version of CRDS used")
	c.str("CRDS_CTX", f.CRDSCtx, "CRDS context")
	c.str("DATAMODL", f.dataModel(), "Type of data model")
	c.str("TELESCOP", "JWST", "Telescope")
	c.str("INSTRUME", f.Instrument, "Instrument")
	c.str("DETECTOR", f.Detector, "Detector")
	c.str("EXP_TYPE", f.ExpType, "Exposure type")
	c.str("PROGRAM", fmt.Sprintf("%05s", f.Program), "Program number")
	if !f.ObservedAt.IsZero() {
		c.str("DATE-OBS", f.ObservedAt.UTC().Format("2006-01-02"), "UTC date at start of exposure")
	}
	return c.block()
}

// date is when the pipeline wrote the file: a few minutes before the archive took it in.
func (f File) date() string {
	t := f.IngestedAt
	if t.IsZero() {
		t = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UTC().Add(-5 * time.Minute).Format("2006-01-02T15:04:05.000")
}

func (f File) dataModel() string {
	switch suffixOf(f.Name) {
	case "uncal":
		return "Level1bModel"
	case "rateints", "calints":
		return "CubeModel"
	case "s3d":
		return "IFUCubeModel"
	case "s2d":
		return "SlitModel"
	case "x1d", "c1d":
		return "MultiSpecModel"
	case "segm":
		return "SegmentationMapModel"
	default:
		return "ImageModel"
	}
}

func imageHeader(name string, bitpix int, rows int64) []byte {
	var c cards
	c.str("XTENSION", "IMAGE", "Image extension")
	c.num("BITPIX", int64(bitpix), "array data type")
	if rows == 0 {
		c.num("NAXIS", 0, "number of array dimensions")
	} else {
		c.num("NAXIS", 2, "number of array dimensions")
		c.num("NAXIS1", fitsBlock/4, "")
		c.num("NAXIS2", rows, "")
	}
	c.num("PCOUNT", 0, "number of parameters")
	c.num("GCOUNT", 1, "number of groups")
	c.str("EXTNAME", name, "extension name")
	if name == "SCI" {
		c.str("BUNIT", "MJy/sr", "physical units of the array values")
	}
	return c.block()
}

// image appends an image extension whose data fill so many blocks: one block is one row of 720 pixels of 4 bytes.
func (c *content) image(name string, bitpix int, blocks int64, seed uint64) {
	c.literal(imageHeader(name, bitpix, blocks))
	c.add(blocks*fitsBlock, nil, noise{seed})
}

// asdf appends the ASDF table that ends every pipeline product: one row with one column of bytes.
func (c *content) asdf(blocks int64, seed uint64) {
	const text = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n--- !core/asdf-1.1.0\n{}\n...\n"
	n := blocks * fitsBlock
	var h cards
	h.str("XTENSION", "BINTABLE", "binary table extension")
	h.num("BITPIX", 8, "array data type")
	h.num("NAXIS", 2, "number of array dimensions")
	h.num("NAXIS1", n, "length of dimension 1")
	h.num("NAXIS2", 1, "length of dimension 2")
	h.num("PCOUNT", 0, "number of group parameters")
	h.num("GCOUNT", 1, "number of groups")
	h.num("TFIELDS", 1, "number of table fields")
	h.str("TTYPE1", "ASDF_METADATA", "")
	h.str("TFORM1", strconv.FormatInt(n, 10)+"B", "")
	h.str("EXTNAME", "ASDF", "extension name")
	c.literal(h.block())
	c.literal([]byte(text))
	c.add(n-int64(len(text)), nil, noise{seed})
}
