package manifest_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log"
	"os"
	"path/filepath"

	"jwstbulk/manifest"
)

// entries is what a caller would read from its records.
func entries() iter.Seq2[manifest.Entry, error] {
	return all(entry("JWST/jw01345001001", "jw01345001001_a.fits", []byte("abc")), entry("JWST/jw01345001001", "jw01345001001_b.fits", []byte("de")))
}

func Example() {
	dir, err := os.MkdirTemp("", "manifest")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = root.Close() }()

	name, err := manifest.Write(root, manifest.Header{Complete: true}, entries)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name[:16])

	f, err := os.Open(filepath.Join(dir, manifest.Name))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := manifest.Open(f)
	if err != nil {
		log.Fatal(err)
	}
	totals, err := manifest.Verify(context.Background(), root, r, manifest.VerifyConfig{Level: manifest.LevelSize})
	fmt.Println(totals.OK, totals.Missing, err)
	// Output:
	// abcaa1629ce986ca
	// 0 2 <nil>
}

func ExampleEncode() {
	h := manifest.Header{Complete: true}
	var err error
	if h.Files, h.Bytes, h.Root, err = manifest.Sum(entries()); err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if err := manifest.Encode(&out, h, entries()); err != nil {
		log.Fatal(err)
	}
	r, err := manifest.Open(&out)
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range r.Entries() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %d %x\n", e.Path, e.Size, e.SHA256[:4])
	}
	// Output:
	// JWST/jw01345001001/jw01345001001_a.fits 3 ba7816bf
	// JWST/jw01345001001/jw01345001001_b.fits 2 959a45d4
}
