package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"jwstbulk/internal/mast"
)

const tokenAdvice = "MAST tokens die after 10 days without use or 60 days in all, and rights are given per programme; " +
	"make a token at https://auth.mast.stsci.edu/token and put it into MAST_API_TOKEN"

// tokenEnv are the variables that may hold a token, the first one that is set counts: MAST's own, and the one of older tools.
var tokenEnv = []string{"MAST_API_TOKEN", "MAST_TOKEN"}

func tokenFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "token", Category: "Archive", Usage: "MAST token; other users of this machine can see it, better use $MAST_API_TOKEN"},
		&cli.BoolFlag{Name: "ask-token", Category: "Archive", EnvVars: env("ask-token"), Usage: "ask for the token on the terminal"},
		&cli.StringFlag{Name: "token-file", Category: "Archive", EnvVars: env("token-file"), TakesFile: true, Usage: "read the token from `FILE`, which nobody else may read (mode 0600)"},
		&cli.StringFlag{Name: "token-for", Category: "Archive", Usage: "send the token to this `ORIGIN` although it is not MAST's, e.g. https://mirror.example.org"},
	}
}

// readToken finds the token: --token, --token-file, --ask-token, then the environment. The variables are removed from our
// environment, so that no child process inherits them. The zero Token means anonymous.
func readToken(c *cli.Context, stderr io.Writer) (mast.Token, error) {
	fromEnv := ""
	for _, name := range tokenEnv {
		if v := strings.TrimSpace(os.Getenv(name)); v != "" && fromEnv == "" {
			fromEnv = v
		}
		if err := os.Unsetenv(name); err != nil {
			return mast.Token{}, err
		}
	}
	switch {
	case c.String("token") != "":
		fmt.Fprintln(stderr, "jwstbulk: warning: other users of this machine can read a token given by --token; $MAST_API_TOKEN or --token-file keep it private")
		return mast.NewToken(c.String("token")), nil
	case c.String("token-file") != "":
		return tokenFromFile(c.String("token-file"))
	case c.Bool("ask-token"):
		return askToken(stderr)
	}
	if fromEnv == "" {
		return mast.Token{}, nil
	}
	return mast.NewToken(fromEnv), nil
}

func tokenFromFile(name string) (mast.Token, error) {
	f, err := os.Open(name)
	if err != nil {
		return mast.Token{}, usagef("reading the token: %v", err)
	}
	defer f.Close() // only read from
	fi, err := f.Stat()
	if err != nil {
		return mast.Token{}, usagef("reading the token: %v", err)
	}
	if fi.Mode().IsRegular() && fi.Mode().Perm()&0o077 != 0 {
		return mast.Token{}, usagef("others can read the token file %q (mode %04o); mend it with: chmod 600 %q", name, fi.Mode().Perm()&fs.ModePerm, name)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return mast.Token{}, usagef("reading the token: %v", err)
	}
	text := string(bytes.TrimSpace(b))
	if text == "" || strings.ContainsAny(text, " \t\r\n") {
		return mast.Token{}, usagef("the token file %q must hold the token alone", name)
	}
	return mast.NewToken(text), nil
}

func askToken(stderr io.Writer) (mast.Token, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return mast.Token{}, usagef("--ask-token needs a terminal; use --token-file or $MAST_API_TOKEN here")
	}
	fmt.Fprint(stderr, "MAST token: ")
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(stderr)
	if err != nil {
		return mast.Token{}, usagef("reading the token: %v", err)
	}
	text := string(bytes.TrimSpace(b))
	if text == "" {
		return mast.Token{}, usagef("no token given")
	}
	return mast.NewToken(text), nil
}
