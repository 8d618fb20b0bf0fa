package masttest

import (
	"strconv"
	"strings"
	"time"
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

// each calls yield for every file of a visit with the number of the observation that owns it, until it returns false.
// Files of the whole visit belong to its first exposure and have no FileSet yet.
func (s *synthetic) each(v visit, yield func(owner int, f File) bool) {
	prog := strconv.Itoa(v.program)
	n := int64(0)
	emit := func(owner int, obsID, fileSet, name string, m made) bool {
		n++
		f := File{URI: "mast:JWST/product/" + name, Name: name, ObsID: obsID, Size: s.sizeOf(v, m, n), Level: m.level,
			Product: m.product, Type: m.typ, SubGroup: m.sub, Instrument: v.inst.name, Detector: strings.ToUpper(v.inst.detector),
			ExpType: v.inst.expType, Filters: v.inst.filter, Program: prog, FileSet: fileSet,
			ArchiveID: int64(v.index)*1000 + n, FileTypeID: 50 + int64(len(m.suffix))}
		if m.typ == "SCIENCE" && (m.level == 3 || m.sub == "CAL" || m.sub == "I2D") {
			f.Group = "Minimum Recommended Products"
		}
		return yield(owner, f)
	}
	if s.eachVisit(v, emit) && s.eachExposure(v, emit) {
		id := v.level3ID()
		for _, m := range level3Sorts() {
			if !emit(exposures, id, fileSetOf(id+m.suffix), id+m.suffix, m) {
				return
			}
		}
	}
}

type emitter func(owner int, obsID, fileSet, name string, m made) bool

// eachVisit makes the files of the whole visit: pool, associations and guide stars.
func (s *synthetic) eachVisit(v visit, emit emitter) bool {
	owner := v.exposureID(0)
	stamp := v.time().Format("20060102t150405")
	prefix := owner[:strings.IndexByte(owner, '_')]
	obs := prefix[:7] + "-o" + prefix[7:10]
	ok := emit(0, owner, "", obs+"_"+stamp+"_pool.csv", made{typ: "INFO", sub: "POOL", level: 2, bytes: 70_000}) &&
		emit(0, owner, "", obs+"_"+stamp+"_image2_00001_asn.json", made{typ: "INFO", sub: "ASN", level: 2, bytes: 1_444}) &&
		emit(0, owner, "", obs+"_"+stamp+"_image3_00001_asn.json", made{typ: "INFO", sub: "ASN", level: 3, bytes: 4_821})
	for i := 0; ok && i < s.segments*guideStars; i++ {
		name, sub := guideStar(prefix, v, i)
		ok = emit(0, owner, "", name, made{typ: "AUXILIARY", sub: sub, product: "1b", level: 1, permille: 30})
	}
	return ok
}

// guideStar names the i-th guide-star file of a visit: identification images, acquisitions, tracking and fine guiding.
func guideStar(prefix string, v visit, i int) (name, sub string) {
	kinds := [...]string{"id", "acq1", "acq2", "track", "fg"}
	suffix := [...]string{"uncal", "cal"}[i%2]
	k := kinds[i/2%len(kinds)]
	if k == "id" {
		return prefix + "_gs-id_" + strconv.Itoa(i/10+1) + "_image_" + suffix + ".fits", "GS-ID"
	}
	t := v.time().Add(-minutes(10 + i))
	stamp := t.Format("2006") + pad3(t.YearDay()) + t.Format("150405")
	return prefix + "_gs-" + k + "_" + stamp + "_" + suffix + ".fits", "GS-" + strings.ToUpper(k)
}

func (s *synthetic) eachExposure(v visit, emit emitter) bool {
	for e := range exposures {
		set := v.exposure(e)
		id := v.exposureID(e)
		for seg := range s.segments {
			stem := id
			if s.segments > 1 {
				stem = set + "-seg" + pad3(seg+1) + "_" + v.inst.detector
			}
			for _, m := range exposureSorts() {
				if !emit(e, id, set, stem+m.suffix, m) {
					return false
				}
			}
		}
	}
	return true
}

// sizeOf varies a size a little from file to file and scales it.
func (s *synthetic) sizeOf(v visit, m made, n int64) int64 {
	if m.permille == 0 {
		return max(m.bytes/min(s.Scale, 16), 1_200) // small files stay large enough for their format
	}
	size := v.inst.size * m.permille / 1000
	size += int64(mix(v.seed+uint64(n)) % uint64(size/10+1))
	return scaled(size, s.Scale)
}

func pad3(n int) string {
	s := strconv.Itoa(n)
	for len(s) < 3 {
		s = "0" + s
	}
	return s
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }
