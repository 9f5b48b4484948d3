// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ServeHTTP serves on a listener of env's until ctx is done: what most demos' servers are. tune, if any, sees each
// connection before its first request.
func ServeHTTP(ctx context.Context, env *Env, handler http.Handler, tune func(*net.TCPConn)) error {
	ln, err := env.Listen(ctx, 0)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ErrorLog: env.Log, ReadHeaderTimeout: 5 * time.Second}
	if tune != nil {
		server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			if tcp, ok := c.(*net.TCPConn); ok {
				tune(tcp)
			}
			return ctx
		}
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Bare takes the headers away that net/http adds: what is left is seen whole in the first bytes of an answer.
func Bare(h http.Header) {
	h["Date"], h["Content-Type"] = nil, nil
}

// Caller is an HTTP/1.1 client that holds one connection, and decides itself which bytes go in which write.
type Caller struct {
	Conn *net.TCPConn
	in   *bufio.Reader
	stop func() bool
}

// Call connects to the server that env.Addr names. control, if any, sets options of the socket before it connects. When
// ctx ends, whatever waits on the connection fails.
func Call(ctx context.Context, env *Env, control func(fd int) error) (*Caller, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if control != nil {
		d.Control = controlOf(control)
	}
	c, err := d.DialContext(ctx, "tcp", env.Addr)
	if err != nil {
		return nil, err
	}
	return &Caller{Conn: c.(*net.TCPConn), in: bufio.NewReader(c), stop: context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })}, nil
}

// Close closes the connection.
func (c *Caller) Close() error {
	c.stop()
	return c.Conn.Close()
}

// Ask writes a request of that path, with further header lines that end in CRLF, in one call.
func (c *Caller) Ask(path, header string) error {
	_, err := io.WriteString(c.Conn, Request(path, header))
	return err
}

// Request is a GET request as bytes.
func Request(path, header string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: d\r\n" + header + "\r\n"
}

// Answer reads an answer to its end, and returns how long its body was.
func (c *Caller) Answer() (int64, error) {
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answer %s", resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

// Get asks and reads the answer.
func (c *Caller) Get(path string) error {
	if err := c.Ask(path, ""); err != nil {
		return err
	}
	_, err := c.Answer()
	return err
}

// Pause waits, or until ctx is done.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
