package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	const (
		pass  = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestA","Output":"quiet\n"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1}` + "\n"
		fail  = `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: wrong\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
		skip  = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:1: not root\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestC"}` + "\n"
		ok    = `{"Action":"pass","Package":"p","Elapsed":2}` + "\n"
		bad   = `{"Action":"fail","Package":"p","Elapsed":2}` + "\n"
		build = `{"Action":"build-output","ImportPath":"q","Output":"q.go:1: no\n"}` + "\n" + `{"Action":"fail","Package":"q","Elapsed":0}` + "\n"
		bench = `{"Action":"output","Package":"p","Test":"BenchmarkA","Output":"       1\t 100 ns/op\n"}` + "\n" + ok
	)
	tests := []struct {
		name, in, want string
		stream         bool
	}{
		{"all pass", pass + ok, "ok        2.0s  p\n1 passed, 0 failed, 0 skipped\n", false},
		{"stream", pass + ok, "quiet\nok        2.0s  p\n1 passed, 0 failed, 0 skipped\n", true},
		{"a failure with its output", pass + fail + bad, "    b_test.go:1: wrong\nFAIL      2.0s  p\n1 passed, 1 failed, 0 skipped\n", false},
		{"a skip with its reason", pass + skip + ok, "ok        2.0s  p\nSKIP  p TestC: c_test.go:1: not root\n1 passed, 0 failed, 1 skipped\n", false},
		{"a package that does not build", build, "q.go:1: no\nFAIL      0.0s  q\n0 passed, 1 failed, 0 skipped\n", false},
		{"benchmarks", bench, "ok        2.0s  p\n1 benchmarks ran\n", false},
		{"text that is not JSON", "go: no\n" + ok, "go: no\nok        2.0s  p\n0 passed, 0 failed, 0 skipped\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			r := newReport(&b, tt.stream)
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			r.close()
			if got := b.String(); got != tt.want {
				t.Errorf("report:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
