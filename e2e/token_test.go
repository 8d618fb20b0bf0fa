//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret is the token of these tests; no other text of the program or the archive looks like it.
const secret = "q7Xw2secretTokenZ9k4"

// uses are the arguments of every command, after -d DIR, in an order that works. %f stands for a finished file, %m for the
// manifest, %n for the name of a file of the queue.
var uses = []struct {
	command string
	args    []string
}{
	{"plan", []string{"--program", "10001,10002", "--rights", "all"}},
	{"doctor", []string{"--cluster"}},
	{"submit", []string{"--print", "slurm"}},
	{"submit", []string{"--tasks", "2", "--shards", "2", "--time", "1h", "slurm"}},
	{"collect", nil},
	{"get", []string{"--program", "10001,10002", "-j", "8", "--rate", "0", "--linger", "0s", "--max-outage", "1s", "-v"}},
	{"run", []string{"-j", "8", "--rate", "0", "--linger", "0s", "--max-outage", "1s", "-v", "--log-format", "json"}},
	{"status", nil},
	{"errors", []string{"--json"}},
	{"why", []string{"%n"}},
	{"retry", nil},
	{"submit", []string{"--tasks", "2", "--time", "1h", "slurm"}}, // of nothing, or of what failed
	{"collect", nil},
	{"update", []string{"-v"}},
	{"verify", nil},
	{"check", []string{"%f"}},
	{"manifest write", nil},
	{"manifest diff", []string{"%m"}},
	{"manifest export", []string{"--cloud", "aria2", "%m"}},
	{"cite", []string{"%m"}},
}

// commandTree returns the names of all commands, as --help tells them.
func commandTree(t *testing.T, prefix ...string) []string {
	t.Helper()
	out, err := exec.Command(binary("jwstbulk"), append(prefix, "--help")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	_, list, _ := strings.Cut(string(out), "\nCOMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		name := strings.TrimSuffix(strings.Fields(line)[0], ",")
		if name == "help" {
			continue
		}
		name = strings.Join(append(prefix, name), " ")
		if below := commandTree(t, strings.Fields(name)...); len(below) > 0 {
			all = append(all, below...)
		} else {
			all = append(all, name)
		}
	}
	return all
}

// TestTokenNowhere runs every command with a token, given in every way, against an archive that is well, one that sends what it was
// asked back in its errors, and one that redirects elsewhere, and looks for the token in every file, every output, the
// arguments and the environment of every child process, and in what came elsewhere.
func TestTokenNowhere(t *testing.T) {
	t.Parallel()
	var used []string
	for _, u := range uses {
		used = append(used, u.command)
	}
	for _, name := range commandTree(t) {
		if !slices.Contains(used, name) {
			t.Errorf("say in uses how `jwstbulk %s` is called, so that it is tested with a token", name)
		}
	}
	elsewhere := newListener(t, http.StatusOK)
	echo := newListener(t, http.StatusBadRequest)
	s := startSim(t, []fault{{"uri": "*_i2d.fits", "do": "redirect", "value": elsewhere.URL + "/", "count": 3}},
		"--catalog", "synthetic", "--observations", "8", "--per-program", "4", "--exclusive", "2", "--scale", "20000", "--token", secret, "--expired-token", secret+"old")
	b := newBatch(t)
	ran := map[string]bool{}
	for _, tt := range []struct{ name, url, token, way string }{
		{"environment", s.url, secret, "env"},
		{"file", s.url, secret, "file"},
		{"flag", s.url, secret, "flag"},
		{"expired", s.url, secret + "old", "env"},
		{"archive that echoes", echo.URL, secret, "env"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &watched{campaign: newCampaign(t, s), home: t.TempDir(), batch: b, ran: ran}
			w.campaign.run(t, "plan", "--program", "10001,10002").want(t, 0) // without a token
			w.campaign.url = tt.url
			for _, u := range uses {
				w.use(t, u.command, u.args, tt.token, tt.way)
			}
			w.search(t)
		})
	}
	for _, name := range used {
		if !ran[name] {
			t.Errorf("jwstbulk %s never ran", name)
		}
	}
	if n := elsewhere.asked(); strings.Contains(n, secret) {
		t.Errorf("the token came elsewhere:\n%s", n)
	}
	if !strings.Contains(echo.asked(), secret) {
		t.Error("the echoing archive never got the token: nothing was tested")
	}
	for _, name := range []string{"sbatch.env", "sbatch.calls"} {
		if text, err := os.ReadFile(filepath.Join(b.bin, name)); err != nil || bytes.Contains(text, []byte(secret)) {
			t.Errorf("the batch system was told the token, or nothing at all (%v)", err)
		}
	}
}

// listener is a server that remembers the requests it got, and answers with them.
type listener struct {
	*httptest.Server
	mu   sync.Mutex // guards seen
	seen bytes.Buffer
}

func newListener(t *testing.T, status int) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("%s %s %v\n", r.Method, r.URL, r.Header)
		l.mu.Lock()
		l.seen.WriteString(text)
		l.mu.Unlock()
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":"ERROR","msg":%q}`, text) // the client may have left
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) asked() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen.String()
}

// watched is a campaign whose commands are watched.
type watched struct {
	*campaign
	home  string // of a token file and of the records of children
	batch *batch
	n     int
	ran   map[string]bool // commands that were not refused as used wrongly
}

// use runs one command with the token and looks at its output and its children.
func (w *watched) use(t *testing.T, command string, args []string, token, way string) {
	t.Helper()
	w.n++
	execs := filepath.Join(w.home, fmt.Sprintf("execs%d", w.n))
	line := []string{"-f", "-qq", "-v", "-s", "100000", "-e", "trace=execve", "-o", execs, binary("jwstbulk")}
	line = append(line, strings.Fields(command)...)
	help, err := exec.Command(binary("jwstbulk"), append(strings.Fields(command), "--help")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	takes := func(flag string) bool { return strings.Contains(string(help), "--"+flag+" ") }
	if takes("dir") {
		line = append(line, "-d", w.dir)
	}
	env := append(w.batch.env(), "JWSTBULK_ARCHIVE="+w.url)
	switch {
	case way == "env":
		env = append(env, "MAST_API_TOKEN="+token)
	case way == "file" && takes("token-file"):
		file := filepath.Join(w.home, "token")
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file) // it may hold the token
		line = append(line, "--token-file", file)
	case way == "flag" && takes("token"):
		line = append(line, "--token", token)
	}
	for _, a := range args {
		line = append(line, w.fill(t, a))
	}
	r := launch(t, filepath.Dir(w.dir), env, nil, "strace", line...).wait(t, time.Minute)
	if r.code == 2 {
		t.Logf("%s was refused: %s", command, r.stderr)
	} else {
		w.ran[command] = true
	}
	if strings.Contains(r.stdout+r.stderr, secret) {
		t.Errorf("%s prints the token:\n%s\n%s", command, r.stdout, r.stderr)
	}
	text, err := os.ReadFile(execs)
	if err != nil {
		t.Fatal(err)
	}
	_, children, _ := strings.Cut(string(text), "\n") // the first is the command itself
	if strings.Contains(children, secret) {
		t.Errorf("%s gives the token to a child:\n%s", command, tail(children))
	}
	if err := os.Remove(execs); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) fill(t *testing.T, arg string) string {
	t.Helper()
	switch arg {
	case "%f":
		if all := w.files(t, "JWST"); len(all) > 0 {
			return filepath.Join(w.dir, all[0])
		}
		return binary("mastsim") // nothing has arrived: any file will do
	case "%m":
		return filepath.Join(w.dir, "manifest.jsonl")
	case "%n":
		return filepath.Base(w.query(t, `SELECT uri FROM v_files LIMIT 1`)[0][0].(string))
	}
	return arg
}

// search looks for the token in every file of the campaign, beside it and where temporary files go.
func (w *watched) search(t *testing.T) {
	t.Helper()
	files := 0
	kept := filepath.Join(w.dir, ".jwstbulk", "token") // where submit puts it for the jobs, for nobody else to read
	for _, top := range []string{filepath.Dir(w.dir), w.home} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			if info, e := d.Info(); bytes.Contains(b, []byte(secret)) && (path != kept || e != nil || info.Mode().Perm() != 0o600) {
				t.Errorf("the token is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d commands, %d files: no token", w.n, files)
}
