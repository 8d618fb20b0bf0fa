package masttest

import (
	"fmt"
	"net/http"
	"strings"
)

// bundle answers POST bundle.sh with a script in the form of recorded ones: bash, serial curl, no error handling.
func (c *call) bundle() {
	if c.r.Method != http.MethodPost {
		c.html(http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	if err := c.r.ParseForm(); err != nil {
		c.html(http.StatusBadRequest, "Bad Request")
		return
	}
	folder := "MAST_" + c.s.cfg.Now().UTC().Format("2006-01-02T1504")
	var b strings.Builder
	b.WriteString("#!/bin/bash\n#\n# Requires bash version >= 4\n#\n\n" +
		"type -P curl >&/dev/null || { echo \"This script requires curl. Exiting.\" >&2; exit 1; }\n\n")
	fmt.Fprintf(&b, "FOLDER=%s\nDOWNLOAD_FOLDER=$FOLDER\nCONT=\"\"\nmkdir -p ${DOWNLOAD_FOLDER}\n\n", folder)
	exclusive := false
	for _, uri := range c.r.PostForm["uri"] {
		f, ok := c.s.lookup(uri)
		if !ok {
			continue
		}
		auth := ""
		if f.ReleaseAt.After(c.s.cfg.Now()) {
			auth, exclusive = `-H "Authorization: token $MAST_API_TOKEN" `, true
		}
		path := "/JWST/" + f.ObsID + "/" + f.Name
		fmt.Fprintf(&b, "cat <<EOT\n<<< Downloading File: %s\n                  To: ${DOWNLOAD_FOLDER}%s\nEOT\n\n", f.URI, path)
		fmt.Fprintf(&b, "curl %s--globoff --location-trusted -f --progress-bar --create-dirs $CONT --output ./${DOWNLOAD_FOLDER}'%s' "+
			"'http://%s/api/v0.1/Download/file?bundle_name=%s.sh&uri=%s'\n\n\n", auth, path, c.r.Host, folder, f.URI)
	}
	b.WriteString("exit 0\n")
	script := b.String()
	if exclusive {
		script = strings.Replace(script, "FOLDER=", "if [ -n \"$1\" ]; then MAST_API_TOKEN=\"$1\"; fi\nFOLDER=", 1)
	}
	c.w.Header().Set("Content-Type", "text/x-shellscript")
	c.w.Header().Set("Content-Disposition", "attachment; filename="+folder+".sh")
	_, _ = c.w.Write([]byte(script)) // the client may be gone; the record says how much was sent
}

// nameLookup resolves target names of the catalogue.
func (c *call) nameLookup(m *mashup) {
	name := m.str("input")
	found := []map[string]any{}
	for o := range c.s.cat.Observations() {
		if strings.EqualFold(o.Target, strings.TrimSpace(name)) {
			found = append(found, map[string]any{"searchString": strings.ToLower(name), "resolver": "SIMULATED", "cached": true,
				"resolverTime": 1, "cacheDate": "Jan 1, 2026, 0:00:00 AM", "searchRadius": -1.0, "canonicalName": o.Target,
				"ra": o.RA, "decl": o.Dec, "objectType": "G"})
			break
		}
	}
	c.writeJSON(http.StatusOK, map[string]any{"resolvedCoordinate": found, "status": ""})
}
