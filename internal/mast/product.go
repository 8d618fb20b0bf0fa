package mast

import "strings"

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

const (
	productObsID = iota
	productParent
	productSize
	productLevel
	productURI
	productFilename
	productText // the first of the columns of repeated text
)

// productTexts are the columns of repeated text, in the order of productDecoder.texts.
const (
	textObsName = iota
	textCollection
	textDataproductType
	textDescription
	textType
	textProductType
	textGroup
	textSubGroup
	textDocumentURL
	textProject
	textVersion
	textProposalID
	textRights
	textFilters
	productTexts
)

func productColumn(name string) int {
	switch strings.ToLower(name) {
	case "obsid":
		return productObsID
	case "parent_obsid":
		return productParent
	case "size":
		return productSize
	case "calib_level":
		return productLevel
	case "datauri":
		return productURI
	case "productfilename":
		return productFilename
	}
	for i, text := range [productTexts]string{
		"obs_id", "obs_collection", "dataproduct_type", "description", "type", "producttype", "productgroupdescription",
		"productsubgroupdescription", "productdocumentationurl", "project", "prvversion", "proposal_id", "datarights",
		"filters",
	} {
		if strings.EqualFold(name, text) {
			return productText + i
		}
	}
	return -1
}

type productDecoder struct {
	texts    [productTexts]interner
	filename []byte // of the row under way; points into the reader's buffer
}

func (d *productDecoder) set(p *Product, c *cell) {
	switch c.column {
	case productObsID:
		p.ObsID, _ = c.integer()
	case productParent:
		p.ParentObsID, _ = c.integer()
	case productSize:
		if n, ok := c.integer(); ok && n >= 0 {
			p.Size = n
		}
	case productLevel:
		if n, ok := c.integer(); ok {
			p.Level = int(n)
		}
	case productURI:
		p.URI = c.text()
	case productFilename:
		d.filename = c.raw
	default:
		i := c.column - productText
		p.setText(i, d.texts[i].of(c))
	}
}

// finish makes the file name a part of the URI's string where it is its end, which saves a copy.
func (d *productDecoder) finish(p *Product) {
	if d.filename == nil {
		return
	}
	if n := len(p.URI) - len(d.filename); n >= 0 && p.URI[n:] == string(d.filename) {
		p.Filename = p.URI[n:]
	} else {
		p.Filename = string(d.filename)
	}
	d.filename = nil
}

func (p *Product) setText(i int, text string) {
	switch i {
	case textObsName:
		p.ObsName = text
	case textCollection:
		p.Collection = text
	case textDataproductType:
		p.DataproductType = text
	case textDescription:
		p.Description = text
	case textType:
		p.Type = text
	case textProductType:
		p.ProductType = text
	case textGroup:
		p.Group = text
	case textSubGroup:
		p.SubGroup = text
	case textDocumentURL:
		p.DocumentURL = text
	case textProject:
		p.Project = text
	case textVersion:
		p.Version = text
	case textProposalID:
		p.ProposalID = text
	case textRights:
		p.Rights = text
	case textFilters:
		p.Filters = text
	}
}
