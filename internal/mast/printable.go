package mast

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxMessage = 512

// Printable returns text made safe for a terminal: control characters (C0, C1, DEL), line and paragraph separators,
// bidirectional controls and invalid UTF-8 become \xNN or \uNNNN, and what exceeds max bytes is cut off. White space at
// the ends is dropped and runs of it become one space.
func Printable(text string, max int) string {
	var b strings.Builder
	space := false
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		piece := text[i : i+n]
		i += n
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == ' ':
			space = b.Len() > 0
			continue
		case r == utf8.RuneError && n == 1:
			piece = fmt.Sprintf(`\x%02x`, piece[0])
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			piece = fmt.Sprintf(`\x%02x`, r)
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			piece = fmt.Sprintf(`\u%04x`, r)
		}
		if space {
			piece, space = " "+piece, false
		}
		if b.Len()+len(piece) > max {
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}

// shown are the query parameters that RedactURL keeps.
func shown(parameter string) bool {
	switch parameter {
	case "uri", "use_cloud_path", "product_name", "bundle_name", "name", "mission", "level":
		return true
	}
	return false
}

// RedactURL returns raw without user, password and fragment, and with the values of all query parameters hidden but
// those known to be harmless (the file's URI and the like), at most 2 KiB. What is no URL becomes "[redacted]".
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	return redactURL(u)
}

func redactURL(u *url.URL) string {
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath, Opaque: u.Opaque}
	if u.Opaque != "" && u.Scheme != "mast" {
		clean.Opaque = redacted
	}
	text := clean.String()
	for i, pair := range strings.Split(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(key); err != nil || !shown(name) {
			value = redacted
		}
		sep := "&"
		if i == 0 {
			sep = "?"
		}
		text += sep + key + "=" + value
	}
	return Printable(text, 2048)
}
