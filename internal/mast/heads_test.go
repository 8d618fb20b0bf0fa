package mast_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"jwstbulk/internal/mast"
)

// TestRefusedHeads: replies whose headers cannot be believed, or are beyond all measure, are errors of the attempt before a
// byte of the body is taken.
func TestRefusedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, head string }{
		{"F33 two lengths", "Content-Length: 6\r\nContent-Length: 7\r\n"},
		{"F33 two lengths in one field", "Content-Length: 6, 7\r\n"},
		{"F33 negative length", "Content-Length: -6\r\n"},
		{"F33 length with a sign", "Content-Length: +6\r\n"},
		{"F33 length in hexadecimal", "Content-Length: 0x6\r\n"},
		{"F33 length beyond 64 bits", "Content-Length: 99999999999999999999\r\n"},
		{"F33 no length at all", "Content-Length: \r\n"},
		{"F34 one huge field", "Content-Length: 6\r\nX-Huge: " + strings.Repeat("x", 2<<20) + "\r\n"},
		{"F34 many fields", "Content-Length: 6\r\n" + strings.Repeat("X-Many: "+strings.Repeat("y", 1000)+"\r\n", 2000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, buf, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/fits\r\n" + tt.head + "\r\nSIMPLE") // the client may leave
				_ = buf.Flush()
				_ = conn.Close()
			})
			b, err := a.client(t, nil).Open(context.Background(), fileURI, 0, mast.Validator{})
			if err == nil {
				t.Fatalf("Open() = %+v, want an error", b)
			}
			var e *mast.Error
			if !errors.As(err, &e) || !e.Temporary() {
				t.Errorf("Open() = %v, want an error that another attempt may mend", err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}
