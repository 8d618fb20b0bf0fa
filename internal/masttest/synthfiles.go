package masttest

import (
	"strconv"
	"strings"
)

const (
	ownFiles    = 10 // of one exposure segment: see exposureSorts
	visitFiles  = 3  // pool and two associations
	level3Files = 6
)

// made says what one kind of synthetic file is: its size in parts of a thousand of the instrument's cal file, or bytes
// as they are.
type made struct {
	suffix, typ, sub, product string
	level                     int
	permille, bytes           int64
}

func exposureSorts() [ownFiles]made {
	return [ownFiles]made{
		{"_uncal.fits", "SCIENCE", "UNCAL", "1b", 1, 720, 0},
		{"_uncal.jpg", "PREVIEW", "UNCAL", "", 1, 0, 131_072},
		{"_rate.fits", "SCIENCE", "RATE", "2a", 2, 714, 0},
		{"_rate.jpg", "PREVIEW", "RATE", "", 2, 0, 120_003},
		{"_rateints.fits", "SCIENCE", "RATEINTS", "2a", 2, 713, 0},
		{"_trapsfilled.fits", "AUXILIARY", "TRAPSFILLED", "2a", 2, 430, 0},
		{"_cal.fits", "SCIENCE", "CAL", "2b", 2, 1000, 0},
		{"_cal.jpg", "PREVIEW", "CAL", "", 2, 0, 98_765},
		{"_cal_thumb.jpg", "THUMBNAIL", "THUMB", "", 2, 0, 4_076},
		{"_i2d.fits", "SCIENCE", "I2D", "2b", 2, 990, 0},
	}
}

func level3Sorts() [level3Files]made {
	return [level3Files]made{
		{"_i2d.fits", "SCIENCE", "I2D", "3", 3, 2400, 0},
		{"_segm.fits", "SCIENCE", "SEGM", "3", 3, 340, 0},
		{"_cat.ecsv", "SCIENCE", "CAT", "", 3, 0, 817_715},
		{"_i2d.jpg", "PREVIEW", "I2D", "", 3, 0, 163_005},
		{"_i2d_thumb.jpg", "THUMBNAIL", "THUMB", "", 3, 0, 4_076},
		{"_x1d.fits", "SCIENCE", "X1D", "3", 3, 2, 0},
	}
}

// allMembers as member of each means every file of the visit.
const allMembers = exposures

// each calls yield for the files that a member of a visit lists, with the number of the observation that owns each,
// until it returns false: an exposure lists the visit's files and its own, level 3 lists all. Files of the whole visit
// belong to its first exposure.
func (s *synthetic) each(v visit, member int, yield func(owner int, f File) bool) {
	prog, set0 := strconv.Itoa(v.program), v.exposure(0)
	base := File{Instrument: v.inst.name, Detector: strings.ToUpper(v.inst.detector), ExpType: v.inst.expType,
		Filters: v.inst.filter, Program: prog, ReleaseAt: s.release(v), ObservedAt: v.time(), IngestedAt: v.time().AddDate(0, 0, 1),
		Version: 1, FileSetID: int64(v.index)}
	emit := func(n int, owner int, obsID, fileSet, name string, m made) bool {
		f := base
		f.URI = "mast:JWST/product/" + name
		f.Name, f.ObsID, f.Level, f.Product, f.Type, f.SubGroup = f.URI[len("mast:JWST/product/"):], obsID, m.level, m.product, m.typ, m.sub
		f.Size = s.sizeOf(v, m, n)
		f.FileSet = fileSet
		if f.FileSet == "" {
			f.FileSet = set0
		}
		f.ArchiveID, f.FileTypeID = int64(v.index)*100_000+int64(n), 50+int64(len(m.suffix))
		if m.product != "" {
			f.SDPVer, f.CalVer, f.CRDSCtx = "2025_3a", "1.19.1", "jwst_1413.pmap"
		}
		if m.typ == "SCIENCE" && (m.level == 3 || m.sub == "CAL" || m.sub == "I2D") {
			f.Group = "Minimum Recommended Products"
		}
		return yield(owner, f)
	}
	if !s.eachVisit(v, emit) || !s.eachExposure(v, member, emit) || member != allMembers {
		return
	}
	id, n := v.level3ID(), visitFiles+s.segments*(s.guideStars+exposures*ownFiles)
	for i, m := range level3Sorts() {
		if !emit(n+i, exposures, id, fileSetOf(id+m.suffix), id+m.suffix, m) {
			return
		}
	}
}

// emitter makes the n-th file of a visit. No fileSet means the first exposure's.
type emitter func(n, owner int, obsID, fileSet, name string, m made) bool

// eachVisit makes the files of the whole visit: pool, associations and guide stars.
func (s *synthetic) eachVisit(v visit, emit emitter) bool {
	owner := v.exposureID(0)
	stamp := v.time().Format("20060102t150405")
	prefix := owner[:strings.IndexByte(owner, '_')]
	obs := prefix[:7] + "-o" + prefix[7:10]
	ok := emit(0, 0, owner, "", obs+"_"+stamp+"_pool.csv", made{typ: "INFO", sub: "POOL", level: 2, bytes: 70_000}) &&
		emit(1, 0, owner, "", obs+"_"+stamp+"_image2_00001_asn.json", made{typ: "INFO", sub: "ASN", level: 2, bytes: 1_444}) &&
		emit(2, 0, owner, "", obs+"_"+stamp+"_image3_00001_asn.json", made{typ: "INFO", sub: "ASN", level: 3, bytes: 4_821})
	day := v.time().Format("2006") + pad(v.time().YearDay(), 3)
	for i := 0; ok && i < s.segments*s.guideStars; i++ {
		name, sub := guideStar(prefix, day, i)
		ok = emit(visitFiles+i, 0, owner, "", name, made{typ: "AUXILIARY", sub: sub, product: "1b", level: 1, permille: 30})
	}
	return ok
}

// guideStar names the i-th guide-star file of a visit: identification images, acquisitions, tracking and fine guiding,
// these with a time stamp yyyydddhhmmss.
func guideStar(prefix, day string, i int) (name, sub string) {
	kinds := [...]string{"id", "acq1", "acq2", "track", "fg"}
	subs := [...]string{"GS-ID", "GS-ACQ1", "GS-ACQ2", "GS-TRACK", "GS-FG"}
	end := [...]string{"_uncal.fits", "_cal.fits"}[i%2]
	k := i / 2 % len(kinds)
	if k == 0 {
		return prefix + "_gs-id_" + strconv.Itoa(i/10+1) + "_image" + end, subs[k]
	}
	return prefix + "_gs-" + kinds[k] + "_" + day + pad(i/60%24, 2) + pad(i%60, 2) + pad(i/1440, 2) + end, subs[k]
}

// eachExposure makes the files of one exposure, or of all.
func (s *synthetic) eachExposure(v visit, member int, emit emitter) bool {
	for e := range exposures {
		if member != allMembers && member != e {
			continue
		}
		set, id := v.exposure(e), v.exposureID(e)
		n := visitFiles + s.segments*(s.guideStars+e*ownFiles)
		for seg := range s.segments {
			stem := id
			if s.segments > 1 {
				stem = set + "-seg" + pad(seg+1, 3) + "_" + v.inst.detector
			}
			for i, m := range exposureSorts() {
				if !emit(n+seg*ownFiles+i, e, id, set, stem+m.suffix, m) {
					return false
				}
			}
		}
	}
	return true
}

// sizeOf varies a size a little from file to file and scales it.
func (s *synthetic) sizeOf(v visit, m made, n int) int64 {
	if m.permille == 0 {
		return max(m.bytes/min(s.Scale, 16), 1_200) // small files stay large enough for their format
	}
	size := v.inst.size * m.permille / 1000
	size += int64(mix(v.seed+uint64(n)) % uint64(size/10+1))
	return scaled(size, s.Scale)
}

// pad writes a number with at least so many digits.
func pad(n, digits int) string {
	s := strconv.Itoa(n)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}
