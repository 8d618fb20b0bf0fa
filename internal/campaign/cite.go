package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/manifest"
)

// programsARequest is how many programmes one request asks about.
const programsARequest = 20

// Program is a programme whose files a manifest records.
type Program struct {
	ID          string   `json:"program"` // without zero padding
	Title       string   `json:"title,omitempty"`
	PI          string   `json:"pi,omitempty"`
	Instruments []string `json:"instruments"` // sorted
	Files       int64    `json:"files"`
	Bytes       int64    `json:"bytes"`
}

// Programs lists the programmes of entries, sorted by number, without titles and PIs, and counts the observations that the
// entries name. Errors are those of entries.
func Programs(entries iter.Seq2[manifest.Entry, error]) (list []Program, observations int, err error) {
	all := map[string]*Program{}
	obs := map[string]bool{}
	for e, err := range entries {
		if err != nil {
			return nil, 0, err
		}
		p := all[e.Program]
		if p == nil {
			p = &Program{ID: e.Program}
			all[e.Program] = p
		}
		p.Files++
		p.Bytes += e.Size
		if e.Instrument != "" && !slices.Contains(p.Instruments, e.Instrument) {
			p.Instruments = append(p.Instruments, e.Instrument)
		}
		for _, id := range e.Obs {
			obs[id] = true
		}
	}
	for _, p := range slices.SortedFunc(maps.Values(all), func(a, b *Program) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	}) {
		slices.Sort(p.Instruments)
		list = append(list, *p)
	}
	return list, len(obs), nil
}

// Entitle asks the archive for the titles and PIs of programmes and fills them in; those that it does not tell stay empty.
// Errors are *mast.Error and those of the disk.
func Entitle(ctx context.Context, archive mast.Config, list []Program) (err error) {
	dir, done, err := Scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	archive.Spool = dir
	client, err := mast.New(archive)
	if err != nil {
		return err
	}
	defer client.Close()
	for some := range slices.Chunk(list, programsARequest) {
		if err := entitle(ctx, client, some); err != nil {
			return fmt.Errorf("asking for the titles of programmes: %w", err)
		}
	}
	return nil
}

func entitle(ctx context.Context, client *mast.Client, list []Program) error {
	byID := map[string]*Program{}
	var ids []string
	for i := range list {
		if id := list[i].ID; id != "" {
			byID[id] = &list[i]
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	reply, err := client.Observations(ctx, mast.Query{Columns: "proposal_id,proposal_pi,obs_title", Filters: []mast.Filter{
		{Column: "obs_collection", Values: []string{"JWST"}, Separator: ";"}, {Column: "proposal_id", Values: ids}}})
	if err != nil {
		return err
	}
	defer reply.Close() // only read from
	for o, err := range reply.Observations() {
		if err != nil {
			return err
		}
		if p := byID[strings.TrimLeft(o.ProposalID, "0")]; p != nil {
			p.Title, p.PI = cmp.Or(p.Title, o.Title), cmp.Or(p.PI, o.PI)
		}
	}
	return nil
}
