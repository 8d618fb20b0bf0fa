package masttest

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SyntheticConfig sizes a made-up catalogue. It is generated row by row as it is asked for, the same for the same
// configuration, so that ten million rows need no memory.
type SyntheticConfig struct {
	// Observations executed: groups of four exposures and the level 3 observation made of them; rounded up to whole
	// groups, 0 means 10.
	Observations int
	// Rows is the mean number of product rows of an observation: at least 67, in steps of about 67; 0 means 67, which is
	// what a real programme shows (264 observations, 17,000 rows, 70 % of them guide-star files).
	Rows int
	// Distinct lists every file once: the observations do not list each other's files, and there are no guide stars. Rows
	// then means ten at least, in steps of ten, and 0 means ten.
	Distinct bool
	// PerProgram is the number of observations of a programme; 0 means 100, at most 4,995.
	PerProgram int
	// Exclusive makes every so many-th programme exclusive until ExclusiveUntil; 0 means none.
	Exclusive int
	// ExclusiveUntil is the release date of exclusive programmes; zero means the year 2099.
	ExclusiveUntil time.Time
	// Planned observations follow the executed ones: calib_level -1, no times, no products.
	Planned int
	// Scale divides realistic sizes, rounding up to whole FITS blocks; 0 means 1000.
	Scale int64
	// Seed changes names' time stamps, sizes, positions and targets.
	Seed uint64
}

const (
	synthBase     = 200_000_000 // first obsid
	groupSize     = 5           // four exposures and one level 3 observation
	exposures     = 4           // of a group; as a member number, the level 3 observation
	guideStars    = 47          // files of one visit; with it 70 % of the rows are guide-star files
	firstProgram  = 10_001
	maxPerProgram = 999 * groupSize
)

// synthetic is the lazy catalogue. A group is one visit of one programme.
type synthetic struct {
	SyntheticConfig
	groups, perProgram, segments int
	guideStars                   int // files of one visit for each segment
}

// Synthetic makes a made-up catalogue. Numbers out of range are brought into it.
func Synthetic(cfg SyntheticConfig) Catalog {
	if cfg.Observations <= 0 {
		cfg.Observations = 10
	}
	if cfg.PerProgram <= 0 {
		cfg.PerProgram = 100
	}
	if cfg.ExclusiveUntil.IsZero() {
		cfg.ExclusiveUntil = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if cfg.Scale <= 0 {
		cfg.Scale = 1000
	}
	s := &synthetic{SyntheticConfig: cfg}
	s.groups = (cfg.Observations + groupSize - 1) / groupSize
	s.perProgram = min(max(cfg.PerProgram, groupSize), maxPerProgram) / groupSize
	s.segments, s.guideStars = max(1, (cfg.Rows+33)/67), guideStars
	if cfg.Distinct {
		s.segments, s.guideStars = max(1, (cfg.Rows+5)/10), 0
	}
	return s
}

// visit names one group.
type visit struct {
	index   int
	program int
	obs     int // observation number in the programme, from 1
	inst    instrument
	seed    uint64
}

// instrument is what the names of a group are made of.
type instrument struct {
	name, mode, detector, expType, filter, level3 string
	size                                          int64 // of a cal file, bytes
}

func instruments() [5]instrument {
	return [5]instrument{
		{"NIRCAM", "NIRCAM/IMAGE", "nrcb1", "NRC_IMAGE", "F150W", "nircam_clear-f150w", 117_573_120},
		{"MIRI", "MIRI/IMAGE", "mirimage", "MIR_IMAGE", "F770W", "miri_f770w", 29_718_720},
		{"NIRSPEC", "NIRSPEC/IFU", "nrs1", "NRS_IFU", "F170LP;G235H", "nirspec_g235h-f170lp", 97_816_320},
		{"NIRISS", "NIRISS/IMAGE", "nis", "NIS_IMAGE", "F200W", "niriss_clear-f200w", 117_567_360},
		{"NIRCAM", "NIRCAM/IMAGE", "nrcalong", "NRC_IMAGE", "F444W", "nircam_clear-f444w", 117_573_120},
	}
}

func (s *synthetic) visit(group int) visit {
	prog := group / s.perProgram
	return visit{index: group, program: firstProgram + prog, obs: 1 + group%s.perProgram, inst: instruments()[prog%5],
		seed: mix(s.Seed ^ mix(uint64(group)+1))}
}

func (s *synthetic) release(v visit) time.Time {
	if s.Exclusive > 0 && (v.program-firstProgram)%s.Exclusive == s.Exclusive-1 {
		return s.ExclusiveUntil
	}
	return v.time().AddDate(0, 6, 0)
}

// time is when the visit was observed.
func (v visit) time() time.Time {
	return time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(v.index%100_000) * 13 * time.Minute)
}

func (v visit) exposure(i int) string {
	return "jw" + pad(v.program, 5) + pad(v.obs, 3) + "001_02101_" + pad(i+1, 5)
}

func (v visit) exposureID(i int) string { return v.exposure(i) + "_" + v.inst.detector }

func (v visit) level3ID() string {
	return "jw" + pad(v.program, 5) + "-o" + pad(v.obs, 3) + "_t001_" + v.inst.level3
}

// Observations yields four exposures and their level 3 observation for each visit, then the planned ones.
func (s *synthetic) Observations() iter.Seq[Observation] {
	return func(yield func(Observation) bool) {
		for g := range s.groups {
			for i := range groupSize {
				if !yield(s.observation(g, i)) {
					return
				}
			}
		}
		for i := range s.Planned {
			if !yield(s.planned(i)) {
				return
			}
		}
	}
}

func (s *synthetic) observation(g, i int) Observation {
	v := s.visit(g)
	start := toMJD(v.time()) + float64(i)*0.002
	o := Observation{Obsid: synthBase + int64(g*groupSize+i), Level: 2, DataType: dataType(v.inst.expType),
		Instrument: v.inst.mode, Filters: v.inst.filter, Target: fmt.Sprintf("SIM-%d", v.seed%5000), Class: "Galaxy; Simulated",
		RA: float64(v.seed%3_600_000) / 10_000, Dec: float64(v.seed>>32%1_600_000)/10_000 - 80,
		TMin: start, ExpTime: 171.788, ReleaseAt: s.release(v), Program: strconv.Itoa(v.program),
		PI: "Investigator, Principal", Title: fmt.Sprintf("Simulated programme %d", v.program)}
	o.ObjID = o.Obsid + 300_000_000
	o.ObsID = v.exposureID(i)
	if i == exposures {
		o.ObsID, o.Level, o.ExpTime = v.level3ID(), 3, exposures*171.788
	}
	o.TMax = o.TMin + o.ExpTime/86400
	return o
}

func (s *synthetic) planned(i int) Observation {
	z := mix(s.Seed ^ uint64(i)<<20)
	in := instruments()[i%5]
	prog := firstProgram + (s.groups+s.perProgram-1)/s.perProgram + i/20
	return Observation{Obsid: synthBase + int64(s.groups*groupSize+i), ObjID: 900_000_000 + int64(i),
		ObsID: fmt.Sprintf("jw%05d-o%03d_t001_planned", prog, 1+i%20), Level: -1, DataType: dataType(in.expType), Instrument: in.mode,
		Target: fmt.Sprintf("SIM-%d", z%5000), RA: float64(z%3_600_000) / 10_000, Dec: float64(z>>32%1_600_000)/10_000 - 80,
		ExpTime: 222.003, Program: strconv.Itoa(prog), PI: "Investigator, Principal",
		Title: fmt.Sprintf("Approved programme %d", prog)}
}

// Rows: an exposure lists its own files, those of the visit and the guide stars; level 3 lists everything of the visit.
func (s *synthetic) Rows(obsid int64) int {
	i := obsid - synthBase
	if i < 0 || i >= int64(s.groups*groupSize) {
		return 0
	}
	if s.Distinct {
		switch i % groupSize {
		case 0:
			return s.segments*ownFiles + visitFiles
		case exposures:
			return level3Files
		}
		return s.segments * ownFiles
	}
	if i%groupSize == exposures {
		return level3Files + s.segments*exposures*ownFiles + s.segments*s.guideStars + visitFiles
	}
	return s.segments*ownFiles + s.segments*s.guideStars + visitFiles
}

// Products yields the rows of one observation.
func (s *synthetic) Products(obsid int64) iter.Seq[Product] {
	return func(yield func(Product) bool) {
		i := obsid - synthBase
		if i < 0 || i >= int64(s.groups*groupSize) {
			return
		}
		v, member := s.visit(int(i/groupSize)), int(i%groupSize)
		s.each(v, member, func(owner int, f File) bool {
			if s.Distinct && owner != member {
				return true
			}
			return yield(Product{File: f, Obsid: synthBase + int64(v.index*groupSize+owner), Parent: obsid})
		})
	}
}

// Files yields every file of every visit.
func (s *synthetic) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		for g := range s.groups {
			v, more := s.visit(g), true
			s.each(v, allMembers, func(_ int, f File) bool {
				more = yield(f)
				return more
			})
			if !more {
				return
			}
		}
	}
}

// File finds the visit in the name and looks through its files.
func (s *synthetic) File(uri string, version int) (File, bool) {
	m := numbered.FindStringSubmatch(strings.TrimPrefix(uri, "mast:JWST/product/"))
	if m == nil {
		return File{}, false
	}
	prog, _ := strconv.Atoi(m[1]) // digits by the pattern
	obs, _ := strconv.Atoi(m[2] + m[3])
	g := (prog-firstProgram)*s.perProgram + obs - 1
	if prog < firstProgram || obs < 1 || obs > s.perProgram || g >= s.groups {
		return File{}, false
	}
	v := s.visit(g)
	var found File
	s.each(v, allMembers, func(_ int, f File) bool {
		if f.URI != uri {
			return true
		}
		found = f
		return false
	})
	if found.URI == "" {
		return File{}, false
	}
	if version > 1 {
		found = evolve(found, version)
	}
	return found, true
}

// observationsOf yields the observations of some programmes only.
func (s *synthetic) observationsOf(programs []string) iter.Seq[Observation] {
	return func(yield func(Observation) bool) {
		for g := range s.groupsOf(programs) {
			for i := range groupSize {
				if !yield(s.observation(g, i)) {
					return
				}
			}
		}
		for i := range s.Planned {
			if o := s.planned(i); slices.Contains(programs, o.Program) && !yield(o) {
				return
			}
		}
	}
}

// filesOf yields the files of some programmes only.
func (s *synthetic) filesOf(programs []string) iter.Seq[File] {
	return func(yield func(File) bool) {
		for g := range s.groupsOf(programs) {
			v, more := s.visit(g), true
			s.each(v, allMembers, func(_ int, f File) bool {
				more = yield(f)
				return more
			})
			if !more {
				return
			}
		}
	}
}

// groupsOf yields the groups of some programmes in order.
func (s *synthetic) groupsOf(programs []string) iter.Seq[int] {
	return func(yield func(int) bool) {
		var firsts []int
		for _, p := range programs {
			if n, err := strconv.Atoi(p); err == nil && n >= firstProgram && strconv.Itoa(n) == p {
				firsts = append(firsts, (n-firstProgram)*s.perProgram)
			}
		}
		slices.Sort(firsts)
		for _, g := range slices.Compact(firsts) {
			for i := g; i < min(g+s.perProgram, s.groups); i++ {
				if !yield(i) {
					return
				}
			}
		}
	}
}
