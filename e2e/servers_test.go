//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// exportFiles writes the archive's files to a new directory, under their names, an hour old, so that their dates prove
// something. It returns the directory and the truth.
func exportFiles(t *testing.T, s *sim, uris []string) (string, map[string]truth) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	err := each(uris, func(uri string) error {
		resp, err := http.Get(s.url + "/api/v0.1/Download/file?uri=" + url.QueryEscape(uri))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		name := filepath.Join(dir, path.Base(uri))
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, resp.Body); err != nil {
			return fmt.Errorf("exporting %s: %w", uri, err)
		}
		if err := f.Close(); err != nil {
			return err
		}
		return os.Chtimes(name, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, fetchTruth(t, s.url, uris)
}

// each calls f for all of them, four at a time, and returns the first error.
func each(all []string, f func(string) error) error {
	var (
		mu    sync.Mutex // guards first
		first error
		wg    sync.WaitGroup
		work  = make(chan string)
	)
	for range 4 {
		wg.Go(func() {
			for one := range work {
				if err := f(one); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range all {
		work <- one
	}
	close(work)
	wg.Wait()
	return first
}

// freePort is a port of the loopback interface that nobody listens on, for programs that cannot choose one.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitServer waits until something answers at an address.
func awaitServer(t *testing.T, p *proc, address string) {
	t.Helper()
	for range 200 {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended: %s%s", p.cmd.Path, p.stdout.String(), p.stderr.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen on %s: %s", p.cmd.Path, address, p.stderr.String())
}

// nginxConf serves the files of a directory in the place of the archive's downloads, and passes on everything else.
const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log access.log;
  default_type application/octet-stream;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  log_format json escape=json '{"status":$status,"sent":$body_bytes_sent,"range":"$http_range","if_range":"$http_if_range","uri":"$arg_uri"}';
  map $arg_uri $name { ~*(?:%%2F|/)(?<last>[A-Za-z0-9._-]+)$ $last; default none; }
  server {
    listen %s;
    location = /api/v0.1/Download/file { access_log downloads.log json; rewrite ^ /files/$name last; }
    location /files/ { internal; access_log downloads.log json; alias %s/; %s }
    location / { proxy_pass %s; proxy_read_timeout 60; }
  }
}
`

// nginx is a real web server as the archive's download service.
type nginx struct {
	*proc
	url, log string
}

// startNginx serves files with these more directives, beside the simulated archive.
func startNginx(t *testing.T, s *sim, files, directives string) *nginx {
	t.Helper()
	dir, address := t.TempDir(), freePort(t)
	conf := fmt.Sprintf(nginxConf, address, files, directives, s.url)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &nginx{url: "http://" + address, log: filepath.Join(dir, "downloads.log")}
	n.proc = launch(t, dir, nil, nil, "/usr/sbin/nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	awaitServer(t, n.proc, address)
	return n
}

// download is a line of the log of downloads.
type download struct {
	Status  int    `json:"status"`
	Sent    int64  `json:"sent"`
	Range   string `json:"range"`
	IfRange string `json:"if_range"`
}

func (n *nginx) downloads(t *testing.T) []download {
	t.Helper()
	text, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	var all []download
	for line := range bytes.Lines(text) {
		var d download
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("log of downloads: %v in %s", err, line)
		}
		all = append(all, d)
	}
	return all
}

// bucket is a real S3 server with a public bucket.
type bucket struct {
	*proc
	url string // of the bucket
}

// startBucket serves a bucket that everybody may read and, for the test, write.
func startBucket(t *testing.T) *bucket {
	t.Helper()
	dir, address := t.TempDir(), freePort(t)
	for _, sub := range []string{"objects", "meta"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := &bucket{url: "http://" + address + "/stpubdata"}
	program := binary(filepath.Join("tools", "versitygw"))
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v; run make e2e-deps, which builds it", err)
	}
	b.proc = launch(t, dir, []string{"ROOT_ACCESS_KEY=tester", "ROOT_SECRET_KEY=tester-secret"}, nil, program, "--port", address, "--quiet", "--keep-alive", "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "objects"))
	awaitServer(t, b.proc, address)
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::stpubdata/*"}]}`
	for _, args := range [][]string{{b.url}, {b.url + "?policy=", "-d", policy}} {
		args = append([]string{"-sS", "--fail-with-body", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "tester:tester-secret",
			"-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"}, args...)
		if out, err := exec.Command("curl", args...).CombinedOutput(); err != nil {
			t.Fatalf("making a bucket: %v: %s", err, out)
		}
	}
	return b
}

// put stores an object.
func (b *bucket) put(key string, body []byte) error {
	req, err := http.NewRequest(http.MethodPut, b.url+key, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // for the message alone
		return fmt.Errorf("storing %s: %s: %s", key, resp.Status, text)
	}
	return nil
}

// cloudKeys asks the archive where the copies of files are.
func cloudKeys(t *testing.T, s *sim, uris []string) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for len(uris) > 0 {
		some := uris[:min(len(uris), 40)]
		uris = uris[len(some):]
		resp, err := http.Get(s.url + "/api/v0.1/path_lookup/?use_cloud_path=true&uri=" + strings.Join(some, "&uri="))
		if err != nil {
			t.Fatal(err)
		}
		var reply map[string]struct{ Path string }
		err = json.NewDecoder(resp.Body).Decode(&reply)
		_ = resp.Body.Close() // read to its end
		if err != nil {
			t.Fatal(err)
		}
		for uri, at := range reply {
			keys[uri] = at.Path
		}
	}
	return keys
}
