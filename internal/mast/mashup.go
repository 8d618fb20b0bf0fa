package mast

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxPages bounds what a server may announce; at the default page size it is far beyond the archive's whole content.
const maxPages = 10_000

// invoke asks a service of the query interface and follows its polls and pages to the end. The reply is complete, on
// disk, and of checked syntax when it returns, without the columns for which resolve is negative; all errors are *Error or
// unwrap to one.
func (c *Client) invoke(ctx context.Context, service string, params any, resolve func(string) int) (*Reply, error) {
	sp, err := newSpool(c.cfg.Spool)
	if err != nil {
		return nil, &Error{Op: service, Err: err}
	}
	r := &Reply{op: service, spool: sp, resolve: resolve}
	if err := c.pages(ctx, r, params); err != nil {
		_ = sp.close() // unlinked already; the query's error is the one to report
		return nil, err
	}
	return r, nil
}

// pages fetches all pages of r.
func (c *Client) pages(ctx context.Context, r *Reply, params any) error {
	req := request{
		Service: r.op, Params: params, Format: "json", PageSize: c.cfg.PageSize, Page: 1, CacheBreaker: rand.Text(),
	}
	total := int64(-1)
	for {
		form, err := req.form()
		if err != nil {
			return &Error{Op: r.op, Err: err}
		}
		p, err := c.page(ctx, r, form)
		if err != nil {
			return err
		}
		r.pages = append(r.pages, p)
		r.rows += p.rows
		if p.total >= 0 {
			total = p.total
		}
		if int64(req.Page) >= p.pages {
			break
		}
		if req.Page++; req.Page > maxPages {
			return &Error{Op: r.op, URL: c.invokeURL(), Err: fmt.Errorf("%w: %d pages announced", ErrProtocol, p.pages)}
		}
	}
	if r.rows < total {
		err := fmt.Errorf("%w: %d rows in %d pages, %d were announced", ErrShort, r.rows, len(r.pages), total)
		return &Error{Op: r.op, URL: c.invokeURL(), Err: err}
	}
	return nil
}

// page fetches one page into the spool.
func (c *Client) page(ctx context.Context, r *Reply, form []byte) (*page, error) {
	var p *page
	err := c.poll(ctx, r.op, func(ctx context.Context) (status, msg string, err error) {
		p = nil
		r.requests++
		start := time.Now()
		defer func() { r.elapsed += time.Since(start) }()
		err = c.exchange(ctx, r.op, c.formRequest("/api/v0/invoke", form), func(body io.Reader) error {
			in := newIntake(body, c.cfg.MaxReply)
			defer in.close()
			got, err := scanPage(in, r.spool, r.resolve)
			if err != nil {
				return in.explain(err)
			}
			if p = got; !complete(got.status) {
				return nil
			}
			if err := got.check(); err != nil {
				return err
			}
			r.spool.keep(got)
			r.bytes += in.n
			return nil
		})
		if err != nil {
			return "", "", err
		}
		return p.status, p.msg, nil
	})
	return p, err
}

// explain finds the root of a scanner's error: the network's or the disk's if there was one, a web page if it looks so.
func (in *intake) explain(err error) error {
	switch {
	case errors.Is(in.err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: connection ended after %d bytes", ErrShort, in.n)
	case in.err != nil:
		return in.err
	case in.first == '<':
		return fmt.Errorf("%w instead of JSON", ErrHTML)
	case in.first == 0:
		return fmt.Errorf("%w: nothing where JSON belongs", ErrShort)
	}
	return err
}

// poll repeats a request, byte for byte the same, while the archive says that the query is running. The time for all of
// it is Config.Timeout.
func (c *Client) poll(ctx context.Context, op string, ask func(context.Context) (status, msg string, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, ErrTimeout)
	defer cancel()
	for {
		asked := time.Now()
		var status, msg string
		err := c.retry(ctx, op, func() (err error) {
			status, msg, err = ask(ctx)
			return err
		})
		if err != nil {
			return err
		}
		switch {
		case complete(status):
			return nil
		case !strings.EqualFold(status, "EXECUTING"):
			return &Error{Op: op, URL: c.invokeURL(), Status: http.StatusOK, Message: c.cfg.message(msg), Err: ErrService}
		}
		if err := sleep(ctx, c.cfg.PollEvery-time.Since(asked)); err != nil {
			return &Error{Op: op, URL: c.invokeURL(), Err: fmt.Errorf("%w: the query is still running", err)}
		}
	}
}

// complete reports whether a status says that the answer is there; the older shapes of replies carry none.
func complete(status string) bool { return status == "" || strings.EqualFold(status, "COMPLETE") }

func (c *Client) invokeURL() string { return redactURL(c.base) + "/api/v0/invoke" }

// formRequest makes requests that post a form.
func (c *Client) formRequest(path string, form []byte) func(context.Context) (*http.Request, error) {
	return func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+path, bytes.NewReader(form))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
}

// exchange makes one metadata request and hands the body of a good reply to take. Its error is an *Error.
func (c *Client) exchange(
	ctx context.Context, op string, build func(context.Context) (*http.Request, error), take func(io.Reader) error,
) error {
	req, err := build(ctx)
	if err != nil {
		return &Error{Op: op, Err: fmt.Errorf("%w: the address is malformed", ErrInput)}
	}
	where := redactURL(req.URL)
	req.Header.Set("Accept", "application/json")
	resp, err := c.cfg.do(c.meta, req, op)
	if err != nil {
		return &Error{Op: op, URL: where, Err: err}
	}
	if resp.StatusCode != http.StatusOK {
		e := c.cfg.statusError(resp, op, where)
		if isRedirect(resp) {
			e.Err = fmt.Errorf("%w: metadata are asked of the archive itself only", ErrRedirect)
		} else if resp.StatusCode < 400 {
			e.Err = ErrProtocol
		}
		return e
	}
	defer func() { discard(resp.Body) }()
	// The media type is not looked at: the archive sends JSON as text/html. The first byte tells a page.
	switch coding := encoded(resp.Header); {
	case coding != "":
		err = fmt.Errorf("%w: %q", ErrEncoding, Printable(coding, 40))
	default:
		err = take(resp.Body)
	}
	if err == nil {
		return nil
	}
	return &Error{Op: op, URL: where, Status: resp.StatusCode, Err: networkError(ctx, err)}
}
