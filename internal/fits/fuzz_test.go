package fits_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"jwstbulk/internal/fits"
)

// FuzzChecker holds the walk to three things: no panic, a verdict that does not depend on how the bytes are split, and that
// a whole file followed by anything but an HDU, or cut anywhere but between HDUs, is not whole.
func FuzzChecker(f *testing.F) {
	f.Add(jwst(f, false), uint64(1))
	f.Add(jwst(f, true), uint64(2))
	for _, d := range damages() {
		f.Add(d.edit(append([]byte(nil), jwst(f, false)...)), uint64(3))
	}
	for _, name := range []string{"arange", "blank", "checksum", "table", "test0"} {
		b, err := os.ReadFile(filepath.Join("testdata", "fits", name+".fits"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint64(4))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		one := check(t, fits.New(), b, 0)
		c, r := fits.New(), rand.New(rand.NewPCG(seed, 0))
		for rest := b; len(rest) > 0; {
			k := min(len(rest), 1+r.IntN(4000))
			_, _ = c.Write(rest[:k])
			rest = rest[k:]
		}
		two := c.Finish()
		if (one.Err == nil) != (two.Err == nil) || one.Err != nil && one.Err.Error() != two.Err.Error() ||
			one.Sum != two.Sum || one.HDUs != two.HDUs {
			t.Fatalf("in one piece %+v, split %+v", one, two)
		}
		if one.Err != nil {
			return
		}
		if len(b)%fits.BlockSize != 0 {
			t.Fatalf("%d bytes are taken for whole", len(b))
		}
		if r := check(t, fits.New(), b[:len(b)-1], 0); r.Err == nil {
			t.Fatal("one byte less is taken for whole")
		}
		if r := check(t, fits.New(), append(append([]byte(nil), b...), 0), 0); r.Err == nil {
			t.Fatal("one byte more is taken for whole")
		}
	})
}

func BenchmarkChecker(b *testing.B) {
	const pixels = 64 << 20
	for name, seal := range map[string]bool{"plain": false, "sums": true} {
		b.Run(name, func(b *testing.B) {
			body := file(b, part{head: fits.Primary(8)}, part{head: fits.Image("SCI", 8, pixels), data: make([]byte, pixels), seal: seal})
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if r := check(b, fits.New(), body, 1<<18); r.Err != nil {
					b.Fatal(r.Err)
				}
			}
		})
	}
}

// BenchmarkHeaders walks headers only, the slow part: 36 cards a block.
func BenchmarkHeaders(b *testing.B) {
	head := fits.Primary(8)
	for range 2000 {
		head.Float("CRVAL1", 1.25, "a comment on the value")
	}
	body := file(b, part{head: head})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if r := check(b, fits.New(), body, 1<<18); r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}
