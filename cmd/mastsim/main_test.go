package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve runs mastsim until the test ends and returns its URL.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, w, io.Discard)
		_ = w.CloseWithError(errors.Join(io.EOF, err)) // wakes the reader below when nothing was printed
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("mastsim: %v", err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func fetch(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestServesAndIsSteered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	faults := filepath.Join(dir, "faults.json")
	if err := os.WriteFile(faults, []byte(`[{"do":"status","status":503,"count":1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log.jsonl")
	url := serve(t, "--catalog", "recorded", "--programs", "1216", "--faults", faults, "--log", log, "--control", "/_sim/", "--token", "a", "--expired-token", "b")
	file := url + "/api/v0.1/Download/file?uri=mast:JWST/product/jw01216202001_02101_00001_nrs1_cal.fits"
	if st, _ := fetch(t, "GET", file, ""); st != 503 {
		t.Errorf("with the fault: %d", st)
	}
	if st, b := fetch(t, "GET", file, ""); st != 200 || !strings.HasPrefix(b, "SIMPLE  =") {
		t.Errorf("after the fault: %d, %.20q", st, b)
	}
	if st, b := fetch(t, "POST", url+"/_sim/faults", `[{"do":"missing","count":1}]`); st != 200 {
		t.Errorf("faults: %d %s", st, b)
	}
	if st, _ := fetch(t, "GET", file, ""); st != 404 {
		t.Errorf("with the new fault: %d", st)
	}
	if st, _ := fetch(t, "POST", url+"/_sim/faults", `[{"do":"fly"}]`); st != 400 {
		t.Errorf("a bad fault: %d", st)
	}
	for _, p := range []string{"clear", "expire", "renew", "storm?on=true", "storm?on=false", "reprocess?glob=*_nrs1_cal.fits"} {
		if st, b := fetch(t, "POST", url+"/_sim/"+p, ""); st != 200 {
			t.Errorf("%s: %d %s", p, st, b)
		}
	}
	_, files := fetch(t, "GET", url+"/_sim/files?glob=*_00001_nrs1_cal.fits", "")
	var f struct {
		URI     string
		Version int
	}
	if err := json.NewDecoder(strings.NewReader(files)).Decode(&f); err != nil || f.Version < 2 {
		t.Errorf("files: %s (%v)", files, err)
	}
	if _, reqs := fetch(t, "GET", url+"/_sim/requests", ""); strings.Count(reqs, "\n") != 3 {
		t.Errorf("requests: %s", reqs)
	}
	b, err := os.ReadFile(log)
	if err != nil || strings.Count(string(b), `"uri"`) < 2 {
		t.Errorf("log: %s (%v)", b, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		args  []string
		usage bool
	}{
		{"every interface", []string{"--listen", "0.0.0.0:0"}, false},
		{"no host", []string{"--listen", ":0"}, false},
		{"another address", []string{"--listen", "192.0.2.1:0"}, false},
		{"unknown catalogue", []string{"--catalog", "hubble"}, true},
		{"argument", []string{"now"}, true},
		{"unknown flag", []string{"--nonsense"}, true},
		{"no script", []string{"--faults", "/does/not/exist"}, false},
		{"token twice", []string{"--token", "a", "--token", "a"}, false},
		{"validators", []string{"--validators", "soft"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), tt.args, io.Discard, io.Discard)
			if err == nil || errors.As(err, new(usageError)) != tt.usage {
				t.Errorf("error %v, want one (usage: %v)", err, tt.usage)
			}
		})
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}
