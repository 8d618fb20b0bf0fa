package query

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// FileError says where a query file could not be read.
type FileError struct {
	Name string
	Line int // from 1; 0 for the file as a whole
	Err  error
}

// Error is "NAME:LINE: why".
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err)
}

// Unwrap gives what was wrong: a *UsageError if a value was not understood.
func (e *FileError) Unwrap() error { return e.Err }

// maxFile bounds a query file; one of 500 cones has 20 KB.
const maxFile = 1 << 20

// File is a query that was read from a file.
type File struct {
	Query Query
	Keys  []string // the keys that the file gives, as Query.Take names them
}

// Read reads a query from TOML: the keys are the flags of a query without their dashes, the values text, numbers,
// true or false, or lists of these. name stands for the file in messages. Nothing else can be said in it: neither archive
// nor token, nor what to run. It does not demand that the query is complete: flags may add to it.
//
// Every error about the contents is a *FileError: damaged TOML, an unknown key (the nearest known one is suggested), a
// value of the wrong kind or one that the key does not take.
func Read(r io.Reader, name string) (File, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return File{}, fmt.Errorf("reading query file %q: %w", name, err)
	}
	if len(b) > maxFile {
		return File{}, &FileError{name, 0, errors.New("larger than 1 MiB")}
	}
	var values map[string]any
	if err := toml.Unmarshal(b, &values); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ := at.Position()
			return File{}, &FileError{name, line, errors.New(strings.TrimPrefix(at.Error(), "toml: "))}
		}
		return File{}, &FileError{name, 0, err}
	}
	var f File
	known := f.Query.keys()
	names := Keys()
	for _, found := range sortedByLine(values, b) {
		i := slices.Index(names, found.key)
		if i < 0 {
			return File{}, &FileError{name, found.line, fmt.Errorf("unknown key %q; %s", found.key, suggest(found.key, names))}
		}
		if err := known[i].set(values[found.key]); err != nil {
			return File{}, &FileError{name, found.line, fmt.Errorf("%s: %w", found.key, err)}
		}
		f.Keys = append(f.Keys, found.key)
	}
	return f, nil
}

// keyAt is a key of a file and its line.
type keyAt struct {
	key  string
	line int
}

// sortedByLine finds the lines of top-level keys. A key that is written in an unusual way has line 0.
func sortedByLine(values map[string]any, text []byte) []keyAt {
	var keys []keyAt
	for k := range values {
		at := keyAt{key: k}
		for i, line := range bytes.Split(text, []byte("\n")) {
			before, _, assigned := bytes.Cut(line, []byte("="))
			if left := string(bytes.Trim(bytes.TrimSpace(before), `"'`)); assigned && left == k || strings.HasPrefix(left, "["+k) {
				at.line = i + 1
				break
			}
		}
		keys = append(keys, at)
	}
	slices.SortFunc(keys, func(a, b keyAt) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return strings.Compare(a.key, b.key)
	})
	return keys
}

// set takes the value of a file, and checks it.
func (k key) set(v any) error {
	if k.truth != nil {
		b, ok := v.(bool)
		if !ok {
			return errors.New("want true or false")
		}
		*k.truth = b
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	if k.text != nil && isList {
		return errors.New("want one value, not a list")
	}
	for _, item := range list {
		s, err := scalar(item)
		if err != nil {
			return err
		}
		if _, err := k.normal("--"+k.name, strings.TrimSpace(s)); err != nil {
			return err
		}
		if k.text != nil {
			*k.text = s
			return nil
		}
		*k.list = append(*k.list, s)
	}
	return nil
}

// scalar writes a TOML value as a flag would be given.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case time.Time:
		return v.Format(time.RFC3339), nil
	case int64, float64, toml.LocalDate, toml.LocalDateTime:
		return fmt.Sprint(v), nil
	}
	return "", errors.New("want text, a number, or a list of these")
}
