package mast

import (
	"math"
	"strings"
	"time"
)

// LevelUnknown is the calibration level of rows that have none.
const LevelUnknown = -2

// Observation is a row of the observation services. Strings are "" and floating-point numbers NaN where the archive has
// null.
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
	TMin, TMax      float64   // MJD, UTC
	ExpTime         float64   // s
	EmMin, EmMax    float64   // nm
	Distance        float64   // arcsec, positional queries only
	ReleaseAt       time.Time // t_obs_release; zero if null
}

func freshObservation() Observation {
	nan := math.NaN()
	return Observation{
		Level: LevelUnknown, RA: nan, Dec: nan, TMin: nan, TMax: nan, ExpTime: nan, EmMin: nan, EmMax: nan, Distance: nan,
	}
}

const (
	obsID = iota
	obsLevel
	obsSequence
	obsMoving
	obsRelease
	obsFloat // the first of the floating-point columns
)

const (
	obsFloats = 8
	obsTexts  = 18
	obsText   = obsFloat + obsFloats // the first of the text columns
)

// float returns the field of the i-th floating-point column.
func (o *Observation) float(i int) *float64 {
	return [obsFloats]*float64{&o.RA, &o.Dec, &o.TMin, &o.TMax, &o.ExpTime, &o.EmMin, &o.EmMax, &o.Distance}[i]
}

// text returns the field of the i-th text column.
func (o *Observation) text(i int) *string {
	return [obsTexts]*string{
		&o.ObsName, &o.Collection, &o.Project, &o.Provenance, &o.Intent, &o.DataproductType, &o.Instrument, &o.Filters,
		&o.Target, &o.TargetClass, &o.ProposalID, &o.ProposalType, &o.PI, &o.Title, &o.Region, &o.Rights, &o.PreviewURI,
		&o.DataURI,
	}[i]
}

func observationColumn(name string) int {
	name = strings.ToLower(name)
	switch name {
	case "obsid":
		return obsID
	case "calib_level":
		return obsLevel
	case "sequence_number":
		return obsSequence
	case "mtflag":
		return obsMoving
	case "t_obs_release":
		return obsRelease
	}
	for i, known := range [obsFloats]string{"s_ra", "s_dec", "t_min", "t_max", "t_exptime", "em_min", "em_max", "distance"} {
		if name == known {
			return obsFloat + i
		}
	}
	for i, known := range [obsTexts]string{
		"obs_id", "obs_collection", "project", "provenance_name", "intenttype", "dataproduct_type", "instrument_name",
		"filters", "target_name", "target_classification", "proposal_id", "proposal_type", "proposal_pi", "obs_title",
		"s_region", "datarights", "jpegurl", "dataurl",
	} {
		if name == known {
			return obsText + i
		}
	}
	return -1
}

type observationDecoder struct{ texts [obsTexts]interner }

func (d *observationDecoder) set(o *Observation, c *cell) {
	switch {
	case c.column == obsID:
		o.ObsID, _ = c.integer()
	case c.column == obsLevel:
		if n, ok := c.integer(); ok {
			o.Level = int(n)
		}
	case c.column == obsSequence:
		o.Sequence, _ = c.integer()
	case c.column == obsMoving:
		o.MovingTarget, _ = c.truth()
	case c.column == obsRelease:
		o.ReleaseAt, _ = c.when()
	case c.column < obsText:
		if f, ok := c.number(); ok {
			*o.float(c.column - obsFloat) = f
		}
	default:
		i := c.column - obsText
		*o.text(i) = d.texts[i].of(c)
	}
}
