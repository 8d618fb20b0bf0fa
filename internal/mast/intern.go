package mast

// maxInterned bounds the strings kept of one column.
const maxInterned = 4096

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
	if s, ok := in.all[string(c.raw)]; ok { // no copy is made for a look-up
		in.last = s
		return s
	}
	return in.keep(string(c.raw))
}

func (in *interner) keep(s string) string {
	if old, ok := in.all[s]; ok {
		s = old
	} else if len(in.all) < maxInterned {
		if in.all == nil {
			in.all = make(map[string]string)
		}
		in.all[s] = s
	}
	in.last = s
	return s
}
