package query

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"jwstbulk/internal/product"
)

// The rules by which a file that an observation lists is left out. They are words of the summary.
const (
	RuleGuideStars  = "guide-stars"  // a guide-star file, and none were asked for
	RuleCollection  = "collection"   // not a JWST product
	RuleLevel       = "level"        // --level
	RuleSuffix      = "suffix"       // --suffix
	RuleProductType = "product-type" // --product-type
	RuleDetector    = "detector"     // --detector
	RuleSize        = "size"         // --min-size, --max-size
	RuleRights      = "rights"       // --rights
	RuleInclude     = "include"      // --include: matches none
	RuleExclude     = "exclude"      // --exclude: matches one
	RuleExpType     = "exp-type"     // --exp-type, and files of which the archive tells none
	RuleLimit       = "limit"        // --limit: comes after the first ones
)

// Candidate is what the criteria for files look at.
type Candidate struct {
	Name        string
	Size        int64 // bytes; -1 if it is unknown
	Level       int   // of CAOM
	ProductType string
	Rights      string
}

// Selector applies the criteria for files. They are applied here, not by the archive: its product service takes none. It does
// not change, so that several goroutines may use it.
type Selector struct {
	guideStars       bool
	levels           []int    // CAOM levels taken whole
	stages           []string // 1b, 2a, 2b, 2c: part of a level, told by suffix
	suffixes         []string // "cal", "cat.ecsv"
	types            []string
	detectors        []string // patterns
	least, most      int64    // bytes; most 0: no limit
	rights           string
	include, exclude []string
}

// Selector returns the query's criteria for files.
func (q Normal) Selector() *Selector {
	s := &Selector{guideStars: q.GuideStars, suffixes: q.Suffixes, types: q.ProductTypes, rights: q.Rights,
		detectors: q.Detectors, least: sizeOf(q.MinSize), most: sizeOf(q.MaxSize),
		include: q.Include, exclude: q.Exclude}
	for _, l := range q.Levels {
		if n, err := strconv.Atoi(l); err == nil {
			s.levels = append(s.levels, n)
		} else {
			s.stages = append(s.stages, l)
		}
	}
	return s
}

// Rule names the first rule that leaves the file out; "" takes it.
func (s *Selector) Rule(f Candidate) string {
	suffix, ext := product.Suffix(f.Name)
	switch {
	case !s.guideStars && product.GuideStar(f.Name):
		return RuleGuideStars
	case len(s.levels)+len(s.stages) > 0 && !slices.Contains(s.levels, f.Level) && !slices.Contains(s.stages, product.Stage(suffix, f.Level)):
		return RuleLevel
	case len(s.suffixes) > 0 && !s.hasSuffix(suffix, ext):
		return RuleSuffix
	case len(s.types) > 0 && !slices.Contains(s.types, strings.ToUpper(f.ProductType)):
		return RuleProductType
	case len(s.detectors) > 0 && !matches(s.detectors, product.Detector(f.Name)):
		return RuleDetector
	case f.Size >= 0 && (f.Size < s.least || s.most > 0 && f.Size > s.most):
		return RuleSize
	case s.rights != "" && (s.rights == "public") != IsPublic(f.Rights):
		return RuleRights
	case len(s.include) > 0 && !matches(s.include, f.Name):
		return RuleInclude
	case matches(s.exclude, f.Name):
		return RuleExclude
	}
	return ""
}

// hasSuffix compares with and without the extension, so that "cat" and "cat.ecsv" both take jw…_cat.ecsv.
func (s *Selector) hasSuffix(suffix, ext string) bool {
	for _, want := range s.suffixes {
		if want == suffix || len(want) == len(suffix)+1+len(ext) && want[:len(suffix)] == suffix && want[len(suffix)] == '.' && want[len(suffix)+1:] == ext {
			return true
		}
	}
	return false
}

// IsPublic reports whether anybody may have what has these rights. It takes an unstated right for public: the download will tell.
func IsPublic(rights string) bool { return rights == "" || strings.EqualFold(rights, "PUBLIC") }

func matches(globs []string, name string) bool {
	for _, g := range globs {
		// The pattern was checked by Validate; a bad one matches nothing.
		if ok, err := path.Match(g, name); err == nil && ok {
			return true
		}
	}
	return false
}
