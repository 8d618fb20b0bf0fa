package planner

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"jwstbulk/internal/product"
	"jwstbulk/queue"
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

// selector applies the criteria for files. They are applied here, not by the archive: its product service takes none.
type selector struct {
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

// newSelector takes a normal query.
func newSelector(q Query) *selector {
	s := &selector{guideStars: q.GuideStars, suffixes: q.Suffixes, types: q.ProductTypes, rights: q.Rights,
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

// rule names the first rule that leaves the file out; "" takes it. size is -1 if it is unknown.
func (s *selector) rule(name string, size int64, f *queue.Facts) string {
	suffix, ext := product.Suffix(name)
	switch {
	case !s.guideStars && product.GuideStar(name):
		return RuleGuideStars
	case len(s.levels)+len(s.stages) > 0 && !slices.Contains(s.levels, f.Level) && !slices.Contains(s.stages, stageOf(suffix, f.Level)):
		return RuleLevel
	case len(s.suffixes) > 0 && !s.hasSuffix(suffix, ext):
		return RuleSuffix
	case len(s.types) > 0 && !slices.Contains(s.types, strings.ToUpper(f.ProductType)):
		return RuleProductType
	case len(s.detectors) > 0 && !matches(s.detectors, product.Detector(name)):
		return RuleDetector
	case size >= 0 && (size < s.least || s.most > 0 && size > s.most):
		return RuleSize
	case s.rights != "" && (s.rights == "public") != isPublic(f.Rights):
		return RuleRights
	case len(s.include) > 0 && !matches(s.include, name):
		return RuleInclude
	case matches(s.exclude, name):
		return RuleExclude
	}
	return ""
}

// hasSuffix compares with and without the extension, so that "cat" and "cat.ecsv" both take jw…_cat.ecsv.
func (s *selector) hasSuffix(suffix, ext string) bool {
	for _, want := range s.suffixes {
		if want == suffix || len(want) == len(suffix)+1+len(ext) && want[:len(suffix)] == suffix && want[len(suffix)] == '.' && want[len(suffix)+1:] == ext {
			return true
		}
	}
	return false
}

// stageOf tells MAST's name of a processing stage (1b, 2a, 2b, 2c) from suffix and CAOM level; "" if it has none. The
// level decides between the two meanings of i2d, s2d, s3d, x1d and x1dints: 2b and 3.
func stageOf(suffix string, level int) string {
	if level > 2 {
		return ""
	}
	switch suffix {
	case "uncal":
		return "1b"
	case "rate", "rateints", "ramp", "trapsfilled", "dark":
		return "2a"
	case "cal", "calints", "i2d", "s2d", "s3d", "x1d", "x1dints", "bsub", "bsubints", "flat":
		return "2b"
	case "crf", "crfints":
		return "2c"
	}
	return ""
}

// isPublic takes an unstated right for public: the download will tell.
func isPublic(rights string) bool { return rights == "" || strings.EqualFold(rights, "PUBLIC") }

func matches(globs []string, name string) bool {
	for _, g := range globs {
		// The pattern was checked by Validate; a bad one matches nothing.
		if ok, err := path.Match(g, name); err == nil && ok {
			return true
		}
	}
	return false
}
