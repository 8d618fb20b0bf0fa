package main

import (
	"fmt"
	"io"
	"path"
	"strings"

	"jwstbulk/manifest"
)

// changes gathers what differs between two records, grouped by cause. For people it keeps the first files of each group,
// with --json it writes each file at once, so that its cost does not grow with their number.
type changes struct {
	o      output
	w      *lines
	groups map[changeGroup]*changeCount
}

type changeGroup struct {
	kind  manifest.Kind
	cause manifest.Cause
}

type changeCount struct {
	files, sameSize int64
	shown           []manifest.Change
}

func newChanges(o output) *changes {
	return &changes{o: o, w: newLines(o.stdout), groups: map[changeGroup]*changeCount{}}
}

func (c *changes) add(ch manifest.Change) {
	g := changeGroup{ch.Kind, ch.Cause}
	n := c.groups[g]
	if n == nil {
		n = &changeCount{}
		c.groups[g] = n
	}
	n.files++
	if ch.SameSize() {
		n.sameSize++
	}
	if c.o.json {
		c.w.add("change", ch)
	} else if len(n.shown) < shownPerCause {
		n.shown = append(n.shown, ch)
	}
}

// count returns the number of files that changed in one of these ways; without any, in all ways.
func (c *changes) count(kinds ...manifest.Kind) int64 {
	total := int64(0)
	for g, n := range c.groups {
		for _, k := range kinds {
			if g.kind == k {
				total += n.files
			}
		}
		if len(kinds) == 0 {
			total += n.files
		}
	}
	return total
}

// changeOrder is how groups are printed.
func changeOrder() []changeGroup {
	return []changeGroup{{manifest.KindReprocessed, manifest.CausePipeline}, {manifest.KindReprocessed, manifest.CauseReference},
		{manifest.KindReprocessed, manifest.CauseData}, {manifest.KindReprocessed, manifest.CauseUnknown}, {kind: manifest.KindWithdrawn},
		{kind: manifest.KindAccess}, {kind: manifest.KindAdded}, {kind: manifest.KindMoved}}
}

// write prints the groups for people, or, with --json, ends the lines with one of the counts.
func (c *changes) write() error {
	if c.o.json {
		sum := changeSum{Version: 1, Reprocessed: map[manifest.Cause]int64{}}
		for g, n := range c.groups {
			sum.take(g, n)
		}
		c.w.add("changes", sum)
		return c.w.flush()
	}
	for _, g := range changeOrder() {
		if n := c.groups[g]; n != nil {
			if err := n.write(c.o.stdout, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeSum is the last line of a list of changes in --json output.
type changeSum struct {
	Version     int                      `json:"version"` // 1
	Reprocessed map[manifest.Cause]int64 `json:"reprocessed"`
	SameSize    int64                    `json:"reprocessed_same_size"`
	Withdrawn   int64                    `json:"withdrawn"`
	Access      int64                    `json:"access"`
	Added       int64                    `json:"added"`
	Moved       int64                    `json:"moved"`
}

func (s *changeSum) take(g changeGroup, n *changeCount) {
	switch g.kind {
	case manifest.KindReprocessed:
		s.Reprocessed[g.cause] += n.files
		s.SameSize += n.sameSize
	case manifest.KindWithdrawn:
		s.Withdrawn += n.files
	case manifest.KindAccess:
		s.Access += n.files
	case manifest.KindAdded:
		s.Added += n.files
	case manifest.KindMoved:
		s.Moved += n.files
	}
}

func (n *changeCount) write(w io.Writer, g changeGroup) error {
	var b strings.Builder
	b.WriteString(string(g.kind))
	if g.cause != "" {
		b.WriteString(", " + string(g.cause))
	}
	fmt.Fprintf(&b, ": %s", files(n.files))
	if n.sameSize > 0 {
		fmt.Fprintf(&b, ", %s of them with the same size", number(n.sameSize))
	}
	b.WriteByte('\n')
	for _, ch := range n.shown {
		fmt.Fprintf(&b, "  %s%s\n", clean(path.Base(ch.URI)), because(ch.Why()))
	}
	if more := n.files - int64(len(n.shown)); more > 0 {
		fmt.Fprintf(&b, "  … and %s more (--json lists all)\n", number(more))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
