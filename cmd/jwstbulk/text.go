package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// size is a number of bytes for people.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// number is a number for people.
func number(n int64) string { return humanize.Comma(n) }

// files is a number of files for people.
func files(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return number(n) + " files"
}

// duration is a time for people, from seconds.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// clean makes text of the archive's safe for a terminal.
func clean(s string) string { return mast.Printable(s, 1024) }

func shellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// writeSummary prints the plan for people.
func writeSummary(w io.Writer, s planner.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "query     %s\n", queryText(s.Query))
	for _, r := range s.Resolved {
		fmt.Fprintf(&b, "object    %s is %s at %.6f %+.6f\n", clean(r.Name), clean(r.Canonical), r.RA, r.Dec)
	}
	fmt.Fprintf(&b, "plan      %s, %s", files(s.Files), size(s.Bytes))
	if s.UnknownSize > 0 {
		fmt.Fprintf(&b, " and %s of unknown size", files(s.UnknownSize))
	}
	if s.Observations > 0 {
		fmt.Fprintf(&b, " from %s observations", number(s.Observations))
	}
	fmt.Fprintf(&b, "; %s requests in %s\n", number(s.Requests), duration(float64(s.ElapsedMS)/1000))
	if s.Known > 0 {
		fmt.Fprintf(&b, "known     %s listings of files that the campaign has already\n", number(s.Known))
	}
	if s.Duplicates > 0 {
		fmt.Fprintf(&b, "folded    %s repeated listings of the same files\n", number(s.Duplicates))
	}
	for _, t := range s.LeftOut {
		fmt.Fprintf(&b, "left out  %s, %s by %s%s\n", files(t.Files), size(t.Bytes), t.Key, ruleHint(t.Key))
	}
	for _, p := range s.ParkedUntil {
		until := "until a valid token is given"
		if p.Day != "" {
			until = "until " + p.Day
		}
		fmt.Fprintf(&b, "parked    %s, %s %s (%s)\n", files(p.Files), size(p.Bytes), until, p.Reason)
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "refused   %s: see `jwstbulk errors`\n", files(s.Failed))
	}
	for _, t := range s.Disagree {
		fmt.Fprintf(&b, "DISAGREE  %s: %s\n", files(t.Files), disagreement(t.Key))
	}
	for _, f := range s.FailedChunks {
		fmt.Fprintf(&b, "NOT LISTED  the archive did not answer for %s of %d observations: %s; plan again later\n", f.Kind, len(f.Obsids), clean(f.Error))
	}
	writeTallies(&b, s)
	_, err := fmt.Fprint(w, b.String())
	return err
}

// disagreement says what the archive's lists contradict each other about, and whom we believe.
func disagreement(what string) string {
	switch what {
	case "size":
		return "product list and keyword service state different lengths; the keyword service's counts (`jwstbulk why FILE` shows both)"
	case "rights":
		return "the product list's rights do not fit the keyword service's release date; the rights count, and the download will tell (`jwstbulk why FILE` shows both)"
	}
	return "the archive's lists contradict each other about " + what
}

func ruleHint(rule string) string {
	switch rule {
	case query.RuleGuideStars:
		return " (--guide-stars takes them)"
	case query.RuleExpType:
		return " (another one, or none is listed, as for pictures, tables and associations)"
	case query.RuleLimit:
		return " (they come after the first ones by name)"
	}
	return ""
}

// queryText says a stored query as its flags would: program 1345,2733; level 3. What is no JSON object is shown as it is.
func queryText(spec []byte) string {
	d := json.NewDecoder(bytes.NewReader(spec))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return clean(string(spec))
	}
	var words []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return clean(string(spec))
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return clean(string(spec))
		}
		name, _ := key.(string)
		words = append(words, strings.TrimSpace(strings.ReplaceAll(name, "_", "-")+" "+valueText(value)))
	}
	return clean(strings.Join(words, "; "))
}

// valueText is a value of a stored query.
func valueText(v any) string {
	switch v := v.(type) {
	case bool:
		return "" // the name says it
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, valueText(e))
		}
		return strings.Join(all, ",")
	case map[string]any: // a list of files
		return fmt.Sprintf("%v of %v files", v["name"], v["items"])
	}
	return fmt.Sprint(v)
}

// shownTallies is how many rows of a break-down people see.
const shownTallies = 8

// writeTallies prints the break-downs, the most files first but for levels.
func writeTallies(b *strings.Builder, s planner.Summary) {
	if s.Files == 0 {
		return
	}
	for _, part := range []struct {
		name string
		rows []planner.Tally
	}{{"programme", s.ByProgram}, {"instrument", s.ByInstrument}, {"level", s.ByLevel}, {"suffix", s.BySuffix}, {"access", s.ByAccess}} {
		rows := slices.Clone(part.rows)
		if part.name != "level" { // few, and they have an order of their own
			slices.SortStableFunc(rows, func(a, b planner.Tally) int { return cmp.Compare(b.Files, a.Files) })
		}
		name := part.name
		for i, r := range rows {
			if i == shownTallies && len(rows) > shownTallies+1 {
				fmt.Fprintf(b, "  %-10s  and %d more\n", "", len(rows)-i)
				break
			}
			key := clean(r.Key)
			if key == "" {
				key = "unknown"
			}
			fmt.Fprintf(b, "  %-10s  %-18s %9s  %10s\n", name, key, number(r.Files), size(r.Bytes))
			name = ""
		}
	}
}

// writeLeft prints what is not done, by state and reason.
func writeLeft(b *strings.Builder, c queue.Counts) {
	for _, state := range []queue.State{queue.Failed, queue.Parked, queue.Waiting, queue.Pending, queue.Running, queue.Placing, queue.Lent, queue.Planned} {
		n := c.State[state]
		if n.Files == 0 {
			continue
		}
		fmt.Fprintf(b, "%-9s %s, %s", state, files(n.Files), size(n.Bytes))
		var why []string
		for reason, k := range c.Reason[state] {
			if k.Files > 0 {
				why = append(why, fmt.Sprintf("%s %s", number(k.Files), reason))
			}
		}
		slices.Sort(why)
		if len(why) > 0 {
			fmt.Fprintf(b, " (%s)", strings.Join(why, ", "))
		}
		if state == queue.Waiting && !c.Next.IsZero() {
			fmt.Fprintf(b, ", next at %s", c.Next.UTC().Format(time.RFC3339))
		}
		fmt.Fprintln(b)
	}
}

// fileLine is a file of the queue in --json output; unknown values are absent.
type fileLine struct {
	URI        string            `json:"uri"`
	Path       string            `json:"path,omitempty"`
	ObsID      string            `json:"obs_id,omitempty"`
	State      queue.State       `json:"state"`
	Reason     queue.Reason      `json:"reason,omitempty"`
	Detail     string            `json:"detail,omitempty"`
	Size       *int64            `json:"size,omitempty"`
	Checksum   string            `json:"checksum,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Proof      queue.Proof       `json:"proof,omitempty"`
	Flagged    string            `json:"flagged,omitempty"`
	Program    string            `json:"program,omitempty"`
	Instrument string            `json:"instrument,omitempty"`
	Level      *int              `json:"level,omitempty"`
	Type       string            `json:"product_type,omitempty"`
	Rights     string            `json:"rights,omitempty"`
	Release    string            `json:"release,omitempty"`
	Due        string            `json:"due,omitempty"`
	Attempts   int64             `json:"attempts,omitempty"`
	Header     map[string]string `json:"header,omitempty"`
}

func jsonFile(f queue.File) fileLine {
	l := fileLine{URI: f.URI, Path: f.Path, ObsID: f.ObsID, State: f.State, Reason: f.Reason, Detail: f.Detail, Proof: f.Proof,
		Flagged: f.Flagged, Program: f.Program, Instrument: f.Instrument, Type: f.ProductType, Rights: f.Rights, Attempts: f.Attempt, Header: f.Header}
	if f.Size >= 0 {
		l.Size = &f.Size
	}
	if f.Level != -2 {
		l.Level = &f.Level
	}
	l.Checksum, l.SHA256 = fmt.Sprintf("%x", f.Checksum), fmt.Sprintf("%x", f.SHA256)
	l.Release, l.Due = stamp(f.ReleaseAt), stamp(f.DueAt)
	return l
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// lines writes JSON objects, one a line, each with its type.
type lines struct {
	w   *bufio.Writer
	err error
}

func newLines(w io.Writer) *lines { return &lines{w: bufio.NewWriterSize(w, 64<<10)} }

// add writes {"type": kind, …the fields of v}.
func (l *lines) add(kind string, v any) {
	b := encode(v)
	head := fmt.Sprintf(`{"type":%q`, kind)
	if len(b) > 2 {
		head += ","
	}
	_, err := l.w.WriteString(head + string(b[1:]) + "\n")
	if l.err == nil {
		l.err = err
	}
}

func (l *lines) flush() error {
	if err := l.w.Flush(); l.err == nil {
		l.err = err
	}
	return l.err
}

// encode is json.Marshal for our own types, which always can be encoded.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encoding " + fmt.Sprintf("%T", v) + ": " + err.Error()) // a type of this package that JSON cannot hold
	}
	return b
}
