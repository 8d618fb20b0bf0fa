package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"jwstbulk/internal/query"
)

// defaultRadius is the radius around an object that is named without one: a field of NIRCam fits in.
const defaultRadius = "3m"

// Resolved is a name and the position that the archive's name resolver gave for it.
type Resolved struct {
	Name      string  `json:"name"`
	Canonical string  `json:"canonical"` // as the resolver knows it
	RA        float64 `json:"ra"`        // degrees, ICRS
	Dec       float64 `json:"dec"`
}

// resolve turns Objects into Cones. A name that no resolver knows is a *query.UsageError.
func (p *Planner) resolve(ctx context.Context, q query.Query) (query.Query, []Resolved, error) {
	if len(q.Objects) == 0 {
		return q, nil, nil
	}
	if err := q.Validate(); err != nil {
		return q, nil, err
	}
	if p.cfg.Resolve == nil {
		return q, nil, &query.UsageError{Flag: "--object", Value: strings.Join(q.Objects, ","), Want: "a planner with a name resolver"}
	}
	radius := q.Radius
	if radius == "" {
		radius = defaultRadius
	}
	var found []Resolved
	cones := append([]string{}, q.Cones...)
	for _, name := range q.Objects {
		ra, dec, canonical, err := p.cfg.Resolve(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return q, nil, &query.UsageError{Flag: "--object", Value: name, Want: "a name that the resolver knows, else --cone with a position (moving targets: --target)"}
		}
		if err != nil {
			return q, nil, fmt.Errorf("resolving %.200q: %w", name, err)
		}
		found = append(found, Resolved{name, canonical, ra, dec})
		cones = append(cones, fmt.Sprintf("%.9f %.9f %s", ra, dec, radius))
	}
	q.Cones, q.Objects, q.Radius = cones, nil, ""
	return q, found, nil
}
