package masttest

import (
	"iter"
	"time"
)

// File is one file of the catalogue, in the version served now.
type File struct {
	URI        string // mast:JWST/product/NAME
	Name       string // the last component of URI
	ObsID      string // obs_id of the observation that owns it: its folder
	Size       int64  // bytes served; -1 in a Custom list means choose one
	Version    int    // 1, 2, …; Reprocess adds one
	Level      int    // CAOM calib_level of the product: 1, 2, 3
	Product    string // productLevel of the keyword services: 1b, 2a, 2b, 2c, 3; "" for files that are not FITS
	Type       string // productType: SCIENCE, PREVIEW, INFO, AUXILIARY, THUMBNAIL, CATALOG
	SubGroup   string // productSubGroupDescription: CAL, I2D, ASN, GS-ID, …
	Group      string // productGroupDescription: "Minimum Recommended Products" or ""
	Instrument string // MIRI, NIRCAM, NIRISS, NIRSPEC, FGS
	Detector   string
	ExpType    string
	Filters    string // ";" between several
	Program    string // without zero padding
	FileSet    string // fileSetName: exposure without detector, or the level 3 name without optical elements
	ReleaseAt  time.Time
	IngestedAt time.Time
	ObservedAt time.Time // date_obs
	CalVer     string
	CRDSCtx    string
	SDPVer     string
	Stale      bool
	ArchiveID  int64 // ArchiveFileID: differs for each version
	FileSetID  int64
	FileTypeID int64

	recorded string // checksum as recorded; "" if none
	size     int64  // size as recorded, before scaling
}

// Observation is one row of Mast.Caom.Filtered.
type Observation struct {
	Obsid      int64 // the key of product requests
	ObjID      int64
	ObsID      string // obs_id
	Level      int    // calib_level; -1 planned
	DataType   string // image, spectrum, cube, timeseries
	Instrument string // INSTRUMENT/MODE
	Filters    string // ";" between several; "" means null
	Target     string
	Class      string    // target_classification; "" means null
	RA, Dec    float64   // degrees, ICRS
	TMin, TMax float64   // MJD UTC; 0 means null (planned)
	ExpTime    float64   // seconds
	ReleaseAt  time.Time // zero means null
	Program    string
	PI         string
	Title      string
	Moving     bool
	Collection string // "" means JWST
	Intent     string // "" means science
}

// Product is one row of Mast.Caom.Products: a file under one of the observations that list it.
type Product struct {
	File
	Obsid  int64 // obsID: the observation that owns the file
	Parent int64 // parent_obsid: the observation asked for
}

// Catalog is a set of observations and files. Make one with Recorded, Programme2733, Synthetic or Custom. It is
// immutable and safe for concurrent use; versions are kept by the Server.
type Catalog interface {
	// Observations yields all observations in the order the archive lists them.
	Observations() iter.Seq[Observation]
	// Files yields every distinct file once, in its first version unless the catalogue says otherwise.
	Files() iter.Seq[File]
	// Rows is the number of product rows of an observation, 0 if there is none.
	Rows(obsid int64) int
	// Products yields the product rows of an observation.
	Products(obsid int64) iter.Seq[Product]
	// File finds a file by URI in the given version; 0 means the version first served. ok is false for unknown URIs.
	File(uri string, version int) (f File, ok bool)
}
