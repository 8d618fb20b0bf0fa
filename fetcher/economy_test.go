package fetcher_test

import (
	"testing"

	"jwstbulk/internal/masttest"
)

// TestT14Economy counts what the archive sends of files whose bodies break off: what arrived is never asked for again. What was in
// the sockets of a reset connection did not arrive; on one machine that can be megabytes.
func TestT14Economy(t *testing.T) {
	t.Parallel()
	const (
		size    = 16 << 20 / 2880 * 2880
		sockets = 8 << 20
	)
	for _, tt := range []struct {
		name  string
		fault masttest.Fault
		most  int64 // bytes beyond the size
	}{
		{"F1 reset once", masttest.Fault{Do: masttest.DoReset, After: 5 << 20, Count: 1}, size/50 + sockets},
		{"F2 cut once", masttest.Fault{Do: masttest.DoCut, After: 5 << 20, Count: 1}, size / 50},
		{"F3 every reply cut", masttest.Fault{Do: masttest.DoCut, After: 3 << 20}, 2880},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, masttest.Config{}, exposure(1, "cal", size))
			w.plan()
			w.server.SetFault(tt.fault)
			res, err := w.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.wantWhole()
			if res.Bytes != size {
				t.Errorf("%d bytes arrived of a file of %d", res.Bytes, size)
			}
			if more := w.server.Sent("*") - size; more > tt.most {
				t.Errorf("the archive sent %d bytes too many, want at most %d", more, tt.most)
			}
		})
	}
}
