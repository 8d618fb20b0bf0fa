package queue

// A product list names a file once for each observation that has to do with it, mostly in one reply. What a chunk has taken in
// already is remembered while the chunk lasts, so that the repetitions cost no statement.

// chunkMemory is what a chunk remembers while it is taken in. The writer keeps it, emptied, for the next one: a plan has
// thousands, and it is some megabytes.
type chunkMemory struct {
	seen  seenFiles
	left  map[leftOut]bool // files that rules left out
	ahead aheadFiles
	// metOld is a guess, the one thing that a chunk hands on: the file stored last was there already, so the next will be, too.
	metOld bool
}

func (m *chunkMemory) empty() {
	m.seen.empty()
	clear(m.left)
	m.ahead.empty()
}

// maxSeen bounds each memory of a chunk; a full one is dropped: the statements would find the same.
const maxSeen = 1 << 14

// seenFile is a file as this chunk stored it.
type seenFile struct {
	id    int64
	known bool // an earlier query had listed it: that is how its rows count
	// The row stored last, and of the rows stored the observation that ranks highest as its folder.
	facts Facts
	size  int64
	obsID string
	own   bool
}

// covers tells that storing the row would change nothing: it repeats the last one, but for an observation that ranks lower.
func (s seenFile) covers(f NewFile) bool {
	return s.facts == f.Facts && s.size == f.Size && (s.own && !f.Own || s.own == f.Own && s.obsID == f.ObsID)
}

// remember notes that a row was stored; before is what was known of the file, the zero seenFile if nothing.
func (in *ingest) remember(f NewFile, now, before seenFile) {
	now.facts, now.size, now.obsID, now.own = f.Facts, f.Size, f.ObsID, f.Own
	if before.own && !f.Own {
		now.obsID, now.own = before.obsID, before.own
	}
	in.seen.put(f.URI, now)
}

// seenFiles are the files that a chunk has taken in, by URI: in a slice, since a map would allocate each.
type seenFiles struct {
	rows  int64 // that the chunk has, or fewer
	index map[string]int
	files []seenFile
}

func (s *seenFiles) empty() {
	clear(s.index)
	clear(s.files)
	s.files = s.files[:0]
}

func (s *seenFiles) get(uri string) (f seenFile, ok bool) {
	i, ok := s.index[uri]
	if !ok {
		return f, false
	}
	return s.files[i], true
}

func (s *seenFiles) put(uri string, f seenFile) {
	if i, ok := s.index[uri]; ok {
		s.files[i] = f
		return
	}
	if s.index == nil {
		n := min(max(s.rows, 0), maxSeen)
		s.index, s.files = make(map[string]int, n), make([]seenFile, 0, n)
	}
	if len(s.files) >= maxSeen {
		s.empty()
	}
	s.index[uri] = len(s.files)
	s.files = append(s.files, f)
}

// leftOut is a file that a rule left out.
type leftOut struct{ uriHash, rule int64 }

// first tells whether the chunk meets the file for the first time under this rule.
func (in *ingest) first(o leftOut) bool {
	if in.left[o] {
		return false
	}
	if len(in.left) >= maxSeen {
		clear(in.left)
	}
	if in.left == nil {
		in.left = map[leftOut]bool{}
	}
	in.left[o] = true
	return true
}
