package mast

import (
	"encoding/hex"
	"strings"
	"time"
)

// uriPrefix makes the URI of a JWST file of its name.
const uriPrefix = "mast:JWST/product/"

// KeywordRow is a row of a keyword service: one archived FITS file, with its exact size and checksum.
type KeywordRow struct {
	URI        string // dataURI, or made from the file name if that is null; "" without either
	FileSet    string // fileSetName
	Level      string // productLevel: 1b, 2a, 2b, 2c, 3
	Size       int64  // fileSize, bytes; -1 if null
	Checksum   []byte // 16 bytes; nil if the archive lists none of 32 hexadecimal digits
	IngestedAt time.Time
	ReleaseAt  time.Time
	Stale      bool // queued for reprocessing
	Program    string
	Instrument string
	ExpType    string
	CalVer     string
	CRDSCtx    string
	SDPVer     string
}

const (
	keyURI = iota
	keyFilename
	keySize
	keyChecksum
	keyIngested
	keyReleased
	keyStale
	keyText // the first of the text columns
)

const keyTexts = 8

// text returns the field of the i-th text column.
func (k *KeywordRow) text(i int) *string {
	return [keyTexts]*string{
		&k.FileSet, &k.Level, &k.Program, &k.Instrument, &k.ExpType, &k.CalVer, &k.CRDSCtx, &k.SDPVer,
	}[i]
}

// keywordQueryColumns are what KeywordRow needs; all keyword services of the instruments have these names.
const keywordQueryColumns = "filename,fileSetName,productLevel,fileSize,checksum,dataURI," +
	"ingestCompletionDate_mjd,publicReleaseDate_mjd,isStale,program,instrume,exp_type,cal_ver,crds_ctx,sdp_ver"

func keywordColumn(name string) int {
	name = strings.ToLower(name)
	switch name {
	case "datauri":
		return keyURI
	case "filename":
		return keyFilename
	case "filesize":
		return keySize
	case "checksum":
		return keyChecksum
	case "ingestcompletiondate", "ingestcompletiondate_mjd":
		return keyIngested
	case "publicreleasedate", "publicreleasedate_mjd":
		return keyReleased
	case "isstale":
		return keyStale
	}
	for i, known := range [keyTexts]string{
		"filesetname", "productlevel", "program", "instrume", "exp_type", "cal_ver", "crds_ctx", "sdp_ver",
	} {
		if name == known {
			return keyText + i
		}
	}
	return -1
}

type keywordDecoder struct {
	texts    [keyTexts]interner
	filename []byte // of the row under way; points into the reader's buffer
}

func (d *keywordDecoder) set(k *KeywordRow, c *cell) {
	switch c.column {
	case keyURI:
		k.URI = c.text()
	case keyFilename:
		d.filename = c.raw
	case keySize:
		if n, ok := c.integer(); ok && n >= 0 {
			k.Size = n
		}
	case keyChecksum:
		k.Checksum = parseChecksum(c)
	case keyIngested:
		if t, ok := c.when(); ok {
			k.IngestedAt = t
		}
	case keyReleased:
		if t, ok := c.when(); ok {
			k.ReleaseAt = t
		}
	case keyStale:
		k.Stale, _ = c.truth()
	default:
		i := c.column - keyText
		*k.text(i) = d.texts[i].of(c)
	}
}

// finish makes a missing URI from the file's name.
func (d *keywordDecoder) finish(k *KeywordRow) {
	if k.URI == "" && len(d.filename) > 0 {
		k.URI = uriPrefix + string(d.filename)
	}
	d.filename = nil
}

// parseChecksum returns the 16 bytes of 32 hexadecimal digits, nil for anything else.
func parseChecksum(c *cell) []byte {
	if c.kind != isString || len(c.raw) != 32 {
		return nil
	}
	sum := make([]byte, 16)
	if _, err := hex.Decode(sum, c.raw); err != nil {
		return nil
	}
	return sum
}
