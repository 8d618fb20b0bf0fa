package mast

import "strings"

// Product is a row of the product list: one file as one observation lists it. Strings are "" where the archive has null.
type Product struct {
	ObsID       int64  // obsID: the observation the file belongs to; 0 if null
	ParentObsID int64  // parent_obsid: the observation that was asked for; 0 if null
	ObsName     string // obs_id: the folder
	URI         string // dataURI
	ProductType string // SCIENCE, PREVIEW, INFO, AUXILIARY, …
	ProposalID  string
	Rights      string // dataRights: PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED
	Size        int64  // bytes; -1 if null
	Level       int    // calib_level; LevelUnknown if null
}

const (
	productObsID = iota
	productParent
	productObsName
	productURI
	productType
	productProposal
	productRights
	productSize
	productLevel
	productColumns
)

func productColumn(name string) int {
	switch strings.ToLower(name) {
	case "obsid":
		return productObsID
	case "parent_obsid":
		return productParent
	case "obs_id":
		return productObsName
	case "datauri":
		return productURI
	case "producttype":
		return productType
	case "proposal_id":
		return productProposal
	case "datarights":
		return productRights
	case "size":
		return productSize
	case "calib_level":
		return productLevel
	}
	return -1
}

type productDecoder struct{ texts [productColumns]interner }

func (d *productDecoder) set(p *Product, c *cell) {
	switch c.column {
	case productObsID:
		p.ObsID, _ = c.integer()
	case productParent:
		p.ParentObsID, _ = c.integer()
	case productObsName:
		p.ObsName = d.texts[c.column].of(c)
	case productURI:
		p.URI = c.text()
	case productType:
		p.ProductType = d.texts[c.column].of(c)
	case productProposal:
		p.ProposalID = d.texts[c.column].of(c)
	case productRights:
		p.Rights = d.texts[c.column].of(c)
	case productSize:
		if n, ok := c.integer(); ok && n >= 0 {
			p.Size = n
		}
	case productLevel:
		if n, ok := c.integer(); ok {
			p.Level = int(n)
		}
	}
}
