package filelist

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"jwstbulk/internal/product"
)

// publicBucket begins the keys of the archive's public copies: s3://stpubdata/jwst/public/jw01345/L3/…/NAME.
const publicBucket = "s3://stpubdata/jwst/"

// parseLocation reads a mast: URI, a key of the public bucket, or one of the archive's download URLs.
func parseLocation(s string) (Item, error) {
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "mast:"):
		uri, err := productURI(s)
		return Item{URI: uri}, err
	case strings.HasPrefix(lower, publicBucket):
		uri, err := productURI(product.Prefix + s[strings.LastIndexByte(s, '/')+1:])
		return Item{URI: uri}, err
	case strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "http://"):
		return parseURL(s)
	}
	return Item{}, fmt.Errorf("%.200q is neither a mast: URI nor a download URL", s)
}

// parseURL takes the file out of a download URL; the URL itself is never asked for. Forms: …/Download/file?uri=URI,
// …/Download/file/JWST/product/NAME (old Portal), …/retrieve_product?product_name=DATASET/NAME (Missions search).
func parseURL(s string) (Item, error) {
	u, err := url.Parse(s)
	if err != nil || !archiveHost(u.Hostname()) {
		return Item{}, fmt.Errorf("%.200q is not a download URL of MAST", s)
	}
	if uri := u.Query().Get("uri"); uri != "" && strings.HasSuffix(u.Path, "/Download/file") {
		uri, err := productURI(uri)
		return Item{URI: uri}, err
	}
	if _, rest, ok := strings.Cut(u.Path, "/Download/file/"); ok {
		uri, err := productURI("mast:" + rest)
		return Item{URI: uri}, err
	}
	if p := u.Query().Get("product_name"); p != "" && strings.HasSuffix(u.Path, "/retrieve_product") {
		set, name, ok := strings.Cut(p, "/")
		if !ok {
			set, name = "", p
		}
		uri, err := productURI(product.Prefix + name)
		if err != nil || !product.SafeName(set) {
			return Item{URI: uri}, err
		}
		return Item{URI: uri, Folder: product.Folder(set, name)}, nil
	}
	return Item{}, fmt.Errorf("%.200q is not a download URL of MAST", s)
}

// archiveHost accepts STScI's hosts, and loopback for a simulated archive.
func archiveHost(h string) bool {
	if h = strings.ToLower(h); h == "localhost" || h == "stsci.edu" || strings.HasSuffix(h, ".stsci.edu") {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.IsLoopback()
}

// productURI brings a URI of a JWST product to the archive's spelling; the archive itself is lax about the case of the
// path. It refuses everything else.
func productURI(s string) (string, error) {
	n := len(product.Prefix)
	switch lower := strings.ToLower(s); {
	case len(s) > product.MaxURI:
		return "", fmt.Errorf("URI of %d bytes", len(s))
	case strings.HasPrefix(lower, "mast:jwstedb/"):
		return "", fmt.Errorf("%.200q is engineering telemetry, which lists do not support yet", s)
	case len(s) <= n || !strings.EqualFold(s[:n], product.Prefix) || strings.ContainsAny(s[n:], "/\\?#&% \t"):
		return "", fmt.Errorf("%.200q is not a JWST product: want %s<file name>", s, product.Prefix)
	}
	return product.Prefix + s[n:], nil
}

// productNamed makes an entry of a bare file name. All products of JWST begin with jw, which tells them from those of
// other missions.
func productNamed(name string) (Item, error) {
	if len(name) < 2 || !strings.EqualFold(name[:2], "jw") {
		return Item{}, fmt.Errorf("%.200q is not the name of a JWST product", name)
	}
	uri, err := productURI(product.Prefix + name)
	return Item{URI: uri}, err
}
