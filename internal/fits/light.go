package fits

import (
	"bytes"
)

// scan is the part of a light check that differs between kinds. why is "" as long as nothing is wrong; the scan is not
// called again after a complaint.
type scan interface {
	// feed takes the next bytes, whose first stands at offset; at is the offset of what is wrong.
	feed(p []byte, offset int64) (at int64, why string)
	// end says that the file ends at size; cut says that the complaint means a file that ends early.
	end(size int64) (why string, cut bool, notes []string)
}

// light runs a scan and searches the first bytes for a web page.
type light struct {
	kind  Kind
	scan  scan
	size  int64
	head  [512]byte
	err   error
	notes []string
	done  bool
}

func newLight(kind Kind, s scan) *light { return &light{kind: kind, scan: s} }

// Write takes the next bytes and never fails.
func (l *light) Write(p []byte) (int, error) {
	offset := l.size
	if offset < int64(len(l.head)) {
		copy(l.head[offset:], p)
	}
	l.size += int64(len(p))
	if l.err == nil && len(p) > 0 {
		if at, why := l.scan.feed(p, offset); why != "" {
			l.fail(at, why, nil)
		}
	}
	return len(p), nil
}

func (l *light) fail(at int64, why string, cause error) {
	l.err = &StructureError{Offset: at, HDU: -1, Why: why, Cause: cause}
}

// Err is the first complaint so far. A page is told from other damage only at Finish.
func (l *light) Err() error { return l.err }

// Finish says that the file ends here and returns the verdict.
func (l *light) Finish() Report {
	if !l.done {
		l.done = true
		l.finish()
	}
	return Report{Kind: l.kind, Bytes: l.size, Err: l.err, Sum: SumAbsent, Notes: l.notes}
}

func (l *light) finish() {
	pass, isPass := l.scan.(passScan)
	head := l.head[:min(l.size, int64(len(l.head)))]
	if !(isPass && pass.page) && looksLikePage(head) {
		l.fail(0, "a web page, not "+string(l.kind)+": "+quote(head[:min(len(head), 60)]), ErrHTML)
		return
	}
	if l.err != nil {
		return
	}
	if l.size == 0 && !isPass {
		l.fail(0, "the file is empty", ErrTruncated)
		return
	}
	why, cut, notes := l.scan.end(l.size)
	l.notes = notes
	if why == "" {
		return
	}
	var cause error
	if cut {
		cause = ErrTruncated
	}
	l.fail(l.size, why, cause)
}

// looksLikePage says whether a file begins as HTML or XML does: what a proxy, a login page or an object store's error is.
func looksLikePage(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	b = bytes.TrimLeft(b, " \t\r\n")
	for _, start := range []string{"<!doctype", "<html", "<head", "<body", "<title", "<?xml", "<error", "<!--"} {
		if len(b) >= len(start) && bytes.EqualFold(b[:len(start)], []byte(start)) {
			return true
		}
	}
	return false
}

// passScan accepts everything; page says that the file is expected to be a page.
type passScan struct{ page bool }

func (passScan) feed([]byte, int64) (int64, string) { return 0, "" }
func (passScan) end(int64) (string, bool, []string) { return "", false, nil }
