package mast

// How many strings of one column are kept, and how many bytes one of them has at most.
const (
	maxInterned     = 4096
	maxInternedText = 4 << 10
)

// interner returns one string for equal texts of a column: most columns hold a few values over and over.
type interner struct {
	last string
	all  map[string]string
}

// of returns the text of a cell; "" for null.
func (in *interner) of(c *cell) string {
	if c.kind == isNull || len(c.raw) == 0 {
		return ""
	}
	if string(c.raw) == in.last {
		return in.last
	}
	s, ok := in.all[string(c.raw)] // no copy is made for a look-up
	if !ok {
		s = string(c.raw)
		if len(in.all) < maxInterned && len(s) <= maxInternedText {
			if in.all == nil {
				in.all = make(map[string]string)
			}
			in.all[s] = s
		}
	}
	in.last = s
	return s
}
