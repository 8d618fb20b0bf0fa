package query

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/product"
)

// Query is what a user asks for, in the words of the command line. Criteria of different fields are combined by AND, the
// values of one field by OR; an empty field asks for nothing. The zero Query is refused by Validate: it would mean every
// file of the mission.
//
// The fields hold what the user typed; Canonical gives the form that is stored and compared.
type Query struct {
	Programs     []string `json:"program,omitempty"`      // programme numbers, with or without zero padding
	Obs          []string `json:"obs,omitempty"`          // obs_id, a glob of one (jw01345-o0*), PROGRAM:OBSERVATION (1345:12), or an obsid (83254329)
	Instruments  []string `json:"instrument,omitempty"`   // NIRCAM, NIRISS, NIRSPEC, MIRI, FGS; with a mode as NIRCAM/IMAGE
	Filters      []string `json:"filter,omitempty"`       // optical elements: F150W, F2*
	Targets      []string `json:"target,omitempty"`       // target names as the archive spells them, * for any text
	Cones        []string `json:"cone,omitempty"`         // "RA DEC RADIUS", see ParseCone
	Objects      []string `json:"object,omitempty"`       // names of fixed targets; the planner turns them into Cones
	Radius       string   `json:"radius,omitempty"`       // around Objects: degrees, 30s, 3m; "" means 3m
	Dates        []string `json:"date,omitempty"`         // start of the observation: FROM..TO, one end may be empty; see ParseDates
	PIs          []string `json:"pi,omitempty"`           // principal investigators, a part of the name suffices; becomes Where
	Categories   []string `json:"category,omitempty"`     // GO, GTO, ERS, DD, COM, CAL, …; becomes Where
	Released     []string `json:"released,omitempty"`     // FROM..TO of the release; see ParseDates; becomes Where
	Where        []string `json:"where,omitempty"`        // COLUMN=VALUES or COLUMN!=VALUES of the archive's observations
	ExpTypes     []string `json:"exp_type,omitempty"`     // exposure types, NRC_IMAGE, MIR_*
	Via          string   `json:"via,omitempty"`          // keywords: list FITS files by the keyword services; "" or observations: by observations
	For          []string `json:"for,omitempty"`          // stage1, stage2, stage3 or quicklook; becomes Suffixes or ProductTypes
	Levels       []string `json:"level,omitempty"`        // -1..4, or 1b 2a 2b 2c 3
	Suffixes     []string `json:"suffix,omitempty"`       // i2d, _cal, cat.ecsv; without an extension any extension matches
	ProductTypes []string `json:"product_type,omitempty"` // SCIENCE, PREVIEW, INFO, AUXILIARY, THUMBNAIL, CATALOG, CALIBRATION
	Detectors    []string `json:"detector,omitempty"`     // as file names spell them: nrca1, nrs1, mirimage, nrca*
	MinSize      string   `json:"min_size,omitempty"`     // bytes, 20M, 1.5GB; files of unknown size pass
	MaxSize      string   `json:"max_size,omitempty"`     // the same
	Rights       string   `json:"rights,omitempty"`       // public, exclusive or all; "" means all
	Include      []string `json:"include,omitempty"`      // globs of file names; a file must match one
	Exclude      []string `json:"exclude,omitempty"`      // globs of file names; a file must match none
	GuideStars   bool     `json:"guide_stars,omitempty"`  // take guide-star files too; they are left out otherwise
	Limit        string   `json:"limit,omitempty"`        // the most files that the query adds, the first ones by name; "" means all

	// List names a list of files that replaces the criteria for observations; set by the planner alone.
	List *filelist.ID `json:"list,omitempty"`
}

// UsageError says which value of which flag was not understood, and what would have been.
type UsageError struct {
	Flag  string // with its dashes: --cone
	Value string // as typed
	Want  string // what was expected
}

// Error names flag, value and expectation.
func (e *UsageError) Error() string {
	return fmt.Sprintf("invalid %s %q: want %s", e.Flag, e.Value, e.Want)
}

var (
	instruments  = []string{"NIRCAM", "NIRISS", "NIRSPEC", "MIRI", "FGS"}
	productTypes = []string{"SCIENCE", "PREVIEW", "INFO", "AUXILIARY", "THUMBNAIL", "CATALOG", "CALIBRATION"}
	levelNames   = []string{"-1", "0", "1", "2", "3", "4", "1b", "2a", "2b", "2c"}
)

// Validate reports the first value that is not understood as a *UsageError. It also refuses a query without any criterion
// that narrows the observations.
func (q Query) Validate() error {
	_, err := q.normal()
	return err
}

// Canonical returns the query as JSON in a fixed form: values trimmed, spelled one way, sorted and without repeats, so that
// two ways of saying one thing are one query. It fails as Validate does.
func (q Query) Canonical() ([]byte, error) {
	n, err := q.normal()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("encoding query: %w", err)
	}
	return b, nil
}

// normal is the canonical form of the query; every field is checked.
func (q Query) normal() (Query, error) {
	n := Query{GuideStars: q.GuideStars, List: q.List}
	out := n.keys()
	for i, k := range q.keys() {
		flag := "--" + k.name
		switch {
		case k.list != nil:
			for _, v := range *k.list {
				s, err := k.normal(flag, strings.TrimSpace(v))
				if err != nil {
					return Query{}, err
				}
				*out[i].list = append(*out[i].list, s)
			}
		case k.text != nil && strings.TrimSpace(*k.text) != "":
			s, err := k.normal(flag, strings.TrimSpace(*k.text))
			if err != nil {
				return Query{}, err
			}
			*out[i].text = s
		}
	}
	if err := n.fold(); err != nil {
		return Query{}, err
	}
	cs := n.criteria()
	if n.Via == viaKeywords {
		cs = n.fileCriteria()
	}
	if n.List == nil && len(cs) == 0 && len(n.Objects) == 0 {
		return Query{}, &UsageError{Flag: "query", Value: "", Want: "at least one of --program, --obs, --instrument, --filter, --target, --cone, --object, --date, --pi, --category, --released, --where, or --exp-type with --via keywords"}
	}
	if countBranches(cs) > maxBranches {
		return Query{}, &UsageError{Flag: "query", Value: "", Want: fmt.Sprintf("at most %d combinations of patterns, instruments, cones and dates", maxBranches)}
	}
	return n, nil
}

// fold turns criteria with a name of their own into conditions on columns, sorts all, and checks what belongs together.
func (q *Query) fold() error {
	if err := q.foldPresets(); err != nil {
		return err
	}
	for _, f := range []struct {
		column string
		values *[]string
	}{{"proposal_pi", &q.PIs}, {"proposal_type", &q.Categories}, {"t_obs_release", &q.Released}} {
		if len(*f.values) > 0 {
			c, err := parseCondition("--where", f.column+"="+strings.Join(*f.values, ","))
			if err != nil {
				return err
			}
			q.Where = append(q.Where, c.String())
		}
		*f.values = nil
	}
	for _, k := range q.keys() {
		if k.list != nil {
			slices.Sort(*k.list)
			*k.list = slices.Compact(*k.list)
		}
	}
	lo, hi := sizeOf(q.MinSize), sizeOf(q.MaxSize)
	if q.MaxSize != "" && hi < lo {
		return &UsageError{"--max-size", q.MaxSize, "no less than --min-size"}
	}
	if err := q.checkObjects(); err != nil {
		return err
	}
	if err := q.checkVia(); err != nil {
		return err
	}
	return q.checkWhere()
}

func normalProgram(flag, v string) (string, error) {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n == 0 || n > 99999 {
		return "", &UsageError{flag, v, "a programme number such as 1345, at most five digits"}
	}
	return strconv.FormatUint(n, 10), nil
}

func normalObs(flag, v string) (string, error) {
	const want = "an obs_id such as jw01345-o012_t001_nircam_clear-f150w, a glob of one, PROGRAM:OBSERVATION such as 1345:12, or an obsid such as 83254329"
	if p, o, ok := strings.Cut(v, ":"); ok {
		pn, err1 := strconv.ParseUint(p, 10, 32)
		on, err2 := strconv.ParseUint(o, 10, 32)
		if err1 != nil || err2 != nil || pn == 0 || pn > 99999 || on > 999 {
			return "", &UsageError{flag, v, want}
		}
		return fmt.Sprintf("%d:%d", pn, on), nil
	}
	if !product.MayBeObs(v) {
		return "", &UsageError{flag, v, want}
	}
	if _, err := path.Match(v, ""); err != nil {
		return "", &UsageError{flag, v, want}
	}
	return strings.ToLower(v), nil
}

func normalInstrument(flag, v string) (string, error) {
	u := strings.TrimSuffix(strings.ToUpper(v), "*")
	u = strings.TrimSuffix(u, "/")
	name, mode, hasMode := strings.Cut(u, "/")
	if !slices.Contains(instruments, name) || hasMode && !isWord(mode) {
		return "", &UsageError{flag, v, strings.Join(instruments, ", ") + ", with a mode as in NIRCAM/IMAGE if wanted"}
	}
	return u, nil
}

func normalFilter(flag, v string) (string, error) {
	u := strings.ToUpper(v)
	if u == "" || !isWord(strings.NewReplacer("*", "", "-", "", "/", "", ".", "").Replace(u)+"X") {
		return "", &UsageError{flag, v, "an optical element such as F150W, * for any text"}
	}
	return u, nil
}

func normalTarget(flag, v string) (string, error) {
	if v == "" || strings.Trim(v, "*") == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '%' }) {
		return "", &UsageError{flag, v, "a target name as the archive spells it, * for any text"}
	}
	return v, nil
}

func normalCone(flag, v string) (string, error) {
	c, err := ParseCone(v)
	if err != nil {
		return "", &UsageError{flag, v, err.Error()}
	}
	return c.String(), nil
}

func normalDates(flag, v string) (string, error) {
	d, err := ParseDates(v)
	if err != nil {
		return "", &UsageError{flag, v, err.Error()}
	}
	return d.String(), nil
}

func normalLevel(flag, v string) (string, error) {
	l := strings.ToLower(v)
	if !slices.Contains(levelNames, l) {
		return "", &UsageError{flag, v, "a level from -1 to 4, or 1b, 2a, 2b, 2c"}
	}
	return l, nil
}

func normalSuffix(flag, v string) (string, error) {
	s := strings.TrimPrefix(strings.ToLower(v), "_")
	if !isWord(strings.NewReplacer("-", "", ".", "").Replace(s)) || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return "", &UsageError{flag, v, "a file suffix such as cal, _i2d, ami-oi or cat.ecsv"}
	}
	return s, nil
}

func normalProductType(flag, v string) (string, error) {
	u := strings.ToUpper(v)
	if !slices.Contains(productTypes, u) {
		return "", &UsageError{flag, v, "one of " + strings.Join(productTypes, ", ")}
	}
	return u, nil
}

// normalPI makes a pattern of a part of the name: the archive says "Pontoppidan, Klaus M.". A comma becomes *, for in a
// condition it separates values.
func normalPI(flag, v string) (string, error) {
	v = strings.ReplaceAll(strings.ReplaceAll(v, ", ", "*"), ",", "*")
	if strings.Trim(v, "*") == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '%' }) {
		return "", &UsageError{flag, v, "the principal investigator's name or a part of it"}
	}
	if i := strings.Index(v, "*"); i > 0 && i < len(v)-1 {
		return "*" + v + "*", nil
	}
	if !strings.Contains(v, "*") {
		v = "*" + v + "*"
	}
	return v, nil
}

func normalCategory(flag, v string) (string, error) {
	if !isWord(v) {
		return "", &UsageError{flag, v, "a category of proposals such as GO, GTO, ERS, DD, COM or CAL"}
	}
	return strings.ToUpper(v), nil
}

func normalReleased(flag, v string) (string, error) { return normalDates(flag, v) }

func normalDetector(flag, v string) (string, error) {
	d := strings.ToLower(v)
	if !isWord(strings.ReplaceAll(d, "*", "") + "x") {
		return "", &UsageError{flag, v, "a detector as file names spell it (nrca1, nrcalong, nrs1, mirimage, nis), * for any text"}
	}
	return d, nil
}

func normalRights(flag, v string) (string, error) {
	switch r := strings.ToLower(v); r {
	case "all":
		return "", nil
	case "public", "exclusive":
		return r, nil
	}
	return "", &UsageError{flag, v, "public, exclusive or all"}
}

func normalSize(flag, v string) (string, error) {
	n, err := humanize.ParseBytes(v)
	if err != nil || n > 1<<60 {
		return "", &UsageError{flag, v, "a number of bytes such as 500k, 20M or 1.5GB"}
	}
	return strconv.FormatUint(n, 10), nil
}

func normalLimit(flag, v string) (string, error) {
	n, err := strconv.ParseUint(strings.ReplaceAll(v, ",", ""), 10, 31)
	if err != nil || n == 0 {
		return "", &UsageError{flag, v, "a number of files, 1 or more"}
	}
	return strconv.FormatUint(n, 10), nil
}

// sizeOf reads a normal size or limit; 0 if there is none.
func sizeOf(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func normalGlob(flag, v string) (string, error) {
	_, err := path.Match(v, "")
	if v == "" || err != nil || strings.Contains(v, "/") {
		return "", &UsageError{flag, v, "a glob of file names such as *_nrcb1_cal.fits (*, ?, [a-z]; no /)"}
	}
	return v, nil
}

// isWord reports whether s is non-empty and made of ASCII letters, digits and underscores.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}
