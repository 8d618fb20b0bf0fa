package manifest

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"strings"
)

func exportAria2Head(w *bufio.Writer, h Header) {
	printTo(w, "# %d files, %d bytes, root %s\n# aria2c --continue --check-integrity -i THIS\n", h.Files, h.Bytes, h.Root)
}

// exportAria2 writes the addresses and the options of a download, as aria2c(1) describes under "Input File": tabs separate
// addresses. A line ends the value, and blanks around it are dropped: paths hold no line feed, and the archive's names no
// blanks.
func exportAria2(w *bufio.Writer, cfg ExportConfig, e *Entry) {
	printTo(w, "%s\n  out=%s\n  checksum=sha-256=%x\n", strings.Join(cfg.places(e), "\t"), e.Path, e.SHA256)
}

func exportMetalinkHead(w *bufio.Writer, h Header) {
	printTo(w, "%s<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n  <generator>jwstbulk</generator>\n", xml.Header)
	printTo(w, "  <!-- %d files, %d bytes, root %s -->\n", h.Files, h.Bytes, h.Root)
}

// exportMetalink writes a file element of RFC 5854 section 4.1.2.
func exportMetalink(w *bufio.Writer, cfg ExportConfig, e *Entry) {
	printTo(w, "  <file name=\"%s\">\n    <size>%d</size>\n    <hash type=\"sha-256\">%x</hash>\n", escapeXML(e.Path), e.Size, e.SHA256)
	if e.MD5 != [16]byte{} {
		printTo(w, "    <hash type=\"md5\">%x</hash>\n", e.MD5)
	}
	for i, u := range cfg.places(e) {
		printTo(w, "    <url priority=\"%d\">%s</url>\n", i+1, escapeXML(u))
	}
	printTo(w, "  </file>\n")
}

func exportMetalinkTail(w *bufio.Writer) { printTo(w, "</metalink>\n") }

func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}

// exportCurlHead sets what holds for all transfers. fail-early makes curl's exit code tell of any failure; without it only
// that of the last transfer counts.
func exportCurlHead(w *bufio.Writer, h Header) {
	printTo(w, "# %d files, %d bytes, root %s\n# curl -K THIS && sha256sum -c SHA256SUMS\n", h.Files, h.Bytes, h.Root)
	printTo(w, "fail\nfail-early\nlocation\ncreate-dirs\nretry = 5\nspeed-limit = 1024\nspeed-time = 60\n")
}

func exportCurl(w *bufio.Writer, archive string, e *Entry) {
	printTo(w, "url = %s\noutput = %s\n", quoteCurl(Download(archive, e.URI)), quoteCurl(e.Path))
}

// quoteCurl quotes as curl(1) reads it under --config.
func quoteCurl(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// exportBashHead writes a script that, unlike those the archive makes, tries again, checks every file, keeps what is right
// already, and exits with 0 only if all is there. A token is taken from the environment when it runs, and reaches curl
// through a pipe, where no other user sees it.
func exportBashHead(w *bufio.Writer, h Header) {
	printTo(w, `#!/usr/bin/env bash
# Downloads %d files, %d bytes, below the working directory. Root of the manifest: %s
# Needs curl. Run it again after a break: it goes on. Exit code 0 only if every file is there and has the right SHA-256.
# Exclusive files need MAST_API_TOKEN in the environment.
set -u
`, h.Files, h.Bytes, h.Root)
	_, _ = w.WriteString(`
if command -v sha256sum >/dev/null; then
  sum() { sha256sum -- "$1" | cut -c1-64; }
else
  sum() { shasum -a 256 -- "$1" | cut -c1-64; }
fi

fetch() {
  if [ -n "${MAST_API_TOKEN:-}" ]; then
    curl --header @<(printf 'Authorization: token %s\n' "$MAST_API_TOKEN") "$@"
  else
    curl "$@"
  fi
}

bad=0
get() { # SHA256 URL PATH
  if [ -f "$3" ] && [ "$(sum "$3")" = "$1" ]; then
    return
  fi
  mkdir -p -- "${3%/*}"
  for try in 1 2 3; do
    if fetch --fail --location --silent --show-error --retry 5 --speed-limit 1024 --speed-time 60 \
      --continue-at - --output "$3.part" "$2" && [ "$(sum "$3.part")" = "$1" ]; then
      mv -f -- "$3.part" "$3"
      return
    fi
    rm -f -- "$3.part" # what cannot be continued, or is another version
  done
  echo "FAILED: $3" >&2
  bad=$((bad + 1))
}

`)
}

func exportBash(w *bufio.Writer, archive string, e *Entry) {
	printTo(w, "get %x %s %s\n", e.SHA256, quoteShell(Download(archive, e.URI)), quoteShell("./"+e.Path))
}

func exportBashTail(w *bufio.Writer) {
	printTo(w, "\nif [ \"$bad\" -gt 0 ]; then\n  echo \"$bad files failed\" >&2\n  exit 1\nfi\n")
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
