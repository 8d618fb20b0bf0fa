package manifest

import (
	"bufio"
	"encoding/csv"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
)

// column is a column of the exported tables. Names are those of astroquery.mast's product lists and download manifests where
// these have one.
type column struct {
	name, datatype string
	value          func(e *Entry) string
}

func columns() []column {
	text := func(name string, value func(e *Entry) string) column { return column{name, "string", value} }
	return []column{
		text("obs_id", obsID),
		text("obs_collection", func(*Entry) string { return "JWST" }),
		text("dataURI", func(e *Entry) string { return e.URI }),
		text("productFilename", func(e *Entry) string { return path.Base(e.URI) }),
		{"size", "int64", func(e *Entry) string { return strconv.FormatInt(e.Size, 10) }},
		{"calib_level", "int64", func(e *Entry) string {
			if e.Level == LevelUnknown {
				return ""
			}
			return strconv.Itoa(e.Level)
		}},
		text("proposal_id", func(e *Entry) string { return e.Program }),
		text("instrument_name", func(e *Entry) string { return e.Instrument }),
		text("Local Path", func(e *Entry) string { return e.Path }),
		text("sha256", func(e *Entry) string { return hex.EncodeToString(e.SHA256[:]) }),
		text("md5", func(e *Entry) string {
			if e.MD5 == [16]byte{} {
				return ""
			}
			return hex.EncodeToString(e.MD5[:])
		}),
		text("proof", func(e *Entry) string { return e.Proof }),
		text("cal_ver", func(e *Entry) string { return e.CalVer }),
		text("crds_ctx", func(e *Entry) string { return e.CRDSCtx }),
		text("sdp_ver", func(e *Entry) string { return e.SDPVer }),
		text("date", func(e *Entry) string { return e.Date }),
		text("datamodl", func(e *Entry) string { return e.Datamodl }),
		text("observations", func(e *Entry) string { return strings.Join(e.Obs, " ") }),
	}
}

// obsID is the observation that a file belongs to, "" if neither its folder nor its name tells: the folder of the usual layout
// JWST/<obs_id>/<name>, else the longest of the observations that the name begins with.
func obsID(e *Entry) string {
	if parts := strings.Split(e.Path, "/"); len(parts) == 3 && parts[0] == "JWST" {
		return parts[1]
	}
	own := ""
	for _, id := range e.Obs {
		if len(id) > len(own) && strings.HasPrefix(path.Base(e.URI), id) {
			own = id
		}
	}
	return own
}

func exportCSVHead(w *bufio.Writer, _ Header) {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	writeRow(w, names)
}

// exportECSVHead writes the header of ECSV 1.0 (APE 6), then the line of names.
func exportECSVHead(w *bufio.Writer, h Header) {
	printTo(w, "# %%ECSV 1.0\n# ---\n# datatype:\n")
	for _, c := range columns() {
		printTo(w, "# - {name: %s, datatype: %s}\n", c.name, c.datatype)
	}
	printTo(w, "# delimiter: ','\n# meta: {root: '%s'}\n# schema: astropy-2.0\n", h.Root)
	exportCSVHead(w, h)
}

func exportRow(w *bufio.Writer, e *Entry) {
	var cells []string
	for _, c := range columns() {
		cells = append(cells, c.value(e))
	}
	writeRow(w, cells)
}

func writeRow(w *bufio.Writer, cells []string) {
	out := csv.NewWriter(w)
	_ = out.Write(cells) // w keeps its error
	out.Flush()
}
