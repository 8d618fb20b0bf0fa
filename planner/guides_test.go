package planner_test

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
)

// guided is a catalogue with guide-star files, which the recorded one lacks: an exposure lists those of its visit, a product
// that combines several those of all visits of its observation.
type guided struct {
	masttest.Catalog
	ids    map[int64]string   // obs_ids
	guides []masttest.Product // each under the first exposure of its visit
}

func withGuides(t *testing.T, base masttest.Catalog) *guided {
	t.Helper()
	g := &guided{Catalog: base, ids: map[int64]string{}}
	visits := map[string]bool{}
	for o := range base.Observations() {
		g.ids[o.Obsid] = o.ObsID
		visit, _, _ := strings.Cut(o.ObsID, "_")
		if len(visit) != 13 || visits[visit] {
			continue
		}
		visits[visit] = true
		made, err := masttest.Custom(masttest.File{Name: visit + "_gs-acq1_2024001120000_cal.fits"}, masttest.File{Name: visit + "_gs-id_1_image_uncal.fits"})
		if err != nil {
			t.Fatal(err)
		}
		for f := range made.Files() {
			g.guides = append(g.guides, masttest.Product{File: f, Obsid: o.Obsid})
		}
	}
	return g
}

func (g *guided) lists(obsid int64, p masttest.Product) bool {
	id := g.ids[obsid]
	visit, _, _ := strings.Cut(p.Name, "_")
	return strings.HasPrefix(id, visit+"_") || strings.HasPrefix(id, visit[:7]+"-o"+visit[7:10]+"_")
}

func (g *guided) Files() iter.Seq[masttest.File] {
	return func(yield func(masttest.File) bool) {
		for f := range g.Catalog.Files() {
			if !yield(f) {
				return
			}
		}
		for _, p := range g.guides {
			if !yield(p.File) {
				return
			}
		}
	}
}

func (g *guided) Rows(obsid int64) int {
	n := g.Catalog.Rows(obsid)
	for _, p := range g.guides {
		if g.lists(obsid, p) {
			n++
		}
	}
	return n
}

func (g *guided) Products(obsid int64) iter.Seq[masttest.Product] {
	return func(yield func(masttest.Product) bool) {
		for p := range g.Catalog.Products(obsid) {
			if !yield(p) {
				return
			}
		}
		for _, p := range g.guides {
			if p.Parent = obsid; g.lists(obsid, p) && !yield(p) {
				return
			}
		}
	}
}

func (g *guided) File(uri string, version int) (masttest.File, bool) {
	if i := slices.IndexFunc(g.guides, func(p masttest.Product) bool { return p.URI == uri }); i >= 0 {
		return g.guides[i].File, true
	}
	return g.Catalog.File(uri, version)
}

// TestPlanGlobsWithGuideStars: whatever a glob of --obs matches, both routes take the guide stars of its visits, and no others.
func TestPlanGlobsWithGuideStars(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Recorded(masttest.RecordedConfig{Programs: []string{"4586", "5324", "5408", "7772", "9438"}})
	if err != nil {
		t.Fatal(err)
	}
	all := withGuides(t, cat)
	srv := masttest.Start(t, masttest.Config{Catalog: all, MetadataOnly: true})
	for name, q := range map[string]query.Query{
		"one number of two":    {Obs: []string{"jw0940[0-9]*", "jw09438??3001_*"}},
		"the number's middle":  {Obs: []string{"jw0540801?001_*"}},
		"visits of one number": {Obs: []string{"jw05408005??[2-9]_*"}},
		"a detector":           {Obs: []string{"jw05324*_nrca?"}},
		"an instrument":        {Obs: []string{"jw05324*"}, Instruments: []string{"NIRCAM"}},
		// Its own list of products names its exposures too, which is another matter.
		"combined":           {Obs: []string{"jw04586-o00[24]_*", "jw07772-o0*"}, Include: []string{"*_gs-*"}},
		"two of the numbers": {Obs: []string{"jw09438*[24]001_*_nrca1", "9438:3"}},
		"a suffix":           {Obs: []string{"jw09438*2001_*_nrca1"}, Suffixes: []string{"cal"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q.GuideStars = true
			byObs, byKey := newRigOn(t, srv), newRigOn(t, srv)
			byObs.plan(q)
			q.Via = "keywords"
			byKey.cfg.MaxRows = 60 // some replies come in ranges
			byKey.plan(q)
			one, two := fitsFacts(byObs), fitsFacts(byKey)
			if d := cmp.Diff(one, two); d != "" {
				t.Errorf("the routes differ (-observations +keywords):\n%.3000s", d)
			}
			n := 0
			for uri := range two {
				if strings.Contains(uri, "_gs-") {
					n++
				}
			}
			if n == 0 || n == len(all.guides) {
				t.Errorf("%d guide-star files of %d: that tells nothing", n, len(all.guides))
			}
		})
	}
}
