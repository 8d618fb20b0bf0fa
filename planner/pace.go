package planner

// pace is how many observations a product request asks for. The number doubles while replies are quick, up to what brings as
// many rows as a request should; a request that failed halves it. What the archive can join in time is a number of rows, not of
// observations: so a failure also lowers the rows that a request should bring, and they grow again slowly, since a failure may
// have been an accident.
type pace struct {
	n     int
	limit int     // of n
	rate  float64 // product rows an observation, from the last replies; 0 unknown
	most  int     // rows that a request should bring
	roof  int     // of most
	best  int     // most rows that a request did bring; 0 once so many failed
	good  int     // replies since most was changed
	bad   int     // observations of a request that failed before any rate was known; 0 none
}

// regrow is how many replies raise what a request should bring after a failure lowered it.
const regrow = 16

// stored is the pace as a chunk's spec carries it, so that a killed plan goes on at its speed.
type stored struct {
	N    int     `json:"n"`
	Rate float64 `json:"rate,omitempty"`
	Most int     `json:"most,omitempty"` // 0 in plans begun before it was kept
	Best int     `json:"best,omitempty"`
	Good int     `json:"good,omitempty"`
	Bad  int     `json:"bad,omitempty"`
}

func newPace(cfg Config) pace {
	return pace{n: cfg.FirstObsids, limit: cfg.MaxObsids, most: cfg.MaxProductRows, roof: cfg.MaxProductRows}
}

func (p *pace) store() stored { return stored{p.n, p.rate, p.most, p.best, p.good, p.bad} }

func (p *pace) restore(s stored) {
	if s.N > 0 {
		p.n, p.rate, p.best, p.good, p.bad = min(s.N, p.limit), s.Rate, s.Best, s.Good, s.Bad
		if p.most = p.roof; s.Most > 0 {
			p.most = min(s.Most, p.roof)
		}
	}
}

// answered learns from a reply to obsids observations.
func (p *pace) answered(obsids int, rows int64, quick bool) {
	rate := float64(rows) / float64(max(obsids, 1))
	if p.rate > 0 {
		rate = (p.rate + rate) / 2
	}
	p.rate, p.best = rate, max(p.best, int(rows))
	if p.bad > 0 {
		p.fell(rate * float64(p.bad))
		p.bad = 0
	}
	if p.good++; p.good >= regrow && p.most < p.roof {
		p.most, p.good = min(p.most+p.most/8, p.roof), 0
	}
	if quick && obsids >= p.n {
		p.n *= 2
	}
	p.n = min(p.n, p.limit)
	if p.rate > 0 {
		p.n = int(min(float64(p.n), float64(p.most)/p.rate)) // the quotient may exceed all integers
	}
	p.n = max(p.n, 1)
}

// failed learns that obsids observations were too many.
func (p *pace) failed(obsids int) {
	p.n = min(p.n, max(obsids/2, 1))
	if p.rate > 0 {
		p.fell(p.rate * float64(obsids))
	} else {
		p.bad = obsids
	}
}

// fell learns that so many rows were too many: fewer are asked for, but not fewer than once came.
func (p *pace) fell(rows float64) {
	if rows <= float64(p.best) {
		p.best = 0 // what was possible is so no more
	}
	p.most, p.good = min(p.most, max(p.best, int(rows*3/4), 1)), 0
}
