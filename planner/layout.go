package planner

import (
	"slices"
	"strconv"
	"strings"

	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// The layouts with a name, as the templates that they stand for.
const (
	layoutMAST    = "JWST/{obs_id}/{name}"
	layoutFlat    = "{name}"
	layoutProgram = "{program}/{obs_id}/{name}"
)

// otherFolder takes the files for which no observation is known, and stands for any other fact that is not.
const otherFolder = "_other"

const wantLayout = "mast, flat, program, or a template such as {program}/{instrument}/{name}: relative, made of safe names and of " +
	"{program}, {obs_id}, {instrument}, {level}, {suffix}, {detector}, and ending in /{name}"

// ParseLayout reads where files go: mast (JWST/<obs_id>/<name>, as the archive's own scripts lay files out), flat, program
// (<program>/<obs_id>/<name>), or a template of these and other facts:
//
//	{program}     programme number without zeros
//	{obs_id}      observation, as in mast
//	{instrument}  nircam, niriss, nirspec, miri, fgs
//	{level}       0 to 4
//	{suffix}      cal, i2d, …
//	{detector}    nrca1, …, of an exposure
//	{name}        file name; it is always the last component, unaltered
//
// A fact that is not known is _other. The result is for Config.Layout. A template that is absolute, leaves the campaign or
// has unsafe names is a *query.UsageError; a fact that makes an unsafe name, and two files of one path, are refused when files
// are offered.
func ParseLayout(s string) (func(queue.File) string, error) {
	template := s
	switch strings.ToLower(s) {
	case "", "mast":
		return Folder, nil
	case "flat":
		template = layoutFlat
	case "program":
		template = layoutProgram
	}
	rest, ok := strings.CutSuffix(template, "{name}")
	if !ok || rest != "" && !strings.HasSuffix(rest, "/") {
		return nil, &query.UsageError{Flag: "--layout", Value: s, Want: wantLayout}
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" && template != layoutFlat {
		return nil, &query.UsageError{Flag: "--layout", Value: s, Want: wantLayout}
	}
	if rest == "" {
		return func(queue.File) string { return "" }, nil
	}
	parts := strings.Split(rest, "/")
	for _, p := range parts {
		// With facts of an ordinary file the component must be a safe name; a brace that is left is no placeholder.
		if sample := expand(p, func(string) string { return "x" }); sample == "" || !product.SafeName(sample) {
			return nil, &query.UsageError{Flag: "--layout", Value: s, Want: wantLayout}
		}
	}
	return func(f queue.File) string {
		out := make([]string, len(parts))
		for i, p := range parts {
			out[i] = expand(p, func(fact string) string { return layoutFact(f, fact) })
		}
		return strings.Join(out, "/")
	}, nil
}

// layoutFacts are the placeholders but {name}.
var layoutFacts = [...]string{"program", "obs_id", "instrument", "level", "suffix", "detector"}

// expand replaces the placeholders of a component.
func expand(part string, fact func(name string) string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(part, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !slices.Contains(layoutFacts[:], name) {
			b.WriteString("{") // not a safe letter: the template is refused
			part = after
			continue
		}
		b.WriteString(fact(name))
		part = rest
	}
}

// layoutFact is what a placeholder stands for; _other if that is not known.
func layoutFact(f queue.File, fact string) string {
	name := fileName(f.URI)
	v := ""
	switch fact {
	case "program":
		if v = f.Program; v == "" {
			v = product.Program(name)
		}
	case "obs_id":
		v = obsFolder(f)
	case "instrument":
		v = strings.ToLower(f.Instrument)
		v, _, _ = strings.Cut(v, "/")
	case "level":
		if f.Level >= 0 {
			v = strconv.Itoa(f.Level)
		}
	case "suffix":
		v, _ = product.Suffix(name)
	case "detector":
		v = product.Detector(name)
	}
	if v == "" {
		return otherFolder
	}
	return v
}

// ownNames are what jwstbulk itself writes into a campaign's directory.
var ownNames = [...]string{"manifest.jsonl", "provenance.jsonl", "SHA256SUMS"}

// ownName reports whether the first component of a path is a name that jwstbulk itself writes.
func ownName(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return slices.ContainsFunc(ownNames[:], func(n string) bool { return strings.EqualFold(n, first) })
}
