package mast

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const (
	serviceObservations = "Mast.Caom.Filtered"
	servicePosition     = "Mast.Caom.Filtered.Position"
	serviceProducts     = "Mast.Caom.Products"
	serviceKeywords     = "Mast.Jwst.Filtered."
	countColumns        = "COUNT_BIG(*)"
	guideStar           = "GuideStar"
)

// Observations asks for the observations that match q. The caller closes the reply. Errors are *Error.
func (c *Client) Observations(ctx context.Context, q Query) (*Reply, error) {
	return c.filtered(ctx, observationService(q), q, orAll(q.Columns), nil, observationColumn)
}

// Count returns the number of observations that match q; q.Columns is ignored. Errors are *Error.
func (c *Client) Count(ctx context.Context, q Query) (int64, error) {
	return c.count(ctx, observationService(q), q, nil)
}

func observationService(q Query) string {
	if q.Position != "" {
		return servicePosition
	}
	return serviceObservations
}

func orAll(columns string) string {
	if columns == "" {
		return "*"
	}
	return columns
}

// Products asks for the files of the observations with these obsids. The same file is listed once for every observation
// it belongs to. The caller closes the reply. Errors are *Error.
func (c *Client) Products(ctx context.Context, obsids []int64) (*Reply, error) {
	if len(obsids) == 0 {
		return nil, &Error{Op: serviceProducts, Err: fmt.Errorf("%w: no observations", ErrInput)}
	}
	list := make([]byte, 0, 10*len(obsids))
	for i, id := range obsids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	return c.invoke(ctx, serviceProducts, struct {
		ObsID string `json:"obsid"`
	}{string(list)}, productColumn)
}

// Keywords asks a keyword service for the FITS files that match q. service is Nircam, Niriss, Nirspec, Miri, Fgs,
// GuideStar or Wss; the guide-star service spells the column of file names otherwise, which is taken care of. The caller
// closes the reply. Errors are *Error.
func (c *Client) Keywords(ctx context.Context, service string, q Query) (*Reply, error) {
	columns := q.Columns
	if columns == "" {
		columns = keywordQueryColumns
	}
	rename := keywordSpelling(service)
	if rename != nil {
		names := strings.Split(columns, ",")
		for i, name := range names {
			names[i] = rename(name)
		}
		columns = strings.Join(names, ",")
	}
	return c.filtered(ctx, serviceKeywords+service, q, columns, rename, keywordColumn)
}

// CountKeywords returns the number of FITS files of a keyword service that match q; q.Columns is ignored. Errors are
// *Error.
func (c *Client) CountKeywords(ctx context.Context, service string, q Query) (int64, error) {
	return c.count(ctx, serviceKeywords+service, q, keywordSpelling(service))
}

// keywordSpelling returns how a service's column names differ from those of the others; nil for not at all.
func keywordSpelling(service string) func(string) string {
	if !strings.EqualFold(service, guideStar) {
		return nil
	}
	return func(column string) string {
		if strings.TrimSpace(column) == "filename" {
			return "fileName"
		}
		return column
	}
}

// filtered asks a service that takes filters. rename, if not nil, translates column names; resolve tells the columns of the
// reply that are of interest.
func (c *Client) filtered(
	ctx context.Context, service string, q Query, columns string, rename func(string) string, resolve func(string) int,
) (*Reply, error) {
	params, err := q.params(columns, rename)
	if err != nil {
		return nil, &Error{Op: service, Err: err}
	}
	return c.invoke(ctx, service, params, resolve)
}

// anyColumn gives all columns one number, whatever their names.
func anyColumn(string) int { return 0 }

// count asks for the number of rows alone: the reply is one row of one column, whose declared type is not to be trusted.
func (c *Client) count(ctx context.Context, service string, q Query, rename func(string) string) (n int64, err error) {
	r, err := c.filtered(ctx, service, q, countColumns, rename, anyColumn)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // read only, and unlinked
	n = -1
	rows := 0
	err = r.walk(anyColumn, func(cells []cell) bool {
		rows++
		for i := range cells {
			if value, ok := cells[i].integer(); ok && n < 0 {
				n = value
			}
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	if rows != 1 || n < 0 {
		return 0, &Error{Op: service, URL: c.invokeURL(), Err: fmt.Errorf("%w: count of %d rows without a number", ErrProtocol, rows)}
	}
	return n, nil
}
