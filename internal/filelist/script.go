package filelist

import (
	"bytes"
	"errors"
	"strings"

	"jwstbulk/internal/product"
)

// sniffScript accepts shell scripts, and files whose first command is curl.
func sniffScript(head []byte) bool {
	if bytes.HasPrefix(head, []byte("#!")) {
		return true
	}
	for line := range bytes.Lines(head) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return bytes.HasPrefix(line, []byte("curl "))
		}
	}
	return false
}

// heredocEnd gives the word that ends the here-document which the line begins; "" if it begins none.
func heredocEnd(line string) string {
	if !strings.HasPrefix(line, "cat ") {
		return ""
	}
	_, word, _ := strings.Cut(line, "<<")
	word, _, _ = strings.Cut(strings.TrimLeft(word, "- '\""), " ")
	return strings.Trim(word, `'"`)
}

// scriptItem reads one line of a generated script. Only curl commands name files.
func scriptItem(line string) (Item, bool, error) {
	if !strings.HasPrefix(line, "curl ") {
		return Item{}, false, nil
	}
	words, err := shellWords(line)
	if err != nil {
		return Item{}, false, err
	}
	var location, output string
	for i := 1; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-o" || w == "--output":
			if i++; i < len(words) {
				output = words[i]
			}
		case strings.HasPrefix(w, "--output="):
			output = w[len("--output="):]
		case takesValue(w):
			i++
		case location == "" && (strings.HasPrefix(w, "http://") || strings.HasPrefix(w, "https://")):
			location = w
		}
	}
	if location == "" {
		return Item{}, false, errors.New("a curl command without a URL")
	}
	it, err := parseURL(location)
	if err != nil {
		return Item{}, false, err
	}
	if folder := outputFolder(output); folder != "" {
		it.Folder = folder
	}
	return it, true, nil
}

// takesValue lists the options of curl with a value that generated scripts use.
func takesValue(w string) bool {
	switch w {
	case "-H", "--header", "-C", "--continue-at", "-X", "--request", "--retry", "-b", "--cookie", "-A", "--user-agent":
		return true
	}
	return false
}

// outputFolder takes OBS out of an output path …/JWST/OBS/NAME; "" if the path has another form.
func outputFolder(p string) string {
	parts := strings.Split(p, "/")
	n := len(parts)
	if n < 3 || parts[n-3] != "JWST" || !product.SafeName(parts[n-2]) {
		return ""
	}
	return parts[n-2]
}

// shellWords splits a command as a POSIX shell would, without any expansion: quotes and backslashes are understood,
// ${VARIABLES} stay as they are.
func shellWords(s string) ([]string, error) {
	var words []string
	var w strings.Builder
	in := false // inside a word, perhaps an empty quoted one
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
			if in {
				words = append(words, w.String())
				w.Reset()
				in = false
			}
		case '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			w.WriteString(s[i+1 : i+1+end])
			i += end + 1
			in = true
		case '"':
			in = true
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0 {
					i++
				}
				w.WriteByte(s[i])
			}
			if i == len(s) {
				return nil, errors.New("a quote is not closed")
			}
		case '\\':
			if i++; i < len(s) {
				w.WriteByte(s[i])
			}
			in = true
		default:
			w.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, w.String())
	}
	return words, nil
}
