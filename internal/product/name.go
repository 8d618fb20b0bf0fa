package product

import "strings"

// Prefix begins the URI of every JWST product; what follows is the file name, unique in the archive.
const Prefix = "mast:JWST/product/"

// MaxURI is the most bytes that the URI of a product may have: far more than the archive uses.
const MaxURI = 4 << 10

// GuideStar reports whether a file belongs to the guide-star data of a visit (jw…_gs-acq1_….fits).
func GuideStar(name string) bool { return strings.Contains(name, "_gs-") }

// Suffix gives the product suffix of a file name without its underscore, and the extension without its dot: "i2d" and
// "fits" of jw…_i2d.fits, "cat" and "ecsv" of jw…_cat.ecsv, "ami-oi" and "fits" of jw…_ami-oi.fits. A name without either
// has an empty suffix.
func Suffix(name string) (suffix, ext string) {
	stem := name
	if i := strings.IndexByte(name, '.'); i >= 0 {
		stem, ext = name[:i], name[i+1:]
	}
	if i := strings.LastIndexByte(stem, '_'); i >= 0 {
		suffix = stem[i+1:]
	}
	return suffix, ext
}

// Instrument tells the instrument from a file name: by the detector of an exposure (nrcb1, nrs2, nis, mirimage,
// mirifulong, guider1) or by the instrument of a level-3 product. It is "" where the name does not say, as for
// association and pool files; guide-star files belong to FGS.
func Instrument(name string) string {
	if GuideStar(name) {
		return "FGS"
	}
	_, rest, ok := strings.Cut(name, "_")
	for ok {
		var token string
		token, rest, ok = strings.Cut(rest, "_")
		switch {
		case strings.HasPrefix(token, "nrs"), strings.HasPrefix(token, "nirspec"):
			return "NIRSPEC"
		case strings.HasPrefix(token, "nrc"), strings.HasPrefix(token, "nircam"):
			return "NIRCAM"
		case token == "nis", strings.HasPrefix(token, "niriss"):
			return "NIRISS"
		case strings.HasPrefix(token, "miri"):
			return "MIRI"
		case strings.HasPrefix(token, "guider"), token == "fgs":
			return "FGS"
		}
	}
	return ""
}

// Detector tells the detector of an exposure's product in lower case; "" for products that have none, or several.
func Detector(name string) string {
	t := strings.SplitN(name, "_", 5)
	if len(t) < 5 || ObsID(name) == "" || !Digits(strings.TrimPrefix(t[0], "jw")) {
		return ""
	}
	return t[3]
}

// Program tells the programme, without padding, from a file name that begins with jwPPPPP; "" if it does not.
func Program(name string) string {
	if len(name) < 7 || name[:2] != "jw" || !Digits(name[2:7]) {
		return ""
	}
	return strings.TrimLeft(name[2:7], "0")
}

// Stage tells MAST's name of a processing stage (1b, 2a, 2b, 2c) from suffix and CAOM level; "" if it has none. The
// level decides between the two meanings of i2d, s2d, s3d, x1d and x1dints: 2b and 3.
func Stage(suffix string, level int) string {
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

// Digits reports whether s consists of ASCII digits, one at least, as an obsid does.
func Digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ObsID gives the obs_id that a file name contains: jwPPPPPOOOVVV_GGSAA_EEEEE[-segNNN]_DETECTOR of an exposure's
// product, the part before the suffix of a level-3 product. It is "" for other names (guide stars, associations, pools).
func ObsID(name string) string {
	stem, _, _ := strings.Cut(name, ".")
	fields := strings.Count(stem, "_") + 1
	var t [4]string
	rest := stem
	for i := range t {
		t[i], rest, _ = strings.Cut(rest, "_")
	}
	if fields < 4 || !strings.HasPrefix(t[0], "jw") || strings.HasPrefix(t[1], "gs-") {
		return ""
	}
	if exposure := t[0][2:]; len(exposure) == 11 && Digits(exposure) {
		if fields >= 5 && len(t[1]) == 5 && len(t[2]) >= 5 && Digits(t[2][:5]) && Instrument("_"+t[3]) != "" {
			return stem[:len(stem)-len("_")-len(rest)]
		}
		return ""
	}
	if len(t[0]) > 8 && Digits(t[0][2:7]) && t[0][7] == '-' && Instrument("_"+t[2]) != "" {
		return stem[:strings.LastIndexByte(stem, '_')]
	}
	return ""
}

// Folder gives the folder of a file of which only the keyword service's file set is known. A file set names an exposure
// without its detector, or a level-3 product without its optical elements; where the file name continues it, the folder is
// that of the product list, else the file set itself.
func Folder(fileSet, name string) string {
	if e := ObsID(name); e != "" && strings.HasPrefix(e, fileSet) {
		return e
	}
	return fileSet
}

// MayBeObs reports whether s may be an obs_id, an obsid, or a pattern of either: it is not empty, and holds none of the
// characters that no observation of the archive has in its name (blanks, quotes, / % \ ;).
func MayBeObs(s string) bool { return s != "" && !strings.ContainsAny(s, " \t/%\\'\";") }

// SafeName reports whether a path component is safe to create anywhere: it begins with a letter or digit, holds ASCII
// letters, digits and ._+- only, has at most 255 bytes, and is no device name of Windows.
func SafeName(s string) bool {
	if s == "" || len(s) > 255 || !alnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if !safeByte[s[i]] {
			return false
		}
	}
	return !reservedName(s)
}

var safeByte = func() (safe [256]bool) {
	for c := range safe {
		safe[c] = alnum(byte(c)) || strings.IndexByte("._+-", byte(c)) >= 0
	}
	return safe
}()

func alnum(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// reservedName reports the device names of Windows, with or without an extension.
func reservedName(s string) bool {
	if len(s) > 4 && s[3] != '.' && s[4] != '.' {
		return false
	}
	stem, _, _ := strings.Cut(strings.ToUpper(s), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && stem[3] >= '1' && stem[3] <= '9'
}
