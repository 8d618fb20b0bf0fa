package query

import (
	"cmp"
	"slices"
	"strings"
)

// key is one word of the query language: a flag, a key of a query file, and a field of the query's JSON are the same.
type key struct {
	name   string // of flag and file key; the JSON has _ for -
	list   *[]string
	text   *string
	truth  *bool
	normal func(flag, value string) (string, error)
}

// keys lists the words in the order of the flags' help.
func (q *Query) keys() []key {
	return []key{
		{name: "program", list: &q.Programs, normal: normalProgram},
		{name: "obs", list: &q.Obs, normal: normalObs},
		{name: "instrument", list: &q.Instruments, normal: normalInstrument},
		{name: "filter", list: &q.Filters, normal: normalFilter},
		{name: "target", list: &q.Targets, normal: normalTarget},
		{name: "cone", list: &q.Cones, normal: normalCone},
		{name: "object", list: &q.Objects, normal: normalObject},
		{name: "radius", text: &q.Radius, normal: normalRadius},
		{name: "date", list: &q.Dates, normal: normalDates},
		{name: "pi", list: &q.PIs, normal: normalPI},
		{name: "category", list: &q.Categories, normal: normalCategory},
		{name: "released", list: &q.Released, normal: normalReleased},
		{name: "where", list: &q.Where, normal: normalWhere},
		{name: "via", text: &q.Via, normal: normalVia},
		{name: "exp-type", list: &q.ExpTypes, normal: normalExpType},
		{name: "for", list: &q.For, normal: normalPreset},
		{name: "level", list: &q.Levels, normal: normalLevel},
		{name: "suffix", list: &q.Suffixes, normal: normalSuffix},
		{name: "product-type", list: &q.ProductTypes, normal: normalProductType},
		{name: "detector", list: &q.Detectors, normal: normalDetector},
		{name: "rights", text: &q.Rights, normal: normalRights},
		{name: "min-size", text: &q.MinSize, normal: normalSize},
		{name: "max-size", text: &q.MaxSize, normal: normalSize},
		{name: "include", list: &q.Include, normal: normalGlob},
		{name: "exclude", list: &q.Exclude, normal: normalGlob},
		{name: "guide-stars", truth: &q.GuideStars},
		{name: "limit", text: &q.Limit, normal: normalLimit},
	}
}

// Keys lists the words of the query language: the flags without their dashes, and the keys of query files.
func Keys() []string {
	var q Query
	var names []string
	for _, k := range q.keys() {
		names = append(names, k.name)
	}
	return names
}

// Take copies the criterion named key (one of Keys) from another query.
func (q *Query) Take(name string, from Query) {
	src := from.keys()
	for i, k := range q.keys() {
		if k.name != name {
			continue
		}
		switch {
		case k.list != nil:
			*k.list = *src[i].list
		case k.text != nil:
			*k.text = *src[i].text
		default:
			*k.truth = *src[i].truth
		}
	}
}

// suggest names the word of a list that was probably meant, or all of them where none is near.
func suggest(s string, words []string) string {
	s = strings.ToLower(s)
	near := slices.MinFunc(words, func(a, b string) int {
		return cmp.Compare(edits(s, strings.ToLower(a)), edits(s, strings.ToLower(b)))
	})
	if edits(s, strings.ToLower(near)) <= max(1, len(s)/2) {
		return "did you mean " + near + "?"
	}
	return "there are " + strings.Join(words, ", ")
}

// edits is the Levenshtein distance of two short words, counted in bytes; long ones are cut.
func edits(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// preset is what --for stands for.
type preset struct {
	name     string
	suffixes []string
	types    []string
}

// presets are the inputs of the stages of the JWST calibration pipeline as documented by STScI, with the association files
// that say what belongs together and the MSA metadata that NIRSpec's spectroscopy needs; and pictures to look at. Suffixes have their extensions: cal alone would take the JPEG preview too.
func presets() []preset {
	return []preset{
		{name: "stage1", suffixes: []string{"uncal.fits"}},
		{name: "stage2", suffixes: []string{"rate.fits", "rateints.fits", "asn.json", "msa.fits"}},
		{name: "stage3", suffixes: []string{"cal.fits", "calints.fits", "asn.json"}},
		{name: "quicklook", types: []string{"PREVIEW"}},
	}
}

func presetNames() string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

func normalPreset(flag, v string) (string, error) {
	v = strings.ToLower(v)
	if !slices.ContainsFunc(presets(), func(p preset) bool { return p.name == v }) {
		return "", &UsageError{flag, v, "one of " + presetNames()}
	}
	return v, nil
}

// foldPresets turns For into Suffixes and ProductTypes.
func (q *Query) foldPresets() error {
	if len(q.For) > 1 && slices.Contains(q.For, "quicklook") {
		return &UsageError{"--for", strings.Join(q.For, ","), "quicklook alone: it chooses by product type, the others by suffix"}
	}
	for _, p := range presets() {
		if slices.Contains(q.For, p.name) {
			q.Suffixes = append(q.Suffixes, p.suffixes...)
			q.ProductTypes = append(q.ProductTypes, p.types...)
		}
	}
	q.For = nil
	return nil
}
