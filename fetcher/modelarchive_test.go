package fetcher_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// modelFile is a file of the model's archive: all the versions it ever had, the last of which is served.
type modelFile struct {
	uri      string
	versions [][]byte
	listed   bool // the archive lists its checksum; without one, wrong bits cannot be told and are not sent
	tag      string
}

func (m *modelFile) now() []byte { return m.versions[len(m.versions)-1] }

// etag returns the validator of the present version.
func (m *modelFile) etag() string {
	if m.tag == "none" {
		return ""
	}
	return fmt.Sprintf("%s\"%d\"", m.tag, len(m.versions))
}

// modelArchive is an archive in memory that misbehaves at random within what internal/mast lets through. It implements
// fetcher.Source and fetcher.Archive.
type modelArchive struct {
	mu    sync.Mutex // guards all below
	rng   *rand.Rand
	files map[string]*modelFile
	calm  bool             // no misbehaviour
	first map[string]int64 // the offset that was first asked for in this run, by URI
}

func (*modelArchive) Name() string { return "mast" }

func (*modelArchive) Anonymous(context.Context) (bool, error) { return true, nil }

func (a *modelArchive) Facts(_ context.Context, uri string) (queue.KeywordFact, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.files[uri]
	if !f.listed {
		return queue.KeywordFact{}, false, nil
	}
	sum := md5.Sum(f.now())
	return queue.KeywordFact{URI: uri, Size: int64(len(f.now())), Checksum: sum[:], Facts: queue.Facts{Level: -2}}, true, nil
}

func (a *modelArchive) Open(_ context.Context, uri string, from int64, v mast.Validator) (*mast.Body, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.files[uri]
	if _, ok := a.first[uri]; !ok {
		a.first[uri] = from
	}
	fault := a.rng.IntN(16)
	if a.calm {
		fault = -1
	}
	switch fault {
	case 0:
		return nil, &mast.Error{Status: 500}
	case 1:
		return nil, &mast.Error{Status: 404}
	case 2:
		return nil, &mast.Error{Err: mast.ErrProtocol}
	case 3:
		if from > 0 {
			return nil, &mast.RangeError{Total: int64(len(f.now())), Err: &mast.Error{Status: 416}}
		}
	case 4:
		f.change(a.rng)
	}
	body := bytes.Clone(f.now())
	if fault == 5 && f.listed {
		body[a.rng.IntN(len(body))] ^= 1
	}
	b := &mast.Body{Total: int64(len(body)), Validator: mast.Validator{ETag: f.etag()}}
	strong := v.Strong()
	if from > int64(len(body)) || fault == 6 || strong != "" && strong != f.etag() {
		b.Changed, from = from > 0, 0
	} else if from == int64(len(body)) {
		return nil, &mast.RangeError{Total: from, Err: &mast.Error{Status: 416}}
	}
	body, b.From = body[from:], from
	b.Length = int64(len(body))
	if fault >= 7 && fault < 13 {
		b.ReadCloser = io.NopCloser(io.MultiReader(bytes.NewReader(body[:a.rng.IntN(len(body)+1)]), broken{syscall.ECONNRESET}))
	} else {
		b.ReadCloser = io.NopCloser(bytes.NewReader(body))
	}
	return b, nil
}

// broken is the end of a connection that broke.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// change gives the file another version, of the same length where nobody could say that it changed.
func (m *modelFile) change(rng *rand.Rand) {
	n := len(m.now())
	if m.listed && rng.IntN(2) == 0 {
		n = modelSize(rng)
	}
	m.versions = append(m.versions, randomBytes(rng, n))
}

func modelSize(rng *rand.Rand) int {
	if rng.IntN(8) == 0 {
		return 300_000 + rng.IntN(300_000) // some buffers long
	}
	return 1 + rng.IntN(20_000)
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		x := rng.Uint64()
		for j := i; j < min(i+8, n); j++ {
			b[j] = byte(x >> (8 * (j - i)))
		}
	}
	return b
}

// modelMirror has copies of the archive's files, most of them of the present version, under names of its own. It misbehaves too.
type modelMirror struct{ *modelArchive }

func (modelMirror) Name() string { return "s3" }

// Locate knows where most of the files are.
func (m modelMirror) Locate(_ context.Context, uris []string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.calm && m.rng.IntN(8) == 0 {
		return nil, &mast.Error{Status: 503}
	}
	names := map[string]string{}
	for _, uri := range uris {
		if m.rng.IntN(8) > 0 {
			names[uri] = "copy of " + uri
		}
	}
	return names, nil
}

// Open serves a version that the archive had once; its tag is none of the archive's.
func (m modelMirror) Open(_ context.Context, name string, from int64, v mast.Validator) (*mast.Body, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	uri := strings.TrimPrefix(name, "copy of ")
	f := m.files[uri]
	if _, ok := m.first[uri]; !ok {
		m.first[uri] = -1 // not the archive's to answer for
	}
	n := len(f.versions) - 1
	if m.rng.IntN(6) == 0 {
		n = m.rng.IntN(len(f.versions))
	}
	fault := m.rng.IntN(10)
	if m.calm {
		fault = -1
	}
	body, tag := bytes.Clone(f.versions[n]), fmt.Sprintf("\"copy %d\"", n)
	b := &mast.Body{Total: int64(len(body)), Validator: mast.Validator{ETag: tag}}
	if strong := v.Strong(); from > 0 && strong != "" && strong != tag || from > int64(len(body)) {
		b.Changed, from = true, 0
	}
	body, b.From = body[from:], from
	switch fault {
	case 0:
		return nil, &mast.Error{Status: 404, Code: "NoSuchKey"}
	case 1:
		return nil, &mast.Error{Status: 500}
	case 2:
		b.Total++
	case 3, 4, 5:
		b.ReadCloser = io.NopCloser(io.MultiReader(bytes.NewReader(body[:m.rng.IntN(len(body)+1)]), broken{syscall.ECONNRESET}))
		return b, nil
	case 6:
		if f.listed && len(body) > 0 {
			body[m.rng.IntN(len(body))] ^= 1
		}
	}
	b.ReadCloser = io.NopCloser(bytes.NewReader(body))
	return b, nil
}
