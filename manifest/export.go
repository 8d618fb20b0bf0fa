package manifest

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"net/url"
)

// ExportFormat is a form in which other programs read what a manifest records.
type ExportFormat string

// The formats. Those that download name the archive's public address of each file; none holds a token.
const (
	ExportSums     ExportFormat = "sha256sums" // for sha256sum -c
	ExportAria2    ExportFormat = "aria2"      // for aria2c -i
	ExportMetalink ExportFormat = "metalink4"  // RFC 5854, for aria2c -M
	ExportCurl     ExportFormat = "curl"       // for curl -K
	ExportBash     ExportFormat = "bash"       // a script that needs curl
	ExportCSV      ExportFormat = "csv"        // a table with astroquery's names of columns
	ExportECSV     ExportFormat = "ecsv"       // the same, for astropy's Table.read
)

// ExportFormats lists all formats.
func ExportFormats() []ExportFormat {
	return []ExportFormat{ExportSums, ExportAria2, ExportMetalink, ExportCurl, ExportBash, ExportCSV, ExportECSV}
}

// Download returns the address of a file at the archive whose base URL, without a slash at the end, is given.
func Download(archive, uri string) string {
	return archive + "/api/v0.1/Download/file?uri=" + url.QueryEscape(uri)
}

// ExportConfig says where files can be downloaded.
type ExportConfig struct {
	Archive string // the archive's base URL, without a slash at the end
	// Mirror gives the address of the public copy of a file of entries, "" if it has none. It is called while that entry is
	// the last one yielded. Nil means that no file has one. Only ExportAria2 and ExportMetalink name it.
	Mirror func(uri string) string
}

// places lists the addresses of a file, the best first: a public copy spares the archive.
func (c ExportConfig) places(e *Entry) []string {
	all := []string{Download(c.Archive, e.URI)}
	if c.Mirror != nil {
		if m := c.Mirror(e.URI); m != "" {
			all = []string{m, all[0]}
		}
	}
	return all
}

// exporter writes one format. entry is called for each entry in order; w keeps its first error.
type exporter struct {
	head  func(w *bufio.Writer, h Header)
	entry func(w *bufio.Writer, e *Entry)
	tail  func(w *bufio.Writer)
}

// Export writes the entries of a manifest with header h in a format; those that do not download ignore cfg. It streams.
// Errors are those of entries and of w, or an unknown format.
func Export(w io.Writer, f ExportFormat, cfg ExportConfig, h Header, entries iter.Seq2[Entry, error]) error {
	x, err := exporterOf(f, cfg)
	if err != nil {
		return err
	}
	return x.write(w, h, entries)
}

func (x exporter) write(w io.Writer, h Header, entries iter.Seq2[Entry, error]) error {
	out := bufio.NewWriterSize(w, 1<<18)
	x.head(out, h)
	for e, err := range entries {
		if err != nil {
			return err
		}
		x.entry(out, &e)
	}
	x.tail(out)
	return out.Flush() // bufio keeps the first error
}

func exporterOf(f ExportFormat, cfg ExportConfig) (exporter, error) {
	none := func(*bufio.Writer) {}
	switch f {
	case ExportSums:
		return exporter{func(*bufio.Writer, Header) {}, exportSum, none}, nil
	case ExportAria2:
		return exporter{exportAria2Head, func(w *bufio.Writer, e *Entry) { exportAria2(w, cfg, e) }, none}, nil
	case ExportMetalink:
		return exporter{exportMetalinkHead, func(w *bufio.Writer, e *Entry) { exportMetalink(w, cfg, e) }, exportMetalinkTail}, nil
	case ExportCurl:
		return exporter{exportCurlHead, func(w *bufio.Writer, e *Entry) { exportCurl(w, cfg.Archive, e) }, none}, nil
	case ExportBash:
		return exporter{exportBashHead, func(w *bufio.Writer, e *Entry) { exportBash(w, cfg.Archive, e) }, exportBashTail}, nil
	case ExportCSV:
		return exporter{exportCSVHead, exportRow, none}, nil
	case ExportECSV:
		return exporter{exportECSVHead, exportRow, none}, nil
	}
	return exporter{}, fmt.Errorf("unknown format %q: want one of %v", f, ExportFormats())
}

func exportSum(w *bufio.Writer, e *Entry) {
	_, _ = w.Write(appendSum(nil, e)) // the writer keeps its error for Flush, here and below
}

// printTo writes formatted text; the error stays in w until Flush.
func printTo(w *bufio.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
