package planner

import (
	"slices"
	"strings"
)

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
