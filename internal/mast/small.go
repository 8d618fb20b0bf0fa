package mast

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxSmall bounds replies that are read into memory.
const maxSmall = 8 << 20

// MaxCloudPaths is the number of files CloudPaths may be asked for at once; the archive refuses longer addresses.
const MaxCloudPaths = 40

// Identity is who the archive takes the bearer of the token for. A bad or expired token is no error there: its bearer is
// anonymous.
type Identity struct {
	Anonymous bool
	Name      string // for people; "" if anonymous or not said
	ID        string // the archive's user name; "anonymous" without a valid token
}

// CloudPath is where the public copy of a file is.
type CloudPath struct {
	Status int    // 200 if there is a copy, 404 if not
	Key    string // in the bucket, without a leading slash; "" if there is no copy
}

// Column describes a column of a service.
type Column struct {
	Name        string
	Title       string // for people
	Type        string // as declared: char, int, double, …; not to be trusted for ids
	Unit        string
	Description string
	Example     string
	Separator   string // what Filter.Separator must be; "" if the column holds one value
	Numeric     bool   // takes Min and Max, not Values
}

// WhoAmI asks whom the token belongs to. Errors are *Error.
func (c *Client) WhoAmI(ctx context.Context) (Identity, error) {
	var reply struct {
		EZID   string         `json:"ezid"`
		Anon   *bool          `json:"anon"`
		Attrib map[string]any `json:"attrib"`
	}
	if err := c.getJSON(ctx, "whoami", "/whoami", "", &reply); err != nil {
		return Identity{}, err
	}
	if reply.Anon == nil {
		err := fmt.Errorf("%w: whoami does not say whether its asker is anonymous", ErrProtocol)
		return Identity{}, &Error{Op: "whoami", URL: redactURL(c.base) + "/whoami", Err: err}
	}
	name, _ := reply.Attrib["display_name"].(string)
	return Identity{Anonymous: *reply.Anon, Name: Printable(name, 200), ID: Printable(reply.EZID, 200)}, nil
}

// CloudPaths asks where the public copies of up to MaxCloudPaths files are. Files the archive does not mention are not in
// the map. Errors are *Error.
func (c *Client) CloudPaths(ctx context.Context, uris []string) (map[string]CloudPath, error) {
	const op = "cloud paths"
	if len(uris) == 0 || len(uris) > MaxCloudPaths {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: %d files, at most %d", ErrInput, len(uris), MaxCloudPaths)}
	}
	var query strings.Builder
	for _, uri := range uris {
		query.WriteString("uri=" + url.QueryEscape(uri) + "&")
	}
	query.WriteString("use_cloud_path=true")
	var reply map[string]struct {
		Status int     `json:"status_code"`
		Path   *string `json:"path"`
	}
	if err := c.getJSON(ctx, op, "/api/v0.1/path_lookup/", query.String(), &reply); err != nil {
		return nil, err
	}
	paths := make(map[string]CloudPath, len(reply))
	for uri, found := range reply {
		p := CloudPath{Status: found.Status}
		if found.Path != nil && found.Status == http.StatusOK {
			p.Key = strings.TrimLeft(*found.Path, "/")
		}
		paths[uri] = p
	}
	return paths, nil
}

// FileKeywords asks for the keyword row of one file, without the query service. A file that the archive does not know is
// an *Error that is fs.ErrNotExist.
func (c *Client) FileKeywords(ctx context.Context, uri string) (KeywordRow, error) {
	const op = "file keywords"
	var raw json.RawMessage
	if err := c.getJSON(ctx, op, "/viz/api/v0.1/keywords/search", "uri="+url.QueryEscape(uri), &raw); err != nil {
		return KeywordRow{}, err
	}
	cut := cutter{resolve: keywordColumn}
	if _, err := cut.row(raw); err != nil || cut.width > 0 {
		return KeywordRow{}, &Error{Op: op, Err: fmt.Errorf("%w: reply is no JSON object", ErrProtocol)}
	}
	cells, _, err := nextRow(cut.block, numbers(cut.columns, keywordColumn), nil)
	if err != nil {
		return KeywordRow{}, &Error{Op: op, Err: err}
	}
	row, d := KeywordRow{Size: -1}, new(keywordDecoder)
	for i := range cells {
		d.set(&row, &cells[i])
	}
	if row.URI == "" && len(d.filename) == 0 {
		return KeywordRow{}, &Error{Op: op, Err: fmt.Errorf("%w: no row for %q", fs.ErrNotExist, uri)}
	}
	if row.URI == "" {
		row.URI = uri
	}
	return row, nil
}

// Columns describes the columns of a service by name; configID is the service's name as the archive's pages use it, such
// as "Mast.Caom.Cone". A service that the archive does not know is an *Error that is fs.ErrNotExist.
func (c *Client) Columns(ctx context.Context, configID string) (map[string]Column, error) {
	const op = "columns"
	var reply map[string]map[string]any
	build := c.formRequest("/portal/Mashup/Mashup.asmx/columnsconfig", []byte("colConfigId="+url.QueryEscape(configID)))
	err := c.smallJSON(ctx, op, build, &reply)
	if errors.Is(err, errEmpty) {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: no columns of %q", fs.ErrNotExist, configID)}
	}
	if err != nil {
		return nil, err
	}
	columns := make(map[string]Column, len(reply))
	for name, says := range reply {
		if name == "_selected_" {
			continue
		}
		columns[name] = columnOf(name, says)
	}
	return columns, nil
}

func columnOf(name string, says map[string]any) Column {
	text := func(keys ...string) string {
		for _, key := range keys {
			if s, ok := says[key].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	col := Column{
		Name: name, Title: text("text", "vot.name"), Type: text("vot.datatype", "type"), Unit: text("unit", "vot.unit"),
		Description: text("vot.description"), Example: text("example"), Separator: text("separator"),
	}
	treat, _ := says["treatNumeric"].(bool)
	switch strings.ToLower(col.Type) {
	case "double", "float", "numeric":
		treat = true
	}
	col.Numeric = treat
	return col
}

// Lookup resolves the name of a fixed target to a position in degrees (ICRS) and the name the resolver knows it by. A
// name that no resolver knows is an *Error that is fs.ErrNotExist.
func (c *Client) Lookup(ctx context.Context, name string) (ra, dec float64, canonical string, err error) {
	const op = "Mast.Name.Lookup"
	form, err := request{
		Service: op, Params: map[string]string{"input": name, "format": "json"},
		Format: "json", PageSize: c.cfg.PageSize, Page: 1, CacheBreaker: "lookup",
	}.form()
	if err != nil {
		return 0, 0, "", &Error{Op: op, Err: err}
	}
	var reply struct {
		Status   string `json:"status"`
		Msg      string `json:"msg"`
		Resolved []struct {
			Canonical string      `json:"canonicalName"`
			RA        json.Number `json:"ra"`
			Dec       json.Number `json:"decl"`
		} `json:"resolvedCoordinate"`
	}
	err = c.poll(ctx, op, func(ctx context.Context) (status, msg string, err error) {
		err = c.exchange(ctx, op, c.formRequest("/api/v0/invoke", form), func(body io.Reader) error {
			return decodeSmall(body, &reply)
		})
		return reply.Status, reply.Msg, err
	})
	if err != nil {
		return 0, 0, "", err
	}
	for _, at := range reply.Resolved {
		ra, errRA := strconv.ParseFloat(at.RA.String(), 64)
		dec, errDec := strconv.ParseFloat(at.Dec.String(), 64)
		if errRA == nil && errDec == nil {
			return ra, dec, Printable(at.Canonical, 200), nil
		}
	}
	return 0, 0, "", &Error{Op: op, Err: fmt.Errorf("%w: no position for %q", fs.ErrNotExist, name)}
}

// getJSON gets a small JSON reply.
func (c *Client) getJSON(ctx context.Context, op, path, query string, into any) error {
	return c.smallJSON(ctx, op, func(ctx context.Context) (*http.Request, error) {
		u := *c.base
		u.Path, u.RawQuery = u.Path+path, query
		return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	}, into)
}

// smallJSON makes a metadata request whose reply fits in memory, within Config.Timeout.
func (c *Client) smallJSON(ctx context.Context, op string, build func(context.Context) (*http.Request, error), into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, ErrTimeout)
	defer cancel()
	return c.retry(ctx, op, func() error {
		return c.exchange(ctx, op, build, func(body io.Reader) error { return decodeSmall(body, into) })
	})
}

var errEmpty = fmt.Errorf("%w: empty reply", ErrProtocol)

func decodeSmall(body io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxSmall+1))
	trimmed := bytes.TrimSpace(text)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: connection ended after %d bytes", ErrShort, len(text))
	case err != nil:
		return err
	case len(text) > maxSmall:
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, maxSmall)
	case len(trimmed) == 0:
		return errEmpty
	case trimmed[0] == '<':
		return fmt.Errorf("%w instead of JSON", ErrHTML)
	}
	if err := json.Unmarshal(trimmed, into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && int(syntax.Offset) >= len(trimmed) {
			return fmt.Errorf("%w: JSON ends after %d bytes", ErrShort, len(trimmed))
		}
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}
