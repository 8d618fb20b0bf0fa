package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"jwstbulk/internal/masttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "mastsim: %v\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "mastsim: %v\n", err)
		os.Exit(1)
	}
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// options are the command line.
type options struct {
	listen, catalog, faults, log string
	scale                        int64
	programs                     string
	old, printURL                bool
	tokens, expired              list
	synth                        masttest.SyntheticConfig
	cfg                          masttest.Config
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return "" }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func parse(args []string, stderr io.Writer) (*options, error) {
	var o options
	fs := flag.NewFlagSet("mastsim", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback `address` to serve on; port 0 takes a free one")
	fs.StringVar(&o.catalog, "catalog", "synthetic", "`name` of what is served: recorded, synthetic or 2733")
	fs.Int64Var(&o.scale, "scale", 0, "divide sizes by `N`, up to whole FITS blocks (0: 1000, or 1 with --metadata-only)")
	fs.StringVar(&o.programs, "programs", "", "recorded: only these programmes, separated by commas")
	fs.BoolVar(&o.old, "old", false, "recorded: serve the first version of each file until it is reprocessed")
	fs.IntVar(&o.synth.Observations, "observations", 0, "synthetic: `number` of executed observations (0: 10)")
	fs.IntVar(&o.synth.Rows, "rows", 0, "synthetic: mean `number` of product rows an observation (0: 67)")
	fs.BoolVar(&o.synth.Distinct, "distinct", false, "synthetic: list every file once, and no guide stars")
	fs.IntVar(&o.synth.PerProgram, "per-program", 0, "synthetic: `number` of observations a programme (0: 100)")
	fs.IntVar(&o.synth.Exclusive, "exclusive", 0, "synthetic: every `N`-th programme is exclusive (0: none)")
	fs.IntVar(&o.synth.Planned, "planned", 0, "synthetic: `number` of planned observations")
	fs.Uint64Var(&o.synth.Seed, "seed", 0, "synthetic: `number` that changes everything made up")
	fs.Var(&o.tokens, "token", "valid API `token`, or TOKEN=PROGRAMME,… with rights for these only (may be repeated)")
	fs.Var(&o.expired, "expired-token", "expired API `token` (may be repeated)")
	fs.BoolVar(&o.cfg.MetadataOnly, "metadata-only", false, "recorded checksums and sizes, no downloads")
	fs.Int64Var(&o.cfg.Rate, "rate", 0, "`bytes` a second of all file bodies together (0: no limit)")
	fs.DurationVar(&o.cfg.Latency, "latency", 0, "`time` before the first byte of each reply")
	fs.IntVar(&o.cfg.MaxTransfers, "max-transfers", 0, "answer 429 above so many file bodies at a time (0: no limit)")
	fs.StringVar(&o.cfg.RetryAfter, "retry-after", "", "sent with 429 and 503: `seconds`, or date:SECONDS")
	fs.IntVar(&o.cfg.Executing, "executing", 0, "`number` of polls answered EXECUTING before a result")
	fs.IntVar(&o.cfg.RowLimit, "row-limit", 0, "reset queries above so many `rows` (0: 500000, negative: none)")
	fs.IntVar(&o.cfg.Joins.Obsids, "join-obsids", 0, "fail product requests above so many `obsids` (0: no limit)")
	fs.IntVar(&o.cfg.Joins.Rows, "join-rows", 0, "fail product requests above so many `rows` (0: no limit)")
	fs.DurationVar(&o.cfg.Joins.PerRow, "join-row-time", 0, "`time` a product request takes for each row")
	fs.Func("join-failure", "`how` they fail: 504, error, executing, hang, reset", func(v string) error {
		o.cfg.Joins.How = masttest.JoinFailure(v)
		return nil
	})
	fs.Func("validators", "`kind` of version headers: strong, weak, etag, last-modified, none", func(v string) error {
		o.cfg.Validators = masttest.Validators(strings.TrimPrefix(v, "strong"))
		return nil
	})
	fs.StringVar(&o.faults, "faults", "", "`file` with a fault script (JSON)")
	fs.StringVar(&o.log, "log", "", "`file` that gets a JSON object a line for each request")
	fs.StringVar(&o.cfg.DigestFile, "digests", "", "`file` that keeps computed checksums between runs")
	fs.StringVar(&o.cfg.ControlPath, "control", "", "serve the control interface below this `path`, such as /_sim/")
	fs.BoolVar(&o.printURL, "print-url", true, "print the URL on standard output")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	if fs.NArg() > 0 {
		return nil, usageError{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	}
	return &o, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	if o.log != "" {
		f, openErr := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if openErr != nil {
			return fmt.Errorf("opening the log: %w", openErr)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.cfg.Log = f
	}
	s, err := masttest.New(o.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Listen(o.listen); err != nil {
		return err
	}
	if o.printURL {
		if _, err := fmt.Fprintln(stdout, s.URL); err != nil {
			return fmt.Errorf("printing the URL: %w", err)
		}
	}
	<-ctx.Done()
	return nil
}

// complete turns the flags into a configuration.
func (o *options) complete() error {
	for _, t := range o.tokens {
		value, programs, limited := strings.Cut(t, "=")
		tok := masttest.Token{Value: value}
		if limited {
			tok.Programs = strings.Split(programs, ",")
		}
		o.cfg.Tokens = append(o.cfg.Tokens, tok)
	}
	for _, t := range o.expired {
		o.cfg.Tokens = append(o.cfg.Tokens, masttest.Token{Value: t, Expired: true})
	}
	if o.faults != "" {
		f, err := os.Open(o.faults)
		if err != nil {
			return fmt.Errorf("opening the fault script: %w", err)
		}
		defer f.Close()
		if o.cfg.Faults, err = masttest.ParseFaults(f); err != nil {
			return fmt.Errorf("%s: %w", o.faults, err)
		}
	}
	o.cfg.ForgetRequests = o.cfg.ControlPath == "" // nobody could ask for the record
	var err error
	o.cfg.Catalog, err = o.source()
	return err
}

func (o *options) source() (masttest.Catalog, error) {
	if o.scale == 0 && o.cfg.MetadataOnly {
		o.scale = 1
	}
	switch o.catalog {
	case "recorded":
		var programs []string
		if o.programs != "" {
			programs = strings.Split(o.programs, ",")
		}
		return masttest.Recorded(masttest.RecordedConfig{Scale: o.scale, Programs: programs, Old: o.old})
	case "2733", "programme-2733", "program-2733":
		return masttest.Programme2733()
	case "synthetic":
		o.synth.Scale = o.scale
		return masttest.Synthetic(o.synth), nil
	}
	return nil, usageError{fmt.Errorf("--catalog is %q; it must be recorded, synthetic or 2733", o.catalog)}
}
