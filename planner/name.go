package planner

import (
	"strings"
)

// productPrefix begins the URI of every JWST product; what follows is the file name, unique in the archive.
const productPrefix = "mast:JWST/product/"

// otherFolder takes the files for which no observation is known.
const otherFolder = "_other"

// guideStar reports whether a file belongs to the guide-star data of a visit (jw…_gs-acq1_….fits).
func guideStar(name string) bool { return strings.Contains(name, "_gs-") }

// splitSuffix gives the product suffix of a file name without its underscore, and the extension without its dot: "i2d" and
// "fits" of jw…_i2d.fits, "cat" and "ecsv" of jw…_cat.ecsv, "ami-oi" and "fits" of jw…_ami-oi.fits. A name without either
// has an empty suffix.
func splitSuffix(name string) (suffix, ext string) {
	stem := name
	if i := strings.IndexByte(name, '.'); i >= 0 {
		stem, ext = name[:i], name[i+1:]
	}
	if i := strings.LastIndexByte(stem, '_'); i >= 0 {
		suffix = stem[i+1:]
	}
	return suffix, ext
}

// instrumentOf tells the instrument from a file name: by the detector of an exposure (nrcb1, nrs2, nis, mirimage,
// mirifulong, guider1) or by the instrument of a level-3 product. It is "" where the name does not say, as for
// association and pool files; guide-star files belong to FGS.
func instrumentOf(name string) string {
	if guideStar(name) {
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

// detectorOf tells the detector of an exposure's product in lower case; "" for products that have none, or several.
func detectorOf(name string) string {
	t := strings.SplitN(name, "_", 5)
	if len(t) < 5 || exposurePart(name) == "" || !digits(strings.TrimPrefix(t[0], "jw")) {
		return ""
	}
	return t[3]
}

// programOf tells the programme, without padding, from a file name that begins with jwPPPPP; "" if it does not.
func programOf(name string) string {
	if len(name) < 7 || name[:2] != "jw" || !digits(name[2:7]) {
		return ""
	}
	return strings.TrimLeft(name[2:7], "0")
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// exposurePart gives the obs_id that a file name contains: jwPPPPPOOOVVV_GGSAA_EEEEE[-segNNN]_DETECTOR of an exposure's
// product, the part before the suffix of a level-3 product. It is "" for other names (guide stars, associations, pools).
func exposurePart(name string) string {
	stem, _, _ := strings.Cut(name, ".")
	t := strings.Split(stem, "_")
	if len(t) < 4 || !strings.HasPrefix(t[0], "jw") || strings.HasPrefix(t[1], "gs-") {
		return ""
	}
	if exposure := t[0][2:]; len(exposure) == 11 && digits(exposure) {
		if len(t) >= 5 && len(t[1]) == 5 && len(t[2]) >= 5 && digits(t[2][:5]) && instrumentOf("_"+t[3]) != "" {
			return strings.Join(t[:4], "_")
		}
		return ""
	}
	if len(t[0]) > 8 && digits(t[0][2:7]) && t[0][7] == '-' && instrumentOf("_"+t[2]) != "" {
		return strings.Join(t[:len(t)-1], "_")
	}
	return ""
}

// folderOf gives the folder of a file of which only the keyword service's file set is known. A file set names an exposure
// without its detector, or a level-3 product without its optical elements; where the file name continues it, the folder is
// that of the product list, else the file set itself.
func folderOf(fileSet, name string) string {
	if e := exposurePart(name); e != "" && strings.HasPrefix(e, fileSet) {
		return e
	}
	return fileSet
}

// safeName reports whether a path component is safe to create anywhere: it begins with a letter or digit, holds ASCII
// letters, digits and ._+- only, has at most 255 bytes, and is no device name of Windows.
func safeName(s string) bool {
	if s == "" || len(s) > 255 || !alnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alnum(c) && c != '.' && c != '_' && c != '+' && c != '-' {
			return false
		}
	}
	return !reservedName(s)
}

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
