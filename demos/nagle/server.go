// SPDX-License-Identifier: Apache-2.0

package nagle

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"beltrace/demos/demo"
)

const (
	header = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
	body   = "belt 7"
)

// serve answers each connection from a goroutine of its own.
func serve(ctx context.Context, env *demo.Env) error {
	ln, err := env.Listen(ctx, 0)
	if err != nil {
		return err
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	return demo.AcceptAll(ctx, ln, func(c *net.TCPConn) error {
		handlers.Go(func() {
			if err := handle(ctx, c); err != nil {
				env.Log.Printf("%s: %v", c.RemoteAddr(), err)
			}
		})
		return nil
	})
}

// handle answers the requests of one connection until the client closes it.
func handle(ctx context.Context, c *net.TCPConn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if ctx.Err() != nil || err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		if err := answer(c, req.URL.Path); err != nil && ctx.Err() == nil {
			return fmt.Errorf("write an answer: %w", err)
		}
	}
}

// answer writes in the way that the path asks for. Go switches Nagle's algorithm off on each connection; most other
// languages leave it on, as the kernel does.
func answer(c *net.TCPConn, path string) error {
	if err := c.SetNoDelay(path == paths[stepNoDelay]); err != nil {
		return err
	}
	if path == paths[stepOneWrite] {
		_, err := io.WriteString(c, header+body)
		return err
	}
	if _, err := io.WriteString(c, header); err != nil {
		return err
	}
	_, err := io.WriteString(c, body)
	return err
}
