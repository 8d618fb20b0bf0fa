package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"jwstbulk/manifest"
)

// shownMixes is how many mixed programmes people are told of.
const shownMixes = 5

// warnMixed tells of programmes and instruments whose files were made by several versions of the pipeline or of its
// reference files: they should not be compared with each other.
func warnMixed(o output, mixed []manifest.Mix, strict bool) {
	if len(mixed) == 0 {
		return
	}
	contexts := map[string]bool{}
	word := "warning"
	if strict {
		word = "refused by --strict"
	}
	for i, m := range mixed {
		for _, v := range m.CRDSCtx {
			contexts[v.Name] = true
		}
		if i < shownMixes {
			o.say("%s: programme %s, %s mixes %s", word, clean(m.Program), clean(m.Instrument), mixText(m))
		}
	}
	if more := len(mixed) - shownMixes; more > 0 {
		o.say("  and %d more", more)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(contexts)) {
		names = append(names, shellQuote(name))
	}
	if len(names) > 0 {
		o.say("  to calibrate all alike, fetch the reference files of one of these: crds sync --contexts %s --fetch-references", strings.Join(names, " "))
	}
}

// mixText names the versions that differ.
func mixText(m manifest.Mix) string {
	var parts []string
	for _, k := range []struct {
		name string
		all  []manifest.VersionCount
	}{{"cal_ver", m.CalVer}, {"crds_ctx", m.CRDSCtx}} {
		if len(k.all) < 2 {
			continue
		}
		var each []string
		for _, v := range k.all {
			each = append(each, fmt.Sprintf("%s (%s)", clean(v.Name), files(v.Files)))
		}
		parts = append(parts, k.name+" "+strings.Join(each, ", "))
	}
	return strings.Join(parts, " and ")
}
