//go:build e2e

package fits_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"jwstbulk/internal/fits"
)

// differences are the files on which fitsverify or fitscheck and we disagree, with the reason.
var differences = map[string]string{
	"SIMPLE_is_F":                       notStandard,
	"SIMPLE_is_F_with_sums":             notStandard,
	"astropy_damaged_not_standard":      notStandard,
	"astropy_damaged_not_standard_sums": notStandard,
}

const notStandard = "SIMPLE = F says that the file does not keep to the standard. fitsverify checks the rest of it all the same; " +
	"no product of the archive is such a file, so that it is damage here"

// ofContent are fitsverify's errors about what stands in a table whose structure is whole: we look at no value.
var ofContent = regexp.MustCompile(`contains non-ASCII text`)

// TestOracles holds our verdicts on good and damaged files, made by hand and by astropy, against those of fitsverify (of
// structure) and, where there is a structure, of astropy's fitscheck (of CHECKSUM and DATASUM).
func TestOracles(t *testing.T) {
	dir := t.TempDir()
	for name, b := range cases(t) {
		if err := os.WriteFile(filepath.Join(dir, name+".fits"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	oracle(t, "make", dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.fits"))
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]fits.Report{}
	var whole []string
	damaged := 0
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(p), ".fits")
		r := check(t, fits.New(), b, 0)
		reports[name] = r
		if r.Err == nil {
			whole = append(whole, p)
		}
		theirs := fitsverify(t, p)
		compare(t, name, r.Err, (r.Err != nil) == (theirs != ""), "fitsverify: "+theirs)
		if theirs != "" {
			damaged++
		}
	}
	verdicts := map[string]int{}
	for line := range bytes.Lines(oracle(t, append([]string{"sums"}, whole...)...)) {
		name, theirs, _ := strings.Cut(strings.TrimSpace(string(line)), "\t")
		name = strings.TrimSuffix(name, ".fits")
		ours := map[fits.SumState]string{fits.SumAbsent: "missing", fits.SumOK: "ok", fits.SumBad: "bad"}[reports[name].Sum]
		compare(t, name, reports[name].SumErr, ours == theirs, "fitscheck: "+theirs)
		verdicts[theirs]++
	}
	t.Logf("%d files, %d of them damaged by fitsverify's account; checksums by fitscheck's: %v", len(paths), damaged, verdicts)
	if len(paths) < 200 || damaged < 100 || verdicts["bad"] < 3 || verdicts["ok"] < 20 {
		t.Error("too few files of a kind")
	}
}

// compare wants two verdicts on a file to agree, or their difference to be known.
func compare(t *testing.T, name string, ours error, agree bool, theirs string) {
	t.Helper()
	switch why, known := differences[name]; {
	case !agree && !known:
		t.Errorf("%s: ours: %v; %s", name, ours, theirs)
	case agree && known && strings.HasPrefix(theirs, "fitsverify"):
		t.Errorf("%s: we agree, so it is no difference any more (%s)", name, why)
	}
}

// oracle runs testdata/oracle.py, whose first lines say what for.
func oracle(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", append([]string{filepath.Join("testdata", "oracle.py")}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("oracle.py %s: %v\n%s", args[0], err, out)
	}
	return out
}

// fitsverify returns its complaints about the structure of a file, "" if it has none.
func fitsverify(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("fitsverify", "-e", path).CombinedOutput()
	if out == nil {
		t.Fatalf("fitsverify: %v", err) // its exit code is the number of complaints
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "Error:") && !ofContent.MatchString(line) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return strings.Join(all, "; ")
}
