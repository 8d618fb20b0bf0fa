package masttest

import (
	"fmt"
	"net/http"
	"path"
	"strings"
)

// cloud tells whether a request is for the public bucket, served path-style below /stpubdata/.
func (c *call) cloud() bool { return strings.HasPrefix(c.r.URL.Path, "/stpubdata/") }

// cloudKey is the key of a public file in the bucket, with the leading slash that path_lookup puts there.
func cloudKey(f File) string {
	prog := fmt.Sprintf("jw%05s", f.Program)
	if f.Level < 3 && len(f.Name) > 13 {
		return path.Join("/jwst/public", prog, f.Name[:13], f.Name)
	}
	obs := "o000"
	if i := strings.IndexByte(f.Name, '-'); i >= 0 && len(f.Name) > i+5 {
		obs = f.Name[i+1 : i+5]
	}
	return path.Join("/jwst/public", prog, "L3/t", obs, f.Name)
}

// cloudRefuses answers as S3 does: 400 to a foreign Authorization header, 404 to an unknown key, 403 never.
func (c *call) cloudRefuses(f File, known bool) bool {
	status, code := 0, ""
	switch {
	case c.r.Header.Get("Authorization") != "":
		status, code = http.StatusBadRequest, "InvalidArgument"
	case !known || f.ReleaseAt.After(c.s.cfg.Now()) || c.r.URL.Path != "/stpubdata"+cloudKey(f):
		status, code = http.StatusNotFound, "NoSuchKey"
	default:
		return false
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(c.w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code></Error>", code)
	}
	return true
}

// maxLookup is how many URIs path_lookup takes.
const maxLookup = 40

// pathLookup maps URIs to cloud keys.
func (c *call) pathLookup() {
	uris := c.r.URL.Query()["uri"]
	if len(uris) > maxLookup {
		c.html(http.StatusRequestURITooLong, "Request-URI Too Large")
		return
	}
	type answer struct {
		Status int     `json:"status_code"`
		Path   *string `json:"path"`
	}
	out := map[string]answer{}
	for _, u := range uris {
		f, ok := c.s.lookup(u)
		if !ok || f.ReleaseAt.After(c.s.cfg.Now()) {
			out[u] = answer{Status: http.StatusNotFound}
			continue
		}
		key := cloudKey(f)
		out[u] = answer{Status: http.StatusOK, Path: &key}
	}
	c.writeJSON(http.StatusOK, out)
}
