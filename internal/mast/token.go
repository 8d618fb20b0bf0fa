package mast

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// Token is a secret of the archive. Every way of printing it says "[redacted]". The zero Token means anonymous.
type Token struct{ secret string }

// NewToken makes a Token of its text, without surrounding white space; "" gives the zero Token.
func NewToken(text string) Token { return Token{secret: strings.TrimSpace(text)} }

// IsZero reports whether there is no token.
func (t Token) IsZero() bool { return t.secret == "" }

// String returns "[redacted]", or "" for the zero Token.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return redacted
}

// GoString is String in Go syntax, for %#v.
func (t Token) GoString() string { return "mast.Token{" + t.String() + "}" }

// Format writes String whatever the verb, so that %x and %d give nothing away either.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(t.String())) // fmt's state buffers in memory and does not fail
}

// MarshalText returns String.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns String.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Save writes the secret itself. It is for a file that nobody else may read, and for nothing else.
func (t Token) Save(w io.Writer) error {
	_, err := io.WriteString(w, t.secret+"\n")
	return err
}

// validate refuses what could not be sent as a header value unchanged.
func (t Token) validate() error {
	for i := range len(t.secret) {
		if c := t.secret[i]; c <= ' ' || c >= 0x7f {
			return errors.New("token contains a space, a control character or a non-ASCII character")
		}
	}
	return nil
}
