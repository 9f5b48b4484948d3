// SPDX-License-Identifier: Apache-2.0

package requestcost

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

// answer is all that the server has to say.
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

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

// handle reads requests through a buffer, as servers do, and marks the begin and the end of parsing each: from its first
// byte in the buffer to its last. The connection's number joins the marks with its requests.
func handle(ctx context.Context, c *net.TCPConn) error {
	defer c.Close()
	id := cookie(c)
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	in := bufio.NewReaderSize(c, Buffer)
	for {
		if _, err := in.Peek(1); err != nil {
			if ctx.Err() != nil || err == io.EOF {
				return nil
			}
			return fmt.Errorf("read: %w", err)
		}
		demo.Mark("parse", demo.Begin, id)
		req, err := http.ReadRequest(in)
		demo.Mark("parse", demo.End, id)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		req.Body.Close()
		if _, err := io.WriteString(c, answer); err != nil && ctx.Err() == nil {
			return fmt.Errorf("write: %w", err)
		}
	}
}
