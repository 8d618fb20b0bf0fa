package masttest

import (
	"path"
	"strings"
	"time"
)

// describe fills what is zero in a file from its name.
func describe(f File) File {
	if f.URI == "" {
		f.URI = "mast:JWST/product/" + f.Name
	}
	if f.ObsID == "" {
		f.ObsID = obsIDOf(f.Name)
	}
	if f.FileSet == "" {
		f.FileSet = fileSetOf(f.Name)
	}
	if m := numbered.FindStringSubmatch(f.Name); m != nil && f.Program == "" {
		f.Program = strings.TrimLeft(m[1], "0")
	}
	s := sortOf(f.Name)
	if f.Type == "" {
		f.Type = s.typ
	}
	if f.SubGroup == "" {
		f.SubGroup = s.sub
	}
	if f.Level == 0 {
		f.Level = s.level
	}
	if f.Product == "" {
		f.Product = s.product
	}
	if f.Group == "" && f.Type == "SCIENCE" && (f.Level == 3 || f.SubGroup == "CAL" || f.SubGroup == "I2D") {
		f.Group = "Minimum Recommended Products"
	}
	if f.Instrument == "" {
		f.Instrument, f.Detector = instrumentOf(f.Name)
	}
	if f.ExpType == "" {
		f.ExpType = map[string]string{"MIRI": "MIR_IMAGE", "NIRCAM": "NRC_IMAGE", "NIRISS": "NIS_IMAGE",
			"NIRSPEC": "NRS_IFU", "FGS": "FGS_IMAGE"}[f.Instrument]
	}
	if kindOf(f.Name) == kindFITS && f.SDPVer == "" {
		f.SDPVer, f.CalVer, f.CRDSCtx = "2025_3a", "1.19.1", "jwst_1413.pmap"
	}
	if f.IngestedAt.IsZero() {
		f.IngestedAt = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hash64(f.Name)%86400) * time.Second)
	}
	if f.ArchiveID == 0 {
		f.ArchiveID = 180_000_000 + int64(hash64(f.Name)%9_000_000)
	}
	return f
}

// sorted is what a name's suffix says.
type sorted struct {
	typ, sub, product string
	level             int
}

func sortOf(name string) sorted {
	suffix := suffixOf(name)
	three := strings.Contains(name, "-") && levelThree.MatchString(name)
	switch kindOf(name) {
	case kindJPEG, kindPNG:
		if suffix == "thumb" {
			return sorted{typ: "THUMBNAIL", sub: "THUMB", level: levelOf(three)}
		}
		return sorted{typ: "PREVIEW", sub: strings.ToUpper(suffix), level: levelOf(three)}
	case kindJSON:
		return sorted{typ: "INFO", sub: strings.ToUpper(suffix), level: levelOf(three)}
	case kindCSV:
		return sorted{typ: "INFO", sub: "POOL", level: 2}
	case kindECSV:
		return sorted{typ: "SCIENCE", sub: strings.ToUpper(suffix), level: 3}
	}
	if i := strings.Index(name, "_gs-"); i >= 0 {
		sub := name[i+1:]
		if j := strings.IndexByte(sub, '_'); j >= 0 {
			sub = sub[:j]
		}
		return sorted{typ: "AUXILIARY", sub: strings.ToUpper(sub), product: "1b", level: 1}
	}
	if suffix == "msa" {
		return sorted{typ: "AUXILIARY", sub: "MSA", product: "2a", level: 2}
	}
	if path.Ext(name) != ".fits" {
		return sorted{typ: "INFO", sub: strings.ToUpper(suffix), level: 2}
	}
	s := sorted{typ: "SCIENCE", sub: strings.ToUpper(suffix), product: "2b", level: 2}
	switch {
	case three:
		s.product, s.level = "3", 3
	case suffix == "uncal":
		s.product, s.level = "1b", 1
	case suffix == "rate" || suffix == "rateints" || suffix == "ramp" || suffix == "trapsfilled" || suffix == "dark":
		s.product = "2a"
	case suffix == "crf" || suffix == "crfints":
		s.product = "2c"
	}
	return s
}

func levelOf(three bool) int {
	if three {
		return 3
	}
	return 2
}

// instrumentOf reads instrument and detector from a name.
func instrumentOf(name string) (instrument, detector string) {
	if m := exposureName.FindStringSubmatch(name); m != nil {
		d := m[1][strings.LastIndexByte(m[1], '_')+1:]
		switch {
		case strings.HasPrefix(d, "nrc"):
			return "NIRCAM", strings.ToUpper(strings.Replace(d, "long", "LONG", 1))
		case strings.HasPrefix(d, "nrs"):
			return "NIRSPEC", strings.ToUpper(d)
		case strings.HasPrefix(d, "mir"):
			return "MIRI", strings.ToUpper(d)
		case strings.HasPrefix(d, "nis"):
			return "NIRISS", "NIS"
		case strings.HasPrefix(d, "guider"):
			return "FGS", strings.ToUpper(d)
		}
	}
	for _, w := range []string{"nircam", "nirspec", "miri", "niriss", "fgs"} {
		if strings.Contains(name, "_"+w) {
			return strings.ToUpper(w), map[string]string{"miri": "MIRIMAGE", "nircam": "MULTIPLE", "niriss": "NIS",
				"nirspec": "NRS1", "fgs": "GUIDER1"}[w]
		}
	}
	return "FGS", "GUIDER1"
}

// instrumentMode is the instrument_name of an observation: INSTRUMENT/MODE since March 2023.
func instrumentMode(f File) string {
	modes := map[string]string{"MIR_IMAGE": "IMAGE", "MIR_MRS": "IFU", "MIR_LRS-FIXEDSLIT": "SLIT",
		"MIR_LRS-SLITLESS": "SLITLESS", "NRC_IMAGE": "IMAGE", "NRC_WFSS": "WFSS", "NIS_IMAGE": "IMAGE", "NIS_WFSS": "WFSS",
		"NIS_SOSS": "SOSS", "NIS_AMI": "AMI", "NRS_IFU": "IFU", "NRS_MSASPEC": "MSA", "NRS_FIXEDSLIT": "SLIT",
		"NRS_BRIGHTOBJ": "BOTS", "FGS_IMAGE": "IMAGE"}
	if m := modes[f.ExpType]; m != "" {
		return f.Instrument + "/" + m
	}
	return f.Instrument
}

func dataType(expType string) string {
	switch {
	case strings.HasSuffix(expType, "IMAGE") || expType == "":
		return "image"
	case expType == "NRS_IFU" || expType == "MIR_MRS":
		return "cube"
	case expType == "NIS_SOSS" || expType == "NRS_BRIGHTOBJ":
		return "timeseries"
	}
	return "spectrum"
}
