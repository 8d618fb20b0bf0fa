package mast

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

const (
	dialTimeout      = 15 * time.Second
	handshakeTimeout = 15 * time.Second
	idleTimeout      = 90 * time.Second
	maxHeader        = 1 << 20
	readBuffer       = 64 << 10
)

// newTransport returns a transport of HTTP/1.1 alone: a stream of HTTP/2 in net/http carries at most 4 MiB a round trip.
// Each transfer has a connection of its own, and as many are kept for the next ones.
func newTransport(connections int, headerTimeout time.Duration) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		MaxIdleConns:           2 * connections,
		IdleConnTimeout:        idleTimeout,
		ReadBufferSize:         readBuffer,
		DisableCompression:     true, // else net/http asks for gzip, decodes it and hides the length
	}
}

// guardKey marks the context of a request whose host a server chose: its value is that host and port.
type guardKey struct{}

// guarded returns a context in which connections to hostport are made to public addresses only.
func guarded(ctx context.Context, hostport string) context.Context {
	return context.WithValue(ctx, guardKey{}, hostport)
}

// dial connects. Where a redirect named the host, the address it resolves to is checked when the socket is about to be
// connected, so that no answer of a name server can point the client into the local network. A proxy's address is the
// user's choice and is not checked.
func dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if ctx.Value(guardKey{}) == hostport {
		d.Control = func(_, address string, _ syscall.RawConn) error { return publicAddress(address) }
	}
	return d.DialContext(ctx, network, hostport)
}

// carrierNAT is the shared address space of RFC 6598, private in all but name.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

func publicAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: address %q", ErrRedirect, address)
	}
	ip := ap.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || carrierNAT.Contains(ip) {
		return fmt.Errorf("%w: %s is not a public address", ErrRedirect, ip)
	}
	return nil
}
