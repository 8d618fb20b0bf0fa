package mast

import "time"

// Observation is a row of the observation services. Strings are "" and numbers NaN where the archive has null.
type Observation struct {
	ObsID           int64  // obsid, the key for product requests; 0 if null
	ObsName         string // obs_id, "jw02733-o002_t001_miri_f1130w"
	Collection      string // obs_collection
	Project         string
	Provenance      string // provenance_name
	Intent          string // science, calibration
	DataproductType string // image, spectrum, cube, timeseries, …
	Instrument      string // instrument_name, "NIRCAM/IMAGE"
	Filters         string // ";"-separated
	Target          string // target_name
	TargetClass     string // target_classification
	ProposalID      string // without zero padding
	ProposalType    string
	PI              string // proposal_pi
	Title           string // obs_title
	Region          string // s_region, STC-S
	Rights          string // dataRights: PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED
	PreviewURI      string // jpegURL
	DataURI         string // dataURL
	Level           int    // calib_level; -1 planned, LevelUnknown if null
	Sequence        int64  // sequence_number; -999 is the archive's own "none"; 0 if null
	MovingTarget    bool   // mtFlag
	RA, Dec         float64
	TMin, TMax      float64   // MJD
	ExpTime         float64   // s
	EmMin, EmMax    float64   // nm
	Distance        float64   // arcsec, positional queries only
	ReleaseAt       time.Time // t_obs_release; zero if null
}

// LevelUnknown is the calibration level of rows that have none.
const LevelUnknown = -2

// Product is a row of the product list: one file as one observation lists it. Strings are "" where the archive has null.
type Product struct {
	ObsID           int64  // obsID: the observation the file belongs to; 0 if null
	ParentObsID     int64  // parent_obsid: the observation that was asked for; 0 if null
	ObsName         string // obs_id: the folder
	Collection      string // obs_collection
	DataproductType string
	Description     string
	Type            string // S, D or C
	URI             string // dataURI
	Filename        string // productFilename
	ProductType     string // SCIENCE, PREVIEW, INFO, AUXILIARY, …
	Group           string // productGroupDescription
	SubGroup        string // productSubGroupDescription
	DocumentURL     string // productDocumentationURL
	Project         string
	Version         string // prvversion
	ProposalID      string
	Rights          string // dataRights: PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED
	Filters         string
	Size            int64 // bytes; -1 if null
	Level           int   // calib_level; LevelUnknown if null
}

// KeywordRow is a row of a keyword service: one archived FITS file, with its exact size and checksum.
type KeywordRow struct {
	URI           string // dataURI, or made from the file name
	Filename      string // filename; fileName in the guide-star service
	FileSet       string // fileSetName
	Level         string // productLevel: 1b, 2a, 2b, 2c, 3
	Size          int64  // fileSize, bytes; -1 if null
	Checksum      []byte // 16 bytes; nil if the archive lists none of 32 hexadecimal digits
	ArchiveFileID int64  // changes with each version; 0 if null
	IngestedAt    time.Time
	ReleaseAt     time.Time
	Stale         bool // queued for reprocessing
	Program       string
	Instrument    string
	ExpType       string
	Detector      string
	CalVer        string
	CRDSCtx       string
	SDPVer        string
}
