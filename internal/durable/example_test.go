package durable_test

import (
	"fmt"
	"io"
	"log"
	"os"

	"jwstbulk/internal/durable"
)

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "durable")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	if err := durable.MkdirAll(root, "JWST/jw01345"); err != nil {
		log.Fatal(err)
	}
	err = durable.WriteFile(root, "JWST/jw01345/note.txt", 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, "on disk")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := durable.Rename(root, "JWST/jw01345/note.txt", "JWST/note.txt"); err != nil {
		log.Fatal(err)
	}
	b, err := root.ReadFile("JWST/note.txt")
	fmt.Println(string(b), err)
	// Output: on disk <nil>
}
