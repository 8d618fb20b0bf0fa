package mast_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
)

// Rows are cut the same whatever row came before them, and as encoding/json reads them.
func TestCut(t *testing.T) {
	t.Parallel()
	rows := []string{
		`{"obsID":1,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":22,"obs_id":"jw01039-o004_t001_miri","dataRights":"PUBLIC","stale":false,"size":1e3}`, // an exponent
		`{"obsID":22,"obs_id":"","dataRights":"","stale":null,"size":0}`,
		`{"obsID":22,"obs_id":"a \"b\" \\ \u00e9","dataRights":"\/","stale":{"x":["}",1]},"size":[]}`,
		`{"obsID":22,"obs_id":"` + "\xff é" + `","dataRights":"\ud800","stale":1,"size":1}`,
		`{"obsID":22,"obsID":23}`,
		`{"obsID": 22, "obs_id" :"x"}`,
		`{}`, `{ }`,
		`["84343195",null,843,"jw01"]`, `[1,2,3,4]`, `[1, 2]`, `[]`,
		// What is none.
		`{"obsID":1,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25,}`,
		`{"obsID":1,"obs_id":"jw01","dataRights":nul,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":"jw01","dataRights":null,"stale":True,"size":-0.25}`,
		`{"obsID":01,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1.,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":-,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":"jw` + "\n" + `01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":"jw` + "\x1f" + `1234567","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":"jw\01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":jw01,"dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1 "obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25}`,
		`{"obsID":1,"obs_id":"jw01","dataRights":null,"stale":true,"size":-0.25]`,
		`["84343195",null,843,]`, `[1,2,3,4}`, `[1 2]`, `[,1]`, `"text"`, `7`, `COMPLETE`, `]`,
	}
	for _, first := range rows {
		for _, then := range rows {
			checkCut(t, first, then)
		}
		for n := range first { // and every early end
			checkCut(t, first, first[:n])
		}
	}
}

// Rows that are like the one before go the fast way, which is what makes it worth having.
func TestCutFollows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, first, then string
		want              bool
	}{
		{"products", productRow(1), productRow(100_000), true},
		{"keywords", keywordRow(1), keywordRow(100_000), true},
		{"on many lines", "{\"a\": null,\n  \"b\": -1.5\n}", "{\"a\": \"text\",\n  \"b\": false\n}", true},
		{"an array", `["a", 1, null]`, `["", 0, true]`, true},
		{"another order", `{"a":1,"b":2}`, `{"b":1,"a":2}`, false},
		{"one less", `{"a":1,"b":2}`, `{"a":1}`, false},
		{"one more", `{"a":1}`, `{"a":1,"b":2}`, false},
		{"an escape", `{"a":"x"}`, `{"a":"\"12345678"}`, false},
	} {
		c := mast.NewCut()
		if _, _, err := c.Row([]byte(tt.first)); err != nil {
			t.Fatal(err)
		}
		if got := c.Follows([]byte(tt.then + strings.Repeat(" ", 8))); got != tt.want {
			t.Errorf("%s: Follows() = %t, want %t", tt.name, got, tt.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(productRow(1), productRow(2))
	f.Add(keywordRow(1), keywordRow(2))
	f.Add(`{"a":1,"b":"x"}`, `{"a":-0.5e+7,"b":"\u00e9\ud83d\ude00\ud800"}`)
	f.Add(`[1, "a",null,true]`, `[12, "",null,false]`)
	f.Fuzz(func(t *testing.T, first, then string) { checkCut(t, first, then) })
}

// checkCut cuts first and then, and compares what is said of the second one with what encoding/json says.
func checkCut(t *testing.T, first, then string) {
	t.Helper()
	if then == "" || strings.ContainsRune(" \t\r\n", rune(then[0])) || len(then) > 10_000 {
		return // no row begins so, and there may be more values than are allowed
	}
	c := mast.NewCut()
	if _, _, err := c.Row([]byte(first)); err != nil || first[0] != then[0] {
		c = mast.NewCut() // all rows of a page are objects, or all are arrays
	}
	want, length, wantErr := oracle(then)
	n, got, err := c.Row([]byte(then))
	if errors.Is(wantErr, io.ErrUnexpectedEOF) && err != mast.ErrMore || (err != nil) != (wantErr != nil) {
		t.Fatalf("%q after %q = %v, encoding/json says %v", then, first, err, wantErr)
	}
	if d := cmp.Diff(want, got); d != "" || n != length {
		t.Fatalf("%q after %q: %d bytes, want %d; cells (-want +got):\n%s", then, first, n, length, d)
	}
}

// oracle does what Cut.Row does.
func oracle(text string) (cells []string, n int, err error) {
	var row json.RawMessage
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&row); err != nil {
		return nil, 0, err
	}
	members := json.NewDecoder(bytes.NewReader(row))
	open, err := members.Token()
	if err != nil {
		return nil, 0, err
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil, 0, errors.New("no row")
	}
	for i := 0; members.More(); i++ {
		name := fmt.Sprint(i)
		if open == json.Delim('{') {
			token, err := members.Token()
			if err != nil {
				return nil, 0, err
			}
			name = token.(string)
		}
		var value json.RawMessage
		if err := members.Decode(&value); err != nil {
			return nil, 0, err
		}
		kind, text := "n", string(value)
		switch value[0] {
		case 'n':
			continue
		case 't', 'f':
			kind = "b"
		case '{', '[':
			kind = "*"
		case '"':
			kind = "s"
			if bytes.IndexByte(value, '\\') < 0 {
				text = text[1 : len(text)-1] // as it is, even what is no UTF-8
			} else if err := json.Unmarshal(value, &text); err != nil {
				return nil, 0, err
			}
		}
		cells = append(cells, name+" "+kind+" "+text)
	}
	return cells, int(dec.InputOffset()), nil
}
